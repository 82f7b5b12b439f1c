package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pointScenarios says for each crash point in which scenario the gateway
// passes it: see scenarios. A commit, or another point, that is not here fails
// TestCrashPoints; one that its scenario does not reach fails TestFaultPoints.
var pointScenarios = map[string]string{
	// store.Update
	"accept":                "mails",
	"begin node":            "node",
	"claim":                 "mails",
	"compose":               "mails",
	"copy batch":            "migrate",
	"copy begin":            "migrate",
	"copy end":              "migrate",
	"copy ids":              "migrate",
	"copy table":            "migrate",
	"deadline":              "deadline",
	"decide":                "mails",
	"drop old mails":        "start",
	"drop raw":              "given up",
	"end node":              "node",
	"fetch":                 "mailbox",
	"find suspects":         "start",
	"forget confirmations":  "start",
	"forget copies":         "start",
	"gather":                "deadline",
	"hear":                  "approval",
	"hold":                  "three times",
	"hold mail":             "held mail",
	"import organisations":  "import",
	"keep upload":           "form",
	"keys":                  "start",
	"lease outbox":          "mails",
	"mailbox begun":         "mailbox",
	"mailbox given back":    "mailbox lost by one of several",
	"mailbox lease":         "mailbox of one of several",
	"mailbox lease renewed": "mailbox of one of several",
	"mailbox looked":        "mailbox",
	"mailbox mail":          "mail not given",
	"mailbox scanned":       "mailbox",
	"mailbox settled":       "mailbox",
	"mailbox there":         "mailbox",
	"mailbox trouble":       "mailbox lost",
	"outbox by hand":        "held mail by hand",
	"put off deadline":      "lost desk",
	"raw piece":             "mails",
	"renew leases":          "idle",
	"renew node":            "node",
	"retry alone":           "in hand",
	"set numbers aside":     "numbers",
	"settle":                "mails",
	"submit form":           "form",
	"sweep budgets":         "start",
	"sweep uploads":         "start",
	"take over":             "start",
	"tell of waiting":       "start",
	"import mails":          "old mail",
	// store.Point
	"final dot":    "mails",
	"key file":     "start",
	"maildir file": "maildir",
	"reply 250":    "mails",
}

// TestCrashPoints reads the source: every commit has a name of its own, as has
// every other crash point, and each has a scenario in which TestFaultPoints
// kills the gateway before and after it.
func TestCrashPoints(t *testing.T) {
	found := &pointFinder{t: t, files: token.NewFileSet(), commits: map[string]bool{}, points: map[string]bool{}}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && (strings.HasPrefix(d.Name(), ".") && d.Name() != "../.." && d.Name() != ".." || d.Name() == "storetest") {
				return fs.SkipDir
			}
			return err
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			found.file(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.commits) < 10 {
		t.Fatalf("only %d commits found: is a commit still made by a method Update or update?", len(found.commits))
	}
	for point := range found.points {
		when, what, _ := strings.Cut(point, " ")
		other := map[string]string{"before": "after", "after": "before"}[when]
		if other == "" || !found.points[other+" "+what] {
			t.Errorf("store.Point %q has no pendant before or after", point)
		}
		if found.commits[what] {
			t.Errorf("%q names a commit and another point", what)
		}
		if pointScenarios[what] == "" {
			t.Errorf("no scenario for the point %q: say in pointScenarios where the gateway passes it", what)
		}
	}
	for what := range found.commits {
		if pointScenarios[what] == "" {
			t.Errorf("no scenario for the commit %q: say in pointScenarios where the gateway makes it", what)
		}
	}
	for what := range pointScenarios {
		if !found.commits[what] && !found.points["before "+what] {
			t.Errorf("pointScenarios has %q, which is no longer in the source", what)
		}
	}
}

// pointFinder collects the names of crash points.
type pointFinder struct {
	t       *testing.T
	files   *token.FileSet
	commits map[string]bool // by what they commit
	points  map[string]bool // "WHEN WHAT" of other points
}

func (f *pointFinder) file(path string) {
	file, err := parser.ParseFile(f.files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		f.t.Fatal(err)
	}
	inStore := filepath.Base(filepath.Dir(path)) == "store"
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				f.call(call, fn, inStore)
			}
			return true
		})
	}
}

// call looks at one call. A commit is x.Update(ctx, "what", fn), or x.update
// where that passes its own what on.
func (f *pointFinder) call(call *ast.CallExpr, in *ast.FuncDecl, inStore bool) {
	name := calledName(call)
	switch {
	case (name == "Update" || name == "update") && len(call.Args) == 3:
		if passedOn(call.Args[1], in) {
			return
		}
		what, ok := literal(call.Args[1])
		switch {
		case !ok:
			f.fail(call, "the name of a commit is no literal")
		case f.commits[what]:
			f.fail(call, "%q names two commits", what)
		}
		f.commits[what] = true
	case name == "Point" && len(call.Args) == 2:
		if inStore && in.Name.Name != "Point" && slices.Contains([]string{"commit", "answerAll", "tryPostgres"}, in.Name.Name) {
			return // around every commit
		}
		if inStore && filepath.Base(f.files.Position(call.Pos()).Filename) == "migrate.go" {
			return // TestFaultMigrationPoints goes through the migrations
		}
		when, ok1 := literal(call.Args[0])
		what, ok2 := literal(call.Args[1])
		switch point := when + " " + what; {
		case !ok1 || !ok2:
			f.fail(call, "the name of a crash point is no literal")
		case f.points[point]:
			f.fail(call, "%q names two points", point)
		default:
			f.points[point] = true
		}
	case name == "Commit" && len(call.Args) == 0 && in.Name.Name != "commitPostgres":
		f.fail(call, "a commit that has no name: use Update")
	case name == "ExecContext" && len(call.Args) > 1:
		if query, _ := literal(call.Args[1]); strings.HasPrefix(strings.ToUpper(query), "COMMIT") && (!inStore || in.Name.Name != "commit") {
			f.fail(call, "a commit that has no name: use Update")
		}
	}
}

func (f *pointFinder) fail(n ast.Node, format string, args ...any) {
	f.t.Helper()
	f.t.Errorf("%s: "+format, append([]any{f.files.Position(n.Pos())}, args...)...)
}

func calledName(call *ast.CallExpr) string {
	switch fn := call.Fun.(type) {
	case *ast.SelectorExpr:
		return fn.Sel.Name
	case *ast.Ident:
		return fn.Name
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// passedOn says that a function called Update or update gives its own
// parameter what on: its callers have the literal.
func passedOn(e ast.Expr, in *ast.FuncDecl) bool {
	id, ok := e.(*ast.Ident)
	if !ok || id.Name != "what" || in.Name.Name != "Update" && in.Name.Name != "update" {
		return false
	}
	for _, field := range in.Type.Params.List {
		for _, name := range field.Names {
			if name.Name == "what" {
				return true
			}
		}
	}
	return false
}
