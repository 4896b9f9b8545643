// Package config reads, checks, describes and edits utopia.toml, the one file
// of settings (TOML 1.1).
//
// The file is parsed by go-toml into a tree that keeps the position of every
// key and value, and decoded from there by the struct tags of Config:
//
//	toml      the key as it stands in the file
//	is        what kind of text it is: domain, path
//	default   the value where the file says nothing, as it would stand there
//	min, max  the bounds of a number, a size or a length of time
//	items     how many items a list has at least
//	names     of a table of names: what they name
//	enum      the only texts allowed, parted by commas
//	example   a value for the reference
//	doc       what it does, for the reference and the schema
//	later     why this version only understands it and does nothing with it
//
// So the checks, the reference (Sections), the schema (Schema) and the editor
// (AddUser, RemoveUser) follow from one description. What is wrong in a file is
// reported as Problems: all of them, each with its line, a caret and a hint.
//
// The package holds no state, starts no goroutines and knows nothing of the
// services. Each section of the file has a file here.
package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// FileName is the name of the settings file, and DataDir that of the folder
// of state beside it.
const (
	FileName = "utopia.toml"
	DataDir  = "data"
)

// Limits of a settings file. Past any of them Parse reports a problem.
const (
	MaxFileSize = 1 << 20 // bytes
	MaxProblems = 20      // problems reported for one file, and as many warnings
	MaxDepth    = 8       // tables and lists within each other
	MaxList     = 256     // items of one list
	MaxText     = 4096    // bytes of one text value
)

// DefaultOffset is added to every port of a .test domain, and of a process that
// may not open ports below 1024, where the file gives no port-offset.
const DefaultOffset = 8000

// Config is what utopia.toml says, with the defaults filled in. It is plain
// data; nobody changes it after Parse.
type Config struct {
	Domain     string       `toml:"domain" is:"domain" required:"true" example:"networkutopia.test" doc:"The domain that is served, in lower case. A name with other letters is written in its xn-- form."`
	Address    []netip.Addr `toml:"address" default:"127.0.0.1" items:"1" doc:"The addresses that are listened on, and that the domain's records give (unless dns.public-address says otherwise). 0.0.0.0 and :: stand for all addresses of this machine."`
	PortOffset *int         `toml:"port-offset" min:"0" max:"65535" example:"8000" doc:"What is added to the standard port of every service. Where it is not given: 8000 for a .test domain or an unprivileged process, else 0."`

	Users   []User  `toml:"users" names:"user" doc:"The accounts: one key for each, with its rights. Passwords are not kept here: utopia user passwd NAME sets them."`
	DNS     DNS     `toml:"dns" doc:"The name server of the domain."`
	Web     Web     `toml:"web" doc:"The web server of the domain and of its www name."`
	Mail    Mail    `toml:"mail" later:"does not serve mail yet" doc:"Mail for the users of the domain."`
	FTP     FTP     `toml:"ftp" later:"does not serve FTP yet" doc:"The FTP server."`
	P2P     P2P     `toml:"p2p" later:"does not share files with peers yet" doc:"Sharing files with peers: BitTorrent and the ring."`
	Socket  Socket  `toml:"socket" doc:"The upper-case service of the socket chapter, over UDP and TCP."`
	Console Console `toml:"console" doc:"The console, a web page for whoever runs this machine."`
	Log     Log     `toml:"log" doc:"What is logged, and where transcripts go."`
	Limits  Limits  `toml:"limits" doc:"Bounds that protect all services."`

	// Warnings tell of settings that are right but without effect in this
	// version, sorted by position.
	Warnings []Problem

	dir string
}

// Load reads and checks the file at path. What is wrong in the file is
// reported as Problems; a file that cannot be read gives the error of the
// operating system, so that errors.Is(err, fs.ErrNotExist) tells a first run.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	return parse(path, dir, data)
}

// readFile reads at most one byte past MaxFileSize, and regular files alone:
// a pipe would wait for ever.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFileSize+1))
}

// Parse checks the text of a settings file. Name is the file's path, which
// problems show and whose folder relative paths start from; nothing is read
// from it. The error, if any, is a Problems value.
func Parse(name string, data []byte) (*Config, error) {
	return parse(name, filepath.Dir(name), data)
}

func parse(name, dir string, data []byte) (*Config, error) {
	src := newSource(name, data)
	doc := src.document()
	c := &Config{dir: dir}
	d := &decoder{src: src, where: map[string]place{}, given: map[string][]string{}, spoilt: map[string]bool{}, fields: describe(configType())}
	d.config(doc, c)
	if !doc.broken {
		// Half a file says little about what is missing or does not fit.
		(&checker{Config: c, decoder: d}).all()
	}
	if len(src.problems) > 0 {
		return nil, src.sorted()
	}
	c.Warnings = src.warnings
	return c, nil
}

// Dir returns the folder that holds the settings file: absolute after Load,
// as in the name given after Parse.
func (c *Config) Dir() string { return c.dir }

// Resolve returns the path that a path of the file stands for: relative ones
// start from the folder of the file. An empty path stays empty.
func (c *Config) Resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// Offset returns what is added to every standard port. Privileged says whether
// this process may open ports below 1024.
func (c *Config) Offset(privileged bool) int {
	switch {
	case c.PortOffset != nil:
		return *c.PortOffset
	case strings.HasSuffix(c.Domain, ".test"), !privileged:
		return DefaultOffset
	}
	return 0
}

// PublicAddresses returns the addresses that the domain's records give.
func (c *Config) PublicAddresses() []netip.Addr {
	if len(c.DNS.PublicAddress) > 0 {
		return c.DNS.PublicAddress
	}
	return c.Address
}

// User returns the account of that name, and whether there is one.
func (c *Config) User(name string) (User, bool) {
	for _, u := range c.Users {
		if u.Name == name {
			return u, true
		}
	}
	return User{}, false
}
