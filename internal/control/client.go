package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"syscall"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// Client asks a running instance. It is safe for concurrent use.
type Client struct {
	http       http.Client
	transcript *transcript.Recorder
}

// NewClient returns a client of the instance whose data folder is dir. Nothing is sent until it is asked. Its
// questions are recorded by r, which may be nil; what is in them and their answers is not.
func NewClient(h host.Host, dir string, r *transcript.Recorder) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, done, err := SocketPath(dir)
		if err != nil {
			return nil, err
		}
		defer done()
		return h.Dial(ctx, "unix", path)
	}
	return &Client{
		http:       http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
		transcript: r,
	}
}

// Status asks how the instance is; with check it asks each service before.
func (c *Client) Status(ctx context.Context, check bool) (s Status, err error) {
	path := "/status"
	if check {
		path += "?check=1"
	}
	return s, c.ask(ctx, "GET", path, nil, &s)
}

// Reload makes the instance read its settings anew.
func (c *Client) Reload(ctx context.Context) (r Reloaded, err error) {
	return r, c.ask(ctx, "POST", "/reload", nil, &r)
}

// ConsoleLink asks for a new one-time link.
func (c *Client) ConsoleLink(ctx context.Context) (l Link, err error) {
	return l, c.ask(ctx, "POST", "/console/link", nil, &l)
}

// RootCertificate asks for the local authority's root.
func (c *Client) RootCertificate(ctx context.Context) (r Root, err error) {
	return r, c.ask(ctx, "GET", "/root", nil, &r)
}

// Users lists the users.
func (c *Client) Users(ctx context.Context) (users []User, err error) {
	return users, c.ask(ctx, "GET", "/users", nil, &users)
}

// AddUser adds a user.
func (c *Client) AddUser(ctx context.Context, u NewUser) error {
	return c.ask(ctx, "POST", "/users", u, nil)
}

// SetPassword replaces a user's password.
func (c *Client) SetPassword(ctx context.Context, name, password string) error {
	return c.ask(ctx, "PUT", userPath(name, "password"), NewUser{Password: password}, nil)
}

// RemoveUser removes a user.
func (c *Client) RemoveUser(ctx context.Context, name string) error {
	return c.ask(ctx, "DELETE", userPath(name), nil, nil)
}

// AddAppPassword makes a password for one program of a user.
func (c *Client) AddAppPassword(ctx context.Context, name, label string) (p AppPassword, err error) {
	return p, c.ask(ctx, "POST", userPath(name, "app-passwords"), AppPassword{Label: label}, &p)
}

// RemoveAppPassword takes a program's password away.
func (c *Client) RemoveAppPassword(ctx context.Context, name, id string) error {
	return c.ask(ctx, "DELETE", userPath(name, "app-passwords", id), nil, nil)
}

// Trace follows the exchanges of the services named, or of all, and calls each for every line until ctx ends, the
// instance stops, or each returns an error, which is passed on. At level Bytes the entries have the messages' bytes.
func (c *Client) Trace(ctx context.Context, level transcript.Level, services []string, each func(Line) error) error {
	query := url.Values{"service": services}
	if level >= transcript.Bytes {
		query.Set("bytes", "1")
	}
	answer, err := c.send(ctx, "GET", "/trace?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := json.NewDecoder(answer.Body)
	for {
		var line Line
		if err := lines.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%w any more: it stopped while its exchanges were followed", ErrNotRunning)
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

func userPath(parts ...string) string {
	path := "/users"
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

func (c *Client) ask(ctx context.Context, method, path string, question, answer any) error {
	if method == http.MethodGet { // changes take their time: a reload waits for what is under way
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, AnswerTimeout, ErrSilent)
		defer cancel()
	}
	response, err := c.send(ctx, method, path, question)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("read the instance's answer: %w", err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, question any) (*http.Response, error) {
	var body bytes.Buffer
	if question != nil {
		if err := json.NewEncoder(&body).Encode(question); err != nil {
			return nil, fmt.Errorf("ask the instance: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://instance"+path, &body)
	if err != nil {
		return nil, fmt.Errorf("ask the instance: %w", err)
	}
	x := c.transcript.Begin(ctx, "control", "unix", netip.AddrPort{}, netip.AddrPort{})
	defer x.End()
	x.Line(transcript.Sent, body.Len(), method+" "+path)
	response, err := c.http.Do(request)
	if err == nil {
		x.Line(transcript.Received, 0, response.Status)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotRunning
	case err != nil && errors.Is(context.Cause(ctx), ErrSilent):
		return nil, ErrSilent
	case errors.Is(err, fs.ErrPermission):
		return nil, ErrNotYours
	case err != nil:
		return nil, fmt.Errorf("ask the instance: %w", plain(err))
	case response.StatusCode == http.StatusOK:
		return response, nil
	}
	defer response.Body.Close()
	var told Error
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil || told.Message == "" {
		return nil, fmt.Errorf("the instance answered with HTTP status %d", response.StatusCode)
	}
	return nil, &told
}

// plain takes away what package http says about a request that nobody typed.
func plain(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// SocketPath returns a name of the socket in the data folder dir that is short enough for the kernel (108 bytes,
// unix(7)), whatever the folder's own; it holds until done is called.
func SocketPath(dir string) (path string, done func(), err error) {
	const longest = 107
	path = dir + "/" + SocketName
	if len(path) <= longest {
		return path, func() {}, nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	path = fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), SocketName)
	return path, func() { folder.Close() }, nil
}

var _ Admin = (*Client)(nil)
