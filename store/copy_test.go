package store_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

// filled is a database of today's schema with a seed's data, and with values
// that the engines are apt to have differently.
func filled(t *testing.T, d *storetest.Database) *storetest.Seed {
	t.Helper()
	seed := storetest.LoadSeed(t, newest(t))
	meta := func(key, value string) {
		seed.Rows = append(seed.Rows, storetest.SeedRow{Table: "meta", Values: map[string]any{"key": key, "value": value}})
	}
	// PostgreSQL's locale may order them otherwise.
	for _, key := range []string{"a", "B", "é", "Z", "_", "a b", "a-b", "ab", "😀", "\u00a0", "中", "\U0010ffff", "\uffff"} {
		meta(key, key+"\n\t'\"\\ \u2028\ufffd")
	}
	counter := func(name string, v int64) {
		seed.Rows = append(seed.Rows, storetest.SeedRow{Table: "counter", Values: map[string]any{"name": name, "value": v}})
	}
	counter("least", -1<<63)
	counter("most", 1<<63-1)
	counter("", 0)
	d.MigrateTo(newest(t))
	d.Fill(seed)
	return seed
}

// copied runs a copy and wants it to succeed; it returns the hash of each
// table.
func copied(t *testing.T, from, to *storetest.Database) map[string]store.TableSum {
	t.Helper()
	sums := map[string]store.TableSum{}
	err := store.Copy(t.Context(), from.URL, to.URL, store.CopyOptions{Verified: func(c store.CopiedTable) {
		sums[c.Table] = c.To
		if !c.Equal() {
			t.Errorf("%+v", c)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// withoutLeases is a seed as a copy has it.
func withoutLeases(seed *storetest.Seed) *storetest.Seed {
	s := *seed
	s.Rows = slices.DeleteFunc(slices.Clone(s.Rows), func(r storetest.SeedRow) bool { return r.Table == "lease" })
	return &s
}

// dropState forgets what a database is a copy of, for a look at all its rows.
func dropState(t *testing.T, d *storetest.Database) {
	t.Helper()
	if _, err := d.SQL().Exec(`DELETE FROM meta WHERE key = 'copy'`); err != nil {
		t.Fatal(err)
	}
}

// inOrder is a PostgreSQL database that orders texts as a language does.
func inOrder(t *testing.T, locale string) *storetest.Database {
	t.Helper()
	d := storetest.Postgres(t)
	admin := d.SQL()
	if _, err := admin.Exec(`CREATE DATABASE ordered TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE '` + locale + `'`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(`DROP DATABASE ordered WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/ordered"
	other := *d
	other.URL = u.String()
	return &other
}

// TestCopy copies between all pairs of engines: every value of every row is
// there, ids go on where they were, and the hashes are those of the first.
func TestCopy(t *testing.T) {
	lite := []*storetest.Database{storetest.SQLite(t), storetest.SQLite(t), storetest.SQLite(t)}
	pg := []*storetest.Database{inOrder(t, "en"), storetest.Postgres(t)}
	seed := filled(t, lite[0])
	way := []*storetest.Database{lite[0], pg[0], pg[1], lite[1], lite[2]}
	var first map[string]store.TableSum
	for i, to := range way[1:] {
		t.Run(way[i].Engine+" to "+to.Engine, func(t *testing.T) {
			sums := copied(t, way[i], to)
			if first == nil {
				first = sums
			}
			if len(sums) < 20 || !maps.Equal(sums, first) {
				t.Errorf("hashes %v\nfirst %v", sums, first)
			}
			checkHighest(t, to, seed)
			db := to.Open(command)
			if n := count(t, db, `SELECT count(*) FROM lease`); n != 0 {
				t.Errorf("%d leases were copied", n)
			}
			if to.Engine == "sqlite" {
				checkIntegrity(t, db)
			}
		})
	}
	for _, d := range way[1:] {
		dropState(t, d)
		checkSeed(t, d, withoutLeases(seed))
		checkSameSchema(t, d)
	}
}

func wantCopyRefused(t *testing.T, from, to *storetest.Database, words string) {
	t.Helper()
	if err := store.Copy(t.Context(), from.URL, to.URL, store.CopyOptions{}); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want %q", err, words)
	}
}

// TestCopyRefuses what is served, in use, or the same.
func TestCopyRefuses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, d *storetest.Database) {
		one, old := storetest.SQLite(t), storetest.SQLite(t)
		if d.Engine == "postgres" {
			one, old = storetest.Postgres(t), storetest.Postgres(t)
		}
		fresh := func() *storetest.Database {
			if d.Engine == "sqlite" {
				return storetest.SQLite(t)
			}
			// Making another takes PostgreSQL long.
			if _, err := one.SQL().Exec(`DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
				t.Fatal(err)
			}
			return one
		}
		words := map[string]string{"sqlite": "there is no database", "postgres": "no tables of guichet"}
		wantCopyRefused(t, d, fresh(), words[d.Engine])
		filled(t, d)
		serving := d.Open(func(o *store.Options) { o.Serve = true })
		wantCopyRefused(t, d, fresh(), "guichet serve is running on")
		serving.Close()
		words = map[string]string{"sqlite": "it is the one to be copied", "postgres": "it holds something already"}
		wantCopyRefused(t, d, d, words[d.Engine])

		used := fresh()
		update(t, used.Open(), func(tx *store.Tx) error { return tx.SetKeyFingerprints([]string{"a"}) })
		wantCopyRefused(t, d, used, "it holds something already")

		foreign := fresh()
		if _, err := foreign.SQL().Exec(`CREATE TABLE a (b INTEGER)`); err != nil {
			t.Fatal(err)
		}
		before := shape(foreign)
		wantCopyRefused(t, d, foreign, "it holds something already")
		if shape(foreign) != before {
			t.Errorf("it was changed: %s", shape(foreign))
		}

		old.MigrateTo(1)
		wantCopyRefused(t, old, fresh(), "guichet serve changes it when it starts")
		old.Fill(storetest.LoadSeed(t, 1))
		before = shape(old)
		wantCopyRefused(t, d, old, "it holds something already")
		if shape(old) != before {
			t.Errorf("a database in use was migrated: %s", shape(old))
		}

		to := fresh()
		copied(t, d, to)
		wantCopyRefused(t, d, to, "it has been a complete copy of "+d.Engine)
	})
}

// TestCopyIsResumed: interrupted after each of its batches a copy goes on, and
// is refused as a store until it is done.
func TestCopyIsResumed(t *testing.T) {
	from := storetest.SQLite(t)
	seed := filled(t, from)
	storetest.Each(t, func(t *testing.T, to *storetest.Database) {
		runs := 0
		for batches := 1; ; batches++ {
			ctx, stop := context.WithCancel(t.Context())
			left, found := batches, 0
			err := store.Copy(ctx, from.URL, to.URL, store.CopyOptions{
				Progress: func(string, int64) {
					if left--; left == 0 {
						stop()
					}
				},
				Verified: func(store.CopiedTable) { found++ },
			})
			stop()
			if runs++; err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			wantRefused(t, to, "it is an incomplete copy of sqlite:"+from.Path(), command)
			wantRefused(t, to, "it is an incomplete copy of sqlite:"+from.Path(), func(o *store.Options) { o.Serve = true })
			if found > 0 {
				t.Errorf("verified before it was copied")
			}
		}
		if runs < 5 {
			t.Errorf("done after %d runs", runs)
		}
		to.Open(command).Close()
		dropState(t, to)
		checkSeed(t, to, withoutLeases(seed))
		checkHighest(t, to, seed)
	})
}

// interrupted leaves an incomplete copy.
func interrupted(t *testing.T, from, to *storetest.Database) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	err := store.Copy(ctx, from.URL, to.URL, store.CopyOptions{Progress: func(table string, _ int64) {
		if table == "ticket" {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("not interrupted: %v", err)
	}
}

// TestCopyOfAnother: an incomplete copy is of one database, in one state.
func TestCopyOfAnother(t *testing.T) {
	from, other, to := storetest.SQLite(t), storetest.SQLite(t), storetest.Postgres(t)
	filled(t, from)
	filled(t, other)
	interrupted(t, from, to)
	wantCopyRefused(t, other, to, "it holds an incomplete copy of sqlite:"+from.Path())
	wantCopyRefused(t, to, storetest.SQLite(t), "it is an incomplete copy")
	update(t, from.Open(), func(tx *store.Tx) error {
		_, err := tx.AddOutbox(store.Outbox{Desk: "support", Kind: "update", Recipient: "a@customer.example", Due: tx.Now(), Created: tx.Now()})
		return err
	})
	wantCopyRefused(t, from, to, "was written to since its copy began")
}

// TestCopyTakenOver: of two runs of one copy the later goes on, and the
// earlier ends.
func TestCopyTakenOver(t *testing.T) {
	from, to := storetest.Postgres(t), storetest.Postgres(t)
	seed := filled(t, from)
	var later error
	once := false
	err := store.Copy(t.Context(), from.URL, to.URL, store.CopyOptions{Progress: func(table string, _ int64) {
		if table == "ticket" && !once {
			once = true
			later = store.Copy(t.Context(), from.URL, to.URL, store.CopyOptions{})
		}
	}})
	if later != nil || err == nil || !strings.Contains(err.Error(), "another guichet migrate has taken over") {
		t.Errorf("the earlier: %v\nthe later: %v", err, later)
	}
	to.Open(command).Close()
	dropState(t, to)
	checkSeed(t, to, withoutLeases(seed))
}

// TestCopyWhileServed: a gateway on PostgreSQL that began, and even ended,
// during the copy spoils it.
func TestCopyWhileServed(t *testing.T) {
	from, to := storetest.Postgres(t), storetest.SQLite(t)
	filled(t, from)
	once := false
	err := store.Copy(t.Context(), from.URL, to.URL, store.CopyOptions{Progress: func(string, int64) {
		if !once {
			once = true
			from.Open(func(o *store.Options) { o.Serve = true }).Close()
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "while it was copied") {
		t.Errorf("got %v", err)
	}
	wantRefused(t, to, "it is an incomplete copy", command)
}

// TestCopyFindsDifferences: whatever differs is found, and the copy stays
// refused.
func TestCopyFindsDifferences(t *testing.T) {
	plants := map[string]string{
		"ticket":    `UPDATE ticket SET subject = subject || ' ' WHERE id = 1`,
		"party":     `UPDATE party SET reachable = 1 - reachable WHERE id = (SELECT max(id) FROM party)`,
		"event":     `DELETE FROM event WHERE id = 1`,
		"delivery":  `UPDATE delivery SET message_id = NULL WHERE id = (SELECT min(id) FROM delivery WHERE message_id IS NOT NULL)`,
		"raw_chunk": `UPDATE raw_chunk SET data = BYTES WHERE seq = 1 AND raw_id = (SELECT max(raw_id) FROM raw_chunk WHERE seq = 1)`,
		"meta":      `INSERT INTO meta (key, value) VALUES ('more', '')`,
		"outbox":    `UPDATE outbox SET lease_owner = '' WHERE id = (SELECT min(id) FROM outbox WHERE lease_owner IS NULL)`,
	}
	from := storetest.SQLite(t)
	filled(t, from)
	storetest.Each(t, func(t *testing.T, model *storetest.Database) {
		to := storetest.SQLite(t)
		if model.Engine == "postgres" {
			to = storetest.Postgres(t)
		}
		var differ []string
		planted := false
		err := store.Copy(t.Context(), from.URL, to.URL, store.CopyOptions{
			Progress: func(now string, _ int64) {
				// The last of all tables: what is planted is copied before.
				if now != "ticket_link" || planted {
					return
				}
				planted = true
				for _, plant := range plants {
					plant = strings.Replace(plant, "BYTES", map[string]string{"sqlite": "X'00'", "postgres": `'\x00'`}[model.Engine], 1)
					if _, err := to.SQL().Exec(plant); err != nil {
						t.Errorf("%s: %v", plant, err)
					}
				}
			},
			Verified: func(c store.CopiedTable) {
				if !c.Equal() {
					differ = append(differ, c.Table)
				}
			},
		})
		slices.Sort(differ)
		if want := slices.Sorted(maps.Keys(plants)); !slices.Equal(differ, want) {
			t.Errorf("found differences in %v, planted in %v", differ, want)
		}
		for _, table := range differ {
			if err == nil || !strings.Contains(err.Error(), table) || !strings.Contains(err.Error(), "the copy differs in ") {
				t.Errorf("%s: %v", table, err)
			}
		}
		wantRefused(t, to, "it is an incomplete copy", command)
	})
}
