package archtest

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// opens says whether a name of a package opens a socket, asks a name server, or makes a connection of a descriptor.
func opens(path, name string) bool {
	has := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	switch path {
	case "net":
		return name != "ListenError" && name != "Listener" && has("Listen", "Dial", "File", "Lookup", "Resolve", "DefaultResolver") ||
			name == "Pipe"
	case "net/http":
		return has("ListenAndServe") ||
			slices.Contains([]string{"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport"}, name)
	case "crypto/tls", "net/smtp", "net/rpc", "net/rpc/jsonrpc", "net/textproto", "log/syslog":
		return has("Dial", "Listen")
	case "github.com/miekg/dns":
		return has("Dial", "Listen", "Exchange", "ActivateAndServe") || slices.Contains([]string{"Client", "Server", "Transfer"}, name)
	case "syscall", "golang.org/x/sys/unix":
		return slices.Contains([]string{"Socket", "Socketpair", "Bind", "Connect"}, name)
	}
	return false
}

// ofCommands says whether a name of a package is about flags, the environment or exit codes.
func ofCommands(path, name string) bool {
	switch path {
	case "os", "syscall":
		return slices.Contains([]string{
			"Exit", "Args", "Getenv", "LookupEnv", "Environ", "Setenv", "Unsetenv", "Clearenv", "ExpandEnv",
			"UserHomeDir", "UserConfigDir", "UserCacheDir", "TempDir",
		}, name)
	case "log":
		return strings.HasPrefix(name, "Fatal") // which exits
	}
	return false
}

func TestExclusiveRights(t *testing.T) {
	for _, p := range load(t) {
		if slices.Contains(outside, p.path) {
			continue
		}
		for _, f := range p.code() {
			for _, u := range usurped(p.path, f) {
				if exceptions.rights[p.path+": "+u.right] == "" {
					t.Errorf("%v uses %s: %s", u.at, u.right, u.why)
				}
			}
		}
	}
}

// usurpation is a use of a right that the package does not have.
type usurpation struct {
	right, why string
	at         token.Position
}

// usurped lists what a file of a package does and may not.
func usurped(from string, f file) []usurpation {
	var found []usurpation
	for _, i := range f.syntax.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		why := deniedImport(from, path)
		if i.Name != nil && i.Name.Name == "." {
			why = "a name without its package hides whose it is"
		}
		if why != "" {
			found = append(found, usurpation{path, why, fileSet.Position(i.Pos())})
		}
	}
	f.uses(func(path, name string, at token.Position) {
		if why := denied(from, path, name); why != "" {
			found = append(found, usurpation{path + "." + name, why, at})
		}
	})
	if !mayOpen(from) {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if name := opensByDefault(f, n); name != "" {
				found = append(found, usurpation{name, "only host opens sockets", fileSet.Position(n.Pos())})
			}
			return true
		})
	}
	return found
}

// opensByDefault recognises what opens sockets without naming net: an http.Client without a Transport, an
// http.Transport without a way to dial, and ListenAndServe of any server.
func opensByDefault(f file, n ast.Node) string {
	switch n := n.(type) {
	case *ast.CallExpr:
		if selector, ok := n.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(selector.Sel.Name, "ListenAndServe") {
			return selector.Sel.Name
		}
	case *ast.CompositeLit:
		selector, ok := n.Type.(*ast.SelectorExpr)
		if !ok || f.imported(selector.X) != "net/http" {
			return ""
		}
		needs := map[string]string{"Client": "Transport", "Transport": "DialContext"}[selector.Sel.Name]
		given := slices.ContainsFunc(n.Elts, func(e ast.Expr) bool {
			pair, ok := e.(*ast.KeyValueExpr)
			if !ok {
				return false
			}
			key, ok := pair.Key.(*ast.Ident)
			return ok && key.Name == needs
		})
		if needs != "" && !given {
			return "http." + selector.Sel.Name + " without " + needs
		}
	}
	return ""
}

// mayOpen says whether a package is one of the networks.
func mayOpen(from string) bool {
	return from == "host" || strings.HasPrefix(from, "host/") && from != "host/serve"
}

func deniedImport(from, path string) string {
	switch {
	case (path == "flag" || strings.HasPrefix(path, "github.com/spf13/")) && from != "cmd/utopia":
		return "only cmd/utopia touches flags, the environment and exit codes"
	case path == module+"/internal/config" && !strings.HasPrefix(from, "internal/service/") && from != "internal/app":
		return "only services and the root read the settings"
	}
	return ""
}

func denied(from, path, name string) string {
	switch {
	case opens(path, name) && !mayOpen(from):
		return "only host opens sockets"
	case ofCommands(path, name) && from != "cmd/utopia":
		return "only cmd/utopia touches flags, the environment and exit codes"
	}
	return ""
}

