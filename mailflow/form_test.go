package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guichet/store"
)

// line is a form with every type of field, asked of somebody at a desk in
// Paris.
func askedLine(t testing.TB) *Asked {
	t.Helper()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	label := func(s string) Texts { return Texts{"fr": s + " (fr)", "en": s} }
	form := &Form{Key: "line", Fields: []Field{
		{Name: "what", Type: TextField, Label: label("What"), Required: true},
		{Name: "place", Type: SelectField, Label: label("Where"), Required: true, Choices: []Choice{
			{Value: "net", Label: label("Network"), Choices: []Choice{{Value: "out", Label: label("Outage")}, {Value: "slow", Label: label("Slow")}}},
			{Value: "console", Label: label("Console")}}},
		{Name: "kind", Type: RadioField, Label: label("Kind"), Required: true, ShownWhen: "place", ShownValues: []string{"console"},
			Choices: []Choice{{Value: "button", Label: label("Button")}, {Value: "sound", Label: label("Sound")}}},
		{Name: "button", Type: TextareaField, Label: label("Button?"), Required: true, ShownWhen: "kind", ShownValues: []string{"button"}},
		{Name: "line", Type: TextField, Label: label("Line"), ShownWhen: "place", ShownValues: []string{"net", "console"}},
		{Name: "since", Type: ExactField, Label: label("Since"), Required: true},
		{Name: "last", Type: ExactField, Label: label("Last")},
		{Name: "who", Type: CheckboxField, Label: label("Who"), Choices: []Choice{{Value: "me", Label: label("Me")}, {Value: "all", Label: label("All")}}},
		{Name: "sure", Type: CheckboxField, Label: label("Sure")},
		{Name: "mail", Type: EmailField, Label: label("Mail")},
		{Name: "phone", Type: TelField, Label: label("Phone")},
		{Name: "size", Type: SelectField, Label: label("Size"), Choices: []Choice{{Value: "s", Label: label("Small")}}},
		{Name: "file", Type: FileField, Label: label("File"), ShownWhen: "kind", ShownValues: []string{"sound"}},
	}}
	return &Asked{Form: form, Fields: form.Fields, Zone: paris}
}

// posted reads "NAME=VALUE; …"; a name may come twice.
func posted(s string) map[string][]string {
	values := map[string][]string{}
	for _, pair := range strings.Split(s, "; ") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			values[name] = append(values[name], value)
		}
	}
	return values
}

