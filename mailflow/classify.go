package mailflow

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"guichet/mailflow/rfc822"
)

// Class is what kind of writer a mail has.
type Class string

// The classes. Only a person's mail is ever answered automatically.
const (
	ClassPerson    Class = "person"
	ClassAutoReply Class = "auto-reply" // vacation, receipt, challenge
	ClassBounce    Class = "bounce"     // delivery report
	ClassBulk      Class = "bulk"       // newsletter, a machine's mail
	ClassList      Class = "list"       // a mailing list's mail
	ClassLoop      Class = "loop"       // our own, come back
	ClassComplaint Class = "complaint"  // abuse report (RFC 5965)
	ClassReport    Class = "report"     // DMARC and TLS reports
)

// Verdict is what Classify made of a mail: two judgements, not one. A person's
// mail from a no-reply address is a person's and is still not answered.
type Verdict struct {
	Class      Class
	Answerable bool   // may be answered automatically
	Reason     string // of the class, or of why a person's mail is not answered
}

// reports says that a mail tells what became of another one.
func (v Verdict) reports() bool { return v.Class == ClassAutoReply || v.Class == ClassBounce }

// Classify tells who wrote a mail and whether it may be answered
// automatically. ours tells whether an address is one of the gateway's own;
// nil is none. env counts only if hasEnvelope is set.
//
// The checks stand in the order of their proof: the form of a report, then
// what programs say of themselves in the header, then, as a hint, words. When
// torn, a mail is not answered: silence can be mended, a loop can't.
func Classify(m *rfc822.Mail, env Envelope, hasEnvelope bool, ours func(addr string) bool) Verdict {
	c := classifier{m: m, subject: strings.ToLower(m.Subject), nullPath: hasEnvelope && env.From == "" || nullReturnPath(m), ours: ours}
	for _, check := range []func() (Class, string){
		c.ownMail, c.reportForm, c.complaintForm, c.domainReport, c.bounce, c.receipt,
		c.loopHeader, c.autoSubmitted, c.autoReplyHeader, c.awayWords, c.challenge, c.list, c.bulk, c.suppressed, c.nullSender,
	} {
		if class, reason := check(); class != "" {
			return Verdict{Class: class, Reason: reason}
		}
	}
	if reason := c.notAnswerable(env, hasEnvelope); reason != "" {
		return Verdict{Class: ClassPerson, Reason: reason}
	}
	return Verdict{Class: ClassPerson, Answerable: true, Reason: "nothing says that a machine wrote it"}
}

// classifier holds what the checks look at.
type classifier struct {
	m        *rfc822.Mail
	subject  string // in lower case
	nullPath bool
	ours     func(string) bool
}

// nullReturnPath tells whether the delivering server noted the null path.
func nullReturnPath(m *rfc822.Mail) bool {
	for _, v := range m.Header.Values("Return-Path") {
		return strings.TrimSpace(v) == "<>" // the topmost is the last server's
	}
	return false
}

func (c *classifier) header(name string) string {
	return strings.ToLower(strings.TrimSpace(c.m.Header.Get(name)))
}

func (c *classifier) has(name string) bool { return c.m.Header.Has(name) }

// contentType is the media type of the whole mail and its parameters.
func (c *classifier) contentType() string { return c.header("Content-Type") }

func (c *classifier) part(types ...string) bool {
	for _, p := range c.m.Parts {
		for _, t := range types {
			if p.ContentType == t {
				return true
			}
		}
	}
	return false
}

// ownMail finds what we sent ourselves and was forwarded back to us. Another
// gateway's mails bear the mark, too: those kinds that may carry its agents'
// words are judged like any other mail.
func (c *classifier) ownMail() (Class, string) {
	kind := c.header("X-Guichet-Kind")
	if kind == "" {
		return "", ""
	}
	own := c.ours == nil || len(c.m.From) == 1 && c.ours(c.m.From[0].Address)
	if own || !slices.Contains(wordyKinds, kind) {
		return ClassLoop, "carries X-Guichet-Kind: " + head(kind, 40)
	}
	return "", ""
}

var wordyKinds = []string{"update", "opened", "rejected", "closure-request", "information-request", "action-request",
	"closed", "reopened"}

// reportForm reads the report-type of a multipart/report (RFC 6522 §3).
func (c *classifier) reportForm() (Class, string) {
	t := c.contentType()
	if !strings.HasPrefix(t, "multipart/report") {
		return "", ""
	}
	switch kind := reportType(t); kind {
	case "disposition-notification":
		return ClassAutoReply, "multipart/report: disposition-notification" // RFC 8098
	case "feedback-report":
		return c.feedback()
	case "tlsrpt":
		return ClassReport, "multipart/report: tlsrpt" // RFC 8460 §5.3
	}
	return "", ""
}

