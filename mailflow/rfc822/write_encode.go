package rfc822

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// outLine is the longest line of an encoded part (RFC 2045 §6.7, §6.8).
const outLine = 76

// outLiteral are the characters that quoted-printable leaves as they are;
// blanks and tabs are, too, but at the end of a line.
var outLiteral = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '='
	}
	t['\t'] = true
	return t
}()

// outQuoted appends a text with LF line ends as quoted-printable: the very
// bytes of mime/quotedprintable, in one pass.
func outQuoted(b []byte, s string) []byte {
	begin := len(b) // of the line
	for i := 0; i < len(s); {
		if s[i] == '\n' {
			b = append(outLastBlank(b, begin), "\r\n"...)
			begin = len(b)
			i++
			continue
		}
		if !outLiteral[s[i]] {
			if outLine-1-(len(b)-begin) < 3 {
				b = append(b, "=\r\n"...)
				begin = len(b)
			}
			b = outHex(b, s[i])
			i++
			continue
		}
		if len(b)-begin == outLine-1 {
			b = append(b, "=\r\n"...)
			begin = len(b)
		}
		n := outLiterals(s[i:min(len(s), i+outLine-1-(len(b)-begin))])
		b = append(b, s[i:i+n]...)
		i += n
	}
	return outLastBlank(b, begin)
}

// outLiterals is how many characters s begins with that stay as they are.
func outLiterals(s string) int {
	n := 0
	for n+8 <= len(s) && plainEight(s[n:]) && !hasEquals(s[n:]) {
		n += 8
	}
	for n < len(s) && outLiteral[s[n]] {
		n++
	}
	return n
}

func outHex(b []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(b, '=', hex[c>>4], hex[c&15])
}

// outLastBlank encodes a blank that would end the line begun at begin.
func outLastBlank(b []byte, begin int) []byte {
	last := len(b) - 1
	if last < begin || b[last] != ' ' && b[last] != '\t' {
		return b
	}
	c := b[last]
	b = b[:last]
	if outLine-1-(len(b)-begin) < 3 {
		b = append(b, "=\r\n"...)
	}
	return outHex(b, c)
}

// outBase64 appends data as base64 in whole lines.
func outBase64(b, data []byte) []byte {
	const each = outLine / 4 * 3
	for len(data) > 0 {
		n := min(each, len(data))
		b = base64.StdEncoding.AppendEncode(b, data[:n])
		b = append(b, "\r\n"...)
		data = data[n:]
	}
	return b
}

// outBase64Len is the length of outBase64's result.
func outBase64Len(n int) int {
	return base64.StdEncoding.EncodedLen(n) + 2*((n+outLine/4*3-1)/(outLine/4*3))
}

// outText makes a text fit for quoted-printable: UTF-8, no NUL and no other
// control but tab and line end, LF alone, one at the end.
func outText(s string) string {
	if s == "" {
		return ""
	}
	if !outIsText(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
		s = strings.ReplaceAll(s, "\r\n", "\n")
		s = strings.Map(func(r rune) rune {
			switch {
			case r == '\r':
				return '\n'
			case r == '\n' || r == '\t':
				return r
			case r < ' ' || r == 0x7f:
				return -1
			}
			return r
		}, s)
	}
	if trimmed := strings.TrimRight(s, "\n"); len(trimmed) != len(s)-1 {
		return trimmed + "\n"
	}
	return s
}

// outIsText says that a text is fit but for the line ends at its end.
func outIsText(s string) bool {
	return classes(s)&byteControl == 0 && utf8.ValidString(s)
}

// hasEquals says that there is a "=" among the first eight bytes of s.
func hasEquals(s string) bool {
	x := eight(s) ^ '='*ones // zero where it is
	return (x-ones)&^x&(0x80*ones) != 0
}
