package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A lease lets one gateway at a time do something that is done once, such as
// fetching a mailbox. Its fence is a number that grows with each owner: work
// that ends in a transaction asks there with [Tx.HoldLease] whether the lease
// is still its own, for a process may sleep longer than it thinks.
//
// Until when a lease runs is written and read by the clocks of different
// machines: they may differ by a small part of ttl.

// TakeLease takes the lease if nobody has it, or has let it run out. ok says
// whether it was taken; its own lease is not taken twice, so that of two
// workers of a process one has it.
func (tx *Tx) TakeLease(name string, ttl time.Duration) (fence int64, ok bool, err error) {
	err = tx.row(`INSERT INTO lease (name, owner, until, fence) VALUES (?, ?, ?, 1)
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until, fence = lease.fence + 1
		WHERE lease.until <= ?
		RETURNING fence`, name, tx.db.Node(), tx.now.Add(ttl), tx.now).Scan(&fence)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("take lease %s: %w", name, err)
	}
	return fence, true, nil
}

// RenewLease lets the lease run for ttl from now. ok is false if somebody
// else took it: then what was done under it must stop.
func (tx *Tx) RenewLease(name string, fence int64, ttl time.Duration) (ok bool, err error) {
	n, err := tx.exec(`UPDATE lease SET until = ? WHERE name = ? AND owner = ? AND fence = ? AND until <> 0`,
		tx.now.Add(ttl), name, tx.db.Node(), fence)
	if err != nil {
		return false, fmt.Errorf("renew lease %s: %w", name, err)
	}
	return n == 1, nil
}

// HoldLease reports whether the lease is still the one that was taken with
// this fence, and keeps others from taking it until the transaction ends.
func (tx *Tx) HoldLease(name string, fence int64) (ok bool, err error) {
	var one int
	err = tx.row(`SELECT 1 FROM lease WHERE name = ? AND owner = ? AND fence = ? AND until <> 0`+tx.forUpdate(),
		name, tx.db.Node(), fence).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("hold lease %s: %w", name, err)
	}
	return true, nil
}

// DropLease gives the lease back. One that is no longer its own stays as it
// is.
func (tx *Tx) DropLease(name string, fence int64) error {
	_, err := tx.exec(`UPDATE lease SET until = 0 WHERE name = ? AND owner = ? AND fence = ?`,
		name, tx.db.Node(), fence)
	if err != nil {
		return fmt.Errorf("drop lease %s: %w", name, err)
	}
	return nil
}

// TakeOverLeases ends the leases of owners that are gone, for a gateway that
// starts, and returns how many. On SQLite that is every lease: the gateway
// has the file's lock, so whoever had them has ended. On PostgreSQL it is
// those of gateways whose node lease has run out.
func (tx *Tx) TakeOverLeases() (int64, error) {
	query := `UPDATE lease SET until = 0 WHERE until > ?`
	args := []any{tx.now}
	if tx.Engine() == "postgres" {
		query += ` AND owner NOT IN (SELECT owner FROM lease WHERE name LIKE ? AND until > ?)`
		args = append(args, nodeLease("%"), tx.now)
	}
	n, err := tx.exec(query, args...)
	if err != nil {
		return 0, fmt.Errorf("take over leases: %w", err)
	}
	return n, nil
}

// LiveNodes returns the gateways that are alive on PostgreSQL, this one
// included, in the order of their names. On SQLite it is this one.
//
// A row leased by a node that is not among them may be taken at once.
func (tx *Tx) LiveNodes() ([]string, error) {
	if tx.Engine() == "sqlite" {
		return []string{tx.db.Node()}, nil
	}
	rows, err := tx.query(`SELECT name FROM lease WHERE name LIKE ? AND until > ? ORDER BY name`, nodeLease("%"), tx.now)
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	defer rows.Close()
	var nodes []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list nodes: %w", err)
		}
		nodes = append(nodes, strings.TrimPrefix(name, nodeLease("")))
	}
	return nodes, rows.Err()
}

func nodeLease(node string) string { return "node/" + node }
