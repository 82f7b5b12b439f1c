package smtpd

import "strings"

// verb is a command line's first word in upper case, "" where it is none.
// go-smtp folds with Unicode's rules, under which "ſTARTTLS" is STARTTLS; two
// readings of one line must not differ, so only ASCII letters make a verb.
func verb(line string) string {
	word, _, _ := strings.Cut(line, " ")
	for i := range len(word) {
		if c := lower(word[i]); c < 'a' || c > 'z' {
			return ""
		}
	}
	return strings.ToUpper(word)
}

// hasControl reports a control octet. go-smtp would take it in an address
// and give HELO's back in its answer. TAB is left: it parts parameters.
func hasControl(line string) bool {
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// postmaster turns RCPT TO:<postmaster>, which RFC 5321 §4.5.1 wants taken
// and go-smtp refuses for want of a domain, into a line that go-smtp takes.
func postmaster(line, hostname string) (string, bool) {
	path, ok := cutFold(line, "RCPT TO:")
	if !ok {
		return "", false
	}
	params, ok := cutFold(strings.TrimLeft(path, " "), "<postmaster>")
	if !ok {
		return "", false
	}
	return "RCPT TO:<postmaster@" + hostname + ">" + params, true
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
