package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/network-utopia/utopia"

// pkg is one package of the module as its files are written.
type pkg struct {
	path    string   // below the module
	imports []string // of this module, below it, without tests; sorted
	drivers []string // of other modules, the same
	files   []file
}

type file struct {
	name      string // below the root of the module
	test      bool
	generated bool
	lines     int
	syntax    *ast.File
}

// code are the files that are no tests and were not generated.
func (p pkg) code() []file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f file) bool { return f.test || f.generated })
}

var fileSet = token.NewFileSet()

// load reads every package of the module, once.
func load(t *testing.T) []pkg {
	t.Helper()
	packages, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 10 {
		t.Fatalf("only %d packages found: is this the module?", len(packages))
	}
	return packages
}

var loadOnce = sync.OnceValues(func() ([]pkg, error) {
	root := "../.."
	byPath := map[string]*pkg{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "data") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := readFile(root, name)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(f.name))
		if byPath[dir] == nil {
			byPath[dir] = &pkg{path: dir}
		}
		byPath[dir].add(f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	packages := make([]pkg, 0, len(byPath))
	for _, p := range byPath {
		slices.Sort(p.imports)
		p.imports = slices.Compact(p.imports)
		slices.Sort(p.drivers)
		p.drivers = slices.Compact(p.drivers)
		packages = append(packages, *p)
	}
	slices.SortFunc(packages, func(a, b pkg) int { return strings.Compare(a.path, b.path) })
	return packages, nil
})

func readFile(root, name string) (file, error) {
	source, err := os.ReadFile(name)
	if err != nil {
		return file{}, err
	}
	syntax, err := parser.ParseFile(fileSet, name, source, parser.ParseComments)
	if err != nil {
		return file{}, err
	}
	below, err := filepath.Rel(root, name)
	return file{
		name: filepath.ToSlash(below), test: strings.HasSuffix(name, "_test.go"), generated: ast.IsGenerated(syntax),
		lines: strings.Count(string(source), "\n"), syntax: syntax,
	}, err
}

func (p *pkg) add(f file) {
	p.files = append(p.files, f)
	if f.test {
		return
	}
	for _, i := range f.syntax.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		host, _, _ := strings.Cut(path, "/")
		if below, ok := strings.CutPrefix(path, module+"/"); ok {
			p.imports = append(p.imports, below)
		} else if strings.Contains(host, ".") {
			p.drivers = append(p.drivers, path)
		}
	}
}

// imported gives the import path of the package that an expression names; "" where it is none.
func (f file) imported(e ast.Expr) string {
	base, ok := e.(*ast.Ident)
	if !ok || base.Obj != nil { // a variable of that name
		return ""
	}
	for _, i := range f.syntax.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		name := packageName(path)
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == base.Name {
			return path
		}
	}
	return ""
}

// packageName guesses the name of a package, which is mostly the last part of its path that is no version.
func packageName(path string) string {
	parts := strings.Split(path, "/")
	last := len(parts) - 1
	if _, err := strconv.Atoi(strings.TrimPrefix(parts[last], "v")); err == nil && last > 0 {
		last--
	}
	return strings.TrimPrefix(parts[last], "go-")
}

// uses calls found for each use of a name of an imported package, such as os.Exit.
func (f file) uses(found func(importPath, name string, at token.Position)) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if path := f.imported(selector.X); path != "" {
				found(path, selector.Sel.Name, fileSet.Position(selector.Pos()))
			}
		}
		return true
	})
}

// parse reads a piece of code that a rule is tried on.
func parse(t *testing.T, code string) file {
	t.Helper()
	syntax, err := parser.ParseFile(fileSet, "try.go", "package try; "+code, 0)
	if err != nil {
		t.Fatalf("%s: %v", code, err)
	}
	return file{name: "try.go", syntax: syntax}
}
