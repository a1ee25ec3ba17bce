package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the import path in front of every package of ours.
const Module = "github.com/lighterage/lighterage/"

// File is one parsed Go file.
type File struct {
	Path    string // from the root, with slashes
	Package string // its folder, from the root
	Test    bool
	Lines   int

	fset *token.FileSet
	ast  *ast.File
}

// Source is the Go files of a tree, in the order of their paths.
type Source []*File

// Read parses every Go file of the tree but those of testdata and of folders
// whose name begins with a dot.
func Read(tree fs.FS) (Source, error) {
	var src Source
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := fs.ReadFile(tree, p)
		if err != nil {
			return err
		}
		f, err := parse(p, string(text))
		if err != nil {
			return err
		}
		src = append(src, f)
		return nil
	})
	return src, err
}

func parse(p, text string) (*File, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	return &File{
		Path:    p,
		Package: path.Dir(p),
		Test:    strings.HasSuffix(p, "_test.go"),
		Lines:   strings.Count(text, "\n"),
		fset:    fset,
		ast:     tree,
	}, nil
}

// Packages returns the folders that hold Go files, sorted.
func (s Source) Packages() []string {
	var names []string
	for _, f := range s {
		names = append(names, f.Package)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Imports calls yield with each import of f and where it stands.
func (f *File) Imports(yield func(path, alias, where string)) {
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		alias := ""
		if spec.Name != nil {
			alias = spec.Name.Name
		}
		yield(p, alias, f.where(spec))
	}
}

// Uses calls yield with each selector of an imported package: its path, the
// name selected and where it stands. Method calls are not uses.
func (f *File) Uses(yield func(path, name, where string)) {
	byName := map[string]string{}
	f.Imports(func(p, alias, _ string) {
		if alias == "" {
			alias = path.Base(p)
		}
		byName[alias] = p
	})
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && byName[id.Name] != "" {
			yield(byName[id.Name], sel.Sel.Name, f.where(sel))
		}
		return true
	})
}

// Generated reports whether the file carries Go's mark of generated code.
func (f *File) Generated() bool { return ast.IsGenerated(f.ast) }

func (f *File) where(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.Path, f.fset.Position(n.Pos()).Line)
}
