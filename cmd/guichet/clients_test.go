package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// program finds a program that a test is about. One that is missing is a
// failure: a test that is skipped has shown nothing.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("%s is missing: apt-get install %s", name, debian)
	return ""
}

// client runs a program to its end and returns what it printed.
func client(t *testing.T, path string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", path, args, err, out)
	}
	return string(out)
}

// withTLS is what startGateway replaces so that the gateway has a certificate
// of its own making, which cert names, and a listener with TLS from the start.
func withTLS(t *testing.T) (cert string, replace []string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "desk.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, secret := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, secret, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return cert, []string{`smtp: {listen: "127.0.0.1:0", max`, "tls: {cert_file: \"" + cert + "\", key_file: \"" + secret + "\"}\n" +
		`smtp: {listen: "127.0.0.1:0", tls_listen: "127.0.0.1:0", max`}
}

// arrival waits for the delivery with a subject and for all that it brings.
func (g *running) arrival(db *store.DB, subject, desk string) (d store.Delivery, m store.Message) {
	g.t.Helper()
	g.until(subject+" at "+desk, func() bool {
		d = store.Delivery{}
		err := db.View(g.t.Context(), func(tx *store.Tx) error {
			for id := int64(1); d.Subject != subject || d.Desk != desk; id++ {
				var err error
				if d, err = tx.DeliveryByID(id); err != nil {
					return err
				}
			}
			var err error
			m, err = tx.MessageByID(d.MessageID)
			return err
		})
		return err == nil
	})
	g.settled()
	return d, m
}

// answered finds the one acknowledgment of a mail.
func (g *running) answered(to, messageID string) *sent {
	g.t.Helper()
	var found []*sent
	for _, s := range g.sink.all() {
		if s.kind() == "acknowledgment" && s.to == to && strings.Contains(s.mail.Header.Get("In-Reply-To"), messageID) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		g.t.Fatalf("%d acknowledgments of %s to %s", len(found), messageID, to)
	}
	return found[0]
}

