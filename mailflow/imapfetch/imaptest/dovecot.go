// Package imaptest starts a Dovecot of a test's own: on loopback ports that
// were free, with its configuration, mails and log in a temporary directory,
// and run as an ordinary user.
package imaptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The one account there is, and its password.
const (
	User     = "support"
	Password = "secret of support"
)

// Dovecot is a running server.
type Dovecot struct {
	t       testing.TB
	Dir     string
	Addr    string // IMAP, with STARTTLS
	TLSAddr string // IMAP in TLS
	CA      string // file of the certificate that both have, PEM
	Roots   *x509.CertPool

	introspect string
	mechanisms string
	uid, gid   int
	cmd        *exec.Cmd
	ended      chan struct{}
	mails      atomic.Int64
}

// Option changes a server before it starts.
type Option func(*Dovecot)

// Introspect has access tokens taken that the endpoint at this URL (RFC 7662)
// calls active, by these mechanisms.
func Introspect(url, mechanisms string) Option {
	return func(d *Dovecot) { d.introspect, d.mechanisms = url, mechanisms }
}

// Start starts a Dovecot, which ends with the test.
func Start(t testing.TB, options ...Option) *Dovecot {
	t.Helper()
	d := &Dovecot{t: t, Dir: dir(t), uid: os.Geteuid(), gid: os.Getegid(), mechanisms: "plain login"}
	for _, o := range options {
		o(d)
	}
	if d.uid == 0 {
		d.uid, d.gid = 65534, 65534 // nobody
	}
	d.certificate()
	for try := 0; ; try++ {
		d.Addr, d.TLSAddr = free(t), free(t)
		d.configure()
		if d.run() {
			break
		}
		if try == 3 {
			t.Fatalf("Dovecot does not start:\n%s", d.log())
		}
	}
	t.Cleanup(func() {
		d.Stop()
		if t.Failed() {
			t.Logf("log of Dovecot:\n%s", d.log())
		}
	})
	return d
}

// dir is short, since a socket's path has 107 octets at most.
func dir(t testing.TB) string {
	t.Helper()
	name, err := os.MkdirTemp("/tmp", "guichet-imap-")
	if err == nil {
		err = os.Chmod(name, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(name) })
	return name
}

