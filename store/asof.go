package store

// asOf is how a transaction sees the store as it was when a mail came. What
// has no time of its own, such as a ticket's state, is seen as it is.
type asOf struct {
	delivery int64 // anchors that later mails brought, or this one, are not there
	message  int64 // parties that joined after it are not there; 0: all are
}

// AsOf lets the transaction see no anchors that the delivery or a later one
// has brought, and no parties that joined later.
func (tx *Tx) AsOf(d Delivery) {
	tx.before = &asOf{d.ID, d.MessageID}
	tx.parties = nil
}

// joined says that a party was one then.
func (a *asOf) joined(p Party) bool { return a == nil || a.message == 0 || p.Since <= a.message }

// anchored narrows a SELECT FROM anchor AS a to the anchors of then. An anchor
// names the delivery that brought it by its message; a form brings none.
func (tx *Tx) anchored(query string, args []any) (string, []any) {
	if tx.before == nil {
		return query, args
	}
	return query + ` AND NOT EXISTS (SELECT 1 FROM message AS l WHERE l.id = a.message_id AND l.delivery_id >= ?)`,
		append(args, tx.before.delivery)
}
