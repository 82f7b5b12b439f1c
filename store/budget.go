package store

import "time"

// Spend counts one use of a named budget whose period begins with its first
// use, and gives how many uses the running period has now seen and when it
// began. ref is kept from the first use of the period.
func (tx *Tx) Spend(name string, period time.Duration, ref int64) (count int, began time.Time, first int64, err error) {
	// The row is made first, so that two gateways that begin the same period
	// wait for each other.
	if _, err = tx.exec(`INSERT INTO budget (name, began, count, ref) VALUES (?, ?, 0, ?) ON CONFLICT DO NOTHING`,
		name, tx.Now(), ref); err != nil {
		return 0, began, 0, err
	}
	var at micros
	err = tx.row(`SELECT began, count, ref FROM budget WHERE name = ?`+tx.forUpdate(), name).Scan(&at, &count, &first)
	if err != nil {
		return 0, began, 0, err
	}
	began = at.Time()
	if !tx.Now().Before(began.Add(period)) {
		began, count, first = tx.Now(), 0, ref
	}
	count++
	_, err = tx.exec(`UPDATE budget SET began = ?, count = ?, ref = ? WHERE name = ?`, began, count, first, name)
	return count, began, first, err
}

// DropBudgets forgets budgets whose period began before a time.
func (tx *Tx) DropBudgets(before time.Time) error {
	_, err := tx.exec(`DELETE FROM budget WHERE began < ?`, before)
	return err
}
