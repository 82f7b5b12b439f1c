package main

import (
	"fmt"
	"strings"
	"testing"

	"guichet/mailflow"
	"guichet/mailflow/fuzztest"
)

// FuzzCSV: every row that passes has its organisation and as many columns as
// the header, and every error names the file and a line.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{strings.Join(orgHeader, ",") + "\nA,a.example;b.example,i@c.example,fr,,m@a.example\n", strings.Join(contactHeader, ",") + "\nA,c@a.example,\"B, C\",,customer,en\n",
		"", "\ufefforganisation\n", "\"", "a,b\n\"c\n", "\r\r\n,", ",\n", "=cmd|x,@a\n", strings.Repeat("\"\"", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var lines []csvRow
		var err error
		fuzztest.Cheap(t, func() {
			if lines, err = readCSV("f.csv", strings.NewReader(s)); err == nil {
				_, err = (&orgImport{file: "f.csv", settings: &mailflow.Settings{}, seen: map[string]int{}}).check(lines)
			}
		})
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f.csv:") {
					t.Errorf("error %q", line)
				}
			}
			return
		}
		for _, line := range lines {
			if len(line.cells) != len(lines[0].cells) || line.cells[0] == "" {
				t.Errorf("line %v beside %v", line, lines[0])
			}
			for _, v := range line.cells {
				for _, one := range split(v) {
					if one == "" || strings.Contains(one, ";") {
						t.Errorf("%q is split to %q", v, one)
					}
				}
			}
		}
	})
}

// FuzzNumbers: two patterns collide exactly if one number can be made by both.
func FuzzNumbers(f *testing.F) {
	for _, p := range [][2]string{{"INC-%06d", "SAL-%05d"}, {"INC-%d", "inc-%03d"}, {"%d1", "1%d"}, {"A%02d0", "a%d"}, {"%d", "%d"}, {"%99d", "%0d"}, {"1%d", "%018d"}, {"%%d", "%5d"}} {
		f.Add(p[0], p[1], uint32(111))
	}
	f.Fuzz(func(t *testing.T, pa, pb string, n uint32) {
		a, ok := parseNumber(pa)
		b, also := parseNumber(pb)
		if !ok || !also {
			return
		}
		both := ""
		fuzztest.Cheap(t, func() { both = collision(a, b) })
		if both != "" && (!a.makes(both) || !b.makes(both)) {
			t.Errorf("%s and %s collide at %s, which one cannot make", pa, pb, both)
		}
		for _, s := range []string{fmt.Sprintf(pa, n), fmt.Sprintf(pb, n)} {
			if both == "" && n > 0 && a.makes(s) && b.makes(s) {
				t.Errorf("%s and %s both make %s", pa, pb, s)
			}
		}
		if n > 0 && !a.makes(fmt.Sprintf(pa, n)) {
			t.Errorf("%s does not make its own %s", pa, fmt.Sprintf(pa, n))
		}
	})
}
