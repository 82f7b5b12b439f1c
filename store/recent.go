package store

import (
	"sync"
	"time"
)

const (
	// recentLimit bounds the mails kept in memory, in bytes.
	recentLimit = 16 << 20
	// recentMost bounds their number.
	recentMost = 16 << 10
	// recentFor is how long one is kept that nobody takes: another gateway may
	// have read it.
	recentFor = time.Minute
)

// recentMails keeps small mails from their commit to their first reading,
// which usually comes soon: that reading needs no transaction then. When there
// are too many further ones are read from the database: those kept have waited
// longer, and come first.
type recentMails struct {
	mu    sync.Mutex
	mails map[int64][]byte
	order []recentMail // oldest first; those taken are still named
	bytes int
}

type recentMail struct {
	id int64
	at time.Time
}

func (r *recentMails) put(id int64, mail []byte, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mails == nil {
		r.mails = map[int64][]byte{}
	}
	for len(r.order) > 0 && (r.mails[r.order[0].id] == nil || now.Sub(r.order[0].at) > recentFor) {
		r.drop(r.order[0].id)
		r.order = r.order[1:]
	}
	if r.bytes+len(mail) <= recentLimit && len(r.order) < recentMost {
		r.mails[id], r.order, r.bytes = mail, append(r.order, recentMail{id, now}), r.bytes+len(mail)
	}
}

func (r *recentMails) drop(id int64) []byte {
	mail := r.mails[id]
	r.bytes -= len(mail)
	delete(r.mails, id)
	return mail
}

// TakeRecent returns the bytes of a mail that was committed a moment ago, once;
// nil if they are not in memory: then [Tx.ReadRaw] has them.
func (db *DB) TakeRecent(rawID int64) []byte {
	db.recent.mu.Lock()
	defer db.recent.mu.Unlock()
	return db.recent.drop(rawID)
}
