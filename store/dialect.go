package store

import (
	"strconv"
	"strings"
	"sync"
)

// dialect is what differs between the two engines in the SQL that the domain
// code writes; all else is one text for both.
type dialect struct {
	engine   string
	numbered bool // parameters are $1, $2 … instead of ?

	// forUpdate and skipLocked end a SELECT whose rows the transaction is
	// about to change. SQLite has one writer, which needs neither.
	forUpdate  string
	skipLocked string

	rebound sync.Map // query with ? -> query with $n
}

func sqliteDialect() *dialect { return &dialect{engine: "sqlite"} }

func postgresDialect() *dialect {
	return &dialect{
		engine:     "postgres",
		numbered:   true,
		forUpdate:  " FOR UPDATE",
		skipLocked: " FOR UPDATE SKIP LOCKED",
	}
}

// sql returns the query as the engine reads it. The texts are constants of
// the program, or a few constants put together: the cache is bounded by them.
func (d *dialect) sql(query string) string {
	if !d.numbered {
		return query
	}
	if s, ok := d.rebound.Load(query); ok {
		return s.(string)
	}
	s := rebind(query)
	d.rebound.Store(query, s)
	return s
}

// rebind numbers the parameters of a query: each ? outside of literals,
// quoted names and comments becomes $1, $2 and so on.
func rebind(query string) string {
	var b strings.Builder
	n := 0
	for i := 0; i < len(query); {
		if end := quotedEnd(query, i); end > i {
			b.WriteString(query[i:end])
			i = end
			continue
		}
		if query[i] == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		} else {
			b.WriteByte(query[i])
		}
		i++
	}
	return b.String()
}

// quotedEnd returns where the literal, quoted name or comment that begins at
// i ends, or i if none begins there. A doubled quote is two literals side by
// side, which comes to the same.
func quotedEnd(query string, i int) int {
	rest := query[i:]
	until := func(open, end string) int {
		if j := strings.Index(rest[len(open):], end); j >= 0 {
			return i + len(open) + j + len(end)
		}
		return len(query)
	}
	switch {
	case rest[0] == '\'' || rest[0] == '"':
		return until(rest[:1], rest[:1])
	case strings.HasPrefix(rest, "--"):
		return until("--", "\n")
	case strings.HasPrefix(rest, "/*"):
		return until("/*", "*/")
	}
	return i
}

// forUpdate is appended to a SELECT that locks its rows until the end of the
// transaction. In a View, which can change nothing, it locks none.
func (tx *Tx) forUpdate() string {
	if tx.reader {
		return ""
	}
	return tx.db.dialect.forUpdate
}

// skipLocked is appended to a SELECT that locks its rows and leaves out those
// that another transaction has locked.
func (tx *Tx) skipLocked() string { return tx.db.dialect.skipLocked }

// lockKey lets one transaction at a time past it for each key, until the
// transaction ends. SQLite has one writer and needs no lock.
func (tx *Tx) lockKey(hash int64) error {
	if !tx.db.dialect.numbered {
		return nil
	}
	_, err := tx.exec(`SELECT pg_advisory_xact_lock(?)`, hash)
	return err
}

// LockThread makes transactions with the same key wait for each other, so
// that of two mails of one thread the second sees what the first did. On
// SQLite all updates do.
func (tx *Tx) LockThread(key int64) error { return tx.lockKey(key) }
