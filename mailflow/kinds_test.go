package mailflow

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"guichet/mailflow/rfc822"
)

const kindsDir = "../testdata/mails/kinds/"

// TestKinds reads the mails of testdata/mails/kinds: who wrote each, and of
// delivery reports what they say.
func TestKinds(t *testing.T) {
	f, err := os.Open(kindsDir + "want.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	listed := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		want := strings.Split(s.Text()+" |  | ", " | ")
		name := want[0]
		listed[name+".eml"] = true
		raw, err := os.ReadFile(kindsDir + name + ".eml")
		if err != nil {
			t.Fatal(err)
		}
		checkKind(t, name, rfc822.Parse(raw), want[1], strings.TrimSpace(want[2]), strings.TrimSpace(want[3]))
	}
	files, _ := os.ReadDir(kindsDir)
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".eml") && !listed[f.Name()] {
			t.Errorf("%s is not in want.txt", f.Name())
		}
	}
}

func checkKind(t *testing.T, name string, m *rfc822.Mail, class, report, original string) {
	t.Helper()
	v := Classify(m, Envelope{}, false, func(string) bool { return false })
	if string(v.Class) != class || v.Answerable != (class == "person") {
		t.Errorf("%s: %+v, want %s", name, v, class)
	}
	if report == "" {
		return
	}
	var got []string
	if m.Report != nil {
		for _, r := range m.Report.Recipients {
			got = append(got, strings.Join([]string{r.Recipient, r.Action, r.Status}, " "))
		}
		if m.Report.OriginalMessageID != original {
			t.Errorf("%s: returns %q, want %q", name, m.Report.OriginalMessageID, original)
		}
	}
	if strings.Join(got, ", ") != report {
		t.Errorf("%s: %q, want %q", name, got, report)
	}
}
