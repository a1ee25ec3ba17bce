// Command modelgen writes the packages below internal/api/awsmodel from the service
// models in models/.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lighterage/lighterage/tools/modelgen/generator"
)

func main() {
	root := flag.String("root", "", "the module's root; default: the nearest go.mod upwards")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "modelgen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	if root == "" {
		found, err := moduleRoot()
		if err != nil {
			return err
		}
		root = found
	}
	models, err := filepath.Glob(filepath.Join(root, "models", "*.json"))
	if err != nil {
		return err
	}
	if len(models) == 0 {
		return fmt.Errorf("no models below %s", root)
	}
	for _, path := range models {
		if err := generate(root, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod here or above")
		}
		dir = filepath.Dir(dir)
	}
}

// generate writes one service's package and removes generated files that no
// longer belong to it.
func generate(root, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	model, err := generator.Read(f)
	if err != nil {
		return err
	}
	files, err := generator.Files(model)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "internal", "api", "awsmodel", model.Package())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*_gen.go"))
	if err != nil {
		return err
	}
	for _, p := range old {
		if files[filepath.Base(p)] != nil {
			continue
		}
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
