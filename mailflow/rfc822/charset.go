package rfc822

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// charsets holds what the indexes of x/text lack, or read in another way than
// mail means it: WHATWG's index, made for web pages, reads utf-16 without a
// mark as little-endian, and refuses hz and iso-2022-kr.
var charsets = map[string]encoding.Encoding{
	"utf-16":           unicode.UTF16(unicode.BigEndian, unicode.UseBOM), // RFC 2781 §4.3
	"utf-16be":         unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"utf-16le":         unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	"utf-32":           utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
	"utf-32be":         utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
	"utf-32le":         utf32.UTF32(utf32.LittleEndian, utf32.UseBOM),
	"gb2312":           simplifiedchinese.GB18030, // a superset, which senders mean
	"gbk":              simplifiedchinese.GB18030,
	"gb_2312-80":       simplifiedchinese.GB18030,
	"cp936":            simplifiedchinese.GB18030,
	"hz-gb-2312":       simplifiedchinese.HZGB2312,
	"cp949":            korean.EUCKR,
	"ks_c_5601":        korean.EUCKR,
	"cp932":            japanese.ShiftJIS,
	"iso-2022-jp-1":    japanese.ISO2022JP,
	"iso-2022-jp-2":    japanese.ISO2022JP,
	"iso-2022-jp-ms":   japanese.ISO2022JP,
	"cp50220":          japanese.ISO2022JP,
	"cp50221":          japanese.ISO2022JP,
	"cp437":            charmap.CodePage437,
	"cp850":            charmap.CodePage850,
	"cp852":            charmap.CodePage852,
	"cp855":            charmap.CodePage855,
	"cp858":            charmap.CodePage858,
	"cp860":            charmap.CodePage860,
	"cp862":            charmap.CodePage862,
	"cp863":            charmap.CodePage863,
	"cp865":            charmap.CodePage865,
	"cp866":            charmap.CodePage866,
	"ansi_x3.110-1983": charmap.Windows1252,
	"latin-1":          charmap.Windows1252,
	"latin-15":         charmap.ISO8859_15,
	"latin-9":          charmap.ISO8859_15,
	"latin9":           charmap.ISO8859_15,
	"ansi":             charmap.Windows1252,
}

// undeclared are names that say nothing about the bytes, or that are used as
// if they did not: programs that write them often send UTF-8 or windows-1252.
var undeclared = map[string]bool{
	"": true, "us-ascii": true, "ascii": true, "ansi_x3.4-1968": true, "utf-8": true, "utf8": true,
	"unicode-1-1-utf-8": true, "utf8mb4": true, "unknown-8bit": true, "x-unknown": true, "unknown": true,
	"default": true, "default_charset": true, "binary": true, "8bit": true, "7bit": true, "x-utf_8j": true,
}

// charsetName brings the spellings seen in mails to one.
func charsetName(s string) string {
	s = strings.ToLower(strings.Trim(s, " \t\"'<>"))
	for _, p := range []struct{ from, to string }{
		{"cp-", "cp"}, {"ibm-", "cp"}, {"ibm", "cp"}, {"oem", "cp"}, {"windows-cp", "cp"}, {"dos-", "cp"},
		{"iso 8859", "iso-8859"}, {"iso8859_", "iso-8859-"}, {"8859-", "iso-8859-"}, {"utf_", "utf-"},
		{"utf16", "utf-16"}, {"utf32", "utf-32"},
	} {
		if rest, ok := strings.CutPrefix(s, p.from); ok {
			s = p.to + rest
			break
		}
	}
	return strings.ReplaceAll(s, "utf-16-", "utf-16")
}

// encodingOf returns the charset called name (as charsetName gives it), or nil.
func encodingOf(name string) encoding.Encoding {
	if e, ok := charsets[name]; ok {
		return e
	}
	if e, err := htmlindex.Get(name); err == nil && e != encoding.Replacement {
		return e // before IANA's: here iso-8859-1 is windows-1252, as it is in mails
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e
	}
	if e, err := ianaindex.IANA.Encoding(name); err == nil && e != nil {
		return e
	}
	return nil
}

// decodeCharset reads b, which is said to be in charset. It always gives some
// text; ok is false if charset is unknown, so that it was guessed.
func decodeCharset(b []byte, charset string) (text string, ok bool) {
	name := charsetName(charset)
	if undeclared[name] {
		return detect(b, ""), true
	}
	if name == "utf-7" || name == "unicode-1-1-utf-7" || name == "unicode-2-0-utf-7" {
		return decodeUTF7(b), true
	}
	e := encodingOf(name)
	if e == nil {
		return detect(b, ""), false
	}
	if (strings.HasPrefix(name, "iso-8859-") || strings.HasPrefix(name, "windows-125")) && isASCII(b) {
		return string(b), true // all of these begin with ASCII
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return detect(b, ""), true
	}
	if bad := bytes.Count(out, []byte("\ufffd")); bad > 0 && wrongLabel(b, bad, utf8.RuneCount(out)) {
		return detect(b, ""), true
	}
	return string(out), true
}

// wrongLabel reports whether b, of which the declared charset made bad broken
// characters of n, is rather none of that charset: UTF-8 can read it, or the
// charset could read hardly any of it.
func wrongLabel(b []byte, bad, n int) bool {
	return 2*bad > n || utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 && !bytes.Contains(b, []byte("\ufffd"))
}

// detect reads bytes of an undeclared charset: ISO-2022-JP by its escapes,
// UTF-8 if it is valid (by chance it never is), or else hint, windows-1252
// where there is none.
func detect(b []byte, hint string) string {
	ascii := isASCII(b)
	if ascii && isISO2022JP(b) {
		if out, err := japanese.ISO2022JP.NewDecoder().Bytes(b); err == nil {
			return string(out)
		}
	}
	if ascii || utf8.Valid(b) || mostlyUTF8(b) {
		return string(b) // cleaning replaces what is broken
	}
	if name := charsetName(hint); !undeclared[name] {
		if strings.HasPrefix(name, "iso-2022-jp") {
			name = "shift_jis" // b has 8-bit bytes, which ISO-2022-JP never has
		}
		if e := encodingOf(name); e != nil {
			if out, err := e.NewDecoder().Bytes(b); err == nil {
				return string(out)
			}
		}
	}
	out, _ := charmap.Windows1252.NewDecoder().Bytes(b)
	return string(out)
}

func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isISO2022JP looks for the escapes to a Japanese character set (RFC 1468).
func isISO2022JP(b []byte) bool {
	if bytes.IndexByte(b, 0x1b) < 0 {
		return false
	}
	for _, esc := range []string{"\x1b$B", "\x1b$@", "\x1b(J", "\x1b(I", "\x1b$(D"} {
		if bytes.Contains(b, []byte(esc)) {
			return true
		}
	}
	return false
}

// mostlyUTF8 reports UTF-8 that was damaged: cut within a character, or with
// a few bytes of something else put in. In windows-1252 a sequence that is
// valid UTF-8 is next to impossible, so a few of them decide.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if n > 1 {
			good++
		} else if r == utf8.RuneError {
			bad++
		}
		b = b[n:]
	}
	return good > 0 && good >= 2*bad
}
