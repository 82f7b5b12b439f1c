package store

import (
	"database/sql"
	"time"
)

// Spend counts one use of a named budget whose period begins with its first
// use, and gives how many uses the running period has now seen and when it
// began. ref is kept from the first use of the period.
func (tx *Tx) Spend(name string, period time.Duration, ref int64) (count int, began time.Time, first int64, err error) {
	over := tx.Now().Add(-period) // a period that began then, or before, has ended
	if tx.db.lite != nil {
		return tx.spendAlone(name, over, ref)
	}
	var at micros
	err = tx.row(`INSERT INTO budget (name, began, count, ref) VALUES (?, ?, 1, ?)
		ON CONFLICT (name) DO UPDATE SET
		count = CASE WHEN budget.began > ? THEN budget.count + 1 ELSE 1 END,
		ref = CASE WHEN budget.began > ? THEN budget.ref ELSE excluded.ref END,
		began = CASE WHEN budget.began > ? THEN budget.began ELSE excluded.began END
		RETURNING began, count, ref`, name, tx.Now(), ref, over, over, over).Scan(&at, &count, &first)
	return count, at.Time(), first, err
}

// spendAlone is Spend where nobody else writes: two plain statements cost
// SQLite half of one that changes a row and returns it.
func (tx *Tx) spendAlone(name string, over time.Time, ref int64) (count int, began time.Time, first int64, err error) {
	var at micros
	err = tx.row(`SELECT began, count, ref FROM budget WHERE name = ?`, name).Scan(&at, &count, &first)
	if began = at.Time(); err == nil && began.After(over) {
		_, err = tx.exec(`UPDATE budget SET count = count + 1 WHERE name = ?`, name)
		return count + 1, began, first, err
	}
	query := `UPDATE budget SET began = ?, count = 1, ref = ? WHERE name = ?`
	if err == sql.ErrNoRows {
		query = `INSERT INTO budget (began, count, ref, name) VALUES (?, 1, ?, ?)`
	} else if err != nil {
		return 0, began, 0, err
	}
	_, err = tx.exec(query, tx.Now(), ref, name)
	return 1, tx.Now(), ref, err
}

// DropBudget forgets a named budget.
func (tx *Tx) DropBudget(name string) error {
	_, err := tx.exec(`DELETE FROM budget WHERE name = ?`, name)
	return err
}

// Budget reads a named budget without using it: when its period began and
// what its first use referred to; ok is false if there is none.
func (tx *Tx) Budget(name string) (began time.Time, ref int64, ok bool, err error) {
	var at micros
	err = tx.row(`SELECT began, ref FROM budget WHERE name = ?`, name).Scan(&at, &ref)
	if err == sql.ErrNoRows {
		return began, 0, false, nil
	}
	return at.Time(), ref, err == nil, err
}

// KeptBudget begins the names of budgets that are kept for good.
const KeptBudget = "kept "

// DropBudgets forgets budgets whose period began before a time, but for those
// that are kept for good.
func (tx *Tx) DropBudgets(before time.Time) error {
	_, err := tx.exec(`DELETE FROM budget WHERE began < ? AND name NOT LIKE ?`, before, KeptBudget+"%")
	return err
}
