package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// opens are the names of package net that open a socket, or make one out of a descriptor.
func opens(name string) bool {
	return strings.HasPrefix(name, "Listen") && name != "ListenError" && name != "Listener" ||
		strings.HasPrefix(name, "Dial") || strings.HasPrefix(name, "File") || name == "Pipe"
}

// onlyCommands are the names of package os that flags, the environment and exit codes are made of.
var onlyCommands = []string{"Exit", "Args", "Getenv", "LookupEnv", "Environ", "Setenv", "Unsetenv", "ExpandEnv"}

func TestExclusiveRights(t *testing.T) {
	for _, p := range load(t) {
		if slices.Contains(outside, p.path) {
			continue
		}
		for _, f := range p.code() {
			f.uses(func(path, name string, at token.Position) {
				if why := denied(p.path, path, name); why != "" && exceptions.rights[p.path+": "+path+"."+name] == "" {
					t.Errorf("%v uses %s.%s: %s", at, path, name, why)
				}
			})
		}
	}
}

func denied(from, path, name string) string {
	switch {
	case path == "net" && opens(name) && !strings.HasPrefix(from, "host"):
		return "only host opens sockets"
	case path == "os" && slices.Contains(onlyCommands, name) && from != "cmd/utopia",
		(path == "flag" || strings.HasSuffix(path, "/pflag")) && from != "cmd/utopia":
		return "only cmd/utopia touches flags, the environment and exit codes"
	case path == module+"/internal/config" && !strings.HasPrefix(from, "internal/service/") && from != "internal/app":
		return "only services and the root read the settings"
	}
	return ""
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

// starts recognises a go statement, and Go(func …) of a sync.WaitGroup or errgroup.Group.
func starts(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		selector, ok := n.Fun.(*ast.SelectorExpr)
		return ok && selector.Sel.Name == "Go"
	}
	return false
}

func TestNoInitAndNoMutableState(t *testing.T) {
	for _, p := range load(t) {
		if slices.Contains(outside, p.path) {
			continue
		}
		byName := map[string]*ast.Object{} //nolint:staticcheck // syntax is enough here; types would cost a build
		for _, f := range p.code() {
			for _, d := range f.syntax.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%v: an init function; the root composes", fileSet.Position(fn.Pos()))
				}
				for _, name := range packageVariables(d) {
					byName[name.Name] = name.Obj
				}
			}
		}
		for _, f := range p.code() {
			for name, at := range assigned(f, byName) {
				if exceptions.state[p.path+": "+name] == "" {
					t.Errorf("%v changes the package's variable %s: state belongs to a value", at, name)
				}
			}
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
		case *ast.CallExpr:
			if mutator(n) {
				note(n.Fun.(*ast.SelectorExpr).X)
			}
		}
		return true
	})
	return found
}

// mutator recognises the calls by which locks, pools and atomic values are used.
func mutator(n *ast.CallExpr) bool {
	selector, ok := n.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Lock", "Store", "Add", "Put", "Do", "CompareAndSwap", "Swap"}, selector.Sel.Name)
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
		default:
			return nil
		}
	}
}