// one line a case: what is posted, and what is answered, or what is wrong.
func TestFormChecks(t *testing.T) {
	a := askedLine(t)
	check := func(in, want string) {
		t.Helper()
		answers, problems := a.Check(posted(in), nil)
		var got []string
		for _, p := range problems {
			got = append(got, "!"+p.Field+" "+string(p.Code))
		}
		if len(problems) == 0 {
			for _, v := range answers.List {
				got = append(got, v.Field+"="+strings.Join(v.Values, ",")+map[bool]string{true: "~"}[v.Approx])
			}
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%s:\n got %s\nwant %s", in, s, want)
		}
	}
	const at, said = "since=2026-11-21T14:05", "since=2026-11-21T14:05:00+01:00,Europe/Paris"
	check("", "!what missing; !place missing; !since missing")
	check("what= \t ; place=; since=", "!what missing; !place missing; !since missing")
	check("what=a; place=net/out; "+at, "what=a; place=net/out; "+said)
	check("what= a  b ; place=net/slow; "+at, "what=a b; place=net/slow; "+said)
	check("what=a\u202eb\x00c; place=net/slow; "+at, "what=abc; place=net/slow; "+said)
	// Only what is in the list: no first level alone, no second without its first.
	for _, wrong := range []string{"net", "out", "console/out", "net/", "/out", "NET/out", "net/out/", "x"} {
		check("what=a; place="+wrong+"; "+at, "!place no-choice")
	}
	// What is not shown is passed over, whatever it holds, along the chain.
	check("what=a; place=net/out; kind=x; button=b; line=l; "+at, "what=a; place=net/out; line=l; "+said)
	check("what=a; place=net/out; kind=button; "+at, "what=a; place=net/out; "+said)
	check("what=a; place=console; "+at, "!kind missing")
	check("what=a; place=console; kind=button; "+at, "!button missing")
	check("what=a; place=console; kind=sound; button=b; "+at, "what=a; place=console; kind=sound; "+said)
	check("what=a; place=console; kind=button; button=b; "+at, "what=a; place=console; kind=button; button=b; "+said)
	check("what=a; place=bad; kind=button; "+at, "!place no-choice")
	// Times: browsers', typed ones, and words, which are asked for exactly once.
	check("what=a; place=net/out; since=2026-07-01T09:30:15; since-zone=Asia/Tokyo", "what=a; place=net/out; since=2026-07-01T09:30:15+09:00,Asia/Tokyo")
	check("what=a; place=net/out; since=2026-07-01 09:30; since-zone=Mars/Base", "what=a; place=net/out; since=2026-07-01T09:30:00+02:00,Europe/Paris")
	check("what=a; place=net/out; since=21/11/2026 14:05", "what=a; place=net/out; "+said)
	check("what=a; place=net/out; since=2026-11-21T13:05:00Z", "what=a; place=net/out; since=2026-11-21T13:05:00Z,Europe/Paris")
	check("what=a; place=net/out; since=yesterday", "!since vague")
	check("what=a; place=net/out; since=2026-11-21", "!since vague")
	check("what=a; place=net/out; since=2026-02-30T10:00", "!since vague")
	check("what=a; place=net/out; since=; since-words=", "!since missing")
	check("what=a; place=net/out; since=; since-words=around 3 pm", "what=a; place=net/out; since=around 3 pm,Europe/Paris~")
	check("what=a; place=net/out; since=around 3 pm; since-words=", "what=a; place=net/out; since=around 3 pm,Europe/Paris~")
	check("what=a; place=net/out; "+at+"; since-words=or so", "what=a; place=net/out; "+said+",or so")
	check("what=a; place=net/out; since=0026-11-21T14:05", "!since no-time")
	check("what=a; place=net/out; "+at+"; last=soon", "!last vague")
	check("what=a; place=net/out; "+at+"; last=soon; last-words=soon", "what=a; place=net/out; "+said+"; last=soon,Europe/Paris~")
	// Boxes.
	check("what=a; place=net/out; "+at+"; who=me; who=all; who=me; sure=on", "what=a; place=net/out; "+said+"; who=me,all; sure=yes")
	check("what=a; place=net/out; "+at+"; who=x", "!who no-choice")
	// Lists that may stay empty.
	check("what=a; place=net/out; "+at+"; size=", "what=a; place=net/out; "+said)
	check("what=a; place=net/out; "+at+"; size=s; mail=; phone=01 99", "what=a; place=net/out; "+said+"; phone=01 99; size=s")
	check("what=a; place=net/out; "+at+"; size=m", "!size no-choice")
	// Lengths, in characters.
	check("what="+strings.Repeat("é", 1000)+"; place=net/out; "+at, "what="+strings.Repeat("é", 1000)+"; place=net/out; "+said)
	check("what="+strings.Repeat("é", 1001)+"; place=net/out; "+at, "!what too-long")
	check("what=a; place=console; kind=button; button="+strings.Repeat("é", 20_001)+"; "+at, "!button too-long")
	// Nobody asked for these.
	check("what=a; place=net/out; "+at+"; other=x; for-email=x@y.example; lang=fr", "what=a; place=net/out; "+said)
}

func TestFormAddress(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		got, ok := FormAddress(in)
		if ok != (want != "") || got != want {
			t.Errorf("%q: %q %v, want %q", in, got, ok, want)
		}
	}
	check("Anna@Customer.Example", "anna@customer.example")
	check(" anna.martin+x@customer.example ", "anna.martin+x@customer.example")
	check("Anna Martin <anna@customer.example>", "anna@customer.example")
	check("anna@söhne.example", "anna@xn--shne-5qa.example")
	for _, bad := range []string{"", "anna", "anna@", "@customer.example", "anna@customer", "a b@customer.example", "a@b@c.example", "anna@customer..example",
		"änna@customer.example", "anna@-x.example", "anna@[192.0.2.1]", "a\r\nBcc: b@c.example", "a@b.example,c@d.example", ".a@b.example", "a..b@c.example",
		strings.Repeat("a", 65) + "@b.example", "a@" + strings.Repeat("b.", 130) + "example"} {
		check(bad, "")
	}
}

