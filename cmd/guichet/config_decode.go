package main

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decoder fills the configuration from YAML nodes. The library's own decoder
// (KnownFields) finds unknown keys too, but names Go types instead of keys and
// forgets lines once a value is read; this one keeps the line of every key, so
// that each later check can name its place.
type decoder struct {
	file     string
	lines    map[string]int  // line of each key, by its path
	failed   map[string]bool // paths that are in problems already
	nodes    int
	problems Problems
	warnings Problems
}

// maxNodes bounds what aliases of aliases can unfold to; maxDepth what they
// can nest.
const (
	maxNodes = 100_000
	maxDepth = 50
)

func newDecoder(file string) *decoder {
	return &decoder{file: file, lines: map[string]int{"": 1}, failed: map[string]bool{}}
}

// read reports whether data was YAML at all.
func (d *decoder) read(data []byte, into *Config) bool {
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		d.syntax(err)
		return false
	}
	if len(doc.Content) == 0 {
		d.bad("", "the file is empty; config.example.yaml shows what stands in it")
		return false
	}
	d.value(doc.Content[0], reflect.ValueOf(into).Elem(), "", 0)
	return true
}

// syntax reports what is not YAML. Errors of the file as a whole have no line.
func (d *decoder) syntax(err error) {
	var at *yaml.LoadError
	if !errors.As(err, &at) || at.Mark.Line < 1 {
		d.fail("", 1, "no configuration: "+strings.TrimPrefix(err.Error(), "yaml: ")+"; config.example.yaml shows what stands in it")
		return
	}
	d.fail("", at.Mark.Line, "not YAML: "+at.Message+"; look at the indentation (blanks, no tabs) and the quotes here and in the line before")
}

// value decodes n into v. What cannot be read is reported and left at its
// default.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, depth int) {
	d.nodes++
	if depth > maxDepth || d.nodes > maxNodes {
		if d.nodes <= maxNodes+1 {
			d.fail(path, n.Line, "nested too deep, or aliases that unfold to too much; write the values out")
		}
		d.nodes = maxNodes + 2
		return
	}
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		d.value(n.Alias, v, path, depth+1)
		return
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return // "key:" without a value is as if it were absent
	}
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, t, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.object(n, v, path, depth)
	case reflect.Slice:
		d.list(n, v, path, depth)
	case reflect.Map:
		d.texts(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) text(n *yaml.Node, t encoding.TextUnmarshaler, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(path, n.Line, "one value is expected here, not a list or keys")
		return
	}
	if err := t.UnmarshalText([]byte(n.Value)); err != nil {
		d.fail(path, n.Line, err.Error())
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(path, n.Line, "one value is expected here, not a list or keys")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		b, ok := parseBool(n.Value)
		if !ok {
			d.fail(path, n.Line, fmt.Sprintf("%q is neither yes nor no", n.Value))
		}
		v.SetBool(b)
	case reflect.Int:
		i, err := strconv.ParseInt(n.Value, 10, 32)
		if err != nil {
			d.fail(path, n.Line, fmt.Sprintf("%q is no whole number", n.Value))
		}
		v.SetInt(i)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string, depth int) {
	if key := keyField(v.Type().Elem()); key >= 0 {
		d.named(n, v, key, path, depth)
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(path, n.Line, "a list is expected here: [a, b], or one \"- a\" a line")
		return
	}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.lines[at] = item.Line
		d.element(item, v, at, depth)
	}
}

// named reads keys with their values into a list, which keeps their order.
func (d *decoder) named(n *yaml.Node, v reflect.Value, key int, path string, depth int) {
	d.pairs(n, path, func(name string, child *yaml.Node, at string) {
		d.element(child, v, at, depth)
		v.Index(v.Len() - 1).Field(key).SetString(name)
	})
}

// element appends a new element with its defaults to the list v.
func (d *decoder) element(n *yaml.Node, v reflect.Value, at string, depth int) {
	e := reflect.New(v.Type().Elem())
	if s, ok := e.Interface().(interface{ setDefaults() }); ok {
		s.setDefaults()
	}
	d.value(n, e.Elem(), at, depth+1)
	v.Set(reflect.Append(v, e.Elem()))
}

func (d *decoder) object(n *yaml.Node, v reflect.Value, path string, depth int) {
	known := fields(v.Type())
	d.pairs(n, path, func(name string, child *yaml.Node, at string) {
		i, ok := known[name]
		if !ok {
			d.fail(at, d.lines[at], "unknown key; known here: "+strings.Join(sortedKeys(known), ", "))
			return
		}
		d.value(child, v.Field(i), at, depth+1)
	})
}

func (d *decoder) texts(n *yaml.Node, v reflect.Value, path string) {
	m := texts{}
	d.pairs(n, path, func(lang string, child *yaml.Node, at string) {
		switch {
		case lang != "fr" && lang != "en":
			d.fail(at, d.lines[at], "unknown language; the gateway speaks fr and en, and a text with a comma needs quotes")
		case child.Kind != yaml.ScalarNode:
			d.fail(at, child.Line, "one text is expected here")
		default:
			m[lang] = strings.TrimSpace(child.Value)
		}
	})
	v.Set(reflect.ValueOf(m))
}

// pairs calls f for each key of a mapping and notes the key's line.
func (d *decoder) pairs(n *yaml.Node, path string, f func(name string, child *yaml.Node, at string)) {
	if n.Kind != yaml.MappingNode {
		d.fail(path, n.Line, "keys with values are expected here")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, child := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || !plain(key.Value) || len(key.Value) > 100 {
			d.fail(path, key.Line, "a key must be a word")
			continue
		}
		at := join(path, key.Value)
		if first, twice := seen[key.Value]; twice {
			d.problems = append(d.problems, Problem{d.file, key.Line, at,
				fmt.Sprintf("stands here for the second time, first in line %d; remove one", first)})
			continue
		}
		seen[key.Value] = key.Line
		d.lines[at] = key.Line
		f(key.Value, child, at)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// fields maps the YAML names of a struct to its fields.
func fields(t reflect.Type) map[string]int {
	m := map[string]int{}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name[0] != ',' {
			m[name] = i
		}
	}
	return m
}

// keyField is the index of the field that takes an element's own name, or -1.
func keyField(t reflect.Type) int {
	if t.Kind() != reflect.Struct {
		return -1
	}
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("yaml") == ",key" {
			return i
		}
	}
	return -1
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
