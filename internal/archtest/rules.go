package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// Arrows returns what goes against the import table, one sentence each.
func Arrows(src Source) []string {
	var bad []string
	unknown := map[string]bool{}
	for _, f := range src {
		if f.Test || !bound(f.Package) {
			continue
		}
		r, ok := find(f.Package)
		if !ok {
			if !unknown[f.Package] {
				bad = append(bad, fmt.Sprintf("%s has no row in the import table", f.Package))
			}
			unknown[f.Package] = true
			continue
		}
		f.Imports(func(p, _, where string) {
			ours, ok := strings.CutPrefix(p, Module)
			if ok && !matches(expand(r.may), ours) {
				bad = append(bad, fmt.Sprintf("%s: %s may not import %s", where, f.Package, ours))
			}
		})
	}
	return bad
}

// Stale returns the rows, group members and rooms that stand for no package of
// src: each would let in whoever takes the name later.
func Stale(src Source) []string {
	var bad []string
	packages := src.Packages()
	missing := func(pattern, where string) {
		if !slices.ContainsFunc(packages, func(pkg string) bool { return match(pattern, pkg) }) {
			bad = append(bad, fmt.Sprintf("%s: %s is no package", where, pattern))
		}
	}
	for _, r := range table {
		missing(r.pattern, "a row of the import table")
		for _, may := range expand(r.may) {
			missing(may, "the row of "+r.pattern)
		}
	}
	for _, p := range places {
		for _, pattern := range p.only {
			missing(pattern, "the place of "+p.path)
		}
	}
	for _, pattern := range free {
		missing(pattern, "the packages beside the product")
	}
	return bad
}

// bound reports whether the import table speaks of the package.
func bound(pkg string) bool {
	return strings.HasPrefix(pkg, "internal/") || strings.HasPrefix(pkg, "cmd/")
}

func find(pkg string) (row, bool) {
	for _, r := range table {
		if match(r.pattern, pkg) {
			return r, true
		}
	}
	return row{}, false
}

// expand puts the groups' members in the place of their names.
func expand(may []string) []string {
	var out []string
	for _, m := range may {
		if g, ok := groups[m]; ok {
			out = append(out, g...)
			continue
		}
		out = append(out, m)
	}
	return out
}

// Places returns the imports and calls that stand in a room not theirs.
func Places(src Source) []string {
	var bad []string
	for _, f := range src {
		if !bound(f.Package) && !f.Test {
			continue
		}
		for _, p := range places {
			if f.Test && !p.tests || !p.tests && matches(free, f.Package) || matches(p.only, f.Package) {
				continue
			}
			bad = append(bad, p.find(f)...)
		}
	}
	return bad
}

func (p place) find(f *File) []string {
	var bad []string
	if p.names == nil {
		f.Imports(func(imported, _, where string) {
			if match(p.path, imported) {
				bad = append(bad, fmt.Sprintf("%s: %s in %s: %s", where, imported, f.Package, p.why))
			}
		})
		return bad
	}
	f.Uses(func(used, name, where string) {
		if used == p.path && slices.Contains(p.names, name) {
			bad = append(bad, fmt.Sprintf("%s: %s.%s in %s: %s", where, used, name, f.Package, p.why))
		}
	})
	return bad
}

// Hidden returns init functions, and blank imports that are no driver.
func Hidden(src Source) []string {
	var bad []string
	for _, f := range src {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				bad = append(bad, f.where(fn)+": init hides wiring; build it where it is used")
			}
		}
		f.Imports(func(p, alias, where string) {
			if alias == "_" && !matches(blank[p], f.Package) {
				bad = append(bad, fmt.Sprintf("%s: blank import of %s", where, p))
			}
		})
	}
	return bad
}

// Skips returns the tests that may leave without having tested. Whatever the
// receiver is called, it may be a test's.
func Skips(src Source) []string {
	var bad []string
	for _, f := range src {
		if !f.Test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				return true
			}
			bad = append(bad, f.where(sel)+": a test installs or builds what it needs, or fails")
			return true
		})
	}
	return bad
}

// Docs returns the packages without a doc comment.
func Docs(src Source) []string {
	var bad []string
	for _, pkg := range src.Packages() {
		documented, code := false, false
		for _, f := range src {
			if f.Package != pkg || f.Test {
				continue
			}
			code = true
			if f.ast.Doc == nil {
				continue
			}
			text := f.ast.Doc.Text()
			documented = documented || strings.HasPrefix(text, "Package "+f.ast.Name.Name+" ") ||
				f.ast.Name.Name == "main" && strings.HasPrefix(text, "Command "+path.Base(pkg)+" ")
		}
		if code && !documented {
			bad = append(bad, pkg+": no file has a comment that begins with Package or Command and the name")
		}
	}
	return bad
}

// Names returns the packages and generated files that are called wrongly.
func Names(src Source) []string {
	var bad []string
	for _, pkg := range src.Packages() {
		if base := path.Base(pkg); slices.Contains(bannedNames, base) || strings.ContainsAny(base, "_-ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			bad = append(bad, fmt.Sprintf("%s: %q says nothing, or is not one lower-case word", pkg, base))
		}
	}
	for _, f := range src {
		if f.Generated() != strings.HasSuffix(f.Path, "_gen.go") {
			bad = append(bad, f.Path+": generated files, and no others, end in _gen.go")
		}
	}
	return bad
}

// Sizes returns what asks to be looked at: long files and functions, wide
// interfaces, crowded packages. A long answer may be the right one.
func Sizes(src Source) []string {
	var ask []string
	files := map[string]int{}
	for _, f := range src {
		if f.Generated() {
			continue
		}
		if !f.Test {
			files[f.Package]++
		}
		if f.Lines > 400 {
			ask = append(ask, fmt.Sprintf("%s: %d lines", f.Path, f.Lines))
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				lines := f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
				if lines > 50 && !f.Test {
					ask = append(ask, fmt.Sprintf("%s: %s has %d lines", f.where(n), n.Name.Name, lines))
				}
			case *ast.InterfaceType:
				if n.Methods.NumFields() > 8 {
					ask = append(ask, fmt.Sprintf("%s: an interface of %d methods", f.where(n), n.Methods.NumFields()))
				}
			}
			return true
		})
	}
	for _, pkg := range src.Packages() {
		if files[pkg] > 12 && pkg != "internal/api/ecr" {
			ask = append(ask, fmt.Sprintf("%s: %d files", pkg, files[pkg]))
		}
	}
	return ask
}
