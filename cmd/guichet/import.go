package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"guichet/mailflow"
	"guichet/store"
)

// A batch of old mails is stored in one transaction.
const (
	batchMails = 32
	batchBytes = 4 << 20
)

func newImport(e *env) *cobra.Command {
	c := &cobra.Command{Use: "import", Short: "Bring old mail in as closed tickets, sending nothing"}
	long := `Old mail becomes closed tickets, one a conversation, with their dates and bytes. Nothing is sent and no
clock runs. Conversations are found by References, In-Reply-To and the numbers that old_numbers describes; mails from a
desk's or an agent's address are the desk's own. A later answer finds its ticket, as one to any closed ticket does.

Several PATHs are brought into the order of their mails' dates: name the folders of mail received and of mail
sent together. Importing again imports only what is new, so an import that was interrupted is simply run again.
It works beside a running gateway. What cannot be read is named with the reason, and the exit code is 1 then.`
	kind := func(use, short, of string, check func(string) error) *cobra.Command {
		var desk string
		k := &cobra.Command{Use: use + " PATH...", Short: short, Long: long, Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				for _, path := range args {
					if err := check(path); err != nil {
						return refuse("%s is no %s: %w", path, of, err)
					}
				}
				return e.importMail(c.Context(), desk, args)
			}}
		k.Flags().StringVar(&desk, "desk", "", "the `KEY` of the desk whose tickets they become; by their addresses, or else the first, if it is absent")
		return e.withJSON(k)
	}
	c.AddCommand(
		kind("mbox", "Mails in mbox files", "mbox", checkMbox),
		kind("maildir", "Mails in maildirs", "maildir", checkMaildir))
	return c
}

// checkMbox wants a file that can be read twice and begins as an mbox does.
func checkMbox(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	ahead := make([]byte, len(fromLine))
	if n, _ := f.Read(ahead); n > 0 && string(ahead) != string(fromLine) {
		return fmt.Errorf("it does not begin with a From line")
	}
	return nil
}

func checkMaildir(path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	if !isMaildir(path) {
		return fmt.Errorf("it has no folder cur")
	}
	return nil
}

// importSum is what an import has done; the last object of --json.
type importSum struct {
	Mails     int `json:"mails"`
	Imported  int `json:"imported"`
	Tickets   int `json:"tickets"`
	Joined    int `json:"joined"`
	Automatic int `json:"automatic"`
	Already   int `json:"already"`
	Failed    int `json:"failed"`
}

// importFailure is a mail that was not imported.
type importFailure struct {
	File   string `json:"file"`
	Mail   int    `json:"mail"`
	Offset int64  `json:"offset"`
	Reason string `json:"reason"`
}

// importer is an import that is under way.
type importer struct {
	e    *env
	s    *mailflow.Settings
	desk *mailflow.Desk // nil: by the addresses
	flow *mailflow.Flow
	sum  importSum

	batch []mailflow.OldMail
	from  []placedMail // where they stand
	bytes int64
	told  time.Time
}

func (e *env) importMail(ctx context.Context, key string, paths []string) error {
	return e.withStore(ctx, func(cfg *Config, db *store.DB) error {
		i := &importer{e: e, s: cfg.Settings(), told: time.Now()}
		if key != "" {
			if i.desk = i.s.Desk(key); i.desk == nil {
				return refuse("no desk %s is configured", key)
			}
		}
		// Addresses and links of ours in old words are taken out, if there can
		// be any.
		keys, err := readKeys(cfg.SecretFile)
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("secret file: %w", err)
		}
		if i.flow, err = newFlow(db, cfg, i.s, keys, time.Now); err != nil {
			return err
		}
		return i.run(ctx, paths, int64(cfg.SMTP.MaxMessageSize))
	})
}

func (i *importer) run(ctx context.Context, paths []string, limit int64) error {
	index, err := i.index(paths, limit)
	if err != nil {
		return err
	}
	i.sum.Mails += len(index)
	reader := &placedReader{limit: limit}
	defer reader.close()
	for _, at := range index {
		raw, err := reader.read(at)
		if err != nil {
			err = i.failed(at, err.Error())
		} else {
			err = i.add(ctx, at, raw)
		}
		if err != nil {
			return i.interrupted(err)
		}
	}
	if err := i.flush(ctx); err != nil {
		return i.interrupted(err)
	}
	return i.finish()
}

// add puts a mail into the batch.
func (i *importer) add(ctx context.Context, at placedMail, raw []byte) error {
	if len(i.batch) > 0 && (len(i.batch) >= batchMails || i.bytes+int64(len(raw)) > batchBytes) {
		if err := i.flush(ctx); err != nil {
			return err
		}
	}
	i.batch = append(i.batch, mailflow.OldMail{Raw: raw, Desk: at.desk, At: at.at})
	i.from, i.bytes = append(i.from, at), i.bytes+int64(len(raw))
	return nil
}

// flush stores the batch.
func (i *importer) flush(ctx context.Context) error {
	if len(i.batch) == 0 {
		return ctx.Err()
	}
	done, err := i.flow.Import(ctx, i.batch)
	if err != nil {
		return err
	}
	for n, out := range done {
		switch {
		case out.Failed != "":
			if err := i.failed(i.from[n], out.Failed); err != nil {
				return err
			}
		case !out.Done:
			i.sum.Already++
		default:
			i.sum.count(out)
		}
	}
	i.batch, i.from, i.bytes = i.batch[:0], i.from[:0], 0
	if time.Since(i.told) > time.Second {
		i.told = time.Now()
		fmt.Fprintf(i.e.stderr, "%d of %d mails\n", i.sum.Imported+i.sum.Already+i.sum.Failed, i.sum.Mails)
	}
	return ctx.Err()
}

func (s *importSum) count(out mailflow.Outcome) {
	s.Imported++
	switch {
	case out.Began:
		s.Tickets++
	case out.Joined:
		s.Joined++
	default:
		s.Automatic++
	}
}

// failed names a mail that was not imported.
func (i *importer) failed(at placedMail, reason string) error {
	i.sum.Failed++
	if i.e.json {
		return i.e.printJSON(importFailure{at.file, at.number, at.offset, reason})
	}
	_, err := fmt.Fprintf(i.e.stdout, "%s: not imported: %s\n", at.name(), reason)
	return err
}

func (i *importer) interrupted(err error) error {
	return fmt.Errorf("after %d of %d mails, the same command goes on from there: %w", i.sum.Imported+i.sum.Already+i.sum.Failed, i.sum.Mails, err)
}

// finish prints the counts.
func (i *importer) finish() error {
	s := i.sum
	var err error
	if i.e.json {
		err = i.e.printJSON(s)
	} else {
		_, err = fmt.Fprintf(i.e.stdout, "%s: %d imported (%s, %s on tickets, %s of no conversation), %d there already, %d not imported\n",
			counted(s.Mails, "mail", "mails"), s.Imported, counted(s.Tickets, "closed ticket", "closed tickets"), counted(s.Joined, "more mail", "more mails"),
			counted(s.Automatic, "automatic one", "automatic ones"), s.Already, s.Failed)
	}
	if err == nil && s.Failed > 0 {
		return refuse("not imported: %s", counted(s.Failed, "mail", "mails"))
	}
	return err
}

// counted is a number with its noun.
func counted(n int, one, more string) string {
	if n == 1 {
		more = one
	}
	return fmt.Sprintf("%d %s", n, more)
}
