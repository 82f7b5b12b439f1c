package store

import "time"

// Spend counts one use of a named budget whose period begins with its first
// use, and gives how many uses the running period has now seen and when it
// began. ref is kept from the first use of the period.
func (tx *Tx) Spend(name string, period time.Duration, ref int64) (count int, began time.Time, first int64, err error) {
	over := tx.Now().Add(-period) // a period that began then, or before, has ended
	var at micros
	err = tx.row(`INSERT INTO budget (name, began, count, ref) VALUES (?, ?, 1, ?)
		ON CONFLICT (name) DO UPDATE SET
		count = CASE WHEN budget.began > ? THEN budget.count + 1 ELSE 1 END,
		ref = CASE WHEN budget.began > ? THEN budget.ref ELSE excluded.ref END,
		began = CASE WHEN budget.began > ? THEN budget.began ELSE excluded.began END
		RETURNING began, count, ref`, name, tx.Now(), ref, over, over, over).Scan(&at, &count, &first)
	return count, at.Time(), first, err
}

// DropBudgets forgets budgets whose period began before a time.
func (tx *Tx) DropBudgets(before time.Time) error {
	_, err := tx.exec(`DELETE FROM budget WHERE began < ?`, before)
	return err
}
