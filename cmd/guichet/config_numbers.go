package main

import (
	"regexp"
	"strconv"
	"strings"
)

// numberPattern is what a desk's number may look like: one %d, perhaps with
// leading zeros, between characters that survive a subject in brackets, a URL
// and a person's typing.
var numberPattern = regexp.MustCompile(`^([A-Za-z0-9_./-]*)%(?:0(\d{1,2}))?d([A-Za-z0-9_./-]*)$`)

// number is a desk's pattern, taken apart.
type number struct {
	prefix, suffix string
	width          int // digits at least
}

// maxDigits is how many digits a ticket's number can have.
const maxDigits = 19

func parseNumber(pattern string) (number, bool) {
	m := numberPattern.FindStringSubmatch(pattern)
	if m == nil || len(pattern) > 40 {
		return number{}, false
	}
	width := 1
	if m[2] != "" {
		width, _ = strconv.Atoi(m[2]) // two digits at most
	}
	return number{prefix: m[1], suffix: m[3], width: width}, width >= 1 && width < maxDigits
}

// checkNumbers refuses patterns of which two desks could make one number.
func (c *checker) checkNumbers() {
	type known struct {
		desk string
		number
	}
	var all []known
	for _, d := range c.cfg.Desks {
		key := "desks." + d.Key + ".number"
		n, ok := parseNumber(d.Number)
		if !ok {
			c.bad(key, "%q is no number pattern; write %%d or %%06d once between letters, digits and -_./, such as INC-%%06d", d.Number)
			continue
		}
		for _, k := range all {
			if s := collision(k.number, n); s != "" {
				c.bad(key, "desk %s could give the number %s too; choose another prefix", k.desk, s)
				break
			}
		}
		all = append(all, known{d.Key, n})
	}
}

// collision is a number that both patterns can make, or "". Numbers are
// compared without regard to case, as people type them. For each length the
// places that both patterns leave free are filled with 1, which fits where
// anything does.
func collision(a, b number) string {
	for length := 1; length <= 40+maxDigits; length++ {
		s, ok := merge(a, b, length)
		if ok && a.makes(s) && b.makes(s) {
			return s
		}
	}
	return ""
}

// merge writes the literal places of both patterns over each other.
func merge(a, b number, length int) (string, bool) {
	out := []byte(strings.Repeat("1", length))
	for _, n := range []number{a, b} {
		if len(n.prefix)+len(n.suffix) >= length {
			return "", false
		}
		copy(out, n.prefix)
		copy(out[length-len(n.suffix):], n.suffix)
	}
	return string(out), true
}

// makes says whether some ticket's number is written s by the pattern.
func (n number) makes(s string) bool {
	upper := strings.ToUpper(s)
	digits, ok := strings.CutPrefix(upper, strings.ToUpper(n.prefix))
	if !ok {
		return false
	}
	digits, ok = strings.CutSuffix(digits, strings.ToUpper(n.suffix))
	if !ok || len(digits) < n.width || len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	padded := len(digits) == n.width && strings.Trim(digits, "0") != ""
	return padded || digits[0] != '0'
}
