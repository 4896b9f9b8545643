package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/network-utopia/utopia/transcript"
)

// The limits of the handler.
const (
	MaxRequestBody = 64 << 10 // bytes
	followBuffer   = 4096     // events held for a follower that is slow
	keepAlive      = 15 * time.Second
)

// Line is one line of the stream that /trace answers with: a step of an exchange, or a sign of life.
type Line struct {
	Event  string             `json:"event"` // begin, entry, end, alive
	Head   *transcript.Head   `json:"exchange,omitempty"`
	Entry  *transcript.Entry  `json:"entry,omitempty"`  // of an entry
	Record *transcript.Record `json:"record,omitempty"` // of an end: the whole exchange
	Lost   uint64             `json:"lost,omitempty"`   // steps lost so far, since the reader is slow
}

// Handler answers for the instance.
func Handler(in Instance) http.Handler {
	mux := http.NewServeMux()
	limited := func(pattern string, most int64, f func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, most)
			if r.Method != http.MethodGet { // a change is not left half done because the command was interrupted
				r = r.WithContext(context.WithoutCancel(r.Context()))
			}
			answer, err := f(r)
			reply(w, answer, err)
		})
	}
	handle := func(pattern string, f func(r *http.Request) (any, error)) { limited(pattern, MaxRequestBody, f) }
	handle("GET /status", func(r *http.Request) (any, error) { return in.Status(r.Context(), r.FormValue("check") != "") })
	handle("POST /reload", func(r *http.Request) (any, error) { return in.Reload(r.Context()) })
	handle("POST /console/link", func(r *http.Request) (any, error) { return in.ConsoleLink(r.Context()) })
	handle("GET /root", func(r *http.Request) (any, error) { return in.RootCertificate(r.Context()) })
	handle("GET /users", func(r *http.Request) (any, error) { return in.Users(r.Context()) })
	handle("POST /users", func(r *http.Request) (any, error) {
		u, err := body[NewUser](r)
		if err != nil {
			return nil, err
		}
		return nil, in.AddUser(r.Context(), u)
	})
	handle("DELETE /users/{name}", func(r *http.Request) (any, error) {
		return nil, in.RemoveUser(r.Context(), r.PathValue("name"))
	})
	handle("PUT /users/{name}/password", func(r *http.Request) (any, error) {
		u, err := body[NewUser](r)
		if err != nil {
			return nil, err
		}
		return nil, in.SetPassword(r.Context(), r.PathValue("name"), u.Password)
	})
	handle("POST /users/{name}/app-passwords", func(r *http.Request) (any, error) {
		app, err := body[AppPassword](r)
		if err != nil {
			return nil, err
		}
		return in.AddAppPassword(r.Context(), r.PathValue("name"), app.Label)
	})
	handle("DELETE /users/{name}/app-passwords/{id}", func(r *http.Request) (any, error) {
		return nil, in.RemoveAppPassword(r.Context(), r.PathValue("name"), r.PathValue("id"))
	})
	handleNames(mux, handle, in)
	handleEdits(limited, in)
	mux.HandleFunc("GET /trace", func(w http.ResponseWriter, r *http.Request) { follow(w, r, in) })
	return mux
}

func body[T any](r *http.Request) (T, error) {
	var v T
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&v)
	var long *http.MaxBytesError
	switch {
	case err == nil:
		return v, nil
	case errors.As(err, &long):
		return v, &Error{Kind: Invalid, Message: fmt.Sprintf("the request is longer than %d octets", long.Limit)}
	default:
		return v, &Error{Kind: Invalid, Message: "the request is not what this instance expects: " + err.Error(),
			Hint: "is the running instance of the same version as this command?"}
	}
}

func reply(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		e := asError(err)
		w.WriteHeader(statusOf(e.Kind))
		answer = e
	}
	if answer == nil {
		answer = struct{}{}
	}
	// The peer is a command on this machine: if it has gone there is nobody to tell.
	_ = json.NewEncoder(w).Encode(answer)
}

func statusOf(k Kind) int {
	switch k {
	case Invalid:
		return http.StatusBadRequest
	case NotFound:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Message: err.Error()}
}

// follow streams events as lines of JSON until the reader goes; with the messages' bytes where it asks for those.
func follow(w http.ResponseWriter, r *http.Request, in Instance) {
	level := transcript.Lines
	if r.URL.Query().Get("bytes") != "" {
		level = transcript.Bytes
	}
	feed := transcript.NewFeed(level, followBuffer, r.URL.Query()["service"]...)
	detach := in.Follow(feed)
	defer detach()
	w.Header().Set("Content-Type", "application/x-ndjson")
	flush := http.NewResponseController(w).Flush
	out := json.NewEncoder(w)
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for line := (Line{Event: "alive"}); ; {
		if out.Encode(line) != nil || flush() != nil {
			return
		}
		var ok bool
		if line, ok = next(r.Context(), feed, alive.C); !ok {
			return
		}
	}
}

func next(ctx context.Context, feed *transcript.Feed, alive <-chan time.Time) (Line, bool) {
	select {
	case <-ctx.Done():
		return Line{}, false
	case <-alive:
		return Line{Event: "alive", Lost: feed.Lost()}, true
	case e := <-feed.Events():
		feed.Release(e) // the one in hand is no backlog
		return eventLine(e, feed.Lost()), true
	}
}

func eventLine(e transcript.Event, lost uint64) Line {
	line := Line{Head: &e.Head, Lost: lost}
	switch e.Kind {
	case transcript.Began:
		line.Event = "begin"
	case transcript.Said:
		line.Event = "entry"
		line.Entry = &e.Entry
	case transcript.Ended:
		line.Event = "end"
		line.Record = &e.Record
	}
	return line
}
