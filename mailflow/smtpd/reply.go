package smtpd

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/emersion/go-smtp"

	"guichet/mailflow"
)

// BadLogin is what Config.Auth returns for a wrong login or password.
var BadLogin = &mailflow.Refusal{Code: 535, Enhanced: [3]int{5, 7, 8}, Message: "Wrong login or password"}

// Every answer of ours that is no mailflow.Refusal. go-smtp knows a refusal
// by a type assertion, so these are never wrapped.
var (
	replyReadyTLS    = answer(220, 2, 0, 0, "Ready to start TLS")
	replyContinue    = answer(250, 2, 0, 0, "Continue")
	replyTooMany     = answer(421, 4, 7, 0, "Too many connections from your address, try again later")
	replyFull        = answer(421, 4, 3, 2, "Too many connections, try again later")
	replyShutdown    = answer(421, 4, 3, 2, "Shutting down, try again later")
	replyTimeout     = answer(421, 4, 4, 2, "Timeout, closing connection")
	replyErrors      = answer(421, 4, 7, 0, "Too many errors, closing connection")
	replyCommands    = answer(421, 4, 7, 0, "Too many commands without a mail, closing connection")
	replyEndlessLine = answer(421, 4, 7, 0, "Line without end, closing connection")
	replyInjection   = answer(421, 4, 7, 0, "Commands behind STARTTLS, closing connection")
	replyChunkSize   = answer(421, 4, 7, 0, "BDAT without a chunk size, closing connection")

	replyFailure     = answer(451, 4, 3, 0, "Temporary failure, try again later")
	replyInterrupted = answer(451, 4, 4, 2, "Mail interrupted, try again later")
	replyAuthFailure = answer(454, 4, 7, 0, "Temporary failure, try again later")

	replyBadCommand = answer(500, 5, 5, 2, "Command not understood")
	replyLongLine   = answer(500, 5, 5, 2, "Line too long")
	replyNoArgs     = answer(501, 5, 5, 4, "STARTTLS takes no argument")
	replyAuthSyntax = answer(501, 5, 5, 2, "Bad AUTH answer")
	replyNoTLS      = answer(502, 5, 5, 1, "TLS not offered")
	replyNested     = answer(503, 5, 5, 1, "One MAIL at a time")
	replyChunking   = answer(503, 5, 5, 1, "BDAT or RSET must follow")
	replyInTLS      = answer(503, 5, 5, 1, "Already in TLS")
	replyNoAuthNow  = answer(503, 5, 5, 1, "No AUTH during a mail")
	replyTooLarge   = answer(552, 5, 3, 4, "Mail too large")
	replyNeedsUTF8  = answer(553, 5, 6, 7, "Address needs SMTPUTF8") // RFC 6531 §3.5
	replyLoop       = answer(554, 5, 4, 6, "Too many Received fields: routing loop")
	replyBodyLine   = answer(554, 5, 6, 0, "A line of the mail is too long")
)

func answer(code, class, subject, detail int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: text}
}

// line is an answer as it stands on the wire.
func line(a *smtp.SMTPError) string {
	c := a.EnhancedCode
	return fmt.Sprintf("%d %d.%d.%d %s\r\n", a.Code, c[0], c[1], c[2], a.Message)
}

// refusalOr turns an error of the Intake into an answer. go-smtp would make
// 554 5.0.0 with err's text of any other error of DATA: a bounce for a fault
// of ours, and our inside told to a stranger.
func refusalOr(failure *smtp.SMTPError, err error) *smtp.SMTPError {
	var r *mailflow.Refusal
	if !errors.As(err, &r) || r.Code < 400 || r.Code > 599 {
		return failure
	}
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: r.Enhanced, Message: oneLine(r.Message)}
}

// oneLine keeps a text from becoming two lines of an answer.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