// reportType is the report-type parameter of a lower-cased Content-Type.
func reportType(contentType string) string {
	_, v, ok := strings.Cut(contentType, "report-type")
	if !ok {
		return ""
	}
	v, _, _ = strings.Cut(strings.TrimLeft(v, " =\t"), ";")
	return strings.Trim(v, "\"' \t")
}

// complaintForm finds abuse reports (RFC 5965) and those older than it.
func (c *classifier) complaintForm() (Class, string) {
	if c.part("message/feedback-report") {
		return c.feedback()
	}
	if strings.HasPrefix(c.contentType(), "message/feedback-report") {
		return ClassComplaint, "message/feedback-report"
	}
	if strings.HasPrefix(c.subject, "complaint about message from ") { // Outlook.com's JMRP
		return ClassComplaint, "subject of an abuse report"
	}
	text := head(c.m.Text, 4<<10)
	if strings.Contains(text, `"notificationType":"Complaint"`) || strings.Contains(text, `"complaintFeedbackType"`) {
		return ClassComplaint, "complaint notification of Amazon SES"
	}
	if strings.HasPrefix(strings.TrimSpace(text), "Feedback-Type:") {
		return ClassComplaint, "begins as a feedback report"
	}
	return "", ""
}

// feedback parts abuse reports from reports of DMARC failures (RFC 6591),
// which use the same form and are nobody's complaint.
func (c *classifier) feedback() (Class, string) {
	if strings.HasPrefix(c.subject, "dmarc failure report") || strings.HasPrefix(c.subject, "fw: dmarc failure report") {
		return ClassReport, "DMARC failure report"
	}
	return ClassComplaint, "feedback report"
}

// domainReport finds DMARC aggregates (RFC 7489 §7.2.1.1) and TLS reports.
func (c *classifier) domainReport() (Class, string) {
	if c.has("TLS-Report-Domain") || c.part("application/tlsrpt+gzip", "application/tlsrpt+json") {
		return ClassReport, "TLS report"
	}
	t := c.contentType()
	packed := c.part("application/zip", "application/gzip", "application/x-gzip", "application/x-zip-compressed", "application/x-zip",
		"application/xml", "text/xml", "application/octet-stream") || strings.HasPrefix(t, "application/")
	if len(c.m.InReplyTo) > 0 {
		return "", "" // a person asks about one
	}
	if slices.ContainsFunc(c.m.Parts, isAggregate) && fewWords(head(c.m.Reply, 8<<10), 100) {
		return ClassReport, "DMARC aggregate"
	}
	if !strings.Contains(c.subject, "report domain:") && !strings.Contains(c.subject, "dmarc aggregate report") &&
		!strings.Contains(c.subject, "report-id:") {
		return "", ""
	}
	if packed || strings.Contains(c.subject, "submitter:") {
		return ClassReport, "DMARC report"
	}
	return "", ""
}

// aggregateName is what RFC 7489 §7.2.1.1 calls the file of an aggregate:
// "mail.example!desk.example!1772492400!1772578799.xml.gz".
var aggregateName = regexp.MustCompile(`^[^!\s]+![^!\s]+!\d+!\d+(?:![^!\s]*)?\.(?:xml|xml\.gz|zip|gz)$`)

func isAggregate(p rfc822.Part) bool { return aggregateName.MatchString(strings.ToLower(p.Filename)) }

// bounce finds delivery reports: what was read of one, or their form.
func (c *classifier) bounce() (Class, string) {
	if reportType(c.contentType()) == "delivery-status" {
		if c.isChallenge() {
			return ClassAutoReply, "challenge in the form of a report"
		}
		return ClassBounce, "multipart/report: delivery-status"
	}
	if c.m.Report != nil && c.systemSender() {
		return ClassBounce, "delivery report"
	}
	if c.has("X-Failed-Recipients") {
		return ClassBounce, "x-failed-recipients"
	}
	text := head(c.m.Text, 4<<10)
	if strings.Contains(text, `"notificationType":"Bounce"`) {
		return ClassBounce, "bounce notification of Amazon SES"
	}
	return "", ""
}

// systemSender tells whether a report comes from a mail system. One that a
// person passes on as attachment ("why did this bounce?") is a person's mail.
func (c *classifier) systemSender() bool {
	return c.nullPath || c.m.FromMailSystem() || machineSender(c.m) != "" || noReply(senderAddress(c.m)) ||
		strings.HasPrefix(c.contentType(), "multipart/report") || c.has("X-Failed-Recipients") || c.has("Auto-Submitted") ||
		c.header("From") == "" || c.header("From") == "<>"
}

// loopHeader finds X-Loop, by which a program marks its own mail, unless a
// list carried it.
func (c *classifier) loopHeader() (Class, string) {
	if c.has("X-Loop") && !c.listHeaders() {
		return ClassLoop, "x-loop"
	}
	return "", ""
}

