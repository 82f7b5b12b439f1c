package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"guichet/mailflow/fuzztest"
)

// problemCases replace one text of base and say which problems that makes.
var problemCases = []struct {
	old, new string
	want     []string
}{
	// The file and its store.
	{"desk.example\ndata", "desk_example\ndata", []string{`c.yaml:1: hostname: "desk_example" is no host name; write letters, digits, hyphens and dots, such as desk.example`}},
	{"sqlite:var/g.db", "mysql://x", []string{`c.yaml:2: database: neither sqlite:FILE nor postgres://user@host/database`}},
	{"secret_file: var/g.key", "secret_file:", []string{`c.yaml:3: secret_file: missing; name a file for the signing key, such as var/guichet.key`}},
	{"trust: {}", "hostname: again", []string{`c.yaml:7: hostname: stands here for the second time, first in line 1; remove one`}},
	{"trust: {}", "templates: nowhere/../..\nlimits: {max_unprocessed: 0}", []string{`c.yaml:8: limits.max_unprocessed: must be 1 or more`}},
	{"trust: {}", "limits: {notifications: 0}", []string{`c.yaml:7: limits.notifications: must lie between 1 and 1000000`}},
	{"trust: {}", "limits: {catch_up: 0}", []string{`c.yaml:7: limits.catch_up: must lie between 1 and 6000 a minute`}},
	{"trust: {}", "limits: {read_timeout: 0, min_free: -1}", []string{
		`c.yaml:7: limits.min_free: "-1" is no size; write a whole number with KiB, MiB or GiB, such as 25MiB`,
		`c.yaml:7: limits.read_timeout: must lie between 100ms and 1h`}},

	// Listeners and addresses of pages.
	{`"127.0.0.1:2525"`, `"2525"`, []string{`c.yaml:4: smtp.listen: "2525" is no listen address; write host:port such as 127.0.0.1:2525, or unix:FILE`}},
	{`"127.0.0.1:2525"`, `"127.0.0.1:99999"`, []string{`c.yaml:4: smtp.listen: "127.0.0.1:99999" is no listen address; write host:port such as 127.0.0.1:2525, or unix:FILE`}},
	{"trust: {}", `lmtp: {listen: "127.0.0.1:2525"}`, []string{`c.yaml:7: lmtp.listen: 127.0.0.1:2525 is taken by smtp.listen; give each listener its own`}},
	{"smtp: {", `smtp: {tls_listen: ":465", `, []string{`c.yaml:4: smtp.tls_listen: needs tls.cert_file and tls.key_file`}},
	{"smtp: {", `smtp: {max_message_size: 2TiB, `, []string{`c.yaml:4: smtp.max_message_size: must lie between 1KiB and 1GiB`}},
	{"trust: {}", `tls: {cert_file: a.pem}`, []string{`c.yaml:7: tls.key_file: missing beside cert_file; name the private key`}},
	{"http://127.0.0.1:8025", "http://127.0.0.1:8025/help?x", []string{`c.yaml:5: web.base_url: holds more than a host; write scheme, host and port alone, such as https://desk.example`}},
	{"http://127.0.0.1:8025", "desk.example", []string{`c.yaml:5: web.base_url: is no web address; write scheme, host and port alone, such as https://desk.example`}},

	// The relay and mailboxes.
	{"maildir:var/outbox", "ftp://h", []string{`c.yaml:6: relay.url: unknown scheme "ftp"; write smtps, smtp+starttls, smtp or maildir`}},
	{`relay: {`, `relay: {user: me, `, []string{`c.yaml:6: relay.user: a maildir asks for no login; remove it`, `c.yaml:6: relay.password_file: missing beside user; name a file with the password`}},
	{`{url: "maildir:var/outbox"}`, `{url: "smtp://h?plain=yes", user: u, password_file: p}`, []string{`c.yaml:6: relay.url: the password would cross the network in clear text; write smtps:// or smtp+starttls://`}},
	{"relay: {", "relay: {rate: 5, envelope: both, connections: none, ", []string{
		`c.yaml:6: relay.rate: "5" is no rate; write a number for s, min, h or d, such as 60/min, or 0/min for no limit`,
		`c.yaml:6: relay.connections: "none" is no whole number`,
		`c.yaml:6: relay.envelope: "both" is not known; write verp or desk`}},
	{"trust: {}", "mailboxes: [{url: \"imap://u@h/INBOX\", desk: it, after: move}]", []string{
		`c.yaml:7: mailboxes[0].url: the password would travel without TLS; write imaps://user@host/INBOX or imap+starttls://user@host/INBOX`,
		`c.yaml:7: mailboxes[0].password_file: missing; name a file with the mailbox's password, or use oauth2`,
		`c.yaml:7: mailboxes[0].desk: there is no desk "it"; known here: support, sales`,
		`c.yaml:7: mailboxes[0].after: "move" is not known; write move:FOLDER or seen or delete`}},
	{"trust: {}", "mailboxes: [{url: \"imaps://u@h/INBOX\", password_file: p, desk: sales, after: \"move:INBOX\", since: then, poll: 0s}, {url: \"imaps://u@H:993/inbox\", password_file: p, desk: sales}]", []string{
		`c.yaml:7: mailboxes[0].after: would move mails to where they are; name another folder`,
		`c.yaml:7: mailboxes[0].since: "then" is not known; write now or all`,
		`c.yaml:7: mailboxes[0].poll: must lie between 1s and 1h`,
		`c.yaml:7: mailboxes[1].url: is fetched by mailboxes[0] already; name each folder once`}},
	{"trust: {}", "mailboxes: [{url: \"imaps://u@h/INBOX\", password_file: p, desk: sales, poll: off}]", []string{
		`c.yaml:7: mailboxes[0].poll: "off" is no duration; write it in ms, s, m or h, such as 30s`}},
	{"trust: {}", "mailboxes: [{url: \"imap+starttls://u@h/\", password_file: p, desk: sales, oauth2: {token_url: \"http://h/t\"}}, {url: \"imaps://u@h/X\", desk: sales, oauth2: {token_url: \"http://h/t\", scope: s}}]", []string{
		`c.yaml:7: mailboxes[0].password_file: stands beside oauth2; remove one of them`,
		`c.yaml:7: mailboxes[1].oauth2.token_url: the secret would travel without TLS; use https`,
		`c.yaml:7: mailboxes[1].oauth2.client_id: missing or not one line; the provider gave it to the application`,
		`c.yaml:7: mailboxes[1].oauth2.client_secret_file: missing; without a refresh token the application must prove itself`}},

	// Trust.
	{"trust: {}", "trust: {networks: [0.0.0.0/0, me]}", []string{
		`c.yaml:7: trust.networks[0]: 0.0.0.0/0 is the whole world; name the hosts that submit your own people's mail`,
		`c.yaml:7: trust.networks[1]: "me" is no address or network; write 192.0.2.7 or 192.0.2.0/24`}},
	{"trust: {}", "trust: {relays: [{from: [mx]}]}", []string{
		`c.yaml:7: trust.relays[0].authserv_id: missing or not one word; it stands first in the relay's Authentication-Results`,
		`c.yaml:7: trust.relays[0].from[0]: "mx" is no address or network, nor unix`}},

	// Numbers of others.
	{"trust: {}", `systems: [{from: jira, number: 'SUP-[0-9]+'}, {}]`, []string{
		`c.yaml:7: systems[0].from: "jira" is neither a mail address nor a domain; write jira@integrator.example or integrator.example`,
		`c.yaml:7: systems[0].number: has 0 groups and needs one, around the number, such as '\b(SUP-[0-9]+)\b'; write (?:…) for the others`,
		`c.yaml:7: systems[1].from: missing; write the address that the partner's ticket system writes from, or its domain`,
		`c.yaml:7: systems[1].number: missing; write a regular expression in single quotes, such as '\b(SUP-[0-9]+)\b'`}},
	{"trust: {}", `systems: [{from: Gmail.com, number: '([0-9]+)'}, {from: desk.example, number: '(SUP-[0-9'}, {from: sales@desk.example, number: '(SUP-[0-9]+'}]`, []string{
		`c.yaml:7: systems[0].from: gmail.com gives mailboxes to anybody; write the system's own address`,
		`c.yaml:7: systems[0].number: finds bare digits, which stand in many mails by chance; write what stands around them, such as '\b(SUP-[0-9]+)\b'`,
		`c.yaml:7: systems[1].from: desk.example is where desk support writes from; name the partner's`,
		"c.yaml:7: systems[1].number: no regular expression (RE2): missing closing ]: `[0-9`",
		`c.yaml:7: systems[2].from: sales@desk.example is where desk sales writes from; name the partner's`,
		"c.yaml:7: systems[2].number: no regular expression (RE2): missing closing ): `(SUP-[0-9]+`"}},
	{"trust: {}", `old_numbers: [{system: "old RT", pattern: '(a)(b)'}, {system: RT, pattern: '\[RT #([0-9]*)\]'}]`, []string{
		`c.yaml:7: old_numbers[0].system: "old rt" is no name; write up to 40 letters, digits and -_., such as rt`,
		`c.yaml:7: old_numbers[0].pattern: has 2 groups and needs one, around the number, such as '\[RT #([0-9]+)\]'; write (?:…) for the others`,
		`c.yaml:7: old_numbers[1].pattern: finds a number where there is none: its group can be empty; write + instead of *`}},
	{"trust: {}", `old_numbers: [{system: rt, pattern: '` + strings.Repeat("x", 201) + `'}]`, []string{
		`c.yaml:7: old_numbers[0].pattern: longer than 200 bytes, or not one line; write one such as '\[RT #([0-9]+)\]'`}},

	// Agents.
	{"desks: [support, sales]", "desks: [support, it]", []string{`c.yaml:9: agents[0].desks[1]: there is no desk "it"; known here: support, sales`}},
	{"agent@desk.example", "Sales@desk.example", []string{`c.yaml:9: agents[0].address: sales@desk.example is desk sales's own address; an agent needs a mailbox of their own`}},
	{"agent@desk.example", "support+me@desk.example", []string{`c.yaml:9: agents[0].address: support+me@desk.example is desk support's own address; an agent needs a mailbox of their own`}},
	{"agent@desk.example", "First agent <agent@desk.example>", []string{`c.yaml:9: agents[0].address: "first agent <agent@desk.example>" is no mail address; write it bare, such as agent@desk.example`}},
	{"desks: [support, sales]", "desks: support, language: de", []string{
		`c.yaml:9: agents[0].desks: a list is expected here: [a, b], or one "- a" a line`,
		`c.yaml:9: agents[0].language: "de" is not known; write fr or en`}},

	// Desks.
	{"sales@desk.example", "support@desk.example", []string{`c.yaml:15: desks.sales.address: desk support has the same address support@desk.example; give each desk its own`}},
	{"address: sales@desk.example", "timers: {form_expires: 0s}", []string{
		`c.yaml:14: desks.sales.address: missing; write the desk's mail address`,
		`c.yaml:15: desks.sales.timers.form_expires: "0s" is no duration; write it in s, m, h or d, such as 24h or 14d, or off`}},
	{"number: SAL-%06d", "number: SAL-%06d\n    reply: \"sales@desk.example\"", []string{`c.yaml:17: desks.sales.reply: "sales@desk.example" is no pattern; write an address with {token} once before the @, such as support+{token}@desk.example, or off`}},
	{"number: SAL-%06d", "number: SAL-%06d\n    reply: \"support-{token}@desk.example\"", []string{`c.yaml:17: desks.sales.reply: answers would go to addresses of desk support, support@desk.example; use an address of this desk`}},
	{"support@desk.example", strings.Repeat("a", 32) + "@desk.example", []string{
		`c.yaml:12: desks.support.address: ` + strings.Repeat("a", 32) + `+{token}@desk.example has 65 octets before the @ once the token of 32 is in, and mail servers take 64; shorten it or set reply`}},
	{"number: SAL-%06d", "number: SAL-%06d\n    reply: \"" + strings.Repeat("a", 32) + "-{token}@desk.example\"", []string{
		`c.yaml:17: desks.sales.reply: ` + strings.Repeat("a", 32) + `-{token}@desk.example has 65 octets before the @ once the token of 32 is in, and mail servers take 64; shorten it`}},
	{"number: SAL-%06d", "number: SAL-%06d\n    reply: \"sales_{token}@desk.example\"", []string{
		`c.yaml:17: desks.sales.reply: "sales_{token}@desk.example": {token} must stand between +, -, . or =, or at an end, such as support+{token}@desk.example`}},
	{"number: SAL-%06d", "number: SAL", []string{`c.yaml:16: desks.sales.number: "SAL" is no number pattern; write %d or %06d once between letters, digits and -_./, such as INC-%06d`}},
	{"number: SAL-%06d", "number: INC-%d", []string{`c.yaml:16: desks.sales.number: desk support could give the number INC-111111 too; choose another prefix`}},
	{"number: SAL-%06d", "time_zone: Paris\n    language: de\n    approval: maybe\n    intake: form\n    accent: blue\n    validation: perhaps\n    name: {de: Hilfe}", []string{
		`c.yaml:14: desks.sales.form: missing; intake: form needs the name of a form below forms`,
		`c.yaml:14: desks.sales.number: desk support could give the number INC-111111 too; choose another prefix`,
		`c.yaml:16: desks.sales.time_zone: "Paris" is no time zone; write one such as Europe/Paris`,
		`c.yaml:17: desks.sales.language: "de" is not known; write fr or en`,
		`c.yaml:18: desks.sales.approval: "maybe" is not known; write assumed or required`,
		`c.yaml:20: desks.sales.accent: "blue" is no colour; write it as "#1f5fa8", with quotes`,
		`c.yaml:21: desks.sales.validation: "perhaps" is neither yes nor no`,
		`c.yaml:22: desks.sales.name.de: unknown language; the gateway speaks fr and en, and a text with a comma needs quotes`}},
	{"number: SAL-%06d", "number: SAL-%06d\n    name: {en: \"two\\nlines\"}", []string{`c.yaml:17: desks.sales.name.en: holds a line break or a control character; write it in one line`}},
	{"forms: {}", "forms: &a [*a]", []string{`c.yaml:17: forms: keys with values are expected here`}},

	// Forms.
	{"forms: {}", "forms:\n  f: {fields: [{name: A, type: color}]}", []string{
		`c.yaml:18: forms.f.fields[0].name: "A" is no field name; write lower-case letters, digits and _`,
		`c.yaml:18: forms.f.fields[0].type: "color" is not known; write text or textarea or email or tel or select or radio or checkbox or datetime-local or file`,
		`c.yaml:18: forms.f.fields[0].label: missing; write {fr: …, en: …}`}},
	{"forms: {}", "forms:\n  f:\n    fields:\n      - {name: a, type: checkbox, label: {en: A}, required: yes}\n      - {name: b, type: select, label: {en: B}}\n      - {name: c, type: text, label: {en: C}, shown_when: {field: b, values: [x]}}", []string{
		`c.yaml:20: forms.f.fields[0].required: a checkbox cannot be required; use a select or radio, or ask in a textarea`,
		`c.yaml:21: forms.f.fields[1].choices: missing; a select needs what can be chosen`,
		`c.yaml:22: forms.f.fields[2].shown_when.values[0]: "x" is no choice of b`}},
}