// free is an address that nobody listens at: not of the range out of which
// the system gives ports, so that nobody has it while the server is stopped.
func free(t testing.TB) string {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+mrand.IntN(12_000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func (d *Dovecot) write(name, text string) string {
	d.t.Helper()
	file := filepath.Join(d.Dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
	return file
}

func (d *Dovecot) configure() {
	d.t.Helper()
	u, err := user.LookupId(strconv.Itoa(d.uid))
	if err != nil {
		d.t.Fatal(err)
	}
	g, err := user.LookupGroupId(strconv.Itoa(d.gid))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, sub := range []string{"run", "mail"} {
		name := filepath.Join(d.Dir, sub)
		if err := os.MkdirAll(name, 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.Chown(name, d.uid, d.gid); err != nil {
			d.t.Fatal(err)
		}
	}
	d.write("users", User+":{PLAIN}"+Password+"\n")
	passdb := "passdb {\n  driver = passwd-file\n  args = scheme=plain DIR/users\n}"
	if d.introspect != "" {
		d.write("oauth2.conf", "introspection_url = "+d.introspect+"\nintrospection_mode = post\nusername_attribute = username\nactive_attribute = active\nactive_value = true\n")
		passdb = "passdb {\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = DIR/oauth2.conf\n}"
	}
	_, plain, _ := net.SplitHostPort(d.Addr)
	_, secure, _ := net.SplitHostPort(d.TLSAddr)
	d.write("dovecot.conf", strings.NewReplacer("PASSDB", strings.ReplaceAll(passdb, "DIR", d.Dir), "DIR", d.Dir, "USER", u.Username, "GROUP", g.Name,
		"UID", strconv.Itoa(d.uid), "GID", strconv.Itoa(d.gid), "MECHANISMS", d.mechanisms, "PLAINPORT", plain, "TLSPORT", secure).Replace(`
base_dir = DIR/run
state_dir = DIR/run
log_path = DIR/run/log
protocols = imap
listen = 127.0.0.1
default_login_user = USER
default_internal_user = USER
default_internal_group = GROUP
first_valid_uid = UID
mail_location = maildir:DIR/mail/%u
mail_fsync = never
mailbox_idle_check_interval = 1 s
imap_idle_notify_interval = 2 mins
ssl = yes
ssl_cert = <DIR/cert.pem
ssl_key = <DIR/key.pem
disable_plaintext_auth = no
auth_mechanisms = MECHANISMS
auth_failure_delay = 0
PASSDB
userdb {
  driver = static
  args = uid=UID gid=GID home=DIR/mail/%u
}
service imap-login {
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener imap {
    port = PLAINPORT
  }
  inet_listener imaps {
    port = TLSPORT
    ssl = yes
  }
}
service imap {
  service_count = 0
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
`))
}

// certificate makes one for 127.0.0.1 and localhost, which signs itself.
func (d *Dovecot) certificate() {
	d.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour),
		DNSNames: []string{"localhost", "mail.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		d.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		d.t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	d.CA = d.write("cert.pem", string(cert))
	d.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	d.Roots = x509.NewCertPool()
	d.Roots.AppendCertsFromPEM(cert)
}

// run starts the program and waits until both ports answer.
func (d *Dovecot) run() bool {
	d.t.Helper()
	program, err := exec.LookPath("dovecot")
	if err != nil {
		program = "/usr/sbin/dovecot"
	}
	if _, err := os.Stat(program); err != nil {
		d.t.Fatal("there is no Dovecot here; .ci/servers installs dovecot-imapd")
	}
	d.cmd = exec.Command(program, "-F", "-c", filepath.Join(d.Dir, "dovecot.conf"))
	// It ends with the test's process, even if that is killed: rather with the
	// thread that started it, so one thread is kept for that.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if os.Geteuid() == 0 {
		d.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(d.uid), Gid: uint32(d.gid)}
	}
	out, err := os.Create(filepath.Join(d.Dir, "out"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer out.Close()
	d.cmd.Stdout, d.cmd.Stderr = out, out
	d.ended = make(chan struct{})
	started := make(chan error)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // Stop looks at whether it ended, not how
		}
		close(ended)
	}(d.cmd, d.ended)
	if err := <-started; err != nil {
		d.t.Fatal(err)
	}
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for _, addr := range []string{d.Addr, d.TLSAddr} {
		for {
			if c, err := net.Dial("tcp", addr); err == nil {
				c.Close()
				break
			}
			again := time.NewTimer(20 * time.Millisecond)
			select {
			case <-d.ended:
				return false
			case <-limit.C:
				d.t.Fatalf("Dovecot does not answer:\n%s", d.log())
			case <-again.C:
			}
		}
	}
	return true
}

// Stop ends the server.
func (d *Dovecot) Stop() {
	if d.cmd == nil {
		return
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(10 * time.Second):
		d.cmd.Process.Kill()
		<-d.ended
	}
	d.cmd = nil
}

// Restart starts a stopped server again, on the same ports.
func (d *Dovecot) Restart() {
	d.t.Helper()
	if !d.run() {
		d.t.Fatalf("Dovecot does not start again:\n%s", d.log())
	}
}

func (d *Dovecot) log() string {
	out, _ := os.ReadFile(filepath.Join(d.Dir, "out"))
	log, _ := os.ReadFile(filepath.Join(d.Dir, "run", "log"))
	if len(log) > 20_000 {
		log = log[len(log)-20_000:]
	}
	return string(out) + string(log)
}

// URL names a folder of the account in TLS.
func (d *Dovecot) URL(folder string) string {
	return fmt.Sprintf("imaps://%s@%s/%s", User, d.TLSAddr, folder)
}

// folder is where the mails of a folder are, if it is there.
func (d *Dovecot) folder(name string) string {
	if name == "INBOX" {
		return filepath.Join(d.Dir, "mail", User)
	}
	return filepath.Join(d.Dir, "mail", User, "."+name)
}

// maildir is folder, made if it is not there.
func (d *Dovecot) maildir(folder string) string {
	d.t.Helper()
	name := d.folder(folder)
	for _, sub := range []string{filepath.Join(d.Dir, "mail", User), name, name + "/cur", name + "/new", name + "/tmp"} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.Chown(sub, d.uid, d.gid); err != nil {
			d.t.Fatal(err)
		}
	}
	return name
}

// Deliver puts a mail into a folder, as a mail server does. Its lines end in
// LF or CRLF.
func (d *Dovecot) Deliver(folder string, raw []byte) {
	d.t.Helper()
	d.DeliverAt(folder, raw, time.Now())
}

// DeliverAt is Deliver with another time of arrival.
func (d *Dovecot) DeliverAt(folder string, raw []byte, at time.Time) {
	d.deliver(folder, raw, at, 0o644)
}

// DeliverHidden delivers a mail that the server may not read itself, and gives
// its name for Where.
func (d *Dovecot) DeliverHidden(folder string, raw []byte) (name string) {
	return d.deliver(folder, raw, time.Now(), 0)
}

// Where finds the file of a mail.
func (d *Dovecot) Where(folder, name string) string {
	d.t.Helper()
	for _, file := range d.Mails(folder) {
		if strings.HasPrefix(filepath.Base(file), name) {
			return file
		}
	}
	d.t.Fatalf("%s is not in %s", name, folder)
	return ""
}

func (d *Dovecot) deliver(folder string, raw []byte, at time.Time, mode os.FileMode) string {
	d.t.Helper()
	box := d.maildir(folder)
	name := fmt.Sprintf("%d.M%06dP%d.mail.example", at.Unix(), d.mails.Add(1), os.Getpid())
	tmp := filepath.Join(box, "tmp", name)
	if err := os.WriteFile(tmp, raw, 0o644); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chtimes(tmp, at, at); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chown(tmp, d.uid, d.gid); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chmod(tmp, mode); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(box, "new", name)); err != nil {
		d.t.Fatal(err)
	}
	return name
}

// Make makes a folder. The server must not be about to make it as well.
func (d *Dovecot) Make(folder string) { d.t.Helper(); d.maildir(folder) }

// Mails lists the files of a folder's mails; behind :2, stand their flags. A
// folder that is not there has none, and is not made: the server may be about
// to make it.
func (d *Dovecot) Mails(folder string) (all []string) {
	d.t.Helper()
	box := d.folder(folder)
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(box, sub))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, filepath.Join(box, sub, e.Name()))
		}
	}
	return all
}

// ResetUIDs gives a folder a new UIDVALIDITY and its mails new UIDs, as a
// server does that was restored. Nobody may have it selected.
func (d *Dovecot) ResetUIDs(folder string) {
	d.t.Helper()
	box := d.maildir(folder)
	files, _ := filepath.Glob(filepath.Join(box, "dovecot*"))
	for _, f := range files {
		os.RemoveAll(f)
	}
	// It is made of the time in seconds: one of its own, well ahead.
	next := time.Now().Unix() + 1000*d.mails.Add(1)
	if err := os.WriteFile(filepath.Join(box, "dovecot-uidlist"), fmt.Appendf(nil, "3 V%d N1 G%032x\n", next, next), 0o644); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(box, "dovecot-uidlist"), d.uid, d.gid); err != nil {
		d.t.Fatal(err)
	}
}
