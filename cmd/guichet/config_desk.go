package main

import "time"

type deskConfig struct {
	// Key is the desk's name in the file, as #move takes it.
	Key string `yaml:",key"`
	// The desk's address, which its mails come from.
	Address string `yaml:"address"`
	// The desk's name, in each language.
	Name texts `yaml:"name"`
	// What the desk is for, in each language, in a few words: parties read it
	// where a ticket goes to another desk.
	About texts `yaml:"about"`
	// The address that answers go to; {token} is where the signature stands. off:
	// answers go to the bare address and are found by Message-ID.
	Reply string `yaml:"reply"`
	// The language of mails to people whose own is unknown: fr or en.
	Language string `yaml:"language"`
	// The zone in which times are written.
	TimeZone string `yaml:"time_zone"`
	// How its tickets are numbered; no two desks may produce the same number.
	Number string `yaml:"number"`
	// form: the first mail is answered with a link to the form. direct: it is a
	// ticket at once.
	Intake string `yaml:"intake"`
	// yes: an agent validates a new ticket before it is opened.
	Validation bool `yaml:"validation"`
	// assumed: a resolved ticket closes when nobody answers. required: only once
	// the customer approves.
	Approval string `yaml:"approval"`
	// The form, by its name below forms.
	Form string `yaml:"form"`
	// The colour of its buttons and pages, as #rrggbb.
	Accent string `yaml:"accent"`
	// The time between the steps: s, m, h and d, or off: that step and those
	// after it are not taken.
	Timers timersConfig `yaml:"timers"`
}

type timersConfig struct {
	// A form that is not filled in so long: the ticket is given up.
	FormExpires timer `yaml:"form_expires"`
	// From our question to the first reminder; the ticket is frozen then.
	ReminderAfter timer `yaml:"reminder_after"`
	// From one reminder to the next, and to the auto-close warning.
	ReminderEvery timer `yaml:"reminder_every"`
	// How many reminders before the auto-close warning; 0 warns at once.
	Reminders int `yaml:"reminders"`
	// From the auto-close warning to the closing.
	AutoCloseAfter timer `yaml:"auto_close_after"`
	// From the closure request to its reminder, and to the auto-close warning.
	ClosureReminderAfter timer `yaml:"closure_reminder_after"`
	// How long after the closing an answer opens the ticket again.
	ReopenWithin timer `yaml:"reopen_within"`
}

const day = timer(24 * time.Hour)

// setDefaults makes d a desk that names nothing but its address.
func (d *deskConfig) setDefaults() {
	d.Language = "en"
	d.TimeZone = "UTC"
	d.Number = "INC-%06d"
	d.Intake = "direct"
	d.Approval = "assumed"
	d.Timers = timersConfig{
		FormExpires:          14 * day,
		ReminderAfter:        day,
		ReminderEvery:        day,
		Reminders:            3,
		AutoCloseAfter:       day,
		ClosureReminderAfter: day,
		ReopenWithin:         7 * day,
	}
}

type formConfig struct {
	// Key is the form's name in the file.
	Key string `yaml:",key"`
	// How large one file may be.
	MaxFileSize size `yaml:"max_file_size"`
	// The fields, in the order in which they are asked.
	Fields []fieldConfig `yaml:"fields"`
}

// setDefaults makes f a form that names nothing but its fields.
func (f *formConfig) setDefaults() { f.MaxFileSize = 2 << 20 }

type fieldConfig struct {
	// The field's name in the ticket; never shown to customers. The answers to
	// urgency and category are the ticket's own.
	Name string `yaml:"name"`
	// text, textarea, email, tel, select, radio, checkbox, datetime-local or file.
	Type string `yaml:"type"`
	// The question, above the field.
	Label texts `yaml:"label"`
	// What helps to answer it, below the question.
	Help texts `yaml:"help"`
	// An example of a good answer.
	Example texts `yaml:"example"`
	// yes: the form is not taken without it.
	Required bool `yaml:"required"`
	// What can be chosen, for select, radio and checkbox.
	Choices []choiceConfig `yaml:"choices"`
	// services, for a select: what can be chosen are the services of the writer's
	// organisation. It is not asked where there are none.
	ChoicesFrom string `yaml:"choices_from"`
	// The field is asked only if an earlier one has one of these values.
	ShownWhen shownWhenConfig `yaml:"shown_when"`
}

type choiceConfig struct {
	// What is kept in the ticket.
	Value string `yaml:"value"`
	// What is shown.
	Label texts `yaml:"label"`
	// A second list, which follows this choice.
	Choices []choiceConfig `yaml:"choices"`
}

type shownWhenConfig struct {
	// The name of the earlier field: a select or radio.
	Field string `yaml:"field"`
	// The values of it that show this one.
	Values []string `yaml:"values"`
}
