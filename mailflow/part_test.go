package mailflow

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"guichet/store"
)

// What is streamed is what is decoded at once, whatever is in the body and
// wherever the windows end.
func TestStreamPart(t *testing.T) {
	words := []string{"QUJD", "QUI", "=", "==", "\r\n", "\n", "\r", " ", "\t", "--", "__", "=3D", "=\n", "= \r\n", "-", "é",
		"begin 644 x\n", "#0V%T\n", "end\n", strings.Repeat(" ", 900), strings.Repeat("QUJD", 300), strings.Repeat("=3D", 300), strings.Repeat("=", 700)}
	const signed = "MDkGCSqGSIb3DQEHAqAsMCoCAQExADAhBgkqhkiG9w0BBwGgFAQSMDEyMzQ1Njc4OVFVSkRSRVZHMQA=" // PKCS #7 around 0123456789QUJDREVG
	words = append(words, signed)
	if b, _ := io.ReadAll(StreamPart(store.Part{Encoding: "smime/base64:10:8:base64", Length: int64(len(signed)), Size: 99}, strings.NewReader(signed))); string(b) != "ABCDEF" {
		t.Errorf("out of a signed mail: %q", b)
	}
	check := func(t *rapid.T) {
		encodings := []string{"base64", "quoted-printable", "x-uuencode", "7bit", "tnef:5:40:base64", "tnef:0:4000:quoted-printable", "tnef-mail:3:99:base64",
			"smime/base64:10:8:base64", "smime/:0:4000:"}
		piece := rapid.OneOf(rapid.SampledFrom(words), rapid.StringN(0, 5, -1))
		body := strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(t, "body"), "")
		if n := rapid.SampledFrom([]int{1, 1, 1, 40}).Draw(t, "times"); len(body) < 20_000 {
			body = strings.Repeat(body, n)
		}
		p := store.Part{Encoding: rapid.SampledFrom(encodings).Draw(t, "encoding"),
			Offset: 3, Length: int64(len(body))}
		raw := []byte("xyz" + body + "QUJD")
		want, _ := io.ReadAll(OpenPart(p, raw))
		p.Size = int64(len(want))
		got, err := io.ReadAll(StreamPart(p, bytes.NewReader(raw)))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v: streamed %d bytes, at once %d\n%.200q\n%.200q", err, len(got), len(want), got, want)
		}
		p.Size++ // nothing more comes
		if more, _ := io.ReadAll(StreamPart(p, bytes.NewReader(raw))); len(more) != len(want) {
			t.Fatalf("%d bytes streamed, %d at once", len(more), len(want))
		}
	}
	t.Run("short", rapid.MakeCheck(check))
	bodies := []string{strings.Repeat("QUJDREVG", 30_000), strings.Repeat("a=3Db=\r\n c \r\n", 20_000), "QUJD\n==\nREVG", "QUJD\n__\nREVG"}
	for shift := range 6 { // each place of an escape at the window's end
		bodies = append(bodies, strings.Repeat("x", shift)+strings.Repeat("a=3D b", 30_000))
	}
	for _, body := range bodies {
		for _, encoding := range []string{"base64", "quoted-printable", ""} {
			p := store.Part{Encoding: encoding, Length: int64(len(body)), Size: int64(len(body))}
			want, _ := io.ReadAll(OpenPart(p, []byte(body)))
			got, err := io.ReadAll(StreamPart(p, strings.NewReader(body)))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %.20q: %v, %d bytes, want %d", encoding, body, err, len(got), len(want))
			}
		}
	}
}

// A body that the store cannot read is an error, not a shorter file.
func TestStreamPartTrouble(t *testing.T) {
	for _, encoding := range []string{"base64", "quoted-printable", "x-uuencode", "8bit", "tnef:9:300000:base64", "tnef-mail:9:300000:", "smime/:9:300000:base64"} {
		p := store.Part{Encoding: encoding, Length: 400_000, Size: 400_000}
		if _, err := io.ReadAll(StreamPart(p, failing{})); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: %v", encoding, err)
		}
	}
}

type failing struct{}

func (failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 100_000 {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, bytes.Repeat([]byte("QUJDREVG\n"), len(p)/9+1)), nil
}
