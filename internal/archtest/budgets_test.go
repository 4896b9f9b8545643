package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// The budgets.
const (
	maxImports       = 3.0 // imports from this module, per package, on average
	minLeaves        = 0.3 // share of packages that import nothing from it
	maxFileLines     = 800
	maxMedianLines   = 200
	maxFunctionLines = 80
)

func TestImportBudget(t *testing.T) {
	var arrows, leaves, count int
	for _, p := range load(t) {
		if slices.Contains(outside, p.path) {
			continue
		}
		count++
		arrows += len(p.imports)
		if len(p.imports) == 0 {
			leaves++
		}
	}
	mean, share := float64(arrows)/float64(count), float64(leaves)/float64(count)
	t.Logf("%d packages, %.2f imports each, %.0f %% leaves", count, mean, 100*share)
	if mean > maxImports {
		t.Errorf("%.2f imports from this module per package, at most %v", mean, maxImports)
	}
	if share < minLeaves {
		t.Errorf("%.0f %% of the packages import nothing from this module, at least %v %%", 100*share, 100*minLeaves)
	}
}

func TestFileBudget(t *testing.T) {
	var lengths []int
	for _, p := range load(t) {
		for _, f := range p.files {
			if f.generated {
				continue
			}
			if f.lines > maxFileLines && exceptions.size[f.name] == "" {
				t.Errorf("%s has %d lines, at most %d", f.name, f.lines, maxFileLines)
			}
			if !f.test {
				lengths = append(lengths, f.lines)
			}
		}
	}
	slices.Sort(lengths)
	median := lengths[len(lengths)/2]
	t.Logf("%d files, median %d lines", len(lengths), median)
	if median >= maxMedianLines {
		t.Errorf("the median file has %d lines, under %d", median, maxMedianLines)
	}
}

func TestFunctionBudget(t *testing.T) {
	for _, p := range load(t) {
		for _, f := range p.code() {
			for _, d := range f.syntax.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				lines := fileSet.Position(fn.End()).Line - fileSet.Position(fn.Pos()).Line + 1
				if lines > maxFunctionLines && exceptions.size[f.name+": "+fn.Name.Name] == "" {
					t.Errorf("%s: %s has %d lines, at most %d", f.name, fn.Name.Name, lines, maxFunctionLines)
				}
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, p := range load(t) {
		documented := slices.ContainsFunc(p.files, func(f file) bool {
			return f.syntax.Doc != nil && strings.TrimSpace(f.syntax.Doc.Text()) != ""
		})
		if !documented {
			t.Errorf("package %s has no package comment", p.path)
		}
	}
}

func TestPublicPackagesHaveExamples(t *testing.T) {
	for _, p := range load(t) {
		if !public(p.path) {
			continue
		}
		example := slices.ContainsFunc(p.files, func(f file) bool {
			return f.test && slices.ContainsFunc(f.syntax.Decls, func(d ast.Decl) bool {
				fn, ok := d.(*ast.FuncDecl)
				return ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Example")
			})
		})
		if !example {
			t.Errorf("package %s has no Example function", p.path)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, p := range load(t) {
		if !public(p.path) {
			continue
		}
		for _, f := range p.code() {
			for _, d := range f.syntax.Decls {
				for _, name := range undocumented(d) {
					t.Errorf("%v: %s is exported and has no comment", fileSet.Position(name.Pos()), name.Name)
				}
			}
		}
	}
}

// undocumented lists the exported names of a declaration that no comment explains. A group's comment explains all
// its constants and variables.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || d.Doc != nil {
			return nil
		}
		var names []*ast.Ident
		for _, s := range d.Specs {
			names = append(names, undocumentedSpec(s)...)
		}
		return names
	}
	return nil
}

func undocumentedSpec(s ast.Spec) []*ast.Ident {
	var names []*ast.Ident
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Doc == nil {
			names = append(names, s.Name)
		}
	case *ast.ValueSpec:
		if s.Doc == nil && s.Comment == nil {
			names = append(names, s.Names...)
		}
	}
	return slices.DeleteFunc(names, func(n *ast.Ident) bool { return !n.IsExported() })
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	base := d.Recv.List[0].Type
	if star, ok := base.(*ast.StarExpr); ok {
		base = star.X
	}
	switch generic := base.(type) {
	case *ast.IndexExpr:
		base = generic.X
	case *ast.IndexListExpr: // of several type parameters
		base = generic.X
	}
	name, ok := base.(*ast.Ident)
	return ok && name.IsExported()
}

func TestAsManyTestLinesAsCode(t *testing.T) {
	for _, p := range load(t) {
		l, ok := layerOf(p.path)
		if !ok || l.number < 1 || l.number > 3 {
			continue
		}
		var code, tests int
		for _, f := range p.files {
			switch {
			case f.test:
				tests += f.lines
			case !f.generated:
				code += f.lines
			}
		}
		if tests < code && exceptions.size[p.path] == "" {
			t.Errorf("%s has %d lines of code and %d of tests", p.path, code, tests)
		}
	}
}
