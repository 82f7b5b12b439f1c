package rfc822

import (
	"os"
	"strings"
	"testing"
)

// replyList reads a list of testdata/reply, whose entries are parted by "~".
func replyList(t *testing.T, name, by string) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/reply/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimRight(string(b), "\n"), by)
}

// What programs put above the mail they quote, in their many forms and
// languages, with marks below and without. Behind "?" stands what is only sure
// above ">" lines.
func TestReplyIntroductions(t *testing.T) {
	for _, intro := range replyList(t, "introductions.txt", "\n~\n") {
		intro, marked := strings.CutPrefix(intro, "?")
		for _, quote := range []string{"\n> old words\n", "\n\n> old words\n> more\n", "\nold words\n", "\n\nold words\n\nmore\n"} {
			if marked && !strings.Contains(quote, ">") {
				continue
			}
			if got := ReplyText("New.\n\n" + intro + quote); got != "New." {
				t.Errorf("%q%q: got %q", intro, quote, got)
			}
		}
		for _, above := range []string{"", "New.\n\n"} { // answered below: never lost
			if got := ReplyText(above + intro + "\n> old words\n\nNew, below.\n"); !strings.HasSuffix(got, "New, below.") {
				t.Errorf("%q%q, answered below: got %q", above, intro, got)
			}
		}
	}
}

// What programs say of themselves below the text.
func TestReplyProgramLines(t *testing.T) {
	for _, line := range replyList(t, "program-lines.txt", "\n") {
		for _, rest := range []string{"\n", "\n\n> On Tue, 3 Mar 2026 at 14:05, Alice <a@example.com> wrote:\n> x", "\n________________________________\nFrom: A\nSent: B\nTo: C\nSubject: D\n\nold"} {
			if got := ReplyText("New.\n\n" + line + rest); got != "New." {
				t.Errorf("%q%q: got %q", line, rest, got)
			}
		}
	}
}

func TestWithoutClosing(t *testing.T) {
	for _, closing := range replyList(t, "closings.txt", "\n~\n") {
		if got := withoutClosing("It works again now.\n\n" + closing); got != "It works again now." {
			t.Errorf("%q: got %q", closing, got)
		}
	}
	for _, text := range []string{
		"Cordialement,\nJean",
		"Bonjour,\n\nCordialement,\nJean",
		"It works.\n\nBest regards\n",
		"It works.\n\nKind regards,\nJohn\n\nPS: the other one does not.",
		"It works.\n\nKind regards,\nJohn\n\nCan you look at the other one?",
		"It works.\n\nKind regards,\nJohn\n\n<<report.doc>>",
		"It works.\n\nKind regards,\nJohn\n\nOne more thing, we have moved and our address in your files is wrong.",
		"Hello,\n\nThank you,\nJohn",
		"It works.\n\nMerci beaucoup,\nJean",
		"Paths:\n\n/etc/hosts",
		"Our contact:\n\nJean Dupont\njean@customer.example\n06 12 34 56 78",
		"We send best regards to all of you.\nJohn",
		"Cordialement est un mot.\nJean",
		"La ligne est en panne depuis ce matin.\n\nCordialement,\nJean\n\nLe poste 3 aussi est en panne\nRappelez au 0123",
		"It is broken again.\n\nBest\n\nThe second one too, room 4",
		"It is broken again.\n\nRegards,\nBob\n\nSerial: 12345\nFirmware 2.3",
	} {
		if got := withoutClosing(text); got != text {
			t.Errorf("%q: got %q", text, got)
		}
	}
}