func beside(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// passedOn looks for an attachment, whole, in a mail to the agents.
func (g *running) passedOn(name, want string) {
	g.t.Helper()
	for _, s := range g.sink.all() {
		if s.to != "agent@desk.example" {
			continue
		}
		for _, p := range s.mail.Parts {
			if p.Filename == name {
				if got, err := io.ReadAll(p.Open(s.raw)); string(got) != want || err != nil {
					g.t.Errorf("%s has %d octets, want %d: %v", name, len(got), len(want), err)
				}
				return
			}
		}
	}
	g.t.Errorf("the agents were not sent %s", name)
}

const clientMail = "From: Ada Client <ada@client.example>\r\nTo: support@desk.example\r\nSubject: SUBJECT\r\n" +
	"Date: Sat, 21 Nov 2026 14:05:00 +0100\r\nMessage-ID: <NAME@client.example>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
	"Ça ne marche pas.\r\n.\r\n..a line of dots\r\n.gz is missing\r\n"

// TestClientCurl sends with curl: plain, by STARTTLS, with TLS from the start,
// and a mail that curl builds itself.
func TestClientCurl(t *testing.T) {
	curl := program(t, "curl", "curl")
	url := storetest.SQLite(t).URL
	cert, replace := withTLS(t)
	g := startGateway(t, url, replace...)
	db := beside(t, url)
	file := filepath.Join(t.TempDir(), "mail.eml")
	for name, args := range map[string][]string{
		"plain":    {"smtp://" + g.addr["smtp"]},
		"starttls": {"--ssl-reqd", "--cacert", cert, "smtp://" + g.addr["smtp"]},
		"implicit": {"--cacert", cert, "smtps://" + g.addr["smtps"]},
	} {
		write(t, file, strings.NewReplacer("SUBJECT", name, "NAME", name).Replace(clientMail))
		client(t, curl, append([]string{"-sS", "--mail-from", "ada@client.example", "--mail-rcpt", "support@desk.example", "-T", file}, args...)...)
		d, m := g.arrival(db, name, "support")
		if (d.TLS == "") != (name == "plain") {
			t.Errorf("%s: TLS is %q", name, d.TLS)
		}
		if want := "Ça ne marche pas.\n.\n..a line of dots\n.gz is missing"; strings.TrimSpace(m.Words) != want {
			t.Errorf("%s: the text is %q, want %q", name, m.Words, want)
		}
		g.answered("ada@client.example", name+"@client.example")
	}
	plan := filepath.Join(t.TempDir(), "Größe & Plan.pdf")
	write(t, plan, strings.Repeat("%PDF\r\n.\r\n", 9000))
	client(t, curl, "-sS", "--mail-from", "ada@client.example", "--mail-rcpt", "support@desk.example", "smtp://"+g.addr["smtp"],
		"-H", "From: ada@client.example", "-H", "To: support@desk.example", "-H", "Subject: parts", "-H", "Message-ID: <parts@client.example>",
		"-F", "=See the plan.;type=text/plain", "-F", "=@\""+plan+"\";type=application/pdf;encoder=base64")
	_, m := g.arrival(db, "parts", "support")
	if strings.TrimSpace(m.Words) != "See the plan." {
		t.Errorf("the text is %q", m.Words)
	}
	g.passedOn("Größe & Plan.pdf", strings.Repeat("%PDF\r\n.\r\n", 9000))
}

// TestClientSwaks sends with swaks: an attachment by STARTTLS, and by LMTP on
// the unix socket to two desks, each with an answer of its own.
func TestClientSwaks(t *testing.T) {
	swaks := program(t, "swaks", "swaks")
	url := storetest.SQLite(t).URL
	cert, replace := withTLS(t)
	g := startGateway(t, url, replace...)
	db := beside(t, url)
	_, port, _ := net.SplitHostPort(g.addr["smtp"])
	body := filepath.Join(t.TempDir(), "body.txt")
	write(t, body, "Dots:\n.\n..two\nend\n")
	plan := filepath.Join(t.TempDir(), "plan.bin")
	write(t, plan, strings.Repeat("\x00\xff\r\n.\r\n", 5000))

	common := []string{"--from", "ada@client.example", "--helo", "client.example", "--body", "@" + body}
	out := client(t, swaks, append(common, "--server", "127.0.0.1", "--port", port, "--to", "support@desk.example", "--tls", "--tls-verify",
		"--tls-ca-path", cert, "--header", "Subject: swaks by TLS", "--h-Message-Id", "<tls@client.example>",
		"--attach-type", "application/octet-stream", "--attach-name", "plan.bin", "--attach", "@"+plan)...)
	d, m := g.arrival(db, "swaks by TLS", "support")
	if d.TLS == "" || d.Hello != "client.example" {
		t.Errorf("TLS %q, HELO %q\n%s", d.TLS, d.Hello, out)
	}
	if strings.TrimSpace(m.Words) != "Dots:\n.\n..two\nend" {
		t.Errorf("the text is %q", m.Words)
	}
	g.passedOn("plan.bin", strings.Repeat("\x00\xff\r\n.\r\n", 5000))
	g.answered("ada@client.example", "tls@client.example")

	socket := strings.TrimPrefix(g.addr["lmtp"], "unix:")
	out = client(t, swaks, append(common, "--protocol", "LMTP", "--socket", socket, "--to", "support@desk.example,sales@desk.example",
		"--header", "Subject: swaks to two", "--h-Message-Id", "<two@client.example>")...)
	_, data, _ := strings.Cut(out, "\n -> .\n")
	if strings.Count("\n"+data, "\n<-  250 ") != 2 {
		t.Errorf("not two statuses behind the dot:\n%s", out)
	}
	support, _ := g.arrival(db, "swaks to two", "support")
	sales, _ := g.arrival(db, "swaks to two", "sales")
	if support.Listener != "lmtp" || support.RawID != sales.RawID || support.TicketID == sales.TicketID {
		t.Errorf("support: %+v\nsales: %+v", support, sales)
	}
	// A desk that does not exist is refused, the other takes its mail.
	half, err := exec.CommandContext(t.Context(), swaks, append(common, "--protocol", "LMTP", "--socket", socket,
		"--to", "nobody@desk.example,sales@desk.example", "--header", "Subject: half of it")...).CombinedOutput()
	if !strings.Contains(string(half), "<** 550 5.1.1 ") {
		t.Errorf("no refusal: %v\n%s", err, half)
	}
	g.arrival(db, "half of it", "sales")
}
