package store

import (
	"context"
	"database/sql"
	"strings"
)

// Explain runs fn and returns how SQLite carries out each of its statements:
// a line a step, the statement's first words before it.
func (tx *Tx) Explain(fn func(*Tx) error) ([]string, error) {
	e := &explainer{runner: tx.on}
	tx.on = e
	err := fn(tx)
	tx.on = e.runner
	return e.steps, err
}

// explainer asks for the plan of each statement before it runs it.
type explainer struct {
	runner
	steps []string
}

func (e *explainer) plan(ctx context.Context, query string, args []any) {
	rows, err := e.runner.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		e.steps = append(e.steps, "ERROR "+err.Error())
		return
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			detail = "ERROR " + err.Error()
		}
		e.steps = append(e.steps, detail+"\t"+strings.Join(strings.Fields(query), " "))
	}
}

func (e *explainer) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	e.plan(ctx, query, args)
	return e.runner.ExecContext(ctx, query, args...)
}

func (e *explainer) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	e.plan(ctx, query, args)
	return e.runner.QueryContext(ctx, query, args...)
}

func (e *explainer) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	e.plan(ctx, query, args)
	return e.runner.QueryRowContext(ctx, query, args...)
}
