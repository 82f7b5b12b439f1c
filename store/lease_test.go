package store_test

import (
	"fmt"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// clock is shared by the gateways of a test.
type clock struct{ now time.Time }

func (c *clock) named(node string) func(*store.Options) {
	return func(o *store.Options) {
		o.Node = node
		o.Now = func() time.Time { return c.now }
	}
}

func take(t *testing.T, db *store.DB, name string) (fence int64, ok bool) {
	t.Helper()
	update(t, db, func(tx *store.Tx) (err error) {
		fence, ok, err = tx.TakeLease(name, time.Minute)
		return err
	})
	return fence, ok
}

func renew(t *testing.T, db *store.DB, name string, fence int64) (ok bool) {
	t.Helper()
	update(t, db, func(tx *store.Tx) (err error) {
		ok, err = tx.RenewLease(name, fence, time.Minute)
		return err
	})
	return ok
}

func hold(t *testing.T, db *store.DB, name string, fence int64) (ok bool) {
	t.Helper()
	update(t, db, func(tx *store.Tx) (err error) {
		ok, err = tx.HoldLease(name, fence)
		return err
	})
	return ok
}

func TestLease(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		c := &clock{time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
		a, b := d.Open(c.named("a")), d.Open(c.named("b"))
		f1, ok := take(t, a, "mailbox")
		if !ok {
			t.Fatal("a free lease was not taken")
		}
		if _, ok := take(t, b, "mailbox"); ok {
			t.Error("a second gateway took it")
		}
		if _, ok := take(t, a, "mailbox"); ok {
			t.Error("its owner took it twice")
		}
		if _, ok := take(t, b, "other"); !ok {
			t.Error("another lease is not free")
		}
		c.now = c.now.Add(50 * time.Second)
		if !renew(t, a, "mailbox", f1) {
			t.Error("it was not renewed")
		}
		c.now = c.now.Add(50 * time.Second)
		if _, ok := take(t, b, "mailbox"); ok {
			t.Error("it ran out though it was renewed")
		}
		c.now = c.now.Add(10 * time.Second)
		f2, ok := take(t, b, "mailbox")
		if !ok || f2 <= f1 {
			t.Errorf("it did not run out: %v, fences %d and %d", ok, f1, f2)
		}
		if renew(t, a, "mailbox", f1) || hold(t, a, "mailbox", f1) {
			t.Error("who slept too long still has it")
		}
		if !hold(t, b, "mailbox", f2) || hold(t, b, "mailbox", f1) {
			t.Error("the fence is not looked at")
		}
		drop := func(db *store.DB, fence int64) {
			update(t, db, func(tx *store.Tx) error { return tx.DropLease("mailbox", fence) })
		}
		drop(a, f1)
		if !hold(t, b, "mailbox", f2) {
			t.Error("it was dropped by who lost it")
		}
		drop(b, f2)
		if f3, ok := take(t, a, "mailbox"); !ok || f3 <= f2 {
			t.Errorf("a dropped lease: %v, fences %d and %d", ok, f2, f3)
		}
	})
}

// A gateway that starts takes over: on SQLite from everybody, on PostgreSQL
// from gateways that gave no sign of life.
func TestTakeOverLeases(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		c := &clock{time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
		serve := func(o *store.Options) { o.Serve = d.Engine == "postgres" }
		a, b := d.Open(c.named("a"), serve), d.Open(c.named("b"), serve)
		fa, _ := take(t, a, "of-a")
		fb, _ := take(t, b, "of-b")
		if d.Engine == "postgres" {
			c.now = c.now.Add(25 * time.Second)
			if err := b.RenewNode(); err != nil {
				t.Fatal(err)
			}
			c.now = c.now.Add(10 * time.Second)
		}
		next := d.Open(c.named("next"), serve)
		var n int64
		var live []string
		update(t, next, func(tx *store.Tx) (err error) {
			if live, err = tx.LiveNodes(); err == nil {
				n, err = tx.TakeOverLeases()
			}
			return err
		})
		wantN, wantLive, bKept := int64(2), "[next]", false
		if d.Engine == "postgres" {
			wantN, wantLive, bKept = 1, "[b next]", true
		}
		if n != wantN || fmt.Sprint(live) != wantLive {
			t.Errorf("took over %d leases, want %d; alive are %v, want %s", n, wantN, live, wantLive)
		}
		if hold(t, a, "of-a", fa) || renew(t, a, "of-a", fa) {
			t.Error("a still has its lease")
		}
		if hold(t, b, "of-b", fb) != bKept {
			t.Errorf("b has its lease: %v", !bKept)
		}
		if f, ok := take(t, next, "of-a"); !ok || f <= fa {
			t.Errorf("the lease of a: %v, fences %d and %d", ok, fa, f)
		}
	})
}

func TestNodeNamesAreUnique(t *testing.T) {
	d := storetest.Postgres(t)
	c := &clock{time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	serve := func(o *store.Options) { o.Serve = true }
	a := d.Open(c.named("a"), serve)
	if _, err := d.TryOpen(c.named("a"), serve); err == nil {
		t.Error("two gateways have one name")
	}
	a.Close()
	d.Open(c.named("a"), serve)
}
