package store

import (
	"context"
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
	rows, err := e.runner.query(ctx, "EXPLAIN QUERY PLAN "+query, args)
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

func (e *explainer) exec(ctx context.Context, query string, args []any) (int64, error) {
	e.plan(ctx, query, args)
	return e.runner.exec(ctx, query, args)
}

func (e *explainer) insert(ctx context.Context, query string, args []any) (int64, error) {
	e.plan(ctx, query, args)
	return e.runner.insert(ctx, query, args)
}

func (e *explainer) query(ctx context.Context, query string, args []any) (rows, error) {
	e.plan(ctx, query, args)
	return e.runner.query(ctx, query, args)
}

func (e *explainer) row(ctx context.Context, query string, args []any) (scanner, error) {
	e.plan(ctx, query, args)
	return e.runner.row(ctx, query, args)
}
