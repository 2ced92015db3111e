package internal_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// tree is what the rules look at.
type tree struct {
	packages map[string]*pkg // by path under the module
	scripts  []script        // TypeScript and JavaScript files
}

// pkg is one folder of Go files.
type pkg struct {
	path  string
	files []file
}

// file is one Go file.
type file struct {
	path      string // slash-separated, from the root
	name      string // the name in its package clause
	imports   []string
	uses      []string // selectors on time and internal/db, "time.Now:12" with the line
	strings   []string // string literals; kept for internal/db only
	lines     int
	test      bool
	generated bool
	comment   bool // has a package comment
	inits     bool // has a func init
}

// script is one TypeScript or JavaScript file.
type script struct {
	path    string
	imports []string
	lines   int
	slack   []string // where it goes around the type checker, "3: as any"
}

// generatedMark is Go's convention for generated files, which the generators
// for TypeScript follow too.
var generatedMark = regexp.MustCompile(`(?m)^// (Code generated .* DO NOT EDIT\.|@generated .*)$`)

// scriptImport finds the module that an import, export-from or import() names.
var scriptImport = regexp.MustCompile(`(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"'\n]+)["']`)

// slack finds what switches the type checker off, and default exports, which
// give one thing a name in every file that imports it.
var slack = regexp.MustCompile(`@ts-(?:ignore|nocheck)|\bas any\b|[:<,|]\s*any\s*[;,)=>|&\]\[{}]|\bexport default\b`)

// skipped folders hold nothing that was written by hand for this module.
var skipped = []string{"node_modules", "dist", "bin", "data", "testdata", "vendor", "coverage", "output", "test-results"}

// load reads the Go and TypeScript files under root. Nested Go modules and
// hidden folders are no part of the tree.
func load(root string) (tree, error) {
	tr := tree{packages: map[string]*pkg{}}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && skipFolder(name, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		switch path.Ext(rel) {
		case ".go":
			f, err := loadGo(name, rel)
			if err != nil {
				return err
			}
			dir := path.Dir(rel)
			if tr.packages[dir] == nil {
				tr.packages[dir] = &pkg{path: dir}
			}
			tr.packages[dir].files = append(tr.packages[dir].files, f)
		case ".ts", ".tsx", ".js", ".mjs":
			s, ok, err := loadScript(name, rel)
			if err != nil {
				return err
			}
			if ok {
				tr.scripts = append(tr.scripts, s)
			}
		}
		return nil
	})
	return tr, err
}

func skipFolder(name, base string) bool {
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || slices.Contains(skipped, base) {
		return true
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return err == nil
}

func loadGo(name, rel string) (file, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return file{}, err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, fmt.Errorf("parse: %w", err)
	}
	f := file{
		path:      rel,
		name:      parsed.Name.Name,
		lines:     bytes.Count(src, []byte("\n")),
		test:      strings.HasSuffix(rel, "_test.go"),
		generated: ast.IsGenerated(parsed),
		comment:   parsed.Doc != nil && strings.TrimSpace(parsed.Doc.Text()) != "",
	}
	local := map[string]string{} // the name that a file gives an import
	for _, spec := range parsed.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, fmt.Errorf("%s: %w", rel, err)
		}
		f.imports = append(f.imports, p)
		if spec.Name != nil {
			local[spec.Name.Name] = p
		} else {
			local[path.Base(p)] = p
		}
	}
	keepStrings := strings.HasPrefix(rel, "internal/db/")
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			f.inits = f.inits || n.Recv == nil && n.Name.Name == "init"
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && (local[x.Name] == "time" || local[x.Name] == module+"/internal/db") {
				f.uses = append(f.uses, fmt.Sprintf("%s.%s:%d", path.Base(local[x.Name]), n.Sel.Name, fset.Position(n.Pos()).Line))
			}
		case *ast.BasicLit:
			if keepStrings && n.Kind == token.STRING {
				f.strings = append(f.strings, n.Value)
			}
		}
		return true
	})
	return f, nil
}

// loadScript reads a TypeScript or JavaScript file; ok is false for a
// generated one.
func loadScript(name, rel string) (s script, ok bool, err error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return script{}, false, err
	}
	if generatedMark.Match(src) {
		return script{}, false, nil
	}
	s = script{path: rel, lines: bytes.Count(src, []byte("\n"))}
	for _, m := range scriptImport.FindAllSubmatch(src, -1) {
		s.imports = append(s.imports, string(m[1]))
	}
	n := 0
	for line := range strings.Lines(string(src)) {
		n++
		if found := slack.FindString(line); found != "" {
			s.slack = append(s.slack, fmt.Sprintf("%d: %s", n, found))
		}
	}
	return s, true, nil
}
