package mailflow

import (
	"database/sql"
	"net/netip"
	"slices"
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// Level says how far a mail's sender is proven.
type Level string

// The levels, from the least on.
const (
	Forged   Level = "forged"
	Unproven Level = "unproven"
	OwnToken Level = "own token"
	Proven   Level = "proven"
)

// writer is who wrote a mail, in which role on its ticket, and how sure that
// is.
type writer struct {
	address string
	name    string
	level   Level
	reason  string // of the level

	agent *Agent // set if the address is an agent's of that desk
	// party is whom the words count for; nil: they wait, or begin a ticket.
	party *store.Party
	role  ticket.Role
	// colleague: somebody else of the party's house writes.
	colleague bool
	// alone: found by a Message-ID alone, which approves nothing.
	alone bool
	// waits says why an agent must look first; "" if none must.
	waits string
}

// people is stage 5.
func (f *Flow) people(tx *store.Tx, in *incoming, t thread) (writer, error) {
	w := f.level(in)
	s := f.Settings.Load()
	desk := in.d.Desk
	if t.how != "" {
		desk = t.ticket.Desk
	}
	if a := s.Agent(w.address); a != nil && a.WorksOn(desk) {
		w.agent = a
	}
	if t.how != "" && w.agent != nil {
		// An agent may be the customer of a ticket, too, and then writes as one.
		self, err := tx.PartyOf(t.ticket.ID, w.address)
		if err != nil && err != sql.ErrNoRows {
			return w, err
		}
		if err == nil && self.Role != ticket.Agent {
			w.agent = nil
		}
	}
	if t.owner != nil {
		mine, err := f.isPerson(tx, w.address, t.owner)
		if err != nil {
			return w, err
		}
		if mine && w.level == Unproven {
			w.level, w.reason = OwnToken, "answered from the address that we wrote to"
		}
	}
	if t.how == "" || w.agent != nil {
		return w, nil
	}
	return w, f.place(tx, &w, t)
}

// level judges the mail alone. Checks that need DNS are not done: a mail is
// proven by a submission from a trusted network, on which no other server has
// left its Received line (RFC 5321 §4.4).
func (f *Flow) level(in *incoming) writer {
	s := f.Settings.Load()
	w := writer{address: in.from(), level: Unproven, reason: "nothing proves the sender"}
	if len(in.mail.From) == 1 {
		w.name = in.mail.From[0].Name
	}
	switch {
	case len(in.mail.From) != 1 || len(in.mail.Header.Values("From")) != 1 || w.address == "":
		w.level, w.reason = Forged, "not exactly one From"
	case s.trusts(in.d.Client) && in.mail.Header.Get("Received") == "":
		w.level, w.reason = Proven, "submitted from a trusted network"
	case s.isHouse(w.address):
		w.level, w.reason = Forged, "our own domain without proof"
	}
	return w
}

func (s *Settings) trusts(client string) bool {
	ip, err := netip.ParseAddr(client)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(s.TrustedNetworks, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}

// isHouse says that an address is a desk's or an agent's, or of their
// domains. At a public mail provider only the address itself counts.
func (s *Settings) isHouse(address string) bool {
	_, domain, _ := cutLast(address)
	if s.Route(address).Desk != nil {
		return true
	}
	house := func(a string) bool {
		_, d, _ := cutLast(a)
		return a == address || d == domain && !IsPublicProvider(domain)
	}
	return slices.ContainsFunc(s.Desks, func(d Desk) bool { return house(d.Address) }) ||
		slices.ContainsFunc(s.Agents, func(a Agent) bool { return house(a.Address) })
}

// place finds whom the words of a mail on a known ticket count for: the
// table of design §4.
func (f *Flow) place(tx *store.Tx, w *writer, t thread) error {
	self, err := tx.PartyOf(t.ticket.ID, w.address) // by an alias, too
	if err != nil && err != sql.ErrNoRows {
		return err
	}
	isParty := err == nil && self.Active && self.Role != ticket.Agent
	switch {
	case w.level == Forged:
		w.waits = "forged: " + w.reason
		w.role = ticket.Follower
		return nil
	case t.owner != nil:
		return f.placeByToken(tx, w, t, self, isParty)
	case isParty && (w.level == Proven || t.own || t.ticket.FormFor == w.address):
		// Whose form is awaited may write whatever it refers to.
		w.count(self)
		w.alone = w.level != Proven
	case isParty:
		w.count(self)
		w.waits = "unproven, found by " + t.how
	default:
		w.waits = "not a party, found by " + t.how
		w.role = ticket.Follower
	}
	return nil
}

func (f *Flow) placeByToken(tx *store.Tx, w *writer, t thread, self store.Party, isParty bool) error {
	owner := t.owner
	mine, err := f.isPerson(tx, w.address, owner)
	if err != nil {
		return err
	}
	switch {
	case mine && owner.Role != ticket.Agent && owner.Active:
		w.count(*owner)
		return nil
	case isParty:
		w.count(self)
		w.alone = w.level != Proven // the token is somebody else's
		return nil
	}
	switch {
	case owner.Role == ticket.Agent:
		w.role, w.waits = ticket.Follower, "bears an agent's address"
		return nil
	case !owner.Active:
		w.role, w.waits = ticket.Follower, "was taken off this ticket"
		return nil
	}
	w.count(*owner)
	same, err := f.colleagues(tx, w.address, owner.Address)
	if err != nil || same {
		w.colleague, w.alone = same, true
		return err
	}
	w.waits = "another address than the one that was written to"
	w.role = ticket.Follower
	return nil
}

func (w *writer) count(p store.Party) { w.party, w.role = &p, p.Role }

// isPerson says that an address is the party's own or an alias of theirs.
func (f *Flow) isPerson(tx *store.Tx, address string, p *store.Party) (bool, error) {
	if address == "" || address == p.Address {
		return address != "", nil
	}
	id, err := tx.PersonOf(address)
	return id != 0 && id == p.PersonID, err
}

// colleagues are of one organisation, or of one domain that is not a public
// mail provider's.
func (f *Flow) colleagues(tx *store.Tx, a, b string) (bool, error) {
	_, da, _ := cutLast(a)
	_, db, _ := cutLast(b)
	if da == db && da != "" && !IsPublicProvider(da) {
		return true, nil
	}
	oa, err := tx.OrganisationOf(a)
	if err != nil || oa == nil {
		return false, err
	}
	ob, err := tx.OrganisationOf(b)
	return ob != nil && ob.ID == oa.ID, err
}

// strangersAmong removes our own addresses and those of agents from a list.
func (s *Settings) strangersAmong(list []rfc822.Address) []rfc822.Address {
	return slices.DeleteFunc(slices.Clone(list), func(a rfc822.Address) bool {
		address := strings.ToLower(a.Address)
		return address == "" || s.Route(address).Desk != nil || s.Agent(address) != nil
	})
}

// IsPublicProvider says that a domain gives mailboxes to anybody, so that two
// of its addresses have nothing in common.
func IsPublicProvider(domain string) bool {
	if slices.Contains(publicProviders, domain) {
		return true
	}
	name, _, _ := strings.Cut(domain, ".")
	return slices.Contains(publicFamilies, name)
}

// publicFamilies have a domain in many countries.
var publicFamilies = []string{"gmail", "googlemail", "outlook", "hotmail", "live", "msn", "yahoo", "ymail", "aol",
	"gmx", "proton", "protonmail", "icloud", "yandex"}

var publicProviders = []string{"me.com", "mac.com", "pm.me", "orange.fr", "wanadoo.fr", "free.fr", "sfr.fr", "laposte.net",
	"neuf.fr", "bbox.fr", "numericable.fr", "club-internet.fr", "web.de", "t-online.de", "freenet.de", "posteo.de",
	"mailbox.org", "mail.de", "arcor.de", "libero.it", "virgilio.it", "tiscali.it", "alice.it", "telefonica.net",
	"terra.es", "ziggo.nl", "kpnmail.nl", "planet.nl", "skynet.be", "telenet.be", "bluewin.ch", "hispeed.ch", "sapo.pt",
	"btinternet.com", "virginmedia.com", "sky.com", "comcast.net", "verizon.net", "att.net", "sbcglobal.net",
	"cox.net", "charter.net", "mail.ru", "bk.ru", "list.ru", "inbox.ru", "rambler.ru", "ukr.net", "wp.pl", "o2.pl",
	"onet.pl", "interia.pl", "seznam.cz", "centrum.cz", "qq.com", "163.com", "126.com", "sina.com", "naver.com",
	"hanmail.net", "daum.net", "fastmail.com", "fastmail.fm", "tutanota.com", "tuta.io", "hey.com", "zoho.com", "mail.com"}
