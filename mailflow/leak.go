package mailflow

import (
	"context"
	"iter"
	"strings"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// mayLeak says why a mail must not leave, or "". What its reader has read
// before is loaded only where something was found that it could excuse.
func (f *Flow) mayLeak(ctx context.Context, dr *draft, r templates.Rendered) (string, error) {
	if dr.row.Reply == store.Released || dr.row.MailID != "" {
		return "", nil // somebody has looked at it, or it had left and is sent again
	}
	if f.leak(dr, r) == "" {
		return "", nil
	}
	if err := f.gatherPublic(ctx, dr); err != nil {
		return "", err
	}
	return f.leak(dr, r), nil
}

// toAgent says that the mail is one to an agent, who may see all.
func (dr *draft) toAgent() bool {
	return dr.party.Role == ticket.Agent || dr.row.Party < 0 && dr.agent != nil
}

// leak looks for what no party may see in a mail to one: an agent's address,
// a token that an agent was given, the words of a note. It returns the reason
// to hold the mail, or "". What parties have written themselves, or have been
// shown before, is no secret any more.
func (f *Flow) leak(dr *draft, r templates.Rendered) string {
	if dr.toAgent() {
		return ""
	}
	for _, shown := range []string{r.Subject, r.Text, r.HTML} {
		if f.leaksAgent(dr, shown) {
			return "it shows the address of an agent"
		}
		if why := f.leaksSecret(dr, shown); why != "" {
			return why
		}
	}
	if len(dr.notes) == 0 {
		return ""
	}
	text, before := foldSpace(r.Text), foldSpace(dr.known())
	for _, note := range dr.notes {
		if leaksNote(text, note) && !leaksNote(before, note) {
			return "it shows words of a note"
		}
	}
	return ""
}

// leaksAgent says whether shown holds an agent's address that the parties do
// not know.
func (f *Flow) leaksAgent(dr *draft, shown string) bool {
	agents := f.Settings.Load().Agents
	for i := range agents {
		if address := agents[i].Address; containsAddress(shown, address) && !containsAddress(dr.known(), address) {
			return true
		}
	}
	return false
}

// leaksSecret says whether shown holds a token of ours that was not given to
// this reader, or another party's link.
func (f *Flow) leaksSecret(dr *draft, shown string) string {
	for begin, end := range longWords(shown) {
		word := shown[begin:end]
		if t, err := f.Keys.Verify(word); err == nil && !dr.isReaders(t) {
			return "it shows a reply address of somebody else"
		}
		for _, p := range dr.parties {
			if p.Ordinal != dr.row.Party && strings.Contains(strings.ToLower(word), p.Link) {
				return "it shows the link of somebody else"
			}
		}
	}
	return ""
}

// longWords gives begin and end of the words of s that are at least as long as
// a token, and may be or hold one of our secrets. Most of s it passes over.
func longWords(s string) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		// Whatever lies between two places of this distance is shorter.
		for i := ticket.TokenLength - 1; i < len(s); i += ticket.TokenLength {
			if !isWordByte[s[i]] {
				continue
			}
			begin, end := i, i
			for ; begin > 0 && isWordByte[s[begin-1]]; begin-- {
			}
			for ; end < len(s) && isWordByte[s[end]]; end++ {
			}
			if end-begin >= ticket.TokenLength && !yield(begin, end) {
				return
			}
			i = end
		}
	}
}

// isWordByte holds for what words are made of: ASCII letters, digits and _.
var isWordByte = func() (t [256]bool) {
	for c := range t {
		b := byte(c)
		t[c] = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
	}
	return t
}()

// known is what the parties know already.
func (dr *draft) known() string {
	known := ""
	if dr.opener != ticket.Agent {
		known = dr.ticket.Subject
	}
	if dr.message.Role != ticket.Agent || chases(dr.row.Kind) { // it has been sent before
		known += "\n" + dr.message.Words
	}
	for _, words := range dr.public {
		known += "\n" + words
	}
	return known
}

// isReaders says that a token is one that this reader was given.
func (dr *draft) isReaders(t ticket.Token) bool {
	return t.Purpose == ticket.ForReply && t.Ticket() == dr.row.TicketID && t.Party() == dr.row.Party ||
		t.Purpose != ticket.ForReply && t.Row() == dr.row.ID
}

// containsAddress looks, in whatever letter case, for a whole address, not for
// a piece of a longer one. A text holds few @, so that looking around each is
// cheap.
func containsAddress(text, address string) bool {
	local := strings.IndexByte(address, '@')
	begin, at := 0, 0 // begin: an address ended there
	for {
		n := strings.IndexByte(text[at:], '@')
		if n < 0 || local < 0 {
			return false
		}
		from := at + n - local
		at += n + 1
		to := from + len(address)
		if from < begin || to > len(text) || !strings.EqualFold(text[from:to], address) {
			continue
		}
		if whole(text[begin:from], text[to:]) {
			return true
		}
		begin = to
	}
}

// whole says that an address between these two goes on on neither side.
func whole(before, after string) bool {
	n := len(before)
	return !goesOn(before[max(n-1, 0):], before[max(n-2, 0):max(n-1, 0)]) && !goesOn(after[:min(len(after), 1)], after[min(len(after), 1):])
}

// goesOn says that an address goes on with what stands beside it: a letter or
// digit, or a mark and then one. Whatever is not ASCII ends it: in «agent@…»
// and 请联系agent@… everybody reads an address.
func goesOn(beside, next string) bool {
	isWord := func(s string) bool { return s != "" && s[0] != '_' && isWordByte[s[0]] }
	return isWord(beside) || beside != "" && strings.Contains("._+-", beside) && isWord(next)
}

// leaksNote compares by lines, since a mail wraps and quotes in its own way.
// Short lines stand in many a text.
func leaksNote(text, note string) bool {
	const telling = 24
	if whole := foldSpace(note); len(whole) >= 8 && strings.Contains(text, whole) {
		return true
	}
	for line := range strings.Lines(note) {
		if strings.HasPrefix(strings.TrimSpace(line), ">") {
			continue // quoted from somewhere, most often from us
		}
		if l := foldSpace(line); len(l) >= telling && strings.Contains(text, l) {
			return true
		}
	}
	return false
}

func foldSpace(s string) string {
	return strings.Join(strings.Fields(quoteMarks.Replace(strings.ToLower(s))), " ")
}

var quoteMarks = strings.NewReplacer(">", " ", "|", " ")
