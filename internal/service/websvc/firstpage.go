package websvc

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed firstpage.html
var firstPage string

// FirstPage is what the page of a new site tells.
type FirstPage struct {
	Domain  string
	Address netip.Addr     // what is listened on; the zero value and unspecified addresses stand for loopback
	Offset  int            // of the ports
	Root    string         // the folder of the site, as the owner calls it; "" for www
	Console netip.AddrPort // the zero value for no console
}

// HTML gives the page: self-contained, without scripts, readable in light and dark.
func (p FirstPage) HTML() ([]byte, error) {
	if p.Root == "" {
		p.Root = "www"
	}
	page, err := template.New("first page").Parse(firstPage)
	if err != nil {
		return nil, fmt.Errorf("the first page: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("the first page: %w", err)
	}
	return out.Bytes(), nil
}

// Port gives a standard port with the offset.
func (p FirstPage) Port(standard int) string { return strconv.Itoa(standard + p.Offset) }

// At gives the address with a standard port and the offset.
func (p FirstPage) At(standard int) string {
	return netip.AddrPortFrom(p.Server(), uint16(standard+p.Offset)).String()
}

// Server gives an address at which a client on this machine reaches the server.
func (p FirstPage) Server() netip.Addr {
	switch {
	case p.Address.IsUnspecified() && p.Address.Is6():
		return netip.IPv6Loopback()
	case !p.Address.IsValid(), p.Address.IsUnspecified():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return p.Address
}

// URL gives the address of the site over HTTPS.
func (p FirstPage) URL() string {
	if p.Offset == 0 {
		return "https://www." + p.Domain + "/"
	}
	return "https://www." + p.Domain + ":" + p.Port(StandardHTTPSPort) + "/"
}

// Resolve tells curl where that is, which the machine's own resolver may not know.
func (p FirstPage) Resolve() string {
	server := p.Server().String()
	if p.Server().Is6() {
		server = "[" + server + "]"
	}
	return "www." + p.Domain + ":" + p.Port(StandardHTTPSPort) + ":" + server
}

// unfinished is the name under which the page is written before it gets its own, so that it appears whole or not at
// all.
const unfinished = ".first-page"

// WriteFirstPage makes the page in the folder of a site that is missing or empty, as index.html, and says whether it
// did. It never overwrites anything.
func WriteFirstPage(dir string, p FirstPage) (made bool, err error) {
	page, err := p.HTML()
	if err != nil {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("write the first page: %w", err)
	}
	for _, e := range entries {
		if e.Name() != unfinished { // which a killed first run has left
			return false, nil
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, fmt.Errorf("write the first page: %w", err)
	}
	made, err = place(dir, page)
	if err != nil {
		return false, fmt.Errorf("write the first page: %w", err)
	}
	return made, nil
}

// place writes the page under another name and links it to its own, which fails when that is there by now.
func place(dir string, page []byte) (made bool, err error) {
	draft, index := filepath.Join(dir, unfinished), filepath.Join(dir, "index.html")
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.Remove(draft)) }()
	_, err = f.Write(page)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return false, err
	}
	err = os.Link(draft, index)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrExist):
		return false, nil
	}
	return placeDirectly(index, page) // a file system without links
}

func placeDirectly(index string, page []byte) (made bool, err error) {
	f, err := os.OpenFile(index, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.Write(page)
	return true, errors.Join(err, f.Close())
}
