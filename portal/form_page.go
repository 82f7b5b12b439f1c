package portal

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/templates"
)

// formPage is the form without its fields.
func (v *view) formPage(now time.Time) *templates.FormPage {
	page := &templates.FormPage{Desk: deskOf(v.desk, v.lang), Lang: v.lang, Number: v.ticket.Number, Subject: v.ticket.Subject,
		Action: "/t/" + v.party.Link, MaxFile: v.asked.MaxFile(), Zone: v.zone, Now: now}
	if v.ticket.State == ticket.AwaitingForm && v.ticket.Next == ticket.FormLink {
		page.Until = v.ticket.Deadline
	}
	for _, m := range v.messages {
		if m.Party == v.party.Ordinal && page.Received.IsZero() {
			page.Received = m.At
		}
	}
	return page
}

// blank is a field as nobody has answered it yet.
func (v *view) blank(f *mailflow.Field) templates.FormField {
	q := templates.FormField{Name: f.Name, Type: string(f.Type), Label: f.Label.In(v.lang), Help: f.Help.In(v.lang),
		Example: f.Example.In(v.lang), Required: f.Required}
	for _, o := range f.Options() {
		q.Options = append(q.Options, templates.FormOption{Value: o.Value, Label: o.In(v.lang)})
	}
	if f.Type == mailflow.ExactField {
		q.Zones = mailflow.FormZones(v.desk.Zone)
		q.ZoneName = v.zone.String()
		if !slices.Contains(q.Zones, q.ZoneName) {
			q.ZoneName = q.Zones[0]
		}
	}
	return q
}

// corrected is the form with what was answered, and what is wrong with it.
func (v *view) corrected(got *received, problems []mailflow.Problem, now time.Time) *templates.FormPage {
	page := v.formPage(now)
	for i := range v.asked.Fields {
		f := &v.asked.Fields[i]
		q := v.blank(f)
		if i := slices.IndexFunc(problems, func(p mailflow.Problem) bool { return p.Field == f.Name }); i >= 0 {
			q.Problem, q.N = string(problems[i].Code), problems[i].N
		}
		fill(&q, f, got)
		page.Fields = append(page.Fields, q)
	}
	for _, f := range got.files {
		page.Kept = append(page.Kept, templates.FormFile{Name: f.Name, Size: f.Size, Token: f.Token})
	}
	page.Refused = notTaken(got.refused)
	v.conditions(page)
	return page
}

func notTaken(list []mailflow.RefusedFile) (files []templates.FormFile) {
	for _, r := range list {
		files = append(files, templates.FormFile{Name: r.Name, Size: r.Size, Reason: r.Reason})
	}
	return files
}

// fill puts the answers that came into a field.
func fill(q *templates.FormField, f *mailflow.Field, got *received) {
	q.Values = slices.DeleteFunc(slices.Clone(got.values[f.Name]), func(s string) bool { return s == "" })
	for i := range q.Options {
		q.Options[i].Chosen = slices.Contains(q.Values, q.Options[i].Value)
	}
	if f.Type != mailflow.ExactField {
		return
	}
	if zone := got.first(f.Name + mailflow.ZoneSuffix); slices.Contains(q.Zones, zone) {
		q.ZoneName = zone
	}
	_, asked := got.values[f.Name+mailflow.WordsSuffix]
	q.Words = got.first(f.Name + mailflow.WordsSuffix)
	q.AskWords = asked || q.Problem == string(mailflow.Vague) || q.Problem == string(mailflow.Missing)
	if value := q.Value(); value != "" && !browserTime(value) {
		q.Values = nil // a browser's field for times would show nothing
		if q.Words == "" {
			q.Words = value
		}
	}
}

func browserTime(s string) bool {
	_, err := time.Parse("2006-01-02T15:04", s)
	if err != nil {
		_, err = time.Parse("2006-01-02T15:04:05", s)
	}
	return err == nil
}

// conditions numbers the conditions of the fields, and marks the choices that
// fulfil each, for the style sheet.
func (v *view) conditions(page *templates.FormPage) {
	numbers := map[string]int{}
	for i := range page.Fields {
		chain := v.asked.Conditions(&v.asked.Fields[i])
		for _, f := range slices.Backward(chain) {
			key := f.ShownWhen + "\x00" + strings.Join(f.ShownValues, "\x00")
			n, ok := numbers[key]
			if !ok {
				n = len(numbers)
				numbers[key] = n
				v.mark(page, f, n)
			}
			page.Fields[i].When = append(page.Fields[i].When, templates.FormWhen{N: n, Words: v.asked.Describe(f, v.lang)})
		}
	}
}

func (v *view) mark(page *templates.FormPage, f *mailflow.Field, n int) {
	of := slices.IndexFunc(v.asked.Fields, func(o mailflow.Field) bool { return o.Name == f.ShownWhen })
	if of < 0 {
		return
	}
	shows := map[string]bool{}
	for _, o := range v.asked.Fields[of].Options() {
		shows[o.Value] = slices.Contains(f.ShownValues, o.Top)
	}
	for i := range page.Fields[of].Options {
		if option := &page.Fields[of].Options[i]; shows[option.Value] {
			option.Shows = append(option.Shows, n)
		}
	}
}

func (v *view) thanksPage(now time.Time) *templates.ThanksPage {
	page := &templates.ThanksPage{Desk: deskOf(v.desk, v.lang), Lang: v.lang, Number: v.ticket.Number, State: v.ticket.State,
		Validation: v.desk.Policy.Validation, Address: v.party.Address, URL: "/t/" + v.party.Link, Zone: v.zone, Now: now,
		MaxFile: mailflow.DefaultMaxFile}
	if v.asked != nil {
		page.MaxFile = v.asked.MaxFile()
	}
	var refused []mailflow.RefusedFile
	json.Unmarshal([]byte(v.last.Refused), &refused)
	page.Refused = notTaken(refused)
	return page
}
