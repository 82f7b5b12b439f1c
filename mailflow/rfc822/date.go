package rfc822

import (
	"strconv"
	"strings"
	"time"
)

// maxDate is how much of a Date field is looked at, in bytes.
const maxDate = 200

// months by their first letters, in the languages whose programs have been
// seen to write Date in their own: English, German, French, Dutch, Italian,
// Spanish. The longer key goes first where one starts another.
var months = []struct {
	prefix string
	month  time.Month
}{
	{"jan", 1}, {"jän", 1}, {"ene", 1}, {"gen", 1},
	{"feb", 2}, {"fév", 2}, {"fev", 2},
	{"mar", 3}, {"mär", 3}, {"mae", 3}, {"mrz", 3}, {"maa", 3}, {"mrt", 3},
	{"apr", 4}, {"avr", 4}, {"abr", 4},
	{"mai", 5}, {"may", 5}, {"mei", 5}, {"mag", 5},
	{"juin", 6}, {"jun", 6}, {"giu", 6},
	{"juil", 7}, {"jul", 7}, {"lug", 7},
	{"aug", 8}, {"aoû", 8}, {"aou", 8}, {"ago", 8},
	{"sep", 9}, {"set", 9},
	{"oct", 10}, {"okt", 10}, {"ott", 10},
	{"nov", 11},
	{"dec", 12}, {"dez", 12}, {"déc", 12}, {"dic", 12},
}

// zones of RFC 5322 §4.3, and the European ones, in hours east of Greenwich.
var zones = map[string]int{
	"ut": 0, "utc": 0, "gmt": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
	"pst": -8, "pdt": -7, "bst": 1, "wet": 0, "west": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "eet": 2, "eest": 3,
	"jst": 9,
}

// dateParts are what the words of a date were found to be.
type dateParts struct {
	early       bool // the month stood before the day
	year, day   int
	month       time.Month
	h, m, s     int
	hasTime, pm bool
	am, hasZone bool
	offset      int // seconds east of Greenwich
}

// parseDate reads RFC 5322 §3.3 and §4.3, asctime, ISO 8601, and the same with
// the names of other languages. A date without zone is taken as UTC.
func parseDate(s string) time.Time {
	s = cut(s, maxDate)
	if i := strings.IndexByte(s, '('); i >= 0 {
		if end := closingParen(s[i:]); end >= 0 {
			s = s[:i] + " " + s[i+end+1:]
		} else {
			s = s[:i]
		}
	}
	var p dateParts
	blank := func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }
	for _, w := range strings.FieldsFunc(strings.ToLower(s), blank) {
		p.word(w)
	}
	return p.time()
}

// word puts one word where it belongs; what is none of a date is passed over.
func (p *dateParts) word(w string) {
	switch {
	case strings.Count(w, ":") >= 1 && w[0] >= '0' && w[0] <= '9':
		p.clock(w)
	case w == "pm" || w == "am":
		p.pm, p.am = w == "pm", w == "am"
	case (w[0] == '+' || w[0] == '-') && p.hasTime && !p.hasZone:
		p.zone(w)
	case w[0] >= '0' && w[0] <= '9':
		p.number(w)
	default:
		if h, ok := zones[w]; ok && p.hasTime {
			if !p.hasZone {
				p.offset, p.hasZone = h*3600, true
			}
			return
		}
		// "mar., 3 déc.": before the day it is Tuesday in French. Else the first
		// month counts: words of another field can follow.
		if m := monthOf(w); m != 0 && (p.month == 0 || p.early && p.day != 0 && p.year == 0) {
			p.month, p.early = m, p.day == 0
		}
	}
}

func monthOf(w string) time.Month {
	for _, m := range months {
		if strings.HasPrefix(w, m.prefix) {
			return m.month
		}
	}
	return 0
}

// clock reads 15:04, 15:04:05, 15:04:05.000 and a zone behind them.
func (p *dateParts) clock(w string) {
	if date, t, ok := strings.Cut(w, "t"); ok && strings.Contains(date, "-") {
		p.number(date)
		w = t
	}
	if i := strings.IndexAny(w, "+-z"); i > 0 {
		defer p.zone(w[i:])
		w = w[:i]
	}
	f := strings.Split(w, ":")
	if len(f) < 2 || len(f) > 3 || p.hasTime {
		return
	}
	p.h, _ = strconv.Atoi(f[0])
	p.m, _ = strconv.Atoi(f[1])
	if len(f) == 3 {
		sec, _, _ := strings.Cut(f[2], ".")
		p.s, _ = strconv.Atoi(sec)
	}
	p.hasTime = true
}

func (p *dateParts) zone(w string) {
	if w == "z" {
		p.hasZone = true
		return
	}
	n, err := strconv.Atoi(strings.ReplaceAll(w, ":", ""))
	if err != nil || n < -2400 || n > 2400 || len(w) < 5 {
		return
	}
	p.offset, p.hasZone = n/100*3600+n%100*60, true
}

// number reads a day, a year, or 2006-01-02, 02-Jan-2006 and 02.01.2006.
func (p *dateParts) number(w string) {
	sep := strings.IndexAny(w, "-./")
	if f := strings.FieldsFunc(w, func(r rune) bool { return r == '-' || r == '.' || r == '/' }); sep > 0 && len(f) == 3 {
		if len(f[0]) == 4 {
			f[0], f[2] = f[2], f[0]
		}
		if m, err := strconv.Atoi(f[1]); err == nil && m >= 1 && m <= 12 {
			p.month = time.Month(m)
		} else if p.month = monthOf(f[1]); p.month == 0 {
			return
		}
		p.number(f[0])
		p.number(f[2])
		return
	}
	w = strings.TrimRight(w, ".-/")
	n, err := strconv.Atoi(w)
	switch {
	case err != nil:
	case p.day == 0 && n >= 1 && n <= 31 && len(w) <= 2:
		p.day = n
	case p.year == 0 && (len(w) == 4 || len(w) == 3):
		p.year = n
		if len(w) == 3 { // RFC 5322 §4.3
			p.year = n + 1900
		}
	case p.year == 0 && len(w) == 2 && p.month != 0:
		p.year = n + 1900
		if n < 50 {
			p.year = n + 2000
		}
	}
}

// time gives the date, or the zero time if it is none.
func (p *dateParts) time() time.Time {
	if p.pm && p.h < 12 {
		p.h += 12
	} else if p.am && p.h == 12 {
		p.h = 0
	}
	if p.year < 1 || p.year > 9999 || p.month == 0 || p.day == 0 || p.h > 24 || p.m > 59 || p.s > 60 || p.h < 0 || p.m < 0 || p.s < 0 {
		return time.Time{}
	}
	t := time.Date(p.year, p.month, p.day, p.h, p.m, p.s, 0, time.FixedZone("", p.offset))
	if t.Day() != p.day && p.h < 24 && p.s < 60 {
		return time.Time{} // the 31st of a shorter month
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return time.Time{} // RFC 3339 can't write it
	}
	return t
}
