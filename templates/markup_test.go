package templates

import (
	"strings"
	"testing"
)

// Any markup gives a text and an HTML, or an error, and never a panic.
func FuzzMarkup(f *testing.F) {
	for _, s := range evil {
		f.Add(s)
		f.Add(string(litOpen) + s + string(litClose) + "\n" + s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		blocks, err := parseMarkup(s)
		if err != nil {
			return
		}
		text := renderText(blocks, "fr")
		renderHTML(blocks, "fr", s, &Mail{Number: "INC-000123"})
		for _, b := range blocks {
			if b.url != "" && !strings.Contains(text, "\n"+b.url+"\n") {
				t.Fatalf("%s is not alone in its line:\n%s", b.url, text)
			}
		}
	})
}