func TestNumberCollisions(t *testing.T) {
	check := func(a, b string, want string) {
		t.Helper()
		x, okA := parseNumber(a)
		y, okB := parseNumber(b)
		if !okA || !okB {
			t.Fatalf("%q or %q is no pattern", a, b)
		}
		if got := collision(x, y); got != want {
			t.Errorf("collision(%q, %q) = %q, want %q", a, b, got, want)
		}
	}
	check("INC-%06d", "SAL-%06d", "")
	check("INC-%06d", "INC-%06d", "INC-111111")
	check("INC-%06d", "inc-%06d", "inc-111111")
	check("INC-%06d", "INC-1%05d", "INC-111111")
	check("INC-%06d", "INC-0%05d", "INC-011111")
	check("INC-%d", "INC-0%d", "") // a number without leading zeros never begins with one
	check("INC-%06d", "INC-%d-2", "")
	check("%d/26", "26/%d", "26/26")
	check("%d", "2026%04d", "20261111")
}

// formats shows a value in every way that a log or a message could.
func formats(t *testing.T, v any) []string {
	t.Helper()
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	js, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return []string{fmt.Sprint(v), fmt.Sprintf("%+v %#v %q %x", v, v, v, v), log.String(), string(js)}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(base))
	for _, c := range problemCases {
		f.Add([]byte(strings.Replace(base, c.old, c.new, 1)))
	}
	f.Add([]byte("desks: &a {b: *a}"))
	f.Add([]byte("forms: &a {f: {fields: [{choices: [{choices: [*a]}]}]}}"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		var cfg *Config
		var d *decoder
		fuzztest.Cheap(t, func() { cfg, d = parseConfig("c.yaml", dir, data) })
		for _, p := range d.problems {
			if p.Line < 1 || p.Text == "" || strings.ContainsAny(p.Key, "\n\r") {
				t.Errorf("a problem without its place or words: %q", p.String())
			}
		}
		if len(d.problems) == 0 && len(cfg.Settings().Desks) != len(cfg.Desks) {
			t.Error("desks got lost")
		}
	})
}
