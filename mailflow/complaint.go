package mailflow

import (
	"strings"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/store"
)

const (
	// complaintKept is how long an address that complained gets no automatic
	// mail: for good, or until its owner writes to us, proven.
	complaintKept   = 50 * 365 * 24 * time.Hour
	complaintReason = "its reader complained of an automatic mail as abuse"
)

func complaintOf(address string) string {
	return store.KeptBudget + "complaint " + strings.ToLower(address)
}

// complains is the outbox row of ours that an abuse report (RFC 5965) returns,
// or 0. Only our own signed Message-ID counts: reports are easily forged.
func (f *Flow) complains(m *rfc822.Mail, v Verdict, raw []byte) int64 {
	if v.Class != ClassComplaint {
		return 0
	}
	for _, id := range m.ReturnedIDs(raw) {
		if t, ok := f.ownID(id); ok {
			return t.Row()
		}
	}
	return 0
}

// complained ends automatic mail to the reader of a mail of ours who called it
// abuse. Agents still write to him, and are told.
func (d *decision) complained(row store.Outbox) error {
	uses, _, _, err := d.tx.Spend(complaintOf(row.Recipient), complaintKept, row.ID)
	if err != nil || uses > 1 {
		return err
	}
	d.because("no more automatic mail to %s", row.Recipient)
	return d.undelivered(row, complaintReason)
}

// hasComplained says that an address gets no automatic mail any more.
func (d *decision) hasComplained(address string) (bool, error) {
	_, _, ok, err := d.tx.Budget(complaintOf(address))
	return ok, err
}