// Whatever is posted is answered by problems or by answers that stand on the
// form, with bounded words, and never by a panic.
func TestFormChecksHold(t *testing.T) {
	a := askedLine(t)
	a.Integrator, a.self = true, "ines@integrator.example"
	a.orgs = []store.Organisation{{Name: "Acme / North", Contacts: []store.Contact{{Address: "anna@acme.example"}}, Services: []string{"A"}}, {Name: "B", Services: []string{"C/D"}}}
	service := Field{Name: "service", Type: SelectField, Services: true, Label: Texts{"en": "Service"}}
	a.askServices(&service, a.orgs)
	a.Fields = append(a.customerFields(), append(a.Fields, service)...)
	var names, values []string
	for _, f := range a.Fields {
		names = append(names, f.Name, f.Name+ZoneSuffix, f.Name+WordsSuffix)
		for _, o := range f.Options() {
			values = append(values, o.Value, o.Top)
		}
	}
	values = append(values, "2026-11-21T14:05", "bert@quiet.example", a.self, "Asia/Tokyo", "")
	rapid.Check(t, func(t *rapid.T) {
		in := map[string][]string{}
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			value := rapid.OneOf(rapid.SampledFrom(values), rapid.String()).Draw(t, "value")
			name := rapid.SampledFrom(names).Draw(t, "name")
			in[name] = append(in[name], value)
		}
		answers, problems := a.Check(in, func(s string) bool { return s == "support@desk.example" })
		for _, p := range problems {
			if a.Field(p.Field) == nil {
				t.Fatalf("a problem of no field: %+v", p)
			}
		}
		if len(problems) > 0 {
			return
		}
		if answers.Customer == "" || answers.Customer == a.self {
			t.Fatalf("the customer is %q of %v", answers.Customer, in)
		}
		for _, v := range answers.List {
			f := a.Field(v.Field)
			for _, value := range v.Values {
				_, in := f.option(value)
				if f.Type == SelectField && !in {
					t.Fatalf("%s is %q", f.Name, value)
				}
			}
		}
		for _, lang := range []string{"fr", "en", "de"} {
			words := answers.Words(lang, nil)
			if words == "" || strings.ContainsAny(words, "\r\x00\u202e") {
				t.Fatalf("words %q", words)
			}
		}
	})
}

func TestZones(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	zones := FormZones(tokyo)
	if zones[0] != "Asia/Tokyo" || slices.Index(zones[1:], "Asia/Tokyo") >= 0 {
		t.Errorf("the desk's own zone is not first, or there twice: %v", zones[:3])
	}
	for _, z := range zones {
		if got := ZoneOf(z, time.UTC); got.String() != z {
			t.Errorf("%s is %s", z, got)
		}
	}
	if ZoneOf("", nil) != time.UTC || FormZones(nil)[0] != "UTC" {
		t.Error("no zone")
	}
}

func TestFormWords(t *testing.T) {
	a := askedLine(t)
	answers, problems := a.Check(posted("what=Kein Ton: nichts; place=console; kind=button; button=eins\nzwei; since=; since-words=vers 15 h; who=me; who=all; sure=1"), nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	answers.Organisation, answers.Customer = "Söhne & Co", "anna@customer.example"
	want := "Pour le client\u00a0: Söhne & Co, anna@customer.example\nWhat (fr)\u00a0: Kein Ton: nichts\nWhere (fr)\u00a0: Console (fr)\nKind (fr)\u00a0: Button (fr)\n\nButton? (fr)\u00a0:\neins\nzwei\n\n" +
		"Since (fr)\u00a0: vers 15 h (approximatif)\nWho (fr)\u00a0: Me (fr), All (fr)\nSure (fr)\u00a0: oui\nNon reçus\u00a0: a.mov (trop volumineux)"
	if got := answers.Words("fr", []RefusedFile{{Name: "a.mov", Reason: FileTooLarge}}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := fmt.Sprint(answers.FileFields); got != "[]" {
		t.Errorf("files are asked: %s", got)
	}
}

// What an agent may write for an entry of the desk's list.
func TestChoiceByItsFirstWords(t *testing.T) {
	f := &Field{Type: RadioField, Choices: []Choice{
		{Value: "medium", Label: Texts{"fr": "Moyenne : le travail continue", "en": "Medium: work goes on"}},
		{Value: "high", Label: Texts{"fr": "Élevée : un service est arrêté", "en": "High: a service is down"}},
		{Value: "net", Label: Texts{"fr": "Réseau", "en": "Network"}, Choices: []Choice{
			{Value: "slow", Label: Texts{"fr": "Lenteur du réseau", "en": "Slow network"}},
			{Value: "loss", Label: Texts{"fr": "Lenteur et pertes", "en": "Loss"}}}},
	}}
	for in, want := range map[string]string{"high": "high", "HIGH": "high", "élevée": "high", "elevee": "high", "moyenne": "medium",
		"High: a service is down": "high", "moy": "", "lenteur": "", "loss": "net/loss", "Réseau – Lenteur du réseau": "net/slow", "net/slow": "net/slow",
		"slow": "net/slow", "": "", "réseau": ""} {
		if o, ok := f.named(in); o.Value != want || ok != (want != "") {
			t.Errorf("%q is %q", in, o.Value)
		}
	}
}
