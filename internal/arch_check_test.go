package internal_test

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// covers reports whether a pattern of the table ("a/b" or "a/b/...") covers a
// package path.
func covers(pattern, p string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == dir || strings.HasPrefix(p, dir+"/")
	}
	return pattern == p
}

// rowOf finds the row of a package: the exact one, else the longest pattern.
func rowOf(p string) (row, bool) {
	var best row
	found := false
	for _, r := range imports {
		if r.pkg == p {
			return r, true
		}
		if covers(r.pkg, p) && len(r.pkg) > len(best.pkg) {
			best, found = r, true
		}
	}
	return best, found
}

// own is the folder that a row calls "self". Each feature is its own.
func own(r row, p string) string {
	dir := strings.TrimSuffix(r.pkg, "/...")
	if dir == "internal/feature" || dir == "examples" {
		name, _, _ := strings.Cut(strings.TrimPrefix(p, dir+"/"), "/")
		return dir + "/" + name + "/..."
	}
	return dir + "/..."
}

// allowed reports whether package from may import package to.
func allowed(r row, from, to string) bool {
	target, known := rowOf(to)
	for _, m := range r.may {
		switch m {
		case "*":
			return true
		case "platform":
			if known && target.platform {
				return true
			}
		case "self":
			if covers(own(r, from), to) {
				return true
			}
		default:
			if covers(m, to) {
				return true
			}
		}
	}
	return false
}

// allowedInTest is what a test file may import beyond its package's row: its
// own package, the platform, and what exists for tests.
func allowedInTest(r row, from, to string) bool {
	target, known := rowOf(to)
	return from == to || known && (target.platform || target.testing) || allowed(r, from, to)
}

func checkImports(tr tree) (breaches []string) {
	for _, p := range sorted(tr.packages) {
		r, ok := rowOf(p.path)
		if !ok {
			breaches = append(breaches, fmt.Sprintf("%s has no row in the import table", p.path))
			continue
		}
		for _, f := range p.files {
			for _, imp := range f.imports {
				if why := breach(r, p.path, f, imp); why != "" {
					breaches = append(breaches, fmt.Sprintf("%s imports %s: %s", f.path, imp, why))
				}
			}
		}
	}
	return breaches
}

// breach says what is wrong with an import, or nothing.
func breach(r row, from string, f file, imp string) string {
	to, inside := strings.CutPrefix(imp, module+"/")
	switch {
	case inside && f.test:
		if !allowedInTest(r, from, to) {
			return "its row does not list it, nor is it for tests"
		}
	case inside:
		if target, ok := rowOf(to); ok && target.testing && !r.testing && !strings.HasPrefix(from, "test/") {
			return "a package for tests does not go into the product"
		}
		if !allowed(r, from, to) {
			return "its row does not list it"
		}
	case f.test || f.generated:
	case r.stdOnly && strings.Contains(strings.Split(imp, "/")[0], "."):
		return "it may import the standard library alone"
	default:
		for _, n := range r.never {
			if imp == n || strings.HasPrefix(imp, n+"/") {
				return "its row forbids it"
			}
		}
	}
	return ""
}

func checkComments(tr tree) (breaches []string) {
	for _, p := range sorted(tr.packages) {
		// A folder of generated files explains itself in its source, a folder
		// of tests in any of them.
		written := slices.DeleteFunc(slices.Clone(p.files), func(f file) bool { return f.generated || f.test })
		if len(written) == 0 {
			written = slices.DeleteFunc(slices.Clone(p.files), func(f file) bool { return f.generated })
		}
		if len(written) > 0 && !slices.ContainsFunc(written, func(f file) bool { return f.comment }) {
			breaches = append(breaches, fmt.Sprintf("%s has no package comment", p.path))
		}
	}
	return breaches
}

func checkLengths(tr tree) (breaches []string) {
	say := func(name string, lines int) {
		if lines > maxFileLines {
			breaches = append(breaches, fmt.Sprintf("%s has %d lines, more than %d", name, lines, maxFileLines))
		}
	}
	for _, p := range sorted(tr.packages) {
		for _, f := range p.files {
			if !f.generated {
				say(f.path, f.lines)
			}
		}
	}
	for _, s := range tr.scripts {
		say(s.path, s.lines)
	}
	return breaches
}

func checkIMLength(tr tree) []string {
	p, ok := tr.packages["internal/im"]
	if !ok {
		return nil
	}
	lines := 0
	for _, f := range p.files {
		if !f.test {
			lines += f.lines
		}
	}
	if lines > maxIMLines {
		return []string{fmt.Sprintf("internal/im has %d lines, more than %d", lines, maxIMLines)}
	}
	return nil
}

func checkNames(tr tree) (breaches []string) {
	for _, p := range sorted(tr.packages) {
		for _, f := range p.files {
			name := strings.TrimSuffix(f.name, "_test")
			if slices.Contains(forbiddenNames, name) || slices.Contains(forbiddenNames, path.Base(p.path)) {
				breaches = append(breaches, fmt.Sprintf("%s: package %s says nothing about what is in it", f.path, name))
				break
			}
		}
	}
	return breaches
}

