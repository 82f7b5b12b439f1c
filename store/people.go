package store

import (
	"cmp"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"slices"
	"strings"

	"guichet/mailflow/ticket"
)

// Party is anyone that a ticket is told to. Agents who are notified have a
// row too, in the role agent.
type Party struct {
	ID        int64
	TicketID  int64
	Ordinal   int
	Role      ticket.Role
	Address   string // lower case
	Name      string
	PersonID  int64
	AddedBy   string
	Since     int64 // the first message row that it may see
	Reachable bool
	Proven    bool // has shown that the mailbox is theirs
	Active    bool
	// Untold: only a form has named the address. It gets no mail before an
	// agent's first act.
	Untold bool
	Link   string // 160 random bits, of its ticket page
}

const partyColumns = `id, ticket_id, ordinal, role, address, name, person_id, added_by, since, reachable, proven, active, untold, link`

func scanParty(s scanner) (Party, error) {
	var p Party
	err := s.Scan(&p.ID, &p.TicketID, &p.Ordinal, &p.Role, &p.Address, &p.Name, &p.PersonID, &p.AddedBy, &p.Since,
		&p.Reachable, &p.Proven, &p.Active, &p.Untold, &p.Link)
	return p, err
}

// fold is an address as it is stored and looked for: what is no text is
// replaced before the case is folded, which would replace it otherwise.
func fold(address string) string { return strings.ToLower(cleanText(address)) }

