package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// migrateSQLite brings the file to this program's schema, on the writer's
// connection.
func (db *DB) migrateSQLite(ctx context.Context) error {
	pool := db.lite.writePool
	var tables int
	err := pool.QueryRowContext(ctx,
		`SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`).Scan(&tables)
	if err != nil {
		return classify(err)
	}
	p, pending, err := db.pendingMigrations(ctx, pool, database.DialectSQLite3, tables > 0)
	if err != nil || !pending {
		return err
	}
	if db.lite.lock == nil {
		// A gateway that runs was not made for the schema to come.
		l, err := takeLock(db.lite.path + ".lock")
		if err != nil {
			return fmt.Errorf("%w: stop it before the schema is changed", err)
		}
		defer l.release()
	}
	return migrateUp(ctx, p)
}

// migratePostgres brings the database to this program's schema. Gateways that
// start together wait for each other.
func (db *DB) migratePostgres(ctx context.Context, pool *sql.DB) error {
	var tables bool
	err := pool.QueryRowContext(ctx,
		`SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&tables)
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return err
	}
	p, pending, err := db.pendingMigrations(ctx, pool, database.DialectPostgres, tables, goose.WithSessionLocker(locker))
	if err != nil || !pending {
		return err
	}
	return migrateUp(ctx, p)
}

// pendingMigrations compares the schema with this program's, and refuses a
// newer one, and an older one that may not be changed now. tables says that
// there is a schema at all.
func (db *DB) pendingMigrations(ctx context.Context, pool *sql.DB, d database.Dialect, tables bool,
	opts ...goose.ProviderOption) (*goose.Provider, bool, error) {
	files, err := fs.Sub(migrations, "migrations/"+db.Engine())
	if err != nil {
		return nil, false, err
	}
	versions, err := database.NewStore(d, goose.DefaultTablename)
	if err != nil {
		return nil, false, err
	}
	opts = append(opts, goose.WithStore(versionStore{versions}), goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(log.New(io.Discard, "", 0)))
	p, err := goose.NewProvider(goose.DialectCustom, pool, files, opts...)
	if err != nil {
		return nil, false, err
	}
	sources := p.ListSources()
	known, current := sources[len(sources)-1].Version, int64(0)
	if tables {
		err := pool.QueryRowContext(ctx,
			`SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&current)
		if err != nil {
			return nil, false, fmt.Errorf("read the schema's version: %w", classify(err))
		}
	}
	switch {
	case current > known:
		return nil, false, fmt.Errorf("its schema is version %d, made by a newer guichet; this one knows up to %d: "+
			"run the newer program, or restore the backup made before it was installed", current, known)
	case current == known:
		return nil, false, nil
	case current == 0 && !db.opt.migrates():
		return nil, false, errors.New("there are no tables of guichet in it; guichet serve makes them")
	case !db.opt.migrates():
		return nil, false, fmt.Errorf("its schema is version %d and this guichet needs %d: "+
			"guichet serve changes it when it starts; have a backup", current, known)
	}
	return p, true, nil
}

// migrateUp runs what is pending, each migration in a transaction with its
// version number, so that one that was interrupted is run again.
func migrateUp(ctx context.Context, p *goose.Provider) error {
	for _, source := range p.ListSources() {
		done, err := p.UpTo(ctx, source.Version)
		if err != nil {
			return fmt.Errorf("change the schema: %w", classify(err))
		}
		if len(done) > 0 {
			Point("after", migrationPoint(source.Version))
		}
	}
	return nil
}

// versionStore is goose's table of versions. A version is written by the last
// statement of its migration's transaction, which is where a crash point must
// stand.
type versionStore struct{ database.Store }

// Insert implements database.Store.
func (s versionStore) Insert(ctx context.Context, on database.DBTxConn, req database.InsertRequest) error {
	if err := s.Store.Insert(ctx, on, req); err != nil {
		return err
	}
	Point("before", migrationPoint(req.Version))
	return nil
}

// TableExists implements database.StoreExtender.
func (s versionStore) TableExists(ctx context.Context, on database.DBTxConn) (bool, error) {
	if known, ok := s.Store.(interface {
		TableExists(context.Context, database.DBTxConn) (bool, error)
	}); ok {
		return known.TableExists(ctx, on)
	}
	return false, errors.ErrUnsupported
}

// migrationPoint names the commit of a migration; 0 is that of goose's own
// table.
func migrationPoint(version int64) string { return fmt.Sprintf("migration %d", version) }
