package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// secretName is what a variable is called that holds what only one may know.
var secretName = regexp.MustCompile(`(?i)^(.*(signature|secret|password|fingerprint|mac|passwd|token))$`)

// variableTime returns the comparisons in a file that stop at the first byte
// that differs, of what has the name of a secret.
func variableTime(set *token.FileSet, file *ast.File) []string {
	named := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return secretName.MatchString(e.Name)
		case *ast.SelectorExpr:
			return secretName.MatchString(e.Sel.Name)
		case *ast.CallExpr:
			if s, ok := e.Fun.(*ast.SelectorExpr); ok {
				return s.Sel.Name == "Reveal"
			}
		}
		return false
	}
	constant := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.BasicLit, *ast.CompositeLit:
			return true
		case *ast.Ident:
			return e.Name == "nil"
		}
		return false
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		var x, y ast.Expr
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op != token.EQL && n.Op != token.NEQ {
				return true
			}
			x, y = n.X, n.Y
		case *ast.CallExpr:
			s, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || len(n.Args) != 2 || s.Sel.Name != "Equal" && s.Sel.Name != "EqualFold" && s.Sel.Name != "Compare" {
				return true
			}
			if p, ok := s.X.(*ast.Ident); !ok || p.Name != "bytes" && p.Name != "strings" {
				return true
			}
			x, y = n.Args[0], n.Args[1]
		default:
			return true
		}
		if (named(x) || named(y)) && !constant(x) && !constant(y) {
			found = append(found, set.Position(n.Pos()).String())
		}
		return true
	})
	return found
}

// TestSecretsAreComparedInConstantTime reads the source: time cannot be measured
// well enough, and what is compared as anything else looks the same to a test.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	set := token.NewFileSet()
	example, err := parser.ParseFile(set, "example.go", `package p
		func f() bool { return password == given || c.Fingerprint != k || bytes.Equal(mac, sum) || s.Reveal() == t || strings.EqualFold(a, b.Secret) }
		func g() bool { return password == "" || mac != nil || hmac.Equal(mac, sum) || a == b }`, 0)
	must(t, err)
	if n := len(variableTime(set, example)); n != 5 {
		t.Fatalf("%d comparisons are found in the example, want 5", n)
	}
	looked := 0
	for _, dir := range []string{"identity", "sigv4", "seal", "access", "directory", "server", "config", "webidentity", "throttle", "edge", "api/oci", "api/awsjson", "api/awsquery", "api/sts", "api/iam", "api/ecr", "api/admin", "api/lightsail"} {
		files, err := filepath.Glob("../" + dir + "/*.go")
		must(t, err)
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			looked++
			file, err := parser.ParseFile(set, path, nil, 0)
			must(t, err)
			for _, at := range variableTime(set, file) {
				t.Errorf("%s: a secret is compared in variable time", at)
			}
		}
	}
	if looked < 100 {
		t.Errorf("only %d files were read", looked)
	}
	for _, c := range [][2]string{
		{"../sigv4", `hmac\.Equal|subtle\.ConstantTimeCompare`}, {"../identity", `hmac\.Equal`}, {"../identity", `subtle\.ConstantTimeCompare`},
	} {
		dir, call := c[0], c[1]
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		found := false
		for _, path := range files {
			source, err := os.ReadFile(path)
			must(t, err)
			found = found || !strings.HasSuffix(path, "_test.go") && regexp.MustCompile(call).Match(source)
		}
		if !found {
			t.Errorf("%s compares nothing with %s", dir, call)
		}
	}
}
