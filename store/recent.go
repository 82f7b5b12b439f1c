package store

import "sync"

// recentLimit bounds the mails kept in memory, in bytes.
const recentLimit = 4 << 20

// recentMails keeps small mails from their commit to their first reading,
// which usually comes at once: that reading needs no transaction then. When
// there are too many the oldest go, and are read from the database.
type recentMails struct {
	mu    sync.Mutex
	mails map[int64][]byte
	order []int64 // ids, oldest first; those taken are still named
	bytes int
}

func (r *recentMails) put(id int64, mail []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mails == nil {
		r.mails = map[int64][]byte{}
	}
	r.mails[id], r.order, r.bytes = mail, append(r.order, id), r.bytes+len(mail)
	for r.bytes > recentLimit || len(r.order) > 2*len(r.mails)+64 {
		r.drop(r.order[0])
		r.order = r.order[1:]
	}
}

func (r *recentMails) drop(id int64) []byte {
	mail := r.mails[id]
	r.bytes -= len(mail)
	delete(r.mails, id)
	return mail
}

// HasRecent says that [DB.TakeRecent] would return the mail.
func (db *DB) HasRecent(rawID int64) bool {
	db.recent.mu.Lock()
	defer db.recent.mu.Unlock()
	return db.recent.mails[rawID] != nil
}

// TakeRecent returns the bytes of a mail that was committed a moment ago, once;
// nil if they are not in memory: then [Tx.ReadRaw] has them.
func (db *DB) TakeRecent(rawID int64) []byte {
	db.recent.mu.Lock()
	defer db.recent.mu.Unlock()
	return db.recent.drop(rawID)
}
