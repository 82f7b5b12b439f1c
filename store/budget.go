package store

import (
	"database/sql"
	"time"
)

// Spend counts one use of a named budget whose period begins with its first
// use, and gives how many uses the running period has now seen and when it
// began. ref is kept from the first use of the period.
func (tx *Tx) Spend(name string, period time.Duration, ref int64) (count int, began time.Time, first int64, err error) {
	var at micros
	err = tx.row(`SELECT began, count, ref FROM budget WHERE name = ?`+tx.forUpdate(), name).Scan(&at, &count, &first)
	if err != nil && err != sql.ErrNoRows {
		return 0, began, 0, err
	}
	began = at.Time()
	if err == sql.ErrNoRows || !tx.Now().Before(began.Add(period)) {
		began, count, first = tx.Now(), 0, ref
	}
	count++
	_, err = tx.exec(`INSERT INTO budget (name, began, count, ref) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET began = excluded.began, count = excluded.count, ref = excluded.ref`,
		name, began, count, first)
	return count, began, first, err
}

// DropBudgets forgets budgets whose period began before a time.
func (tx *Tx) DropBudgets(before time.Time) error {
	_, err := tx.exec(`DELETE FROM budget WHERE began < ?`, before)
	return err
}
