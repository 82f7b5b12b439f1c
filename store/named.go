package store

// Other systems' numbers are anchors, too: the key stands where a Message-ID
// does, behind a NUL, which no Message-ID holds.

// AddNumber ties another system's number to a ticket, as the message brought
// it. key names the system and the number, in lower case.
func (tx *Tx) AddNumber(ticketID, message int64, key string) error {
	_, err := tx.exec(`INSERT INTO anchor (hash, ticket_id, message_id, own) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING`,
		numberHash(key), ticketID, message)
	return err
}

func numberHash(key string) []byte { return idHash("\x00number " + key) }

// TicketsNumbered lists the tickets that hold another system's number, at most
// 8: those of which the person with an address is a party first, then the
// newest.
func (tx *Tx) TicketsNumbered(key, address string) ([]int64, error) {
	address = fold(address)
	query, args := tx.anchored(`SELECT a.ticket_id FROM anchor AS a WHERE a.hash = ?`, []any{numberHash(key)})
	rows, err := tx.query(query+` ORDER BY CASE WHEN EXISTS (SELECT 1 FROM party AS p WHERE p.ticket_id = a.ticket_id AND (p.address = ?
			OR p.person_id = (SELECT person_id FROM address WHERE address.address = ?))) THEN 0 ELSE 1 END,
		a.ticket_id DESC LIMIT 8`, append(args, address, address)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (id int64, err error) { err = s.Scan(&id); return id, err })
}