func TestTheRightsAreExclusive(t *testing.T) {
	for _, c := range []struct{ from, code string }{
		{"socket", `import "net"; var _, _ = net.Dial("tcp", "x")`},
		{"socket", `import n "net"; var _ = n.ListenConfig{}`},
		{"socket", `import . "net"; var _, _ = Dial("tcp", "x")`},
		{"host/serve", `import "net"; var _, _ = net.Listen("tcp", "x")`},
		{"hostel", `import "net"; var _, _ = net.Listen("tcp", "x")`},
		{"internal/app", `import "net"; var _, _ = net.LookupHost("x")`},
		{"internal/app", `import "crypto/tls"; var _, _ = tls.Dial("tcp", "x", nil)`},
		{"internal/app", `import "net/http"; var _, _ = http.Get("x")`},
		{"internal/app", `import "net/http"; var _ = http.Client{}`},
		{"internal/app", `import "net/http"; var _ = http.Client{Transport: &http.Transport{}}`},
		{"internal/app", `import "net/http"; func f(s *http.Server) { s.ListenAndServe() }`},
		{"dns/dnsserver", `import "github.com/miekg/dns"; var _ = dns.Server{}`},
		{"internal/app", `import "syscall"; var _, _ = syscall.Socket(0, 0, 0)`},
		{"internal/app", `import "os"; var _ = os.Getenv("X")`},
		{"internal/app", `import "os"; func f() { defer os.Exit(1) }`},
		{"internal/app", `import "log"; func f() { log.Fatalf("x") }`},
		{"internal/app", `import "flag"; var _ = flag.Int`},
		{"internal/app", `import "github.com/spf13/pflag"; var _ = pflag.Int`},
		{"internal/state/accounts", `import c "` + module + `/internal/config"; var _ c.Config`},
		{"cmd/utopia", `import "` + module + `/internal/config"; var _ config.Config`},
	} {
		if usurped(c.from, parse(t, c.code)) == nil {
			t.Errorf("%s may: %s", c.from, c.code)
		}
	}
	for _, c := range []struct{ from, code string }{
		{"host", `import "net"; var _, _ = net.Dial("tcp", "x")`},
		{"host/emunet", `import "net"; var _, _ = net.Pipe()`},
		{"socket", `import "net"; var _ net.Listener`},
		{"socket", `type network struct{}; func (network) Dial() {}; func f(net network) { net.Dial() }`},
		{"internal/app", `import "net/http"; var _ = http.Client{Transport: &http.Transport{DialContext: nil}}`},
		{"cmd/utopia", `import "os"; var _ = os.Getenv("X")`},
		{"internal/app", `import "os"; var _, _ = os.Open("x")`},
		{"internal/app", `import "` + module + `/internal/config"; var _ config.Config`},
	} {
		if found := usurped(c.from, parse(t, c.code)); found != nil {
			t.Errorf("%s may not (%s): %s", c.from, found[0].why, c.code)
		}
	}
}

func TestWhoStartsGoroutines(t *testing.T) {
	for _, p := range load(t) {
		l, ok := layerOf(p.path)
		if !ok || l.number >= 3 {
			continue
		}
		for _, f := range p.code() {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if starts(n) && exceptions.rights[p.path+": go"] == "" {
					t.Errorf("%v starts a goroutine: layer %d (%s) does not", fileSet.Position(n.Pos()), l.number, l.name)
				}
				return true
			})
		}
	}
}

// starts recognises a go statement, Go of a sync.WaitGroup or errgroup.Group, and AfterFunc of time and context.
func starts(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.SelectorExpr:
		return slices.Contains([]string{"Go", "TryGo", "AfterFunc"}, n.Sel.Name)
	}
	return false
}

func TestGoroutinesAreSeen(t *testing.T) {
	for code, want := range map[string]bool{
		`func f() { go f() }`: true, `func f() { func() { go f() }() }`: true,
		`import "sync"; func f() { var wg sync.WaitGroup; wg.Go(f) }`:                 true,
		`import "sync"; func f() { var wg sync.WaitGroup; start := wg.Go; start(f) }`: true,
		`import "time"; func f() { time.AfterFunc(1, f) }`:                            true,
		`import "time"; func f() { time.Sleep(1) }`:                                   false,
	} {
		seen := false
		ast.Inspect(parse(t, code).syntax, func(n ast.Node) bool { seen = seen || starts(n); return true })
		if seen != want {
			t.Errorf("%s starts a goroutine: %v", code, seen)
		}
	}
}

// Only internal/leftout skips tests: it says why, and not where nothing may be left out.
func TestWhoSkipsTests(t *testing.T) {
	for _, p := range load(t) {
		for _, f := range p.files {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if skips(n) && p.path != "internal/leftout" && exceptions.rights[p.path+": Skip"] == "" {
					t.Errorf("%v skips a test: internal/leftout does that", fileSet.Position(n.Pos()))
				}
				return true
			})
		}
	}
}

// skips recognises the methods of a testing.TB that do.
func skips(n ast.Node) bool {
	s, ok := n.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name)
}

func TestSkipsAreSeen(t *testing.T) {
	for code, want := range map[string]bool{
		`func f(t *testing.T) { t.Skip() }`: true, `func f(t testing.TB) { t.Skipf("%d", 1) }`: true,
		`func f(t *testing.F) { leave := t.SkipNow; leave() }`: true, `func f(t *testing.T) { leftout.Because(t, "") }`: false,
	} {
		seen := false
		ast.Inspect(parse(t, code).syntax, func(n ast.Node) bool { seen = seen || skips(n); return true })
		if seen != want {
			t.Errorf("%s skips: %v", code, seen)
		}
	}
}

