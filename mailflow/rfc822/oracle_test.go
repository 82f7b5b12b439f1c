package rfc822

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/mail"
)

// TestAgainstGoMessage: where go-message, which is strict, reads a mail's
// header without an error, we read the same.
func TestAgainstGoMessage(t *testing.T) {
	same, all := 0, 0
	count := func(path, what, got, want string) {
		if strings.Contains(want, "\ufffd") || strings.Contains(want, "=?") {
			return // it could not read it
		}
		all++
		if got == want {
			same++
			return
		}
		t.Logf("%s: %s is %q, go-message has %q", filepath.Base(path), what, got, want)
	}
	filepath.WalkDir(corpus(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".eml") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e, err := message.Read(bytes.NewReader(raw))
		if err != nil {
			return nil
		}
		m, h := Parse(raw), mail.Header{Header: e.Header}
		if s, err := h.Subject(); err == nil {
			count(path, "subject", fold(m.Subject), fold(cleanLine(s)))
		}
		if list, err := h.AddressList("From"); err == nil && len(m.Header.Values("From")) == 1 {
			var want []Address
			for _, a := range list {
				want = append(want, Address{Address: a.Address})
			}
			count(path, "from", addressesOf(m.From), addressesOf(want))
		}
		if date, err := h.Date(); err == nil && !date.IsZero() && !m.Date.Equal(date) {
			count(path, "date", m.Date.String(), date.String())
		}
		return nil
	})
	t.Logf("%d of %d", same, all)
	if all < 1000 || 1000*same < 995*all {
		t.Errorf("%d of %d fields as go-message reads them", same, all)
	}
}
