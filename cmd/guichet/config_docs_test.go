package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// keys lists every key of the configuration as docs/configuration.md writes
// it: desks.NAME.address, agents[].name.
func keys(t reflect.Type, path string) []string {
	var all []string
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("yaml")
		if name == "" || name[0] == ',' {
			continue
		}
		at, elem := join(path, name), t.Field(i).Type
		if elem.Kind() == reflect.Slice && elem.Elem().Kind() == reflect.Struct {
			elem = elem.Elem()
			at += map[bool]string{true: ".NAME", false: "[]"}[keyField(elem) >= 0]
			if elem == t { // a choice's choices
				all = append(all, join(path, name))
				continue
			}
		}
		if _, leaf := reflect.New(elem).Interface().(interface{ UnmarshalText([]byte) error }); elem.Kind() == reflect.Struct && !leaf {
			all = append(all, keys(elem, at)...)
		} else {
			all = append(all, at)
		}
	}
	return all
}

// TestConfigDocs holds docs/configuration.md and the structs together.
func TestConfigDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	real := keys(reflect.TypeFor[Config](), "")
	for _, k := range real {
		if !slices.Contains(documented, k) {
			t.Errorf("docs/configuration.md has no row for %s", k)
		}
	}
	for _, k := range documented {
		if !slices.Contains(real, k) {
			t.Errorf("docs/configuration.md has a row for %s, which is no key", k)
		}
	}
}

// TestConfigComments holds that the comment of each key stands in
// config.example.yaml, word for word.
func TestConfigComments(t *testing.T) {
	text, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	example := words(regexp.MustCompile(`(?m)^[ #-]*(?:\w+: )?#`).ReplaceAllString(string(text), ""))
	for _, file := range []string{"config.go", "config_desk.go", "config_mailbox.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok || field.Tag == nil || field.Doc == nil || strings.Contains(field.Tag.Value, ",key") {
				return true
			}
			if doc := words(field.Doc.Text()); !strings.Contains(example, doc) {
				t.Errorf("config.example.yaml does not say of %s: %s", field.Names[0], doc)
			}
			return true
		})
	}
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestDocsNameFiles holds that the files which the documents name exist.
func TestDocsNameFiles(t *testing.T) {
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	named := regexp.MustCompile("`((?:cmd|mailflow|store|templates|testdata|docs)/[a-z0-9_/.]*)`|\\]\\(([a-z./]+\\.(?:md|yaml))\\)")
	for _, doc := range append(docs, "../../README.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			file := filepath.Join("../..", m[1])
			if m[2] != "" {
				file = filepath.Join(filepath.Dir(doc), m[2])
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s names %s, which is not there", doc, m[1]+m[2])
			}
		}
	}
}
