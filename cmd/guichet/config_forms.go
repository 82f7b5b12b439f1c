package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxChoiceDepth is how many lists one field's choices may chain: a list, and
// one that depends on it.
const maxChoiceDepth = 2

// maxFormFile is the largest limit that a form may set for one file, in bytes:
// all files of one form together have 25 MiB.
const maxFormFile = 20 << 20

var (
	fieldNamePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	fieldTypes       = []string{"text", "textarea", "email", "tel", "select", "radio", "checkbox", "datetime-local", "file"}
)

// form is the form of that name, or nil.
func (c *checker) form(name string) *formConfig {
	for i := range c.cfg.Forms {
		if c.cfg.Forms[i].Key == name {
			return &c.cfg.Forms[i]
		}
	}
	return nil
}

func (c *checker) checkForms() {
	for _, f := range c.cfg.Forms {
		key := "forms." + f.Key
		if !deskKeyPattern.MatchString(f.Key) {
			c.bad(key, "name a form with lower-case letters, digits and hyphens")
		}
		if f.MaxFileSize < 1<<10 || f.MaxFileSize > maxFormFile {
			c.bad(key+".max_file_size", "must lie between 1KiB and 20MiB")
		}
		if len(f.Fields) == 0 {
			c.bad(key+".fields", "missing; a form needs at least one field")
		}
		for i := range f.Fields {
			c.checkField(fmt.Sprintf("%s.fields[%d]", key, i), f.Fields, i)
		}
	}
}

func (c *checker) checkField(key string, fields []fieldConfig, i int) {
	f := &fields[i]
	if !fieldNamePattern.MatchString(f.Name) {
		c.bad(key+".name", "%q is no field name; write lower-case letters, digits and _", f.Name)
	}
	if j := fieldIndex(fields, f.Name); j < i {
		c.bad(key+".name", "%q stands in this form twice", f.Name)
	}
	c.oneOf(key+".type", f.Type, fieldTypes...)
	c.checkLabel(key+".label", f.Label)
	c.textBlocks(key+".help", f.Help)
	c.textBlocks(key+".example", f.Example)
	if f.Required && (f.Type == "checkbox" || f.Type == "file") {
		c.bad(key+".required", "a %s cannot be required; use a select or radio, or ask in a textarea", f.Type)
	}
	c.checkChoices(key+".choices", f)
	c.checkShownWhen(key+".shown_when", f.ShownWhen, fields[:i])
}

func (c *checker) checkLabel(key string, label texts) {
	if len(label) == 0 {
		c.bad(key, "missing; write {fr: …, en: …}")
	}
	c.plainTexts(key, label)
}

func (c *checker) checkChoices(key string, f *fieldConfig) {
	switch {
	case f.ChoicesFrom != "":
		c.checkChoicesFrom(strings.TrimSuffix(key, "choices"), f)
	case f.Type == "select" || f.Type == "radio":
		if len(f.Choices) == 0 {
			c.bad(key, "missing; a %s needs what can be chosen", f.Type)
		}
		c.choiceList(key, f.Choices, 1)
		if f.Type == "radio" && slices.ContainsFunc(f.Choices, func(ch choiceConfig) bool { return len(ch.Choices) > 0 }) {
			c.bad(key, "only a select has dependent choices; make the type select")
		}
	case f.Type == "checkbox":
		c.choiceList(key, f.Choices, maxChoiceDepth)
	case len(f.Choices) > 0:
		c.bad(key, "a %s has no choices; remove them or make the type select", f.Type)
	}
}

func (c *checker) checkChoicesFrom(key string, f *fieldConfig) {
	c.oneOf(key+"choices_from", f.ChoicesFrom, "services")
	if f.Type != "select" {
		c.bad(key+"type", "choices_from is for a select; make the type select")
	}
	if len(f.Choices) > 0 {
		c.bad(key+"choices", "choices_from gives the choices; remove one of the two")
	}
}

func (c *checker) choiceList(key string, list []choiceConfig, depth int) {
	seen := map[string]bool{}
	for i, ch := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		if ch.Value == "" || !plain(ch.Value) {
			c.bad(at+".value", "missing or not one line; it is what the ticket keeps")
		} else if seen[ch.Value] {
			c.bad(at+".value", "%q stands in this list twice", ch.Value)
		}
		seen[ch.Value] = true
		c.checkLabel(at+".label", ch.Label)
		if len(ch.Choices) == 0 {
			continue
		}
		if depth >= maxChoiceDepth {
			c.bad(at+".choices", "a field has at most %d lists; ask the rest in a field of its own with shown_when", maxChoiceDepth)
			continue
		}
		c.choiceList(at+".choices", ch.Choices, depth+1)
	}
}

// checkShownWhen holds that a condition looks back at a field whose values are
// known, so that it can be decided while the form is filled from the top.
func (c *checker) checkShownWhen(key string, w shownWhenConfig, earlier []fieldConfig) {
	if w.Field == "" {
		if len(w.Values) > 0 {
			c.bad(key+".field", "missing; name the earlier field that has these values")
		}
		return
	}
	i := fieldIndex(earlier, w.Field)
	if i < len(earlier) && earlier[i].ChoicesFrom != "" {
		c.bad(key+".field", "%s has other choices for everybody; name a select or radio with choices of its own", w.Field)
		return
	}
	if i == len(earlier) || earlier[i].Type != "select" && earlier[i].Type != "radio" {
		c.bad(key+".field", "no select or radio %q stands before this field", w.Field)
		return
	}
	if len(w.Values) == 0 {
		c.bad(key+".values", "missing; name the values of %s that show this field", w.Field)
	}
	for j, v := range w.Values {
		if !slices.ContainsFunc(earlier[i].Choices, func(ch choiceConfig) bool { return ch.Value == v }) {
			c.bad(fmt.Sprintf("%s.values[%d]", key, j), "%q is no choice of %s", v, w.Field)
		}
	}
}

// fieldIndex is the index of the first field of that name, or len(fields).
func fieldIndex(fields []fieldConfig, name string) int {
	i := slices.IndexFunc(fields, func(f fieldConfig) bool { return f.Name == name })
	if i < 0 {
		return len(fields)
	}
	return i
}