// autoSubmitted obeys RFC 3834 §2: never answer a mail whose Auto-Submitted is
// not "no". Lists and robots that say auto-generated are bulk.
func (c *classifier) autoSubmitted() (Class, string) {
	for _, v := range c.m.Header.Values("Auto-Submitted") {
		word := strings.ToLower(strings.TrimSpace(v))
		word = strings.TrimSpace(firstOf(word, ";("))
		switch {
		case word == "no" || word == "":
			continue
		case strings.HasPrefix(word, "auto-replied"):
			return ClassAutoReply, "auto-submitted: auto-replied"
		case c.listHeaders() && c.has("Precedence"):
			return "", "" // the list's own marks say more
		case c.awayHint() != "":
			return ClassAutoReply, "auto-submitted: " + head(word, 40) + ", " + c.awayHint()
		}
		return ClassBulk, "auto-submitted: " + head(word, 40)
	}
	return "", ""
}

// autoReplyHeaders are fields of programs older than RFC 3834, or deaf to it.
var autoReplyHeaders = []string{"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-Autoreply-From",
	"X-Mail-Autoreply", "X-FC-MachineGenerated", "X-Autorespond-From", "X-AutoReply-Domain", "X-Vacation"}

func (c *classifier) autoReplyHeader() (Class, string) {
	for _, name := range autoReplyHeaders {
		if c.has(name) && c.header(name) != "no" && c.header(name) != "false" {
			return ClassAutoReply, strings.ToLower(name)
		}
	}
	switch p := c.header("Precedence"); p {
	case "auto_reply", "auto-reply", "autoreply":
		return ClassAutoReply, "precedence: " + p
	}
	if c.has("X-POST-MessageClass") && strings.Contains(c.header("X-POST-MessageClass"), "autoresponder") {
		return ClassAutoReply, "x-post-messageclass"
	}
	return "", ""
}

// suppressed reads X-Auto-Response-Suppress ([MS-OXCMAIL]). With All, or both
// OOF and AutoReply, a program asks that no program answers: one that answers
// a mail or runs from an inbox rule is an automatic answer, any other is a
// machine that begins something. Exchange sets single values on people's mail
// too: these are no sign.
func (c *classifier) suppressed() (Class, string) {
	v := c.header("X-Auto-Response-Suppress")
	reason := "x-auto-response-suppress: " + head(v, 40)
	switch {
	case !strings.Contains(v, "all") && !(strings.Contains(v, "oof") && strings.Contains(v, "autoreply")):
		return "", ""
	case len(c.m.InReplyTo) > 0 || c.nullPath || c.has("X-MS-Exchange-Inbox-Rules-Loop"):
		return ClassAutoReply, reason
	}
	return ClassBulk, reason
}

// nullSender finds mails that came from the null path and were none of the
// above. RFC 5321 §6.1: nothing automatic goes to a null path.
func (c *classifier) nullSender() (Class, string) {
	if w := machineSender(c.m); w == "mailerdaemon" || w == "mailer-daemon" || w == "maildaemon" {
		return ClassBounce, "from " + w
	}
	if !c.nullPath {
		return "", ""
	}
	if machineSender(c.m) != "" {
		return ClassBounce, "null path, from " + machineSender(c.m)
	}
	return ClassAutoReply, "null path"
}

func (c *classifier) listHeaders() bool {
	return c.has("List-Id") || c.has("List-Post") || c.has("List-Unsubscribe") || c.has("List-Help") || c.has("Mailing-List") || c.has("X-Mailing-List")
}

// list finds what a mailing list carried: RFC 2369 §3, RFC 2919. A person may
// have written it, but the answer would go to the list or to a stranger.
func (c *classifier) list() (Class, string) {
	if !c.listHeaders() {
		return "", ""
	}
	precedence := c.header("Precedence")
	if c.has("List-Post") || c.has("Mailing-List") || c.has("X-Mailing-List") || precedence == "list" || c.has("X-Mailman-Version") {
		return ClassList, "list headers"
	}
	if precedence == "bulk" {
		return ClassList, "list-id, precedence: bulk"
	}
	return ClassBulk, "list-unsubscribe or list-id without list-post"
}

// bulk finds newsletters and machines by Precedence and senders' marks.
func (c *classifier) bulk() (Class, string) {
	switch p := strings.TrimSpace(firstOf(c.header("Precedence"), "; (")); p {
	case "bulk", "junk":
		return ClassBulk, "precedence: " + p
	case "list":
		return ClassList, "precedence: list"
	}
	for _, name := range []string{"Feedback-ID", "X-Campaign", "X-CampaignID", "X-Mailgun-Sending-Ip-Pool", "X-Auto-Generated", "X-Autogenerated"} {
		if c.has(name) && (name != "Feedback-ID" || noReply(senderAddress(c.m))) {
			return ClassBulk, strings.ToLower(name)
		}
	}
	return "", ""
}

// firstOf is s up to the first byte that is in any.
func firstOf(s, any string) string {
	if i := strings.IndexAny(s, any); i >= 0 {
		return s[:i]
	}
	return s
}

// head is the first n bytes of s, without half a character.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
