package main

import (
	"maps"

	"guichet/mailflow"
)

// settings is a checked form as the mail flow asks it.
func (f *formConfig) settings() mailflow.Form {
	form := mailflow.Form{Key: f.Key, MaxFile: int64(f.MaxFileSize)}
	for i := range f.Fields {
		c := &f.Fields[i]
		form.Fields = append(form.Fields, mailflow.Field{
			Name: c.Name, Type: mailflow.FieldType(c.Type), Label: c.Label.settings(), Help: c.Help.settings(), Example: c.Example.settings(),
			Required: c.Required, Choices: choiceSettings(c.Choices), Services: c.ChoicesFrom == "services",
			ShownWhen: c.ShownWhen.Field, ShownValues: c.ShownWhen.Values,
		})
	}
	return form
}

func choiceSettings(list []choiceConfig) []mailflow.Choice {
	var out []mailflow.Choice
	for _, c := range list {
		out = append(out, mailflow.Choice{Value: c.Value, Label: c.Label.settings(), Choices: choiceSettings(c.Choices)})
	}
	return out
}

func (t texts) settings() mailflow.Texts { return mailflow.Texts(maps.Clone(t)) }
