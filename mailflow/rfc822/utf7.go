package rfc822

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

// decodeUTF7 reads RFC 2152 text; x/text has no such charset. What is not
// UTF-7 stays as it is.
func decodeUTF7(b []byte) string {
	var out strings.Builder
	s := string(b)
	for {
		i := strings.IndexByte(s, '+')
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:i])
		s = s[i+1:]
		n := 0
		for n < len(s) && isBase64(s[n]) {
			n++
		}
		run := s[:n]
		s = s[n:]
		minus := strings.HasPrefix(s, "-")
		if minus {
			s = s[1:]
		}
		switch text, ok := utf16Base64(run); {
		case run == "":
			out.WriteByte('+')
		case ok:
			out.WriteString(text)
		default:
			out.WriteString("+" + run)
			if minus {
				out.WriteByte('-')
			}
		}
	}
}

func isBase64(c byte) bool {
	return base64Value[c] < 64
}

// utf16Base64 reads unpadded base64 of UTF-16BE.
func utf16Base64(s string) (string, bool) {
	// RawStdEncoding refuses a single left-over character, which carries no byte.
	if len(s)%4 == 1 {
		s = s[:len(s)-1]
	}
	raw, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(raw) < 2 {
		return "", false
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	return string(utf16.Decode(units)), true
}
