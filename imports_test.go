package guichet_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed says which packages of ours a package may import. Imports point
// down; what has no row imports nothing of ours. A package below another
// (store/storetest) has the row of the nearest one above it, and may import
// that one too.
var allowed = map[string][]string{
	"cmd/guichet":        {"*"},
	"portal":             {"mailflow", "store", "templates", "mailflow/ticket"},
	"mailflow/smtpd":     {"mailflow", "store", "mailflow/ticket", "mailflow/rfc822"},
	"mailflow/imapfetch": {"mailflow", "store", "mailflow/ticket", "mailflow/rfc822"},
	"mailflow/outbound":  {"mailflow", "store", "mailflow/ticket", "mailflow/rfc822"},
	"mailflow":           {"store", "templates", "mailflow/rfc822", "mailflow/ticket"},
	"store":              {"mailflow/ticket"},
	"templates":          {"mailflow/ticket"},
	"mailflow/rfc822":    {},
	"mailflow/ticket":    {},
}

// TestImports holds the table above. Test files may also import what helps
// them to test (a package whose name ends in test); the program may not.
func TestImports(t *testing.T) {
	edges := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "var" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		from := filepath.ToSlash(filepath.Dir(file))
		for _, to := range importsOf(t, file) {
			edges++
			if !mayImport(from, to, strings.HasSuffix(file, "_test.go")) {
				t.Errorf("%s imports %s, which the table does not allow for %s", file, to, from)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if edges < 5 {
		t.Errorf("only %d imports of our own found; is the module's name still guichet?", edges)
	}
}

// importsOf lists the packages of ours that a file imports.
func importsOf(t *testing.T, file string) []string {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Errorf("read imports: %v", err)
		return nil
	}
	var ours []string
	for _, i := range f.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Errorf("read imports of %s: %v", file, err)
		}
		if rest, ok := strings.CutPrefix(name, "guichet/"); ok {
			ours = append(ours, rest)
		}
	}
	return ours
}

func mayImport(from, to string, test bool) bool {
	row := from
	for row != "." && allowed[row] == nil {
		row = path.Dir(row)
	}
	switch {
	case to == from || to == row: // an external test of itself; a part of its owner
		return true
	case strings.HasSuffix(to, "test"):
		return test
	case row == ".":
		return false
	}
	return slices.Contains(allowed[row], to) || slices.Contains(allowed[row], "*")
}

func TestMayImport(t *testing.T) {
	check := func(from, to string, test, want bool) {
		t.Helper()
		if got := mayImport(from, to, test); got != want {
			t.Errorf("mayImport(%s, %s, %t) = %t", from, to, test, got)
		}
	}
	check("cmd/guichet", "mailflow/smtpd", false, true)
	check("mailflow", "store", false, true)
	check("mailflow", "mailflow/smtpd", false, false)
	check("store", "mailflow", false, false)
	check("mailflow/ticket", "mailflow/rfc822", false, false)
	check("mailflow/rfc822", "store", true, false)
	check("store/storetest", "store", false, true)
	check("mailflow", "store/storetest", true, true)
	check("mailflow", "store/storetest", false, false)
	check("new", "store", false, false)
}
