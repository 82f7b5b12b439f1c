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
	if dr.row.Reply == store.Released {
		return "", nil // somebody has looked at it
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
	shown := strings.ToLower(r.Subject + "\n" + r.Text + "\n" + r.HTML)
	switch {
	case f.leaksAgent(dr, shown):
		return "it shows the address of an agent"
	case f.leaksToken(dr, shown):
		return "it shows a reply address of somebody else"
	}
	for _, p := range dr.parties {
		if p.Ordinal != dr.row.Party && strings.Contains(shown, p.Link) {
			return "it shows the link of somebody else"
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

// leaksAgent says whether shown, in lower case, holds an agent's address that
// the parties do not know.
func (f *Flow) leaksAgent(dr *draft, shown string) bool {
	agents := f.Settings.Load().Agents
	for i := range agents {
		address := agents[i].Address
		if standsIn(shown, address) && containsAddress(shown, address) && !containsAddress(strings.ToLower(dr.known()), address) {
			return true
		}
	}
	return false
}

// standsIn is [strings.Contains] for an address: a mail holds few @, a desk
// perhaps many agents, so that looking around each @ is cheap.
func standsIn(text, address string) bool {
	local := max(strings.IndexByte(address, '@'), 0)
	for at := local; at < len(text); at++ {
		n := strings.IndexByte(text[at:], address[local])
		if n < 0 {
			return false
		}
		at += n
		if strings.HasPrefix(text[at-local:], address) {
			return true
		}
	}
	return false
}

// leaksToken says whether shown, in whatever letter case, holds a token of
// ours that was not given to this reader.
func (f *Flow) leaksToken(dr *draft, shown string) bool {
	for begin, end := range tokenLike(shown) {
		if t, err := f.Keys.Verify(shown[begin:end]); err == nil && !dr.isReaders(t) {
			return true
		}
	}
	return false
}

// tokenLike gives begin and end of the words that are as long as a token and
// of its characters, in one pass: the regular expression \b[a-z2-7]{32}\b
// takes a third of a millisecond for a mail.
func tokenLike(s string) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		// Whatever lies between two places of this distance is shorter.
		for i := ticket.TokenLength - 1; i < len(s); i += ticket.TokenLength {
			if wordBytes[s[i]] != 2 {
				continue
			}
			begin, end, like := i, i, true
			for ; begin > 0 && wordBytes[s[begin-1]] != 0; begin-- {
				like = like && wordBytes[s[begin-1]] == 2
			}
			for ; end < len(s) && wordBytes[s[end]] != 0; end++ {
				like = like && wordBytes[s[end]] == 2
			}
			if like && end-begin == ticket.TokenLength && !yield(begin, end) {
				return
			}
			i = end
		}
	}
}

// wordBytes is 2 for the characters of a token in whatever letter case, 1 for
// the others that words are made of.
var wordBytes = func() (t [256]byte) {
	for c := range t {
		switch b := byte(c) | 0x20; {
		case b >= 'a' && b <= 'z' && c >= 'A', c >= '2' && c <= '7':
			t[c] = 2
		case c >= '0' && c <= '9', c == '_':
			t[c] = 1
		}
	}
	return t
}()

// known is what the parties know already.
func (dr *draft) known() string {
	known := ""
	if dr.opener != ticket.Agent {
		known = dr.ticket.Subject
	}
	if dr.message.Role != ticket.Agent {
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

// containsAddress looks for a whole address, not for a piece of a longer one.
func containsAddress(text, address string) bool {
	for rest := text; ; {
		before, after, ok := strings.Cut(rest, address)
		if !ok {
			return false
		}
		if whole(before, after) {
			return true
		}
		rest = after
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
	isWord := func(s string) bool { return s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= '0' && s[0] <= '9') }
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