func TestNoInitAndNoMutableState(t *testing.T) {
	for _, p := range load(t) {
		if slices.Contains(outside, p.path) {
			continue
		}
		for name, at := range changed(p.code()) {
			switch {
			case name == "init":
				t.Errorf("%v: an init function; the root composes", at)
			case exceptions.state[p.path+": "+name] == "":
				t.Errorf("%v changes the package's variable %s: state belongs to a value", at, name)
			}
		}
	}
}

// changed finds the variables of a package that its functions change, and init.
func changed(files []file) map[string]token.Position {
	found := map[string]token.Position{}
	variables := map[string]*ast.Object{} //nolint:staticcheck // syntax is enough here; types would cost a build
	for _, f := range files {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found["init"] = fileSet.Position(fn.Pos())
			}
			for _, name := range packageVariables(d) {
				variables[name.Name] = name.Obj
			}
		}
	}
	for _, f := range files {
		maps.Copy(found, assigned(f, variables))
	}
	return found
}

func TestMutableStateIsSeen(t *testing.T) {
	for code, want := range map[string]bool{
		`var n int; func f() { n = 1 }`: true, `var n int; func f() { n++ }`: true, `var n int; func f() { n += 1 }`: true,
		`var m map[int]int; func f() { m[1] = 2 }`: true, `var m map[int]int; func f() { delete(m, 1) }`: true,
		`var m map[int]int; func f() { clear(m) }`: true, `var b []int; func f() { copy(b[1:], b) }`: true,
		`var s struct{ n int }; func f() { (s).n = 1 }`: true, `var p *int; func f() { *p = 1 }`: true,
		`var n int; func f() { for n = range 3 { } }`: true, `var n int; func f() *int { return &n }`: true,
		`import "sync"; var m sync.Map; func f() { m.LoadOrStore(1, 2) }`:       true,
		`import "sync"; var p sync.Pool; func f() { p.Get() }`:                  true,
		`import "sync/atomic"; var n atomic.Int64; func f() { n.Add(1) }`:       true,
		`import "sync"; var mu sync.RWMutex; func f() { mu.RLock() }`:           true,
		`var c chan int; func f() { c <- 1 }`:                                   true,
		`func init() {}`:                                                        true,
		`var n = 1; func f() int { return n }`:                                  false,
		`var n = 1; func f() { n := 2; n = 3; _ = n }`:                          false,
		`var s = []int{1}; func f() int { return s[0] }`:                        false,
		`type t struct{ n int }; func (t *t) init() { t.n = 1 }`:                false,
		`import "errors"; var e = errors.New("x"); func f() error { return e }`: false,
	} {
		if got := changed([]file{parse(t, code)}); (len(got) > 0) != want {
			t.Errorf("%s changes %v", code, got)
		}
	}
}

func packageVariables(d ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
		for _, s := range g.Specs {
			names = append(names, s.(*ast.ValueSpec).Names...)
		}
	}
	return names
}

// assigned finds the package variables that a file's functions assign to, or to parts of.
//
//nolint:staticcheck // syntax is enough here; types would cost a build
func assigned(f file, variables map[string]*ast.Object) map[string]token.Position {
	found := map[string]token.Position{}
	note := func(target ast.Expr) {
		base := baseOf(target)
		if base == nil || base.Name == "_" || variables[base.Name] == nil {
			return
		}
		// A name without an object is declared in another file of the package.
		if base.Obj == nil || base.Obj == variables[base.Name] {
			found[base.Name] = fileSet.Position(target.Pos())
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, target := range n.Lhs {
					note(target)
				}
			}
		case *ast.IncDecStmt:
			note(n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				note(n.Key)
				note(n.Value)
			}
		case *ast.SendStmt:
			note(n.Chan)
		case *ast.UnaryExpr:
			if n.Op == token.AND { // whoever has the address may change what is there
				note(n.X)
			}
		case *ast.CallExpr:
			note(mutated(n))
		}
		return true
	})
	return found
}

// mutated gives what a call changes: of the builtins, and of locks, pools, maps and atomic values; nil for nothing.
func mutated(n *ast.CallExpr) ast.Expr {
	switch fun := n.Fun.(type) {
	case *ast.Ident:
		if slices.Contains([]string{"delete", "clear", "copy", "close"}, fun.Name) && len(n.Args) > 0 {
			return n.Args[0]
		}
	case *ast.SelectorExpr:
		if slices.Contains([]string{
			"Lock", "TryLock", "RLock", "Store", "LoadOrStore", "LoadAndDelete", "Delete", "Range", "Clear", "Add", "And", "Or",
			"Get", "Put", "Do", "CompareAndSwap", "CompareAndDelete", "Swap",
		}, fun.Sel.Name) {
			return fun.X
		}
	}
	return nil
}

func baseOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		default:
			return nil
		}
	}
}