// AddParty gives the ticket a party with the next ordinal, or returns the one
// that the person with that address is already, whichever of their addresses
// it has: nobody is told twice. Then a removed party is back, and an agent or
// follower takes the role asked for if it is a customer's or integrator's.
func (tx *Tx) AddParty(p Party) (Party, error) {
	old, err := tx.PartyOf(p.TicketID, p.Address)
	if err == sql.ErrNoRows && tx.forUpdate() != "" && p.TicketID != tx.made {
		// Not every caller has locked the ticket, and ordinals are unique.
		if _, err = tx.LockTicket(p.TicketID); err != nil {
			return p, err
		}
		old, err = tx.PartyOf(p.TicketID, p.Address)
	}
	if err == nil {
		return tx.readdParty(old, p)
	}
	if err != sql.ErrNoRows {
		return p, err
	}
	p.Address, p.Name, p.AddedBy = fold(p.Address), cleanText(p.Name), cleanText(p.AddedBy)
	p.Role = ticket.Role(cleanText(string(p.Role)))
	if p.PersonID, err = tx.Person(p.Address, p.Name); err != nil {
		return p, err
	}
	var link [20]byte
	rand.Read(link[:])
	p.Link, p.Reachable, p.Active = hex.EncodeToString(link[:]), true, true
	p.Ordinal = 1
	all := tx.parties[p.TicketID]
	if len(all) > 0 {
		p.Ordinal = all[len(all)-1].Ordinal + 1
	}
	p.ID, err = tx.insert(`INSERT INTO party (ticket_id, ordinal, role, address, name, person_id, added_by, since,
		reachable, proven, active, untold, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+returningID,
		p.TicketID, p.Ordinal, string(p.Role), p.Address, p.Name, p.PersonID, p.AddedBy, p.Since,
		p.Reachable, p.Proven, p.Active, p.Untold, p.Link)
	if err == nil {
		tx.parties[p.TicketID] = append(slices.Clip(all), p)
	}
	return p, err
}

// readdParty keeps what a party may see: one that was removed sees nothing of
// the time without them.
func (tx *Tx) readdParty(p, again Party) (Party, error) {
	tx.parties = nil
	if again.Role == ticket.Customer || again.Role == ticket.Integrator {
		p.Role = again.Role
	}
	if !p.Active {
		p.Since = max(p.Since, again.Since)
	}
	p.Active, p.Untold = true, p.Untold && again.Untold
	_, err := tx.exec(`UPDATE party SET role = ?, active = 1, since = ?, untold = ? WHERE id = ?`, string(p.Role), p.Since, p.Untold, p.ID)
	return p, err
}

// RemoveParty takes a party off its ticket. The row stays, so that its tokens
// and its words still have an owner.
func (tx *Tx) RemoveParty(partyID int64) error {
	tx.parties = nil
	_, err := tx.exec(`UPDATE party SET active = 0 WHERE id = ?`, partyID)
	return err
}

// SetRole changes a party's role.
func (tx *Tx) SetRole(partyID int64, role ticket.Role) error {
	tx.parties = nil
	_, err := tx.exec(`UPDATE party SET role = ? WHERE id = ?`, string(role), partyID)
	return err
}

// SetReachable records whether mail to a party arrives.
func (tx *Tx) SetReachable(ticketID int64, ordinal int, ok bool) error {
	tx.parties = nil
	_, err := tx.exec(`UPDATE party SET reachable = ? WHERE ticket_id = ? AND ordinal = ?`, ok, ticketID, ordinal)
	return err
}

// TellAll lets a ticket's parties whom only a form has named get its mails
// from now on.
func (tx *Tx) TellAll(ticketID int64) error {
	tx.parties = nil
	_, err := tx.exec(`UPDATE party SET untold = 0 WHERE ticket_id = ? AND untold = 1`, ticketID)
	return err
}

// SetProven records that a party has shown that the mailbox is theirs.
func (tx *Tx) SetProven(partyID int64) error {
	tx.parties = nil
	_, err := tx.exec(`UPDATE party SET proven = 1, reachable = 1, untold = 0 WHERE id = ?`, partyID)
	return err
}

// Parties lists all parties of a ticket, agents included, by ordinal.
func (tx *Tx) Parties(ticketID int64) ([]Party, error) {
	all, err := tx.Everybody(ticketID)
	return slices.DeleteFunc(all, func(p Party) bool { return !p.Active }), err
}

// Everybody lists the parties of a ticket and those that were removed, by
// ordinal.
func (tx *Tx) Everybody(ticketID int64) ([]Party, error) {
	all, err := tx.partiesOf(ticketID)
	return slices.Clone(all), err
}

// PartyByAddress finds a party by its address, or sql.ErrNoRows.
func (tx *Tx) PartyByAddress(ticketID int64, address string) (Party, error) {
	address = fold(address)
	return tx.partyWhere(ticketID, func(p Party) bool { return p.Address == address })
}

// PartyOf finds the party that the person with an address is, by that address
// or by another one of theirs, or sql.ErrNoRows. One that was removed is found
// where there is no other.
func (tx *Tx) PartyOf(ticketID int64, address string) (Party, error) {
	p, err := tx.PartyByAddress(ticketID, address)
	if err != sql.ErrNoRows || len(tx.parties[ticketID]) == 0 {
		return p, err
	}
	person, err := tx.PersonOf(address)
	if err != nil || person == 0 {
		return Party{}, cmp.Or(err, sql.ErrNoRows)
	}
	same := func(p Party) bool { return p.PersonID == person }
	p, err = tx.partyWhere(ticketID, func(p Party) bool { return same(p) && p.Active })
	if err == sql.ErrNoRows {
		return tx.partyWhere(ticketID, same)
	}
	return p, err
}

// PartyByOrdinal finds a party by the ordinal that tokens carry, or
// sql.ErrNoRows.
func (tx *Tx) PartyByOrdinal(ticketID int64, ordinal int) (Party, error) {
	return tx.partyWhere(ticketID, func(p Party) bool { return p.Ordinal == ordinal })
}

func (tx *Tx) partyWhere(ticketID int64, is func(Party) bool) (Party, error) {
	all, err := tx.partiesOf(ticketID)
	if err != nil {
		return Party{}, err
	}
	if i := slices.IndexFunc(all, func(p Party) bool { return tx.before.joined(p) && is(p) }); i >= 0 {
		return all[i], nil
	}
	return Party{}, sql.ErrNoRows
}

// partiesOf reads the parties of a ticket once a transaction.
func (tx *Tx) partiesOf(ticketID int64) ([]Party, error) {
	if all, ok := tx.parties[ticketID]; ok {
		return all, nil
	}
	rows, err := tx.query(`SELECT `+partyColumns+` FROM party WHERE ticket_id = ? ORDER BY ordinal`, ticketID)
	if err != nil {
		return nil, err
	}
	all, err := collect(rows, scanParty)
	if err == nil {
		tx.knowParties(ticketID, all)
	}
	return all, err
}

// ReadParties reads the parties of many tickets at once, for Parties to have
// them: a list of tickets would otherwise ask once for each.
func (tx *Tx) ReadParties(tickets []ticket.Ticket) error {
	if len(tickets) == 0 {
		return nil
	}
	all := map[int64][]Party{}
	ids := make([]any, len(tickets))
	for i, t := range tickets {
		ids[i], all[t.ID] = t.ID, nil
	}
	rows, err := tx.query(`SELECT `+partyColumns+` FROM party WHERE ticket_id IN (`+marks(len(ids))+`) ORDER BY ticket_id, ordinal`, ids...)
	if err != nil {
		return err
	}
	parties, err := collect(rows, scanParty)
	if err != nil {
		return err
	}
	for _, p := range parties {
		all[p.TicketID] = append(all[p.TicketID], p)
	}
	for id, parties := range all {
		tx.knowParties(id, parties)
	}
	return nil
}

// marks are n question marks for a list of values.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func (tx *Tx) knowParties(ticketID int64, all []Party) {
	if tx.parties == nil {
		tx.parties = map[int64][]Party{}
	}
	tx.parties[ticketID] = all
}

// PartyByLink finds a party by the link of its ticket page, or sql.ErrNoRows.
func (tx *Tx) PartyByLink(link string) (Party, error) {
	return scanParty(tx.row(`SELECT `+partyColumns+` FROM party WHERE link = ? AND active = 1`, link))
}

// Person is the id of the person with that address, made if there is none.
func (tx *Tx) Person(address, name string) (id int64, err error) {
	address = fold(address)
	var r reader
	err = tx.row(`SELECT p.id, p.language, p.zone FROM address AS a JOIN person AS p ON p.id = a.person_id WHERE a.address = ?`, address).
		Scan(&id, &r.language, &r.zone)
	if err == nil {
		tx.knowReader(address, r)
	}
	if err != sql.ErrNoRows {
		return id, err
	}
	if id, err = tx.insert(`INSERT INTO person (name) VALUES (?)`+returningID, name); err != nil {
		return 0, err
	}
	n, err := tx.exec(`INSERT INTO address (address, person_id) VALUES (?, ?) ON CONFLICT DO NOTHING`, address, id)
	if err != nil || n == 1 {
		tx.knowReader(address, reader{})
		return id, err
	}
	err = tx.row(`SELECT person_id FROM address WHERE address = ?`, address).Scan(&id)
	return id, err
}

// reader is what is known of how a person reads: language and time zone, ""
// where it is not known.
type reader struct{ language, zone string }

func (tx *Tx) knowReader(address string, r reader) {
	if tx.readers == nil {
		tx.readers = map[string]reader{}
	}
	tx.readers[address] = r
}

// PersonOf is the id of the person with that address, or 0.
func (tx *Tx) PersonOf(address string) (id int64, err error) {
	err = tx.row(`SELECT person_id FROM address WHERE address = ?`, fold(address)).Scan(&id)
	if err == sql.ErrNoRows {
		return 0, nil
	}
	return id, err
}

// AddAlias makes the address one of the person's.
func (tx *Tx) AddAlias(address string, personID int64) error {
	tx.readers = nil
	_, err := tx.exec(`INSERT INTO address (address, person_id) VALUES (?, ?)
		ON CONFLICT (address) DO UPDATE SET person_id = excluded.person_id`, fold(address), personID)
	return err
}

// Reader is what is known of a reader: the language (the person's own, the
// contact's, the organisation's, or "") and the name of the time zone that the
// person has last named, or "".
func (tx *Tx) Reader(address string) (lang, zone string, err error) {
	address = fold(address)
	r, known := tx.readers[address]
	if !known {
		err = tx.row(`SELECT p.language, p.zone FROM person AS p JOIN address AS a ON a.person_id = p.id WHERE a.address = ?`, address).
			Scan(&r.language, &r.zone)
	}
	if err != nil && err != sql.ErrNoRows || r.language != "" {
		return r.language, r.zone, err
	}
	d, err := tx.directory()
	if err != nil {
		return "", r.zone, err
	}
	return d.language(address), r.zone, nil
}

// SetLanguage remembers a person's language.
func (tx *Tx) SetLanguage(address, lang string) error {
	tx.readers = nil
	_, err := tx.exec(`UPDATE person SET language = ? WHERE id = (SELECT person_id FROM address WHERE address = ?)`,
		lang, fold(address))
	return err
}

// SetZone remembers the name of a person's time zone.
func (tx *Tx) SetZone(address, zone string) error {
	tx.readers = nil
	_, err := tx.exec(`UPDATE person SET zone = ? WHERE id = (SELECT person_id FROM address WHERE address = ?)`,
		cleanText(zone), fold(address))
	return err
}

// MaySee says whether a party may read a message: parties the public ones
// since they became one, agents also notes and what waits.
func (p Party) MaySee(m Message) bool {
	if p.Role == ticket.Agent {
		return m.Visibility != Record
	}
	return m.Visibility == Public && m.ID >= p.Since
}
