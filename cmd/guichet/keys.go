package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// readKeys reads the secret file: a line "ID HEX" for each key, ID from 0 to
// 15 and at least 32 octets; the last one signs. Lines that begin with # are
// comments. The error wraps fs.ErrNotExist if there is no file.
func readKeys(path string) (ticket.Keyring, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var ring ticket.Keyring
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		id, secret, _ := strings.Cut(line, " ")
		no, err := strconv.ParseUint(id, 10, 4)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: a key's id is 0 to 15", path, n)
		}
		key, err := hex.DecodeString(strings.TrimSpace(secret))
		if err != nil || len(key) < 32 {
			return nil, fmt.Errorf("%s:%d: a key is at least 64 hexadecimal digits", path, n)
		}
		if slices.ContainsFunc(ring, func(k ticket.Key) bool { return k.ID == byte(no) }) {
			return nil, fmt.Errorf("%s:%d: two keys have the id %d", path, n, no)
		}
		ring = append(ring, ticket.Key{ID: byte(no), Secret: key})
	}
	if len(ring) == 0 {
		return nil, fmt.Errorf("%s: holds no key; put the copy of it back", path)
	}
	return ring, nil
}

// makeKeys writes a new secret file, whole or not at all.
func makeKeys(path string) (ticket.Keyring, error) {
	secret := make([]byte, 32)
	rand.Read(secret)
	text := "# guichet: signs addresses and links. Keep a copy apart from the database's.\n0 " +
		hex.EncodeToString(secret) + "\n"
	if err := store.MakeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		store.Point("before", "key file")
		err = os.Link(tmp.Name(), path) // never over another one
		store.Point("after", "key file")
	}
	return ticket.Keyring{{Secret: secret}}, err
}

// openKeys gives the keys that belong to the store. A store that has seen
// keys is never used with others: every address and link in people's
// mailboxes would stop working.
func openKeys(ctx context.Context, db *store.DB, path string) (ticket.Keyring, error) {
	var known []string
	if err := db.View(ctx, func(tx *store.Tx) (err error) {
		known, err = tx.KeyFingerprints()
		return err
	}); err != nil {
		return nil, err
	}
	ring, err := readKeys(path)
	if errors.Is(err, fs.ErrNotExist) {
		if len(known) > 0 {
			return nil, refuse("secret_file %s is missing, and the database was used with it: put back the copy "+
				"that was made with the database's backup", path)
		}
		ring, err = makeKeys(path)
	}
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	var prints []string
	for _, k := range ring {
		prints = append(prints, k.Fingerprint())
	}
	if len(known) > 0 && !overlaps(known, prints) {
		return nil, refuse("secret_file %s is another one than the database was used with: put back the copy "+
			"that was made with the database's backup", path)
	}
	if len(known) == 0 {
		// After a power loss a database that was used with a key whose name
		// was not on the disk yet would be refused.
		if err := store.SyncDir(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("secret file: %w", err)
		}
	}
	return ring, db.Update(ctx, "keys", func(tx *store.Tx) error { return tx.SetKeyFingerprints(merged(known, prints)) })
}

func overlaps(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func merged(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
