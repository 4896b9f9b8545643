package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/network-utopia/utopia"

// pkg is one package of the module as its files are written.
type pkg struct {
	path    string   // below the module
	imports []string // of this module, below it, without tests; sorted
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
		if below, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"/"); ok {
			p.imports = append(p.imports, below)
		}
	}
}

// uses calls found for each use of a name of an imported package, such as os.Exit.
func (f file) uses(found func(importPath, name string, at token.Position)) {
	imported := map[string]string{}
	for _, i := range f.syntax.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		imported[name] = path
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if base, ok := selector.X.(*ast.Ident); ok && base.Obj == nil && imported[base.Name] != "" {
			found(imported[base.Name], selector.Sel.Name, fileSet.Position(selector.Pos()))
		}
		return true
	})
}
