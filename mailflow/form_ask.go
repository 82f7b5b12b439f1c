package mailflow

import (
	"slices"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// The fields that an integrator's form has besides the desk's. No field of a
// configuration has a hyphen.
const (
	CustomerField      = "for-customer"
	CustomerEmailField = "for-email"
	// What a time is asked with besides itself: its zone, and, once it was not
	// given exactly, words in its place.
	ZoneSuffix  = "-zone"
	WordsSuffix = "-words"
	// moreField is for words in a form that has no place for them.
	moreField = "more-words"
	// noService is an integrator's answer that none of the services is meant.
	noService = "-"
)

// Asked is a form as one person is asked it.
type Asked struct {
	Form   *Form
	Fields []Field
	// Zone is the one in which times are taken to be meant: the desk's.
	Zone *time.Location
	// Organisation is the writer's own, "" if it is not known.
	Organisation string
	// Integrator: the form asks for which of his customers.
	Integrator bool
	orgs       []store.Organisation // that he is the integrator of
	self       string
}

// AwaitsForm says that what stands behind a party's link is the form: the
// ticket waits for it, or was given up since it never came.
func AwaitsForm(t ticket.Ticket, p store.Party) bool {
	return p.Role != ticket.Agent && (t.State == ticket.AwaitingForm || t.State == ticket.Closed && t.Closed == ticket.Abandoned)
}

// Ask is the desk's form for a party of one of its tickets; nil if the desk
// has none.
func Ask(tx *store.Tx, s *Settings, desk *Desk, p store.Party) (*Asked, error) {
	form := s.Form(desk.Form)
	if form == nil {
		return nil, nil
	}
	a := &Asked{Form: form, Zone: desk.Zone, Integrator: p.Role == ticket.Integrator, self: p.Address}
	own, err := tx.OrganisationOf(p.Address)
	if err != nil {
		return nil, err
	}
	var services []store.Organisation
	if a.Integrator {
		if a.orgs, err = tx.IntegratorFor(p.Address); err != nil {
			return nil, err
		}
		a.orgs = slices.Clone(a.orgs)
		// Who can be told comes first, so that the first entry needs no address.
		slices.SortStableFunc(a.orgs, func(x, y store.Organisation) int { return known(y) - known(x) })
		services = a.orgs
		a.Fields = append(a.Fields, a.customerFields()...)
	} else if own != nil {
		a.Organisation, services = own.Name, []store.Organisation{*own}
	}
	for _, f := range form.Fields {
		if f.Services && !a.askServices(&f, services) {
			continue
		}
		a.Fields = append(a.Fields, f)
	}
	if !slices.ContainsFunc(a.Fields, func(f Field) bool { return f.Type == TextareaField }) {
		a.Fields = append(a.Fields, Field{Name: moreField, Type: TextareaField,
			Label: Texts{"fr": "Autre chose à savoir", "en": "Anything else that we should know"}})
	}
	return a, nil
}

func known(o store.Organisation) int { return min(len(o.Contacts), 1) }

// customerFields ask an integrator for which of his customers he writes: a
// list of those that are known, and an address.
func (a *Asked) customerFields() []Field {
	email := Field{Name: CustomerEmailField, Type: EmailField,
		Label:    Texts{"fr": "Adresse de courriel de votre client", "en": "E-mail address of your customer"},
		Required: true}
	var list []Choice
	for _, o := range a.orgs {
		c := Choice{Value: o.Name, Label: Texts{"": o.Name}}
		for _, p := range o.Contacts {
			label := p.Address
			if p.Name != "" {
				label = p.Name + " (" + p.Address + ")"
			}
			if p.Address != a.self {
				c.Choices = append(c.Choices, Choice{Value: p.Address, Label: Texts{"": label}})
			}
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return []Field{email}
	}
	email.Label = Texts{"fr": "Une autre personne chez ce client ?", "en": "Somebody else at this customer?"}
	email.Help = Texts{"fr": "Son adresse de courriel. Laissez vide si la personne choisie ci-dessus est la bonne. Une adresse que nous ne connaissons pas ne reçoit rien avant qu’un technicien ait vérifié votre demande.",
		"en": "Their e-mail address. Leave it empty if the person above is the right one. An address that we do not know gets nothing before a technician has looked at your request."}
	email.Required = len(list[0].Choices) == 0
	return []Field{{Name: CustomerField, Type: SelectField, Required: true, Choices: list,
		Label: Texts{"fr": "Pour quel client écrivez-vous ?", "en": "Which customer do you write for?"},
		Help: Texts{"fr": "Cette personne reçoit, comme vous, chaque étape de la demande.",
			"en": "This person is told every step of the request, as you are."}}, email}
}

// askServices gives a field the services that can be meant; false if there
// are none.
func (a *Asked) askServices(f *Field, orgs []store.Organisation) bool {
	f.Type, f.Choices = SelectField, nil
	var list []Choice
	for _, o := range orgs {
		c := Choice{Value: o.Name, Label: Texts{"": o.Name}}
		for _, s := range o.Services {
			c.Choices = append(c.Choices, Choice{Value: s, Label: Texts{"": s}})
		}
		if len(c.Choices) > 0 {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		return false
	}
	if !a.Integrator || len(orgs) == 1 {
		f.Choices = list[0].Choices
		return true
	}
	// The first entry goes with any customer.
	f.Choices = append([]Choice{{Value: noService, Label: Texts{"fr": "Aucun de ceux-ci, ou je ne sais pas", "en": "None of these, or I do not know"}}}, list...)
	return true
}

// Field finds a field as it is asked here, or nil.
func (a *Asked) Field(name string) *Field {
	i := slices.IndexFunc(a.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &a.Fields[i]
}

// Conditions are the fields of the chain that decides whether f is shown: f
// itself if it has a condition, then the field that it looks at, and so on.
func (a *Asked) Conditions(f *Field) []*Field { return conditions(a.Fields, f) }

// Describe puts the condition of a field into words: the choices that show it.
func (a *Asked) Describe(f *Field, lang string) string { return f.describes(a.Fields, lang) }

// MaxFile is the largest file that is taken, in bytes.
func (a *Asked) MaxFile() int64 { return a.Form.maxFile() }