func checkClock(tr tree) (breaches []string) {
	in := func(list []string, p string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool { return covers(pattern, p) })
	}
	for _, p := range sorted(tr.packages) {
		if r, ok := rowOf(p.path); !in(domain, p.path) || in(notDomain, p.path) || ok && r.testing {
			continue
		}
		for _, f := range p.files {
			if f.test || f.generated || slices.Contains(clockFiles, f.path) {
				continue
			}
			for _, use := range f.uses {
				name, line, _ := strings.Cut(use, ":")
				if slices.Contains(clockCalls, name) {
					breaches = append(breaches, fmt.Sprintf("%s:%s: %s; the clock is injected", f.path, line, name))
				}
			}
			for _, imp := range f.imports {
				if slices.Contains(diceImports, imp) {
					breaches = append(breaches, fmt.Sprintf("%s imports %s; entropy is injected", f.path, imp))
				}
			}
		}
	}
	return breaches
}

// tableName finds a statement that names a table. The engines' own catalogues
// (sqlite_, pg_, pragma_) and the migration tool's are no tables of ours.
var tableName = regexp.MustCompile(`(?i)\b(?:insert\s+into|delete\s+from|create\s+table(?:\s+if\s+not\s+exists)?|alter\s+table|select\b[^;]*?\bfrom)\s+([a-z_][a-z0-9_]*)`)

func checkNoTables(tr tree) (breaches []string) {
	p, ok := tr.packages["internal/db"]
	if !ok {
		return nil
	}
	for _, f := range p.files {
		if f.test {
			continue
		}
		for _, s := range f.strings {
			for _, m := range tableName.FindAllStringSubmatch(s, -1) {
				name := strings.ToLower(m[1])
				if name == "if" { // "create table if not exists " + a name from elsewhere
					continue
				}
				if !slices.ContainsFunc([]string{"sqlite_", "pg_", "pragma_", "goose_", "information_schema"},
					func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
					breaches = append(breaches, fmt.Sprintf("%s names the table %s; internal/db knows none", f.path, name))
				}
			}
		}
	}
	return breaches
}

// checkOneSQL finds code that asks which engine it runs on.
func checkOneSQL(tr tree) (breaches []string) {
	for _, p := range sorted(tr.packages) {
		for _, f := range p.files {
			if f.test || f.generated || slices.Contains(tellsEngine, path.Dir(f.path)) {
				continue
			}
			for _, use := range f.uses {
				if name, line, _ := strings.Cut(use, ":"); slices.Contains(engineNames, name) {
					breaches = append(breaches, fmt.Sprintf("%s:%s: %s; the same SQL runs on both engines", f.path, line, name))
				}
			}
		}
	}
	return breaches
}

func checkNoInit(tr tree) (breaches []string) {
	for _, p := range sorted(tr.packages) {
		for _, f := range p.files {
			if f.inits && !f.generated {
				breaches = append(breaches, fmt.Sprintf("%s has a func init; wire it in cmd/skein", f.path))
			}
		}
	}
	return breaches
}

// checkNoSleep finds tests and code that wait for time to pass where they mean
// an event. In a testing/synctest bubble the clock is the test's own.
func checkNoSleep(tr tree) (breaches []string) {
	for _, p := range sorted(tr.packages) {
		for _, f := range p.files {
			if slices.Contains(f.imports, "testing/synctest") || !f.test && slices.Contains(notDomain, p.path) {
				continue // a load generator keeps a pace
			}
			for _, use := range f.uses {
				if name, line, _ := strings.Cut(use, ":"); name == "time.Sleep" {
					breaches = append(breaches, fmt.Sprintf("%s:%s sleeps; wait for the event", f.path, line))
				}
			}
		}
	}
	return breaches
}

func checkTypeScript(tr tree) (breaches []string) {
	for _, s := range tr.scripts {
		if ext := path.Ext(s.path); ext != ".ts" && ext != ".tsx" {
			continue
		}
		for _, place := range s.slack {
			if strings.HasSuffix(place, "export default") && slices.Contains(toolConfigs, path.Base(s.path)) {
				continue
			}
			breaches = append(breaches, fmt.Sprintf("%s:%s", s.path, place))
		}
	}
	return breaches
}

// privateSDK is an import that reaches behind the client SDK's public API.
var privateSDK = regexp.MustCompile(`sdk/js/|^@skein/client/(src|dist|gen)\b`)

func checkWebImports(tr tree) (breaches []string) {
	for _, s := range tr.scripts {
		if !strings.HasPrefix(s.path, "web/") && !strings.HasPrefix(s.path, "examples/") {
			continue
		}
		for _, imp := range s.imports {
			if privateSDK.MatchString(imp) {
				breaches = append(breaches, fmt.Sprintf("%s imports %s; use the SDK's public API", s.path, imp))
			}
		}
	}
	return breaches
}

func sorted(packages map[string]*pkg) []*pkg {
	out := make([]*pkg, 0, len(packages))
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		out = append(out, packages[name])
	}
	return out
}
