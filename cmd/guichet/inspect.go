package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"guichet/mailflow"
	"guichet/mailflow/rfc822"
)

func newInspect(e *env) *cobra.Command {
	return &cobra.Command{Use: "inspect FILE|-...", Short: "What reading and classifying make of mails, as JSON",
		Args: cobra.MinimumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			var failed error
			for _, file := range args {
				if err := e.inspect(file); err != nil {
					failed = err
				}
			}
			return failed
		}}
}

// inspected is one mail as the contract has it.
type inspected struct {
	File        string                   `json:"file"`
	Subject     string                   `json:"subject"`
	From        []rfc822.Address         `json:"from"`
	To          []rfc822.Address         `json:"to"`
	Cc          []rfc822.Address         `json:"cc"`
	Date        any                      `json:"date"`
	MessageID   any                      `json:"message_id"`
	InReplyTo   []string                 `json:"in_reply_to"`
	References  []string                 `json:"references"`
	Text        string                   `json:"text"`
	Reply       string                   `json:"reply"`
	Attachments []attachmentRow          `json:"attachments"`
	Class       string                   `json:"class"`
	Answerable  bool                     `json:"answerable"`
	Reason      string                   `json:"reason"`
	Bounce      []rfc822.ReportRecipient `json:"bounce"`
	Original    any                      `json:"original_message_id"`
	Problems    []string                 `json:"problems"`
}

type attachmentRow struct {
	Filename    any    `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	Inline      bool   `json:"inline"`
	In          string `json:"in,omitempty"`
}

// inspect prints an object also for a file that cannot be read.
func (e *env) inspect(file string) error {
	raw, err := e.readMail(file)
	if err != nil {
		empty := mailRow(file, rfc822.Parse(nil))
		empty.Problems = []string{err.Error()}
		if err := e.printJSON(empty); err != nil {
			return err
		}
		return fmt.Errorf("inspect %s: %w", file, err)
	}
	m := rfc822.Parse(raw)
	row := mailRow(file, m)
	events := m.Events(raw)
	v := mailflow.Verdict{Answerable: row.Answerable, Reason: row.Reason}.Beside(events, m.Text)
	row.Answerable, row.Reason = v.Answerable, v.Reason
	if strings.TrimSpace(row.Text) == "" { // an invitation alone
		for _, event := range events {
			row.Text += event.Line("en") + "\n"
		}
	}
	return e.printJSON(row)
}

func (e *env) readMail(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(e.stdin)
	}
	return os.ReadFile(file)
}

func mailRow(file string, m *rfc822.Mail) inspected {
	v := mailflow.Classify(m, mailflow.Envelope{}, false, func(string) bool { return false })
	row := inspected{File: file, Subject: m.Subject, From: list(m.From), To: list(m.To), Cc: list(m.Cc), MessageID: text(m.MessageID),
		InReplyTo: list(m.InReplyTo), References: list(m.References), Text: m.Text, Reply: m.Reply,
		Attachments: []attachmentRow{}, Class: string(v.Class), Answerable: v.Answerable, Reason: v.Reason,
		Bounce: []rfc822.ReportRecipient{}, Problems: list(m.Problems)}
	if !m.Date.IsZero() {
		row.Date = m.Date.Format(time.RFC3339)
	}
	for _, p := range m.Parts {
		row.Attachments = append(row.Attachments, attachmentRow{text(p.Filename), p.ContentType, p.Size, p.Inline, p.In})
	}
	if m.Report != nil {
		row.Bounce, row.Original = list(m.Report.Recipients), text(m.Report.OriginalMessageID)
	}
	return row
}

// list is never null in JSON.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
