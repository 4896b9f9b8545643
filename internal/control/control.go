// Package control is how a command speaks to the running instance: HTTP and JSON over a Unix socket in the data
// folder, which only the instance's own user may open.
//
// [Instance] is what can be asked, [Handler] answers for one, and [Client] is one that is asked from afar.
package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/network-utopia/utopia/transcript"
)

// SocketName is the name of the socket in the data folder.
const SocketName = "control.sock"

// Instance is what a running instance lets its commands do.
type Instance interface {
	Admin
	Names
	Editor
	// Status tells of the instance and its services; with check each service is asked a real question before.
	Status(ctx context.Context, check bool) (Status, error)
	// Reload reads the settings anew. When they are bad nothing changes.
	Reload(ctx context.Context) (Reloaded, error)
	// ConsoleLink returns a new one-time link to the console.
	ConsoleLink(ctx context.Context) (Link, error)
	// Follow adds a sink to the instance's transcripts until detach is called.
	Follow(sink transcript.Sink) (detach func())
}

// Admin is what can also be done while no instance runs, on the folder itself.
type Admin interface {
	// Users lists the users, sorted by name.
	Users(ctx context.Context) ([]User, error)
	// AddUser adds a user to the settings and keeps the password; durable once it returns.
	AddUser(ctx context.Context, u NewUser) error
	// SetPassword replaces a user's password; durable once it returns.
	SetPassword(ctx context.Context, name, password string) error
	// RemoveUser takes a user out of the settings, with all secrets.
	RemoveUser(ctx context.Context, name string) error
	// AddAppPassword makes a password for one program of a user. It is told once.
	AddAppPassword(ctx context.Context, name, label string) (AppPassword, error)
	// RemoveAppPassword takes the program's password away.
	RemoveAppPassword(ctx context.Context, name, id string) error
	// RootCertificate returns the local authority's root in PEM.
	RootCertificate(ctx context.Context) (Root, error)
}

// Status is what is known of a running instance.
type Status struct {
	Domain   string    `json:"domain"`
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Folder   string    `json:"folder"`
	Started  time.Time `json:"started"`
	Services []Service `json:"services"`
	Warnings []string  `json:"warnings,omitempty"` // of the settings
}

// OK says whether all services are up.
func (s Status) OK() bool {
	for _, service := range s.Services {
		if service.State != "up" {
			return false
		}
	}
	return len(s.Services) > 0
}

// Service is what is known of one service.
type Service struct {
	Name      string     `json:"name"`
	State     string     `json:"state"` // starting, up, failed, stopped
	Error     string     `json:"error,omitempty"`
	Hint      string     `json:"hint,omitempty"` // what to do about the error
	Endpoints []Endpoint `json:"endpoints"`
	Since     time.Time  `json:"since"`
	Took      float64    `json:"check_ms,omitempty"`   // how long its last check took, in milliseconds
	Traced    bool       `json:"traced"`               // its exchanges are recorded and counted
	Total     uint64     `json:"exchanges"`            // since the start
	Rate      float64    `json:"exchanges_per_second"` // mean of the last ten seconds
}

// Endpoint is an address at which a service listens.
type Endpoint struct {
	Protocol string `json:"protocol"` // such as "DNS" or "HTTPS"
	Network  string `json:"network"`  // "udp" or "tcp"
	Address  string `json:"address"`  // address and port
}

// Reloaded tells what a reload did.
type Reloaded struct {
	Changed  []string `json:"changed"` // the sections and services that took new settings
	Failed   []string `json:"failed,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Link opens the console once.
type Link struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// User is an account as commands show it.
type User struct {
	Name         string        `json:"name"`
	Admin        bool          `json:"admin"`
	HasPassword  bool          `json:"has_password"`
	Configured   bool          `json:"configured"` // stands in utopia.toml; a user that does not cannot sign in
	AppPasswords []AppPassword `json:"app_passwords,omitempty"`
}

// NewUser is a user to be added. Without a password the user cannot sign in until one is set.
type NewUser struct {
	Name     string `json:"name"`
	Admin    bool   `json:"admin"`
	Password string `json:"password,omitempty"`
}

// AppPassword is the password of one program of a user.
type AppPassword struct {
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	Created time.Time `json:"created,omitzero"`
	Secret  string    `json:"secret,omitempty"` // only in the answer that made it
}

// Root is the local authority's root certificate.
type Root struct {
	PEM string `json:"pem"`
}

// Kind sorts errors by what the caller can do about them.
type Kind string

// The kinds of error.
const (
	Invalid  Kind = "invalid"   // the request or the settings are wrong
	NotFound Kind = "not-found" // what it names is not there
	Conflict Kind = "conflict"  // what it would make is there already
	Internal Kind = "internal"  // the instance could not do it
)

// Error is an answer that tells what went wrong, over the socket as in the process.
type Error struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"error"`
	Hint    string `json:"hint,omitempty"`
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// AnswerTimeout is how long a [Client] waits for the answer to a question that changes nothing: longer than the checks of
// a Status take.
const AnswerTimeout = 10 * time.Second

// What a [Client] says of an instance that it gets no answer from.
var (
	ErrNotRunning = errors.New("utopia is not running here")                   // nobody listens on the folder's socket
	ErrNotYours   = errors.New("the data here belongs to another user")        // whom alone the instance answers
	ErrSilent     = fmt.Errorf("utopia has not answered in %v", AnswerTimeout) // it listens: stopped, or stuck
)
