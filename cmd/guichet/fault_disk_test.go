//go:build crash

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// diskFull is how long a disk stays full.
func diskFull() time.Duration {
	if longFault() {
		return 20 * time.Second
	}
	return 3 * time.Second
}

// diskRecovers is how soon after there is space mail must be taken again.
const diskRecovers = 10 * time.Second

// TestFaultDiskFull fills the disk below the gateway: no mail is taken that
// cannot be kept, none that was taken is lost, and when there is space it goes
// on by itself.
func TestFaultDiskFull(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]func(*testing.T){"mails": fullOfMails, "foreign": fullOfOthers, "log": fullLog} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full(t)
		})
	}
}

// fullOfMails: the mails themselves fill it, down to limits.min_free; what was
// taken is processed and answered from that reserve.
func fullOfMails(t *testing.T) {
	const floor = 8 << 20
	disk := diskMount(t, "16m")
	file := filepath.Join(disk, "guichet.db")
	g := diskGateway(t, t.TempDir(), "sqlite:"+file, "agents:\n", "limits: {min_free: 8MiB}\nagents:\n",
		// Nobody is notified: attachments would be stored with each notification.
		"desks: [support, sales]", "desks: [sales]", "desks: [support]", "desks: [sales]")
	g.start()
	t.Cleanup(g.stop)
	s := diskSend(g, 4, 200_000)
	g.until("the disk is full", func() bool { _, n := s.count("452"); return n > 0 })
	full := time.Now()
	g.until("what was taken is processed and sent", func() bool {
		return g.metric("unprocessed") == 0 && g.metric("outbox_busy") == 0
	})
	used := floor - diskFree(t, disk)
	wrong := diskWatch(t, s, disk, floor, diskFull())
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	s.recovers(time.Now(), "mails", full, wrong, file)
	fmt.Printf("fault F3 fill=mails reserve_kb=%d used_of_it_kb=%d processed_while_full=yes\n", floor>>10, used>>10)
}

// fullOfOthers: somebody else fills it, to the last byte. The log is there,
// too.
func fullOfOthers(t *testing.T) {
	disk := diskMount(t, "16m")
	file := filepath.Join(disk, "guichet.db")
	g := diskGateway(t, t.TempDir(), "sqlite:"+file)
	diskLog(t, g, disk)
	g.start()
	t.Cleanup(g.stop)
	s := diskSend(g, 4, 2_000)
	g.until("mails are taken", func() bool { n, _ := s.count("452"); return n > 20 })
	diskFill(t, filepath.Join(disk, "foreign"))
	full := time.Now()
	wrong := diskWatch(t, s, disk, 16<<20/20, diskFull())
	if err := os.Remove(filepath.Join(disk, "foreign")); err != nil {
		t.Fatal(err)
	}
	s.recovers(time.Now(), "foreign", full, wrong, file)
}

// diskWatch counts, for a time, the mails that were taken although the disk
// had been below the floor for more than the second that the gateway may
// remember.
func diskWatch(t *testing.T, s *diskSenders, disk string, floor int64, d time.Duration) (wrong int) {
	t.Helper()
	low := time.Time{}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(d); ; {
		select {
		case <-end:
			s.alive()
			s.onlyTemporary("452", "451", "421")
			if low.IsZero() {
				t.Error("the disk was not full for a second")
			}
			return wrong
		case now := <-tick.C:
			switch {
			case diskFree(t, disk) >= floor:
				low = time.Time{}
			case low.IsZero():
				low = now
			}
			if !low.IsZero() && now.Sub(low) > 1100*time.Millisecond {
				n, _ := s.since(low.Add(1100 * time.Millisecond))
				wrong = max(wrong, n)
			}
		}
	}
}

// recovers waits for the first mail that is taken again, and compares.
func (s *diskSenders) recovers(space time.Time, fill string, full time.Time, wrong int, file string) {
	t := s.g.t
	t.Helper()
	s.g.until("mail is taken again", func() bool { n, _ := s.since(space); return n > 3 })
	_, first := s.since(space)
	s.stop()
	s.alive()
	s.onlyTemporary("452", "451", "421")
	lost := s.check(file)
	took := first.Sub(space)
	fmt.Printf("fault F3 fill=%s full_for=%s accepted_while_full=%d refused_452=%d refused_451=%d recovered_ms=%d acked=%d lost=%d\n",
		fill, space.Sub(full).Round(time.Millisecond), wrong, s.replies["452"], s.replies["451"], took.Milliseconds(), len(s.acked), lost)
	if wrong > 0 {
		t.Errorf("%d mails were taken on a full disk", wrong)
	}
	if took > diskRecovers {
		t.Errorf("mail was taken again after %s", took)
	}
}

// diskLog has the gateway's log written to another directory.
func diskLog(t *testing.T, g *running, dir string) {
	t.Helper()
	if err := os.Symlink(filepath.Join(dir, "log"), filepath.Join(g.dir, "log")); err != nil {
		t.Fatal(err)
	}
}

// fullLog: where the log goes is full, the database's disk is not. Nothing of
// a mail rests on the log, so mails are taken and answered; when there is
// space lines are written again.
func fullLog(t *testing.T) {
	disk := diskMount(t, "1m")
	file := filepath.Join(t.TempDir(), "guichet.db")
	g := diskGateway(t, t.TempDir(), "sqlite:"+file)
	diskLog(t, g, disk)
	g.start()
	t.Cleanup(g.stop)
	diskFill(t, filepath.Join(disk, "foreign"))
	full := time.Now()
	size := len(g.log())
	s := diskSend(g, 4, 2_000)
	g.until("mails are taken", func() bool { n, _ := s.count("452"); return n > 50 })
	if now := len(g.log()); now > size+4096 { // what was free of its last page
		t.Errorf("the log is not full: %d bytes more", now-size)
	}
	taken, _ := s.count("")
	size = len(g.log())
	if err := os.Remove(filepath.Join(disk, "foreign")); err != nil {
		t.Fatal(err)
	}
	space := time.Now()
	g.until("the log goes on", func() bool { return len(g.log()) > size })
	took := time.Since(space)
	s.stop()
	s.alive()
	s.onlyTemporary()
	lost := s.check(file)
	fmt.Printf("fault F3 fill=log full_for=%s accepted_while_full=%d recovered_ms=%d acked=%d lost=%d\n",
		space.Sub(full).Round(time.Millisecond), taken, took.Milliseconds(), len(s.acked), lost)
}
