package smtpd

import (
	"io"
	"strconv"
	"strings"
)

// chunkReader reads the body of a mail sent by BDAT (RFC 3030 §2). go-smtp is
// given DATA instead, and its 354 is swallowed, because its own BDAT
//
//   - takes the end of the connection for the end of the chunk, and so half
//     a mail for a whole one,
//   - takes a chunk whose size it cannot read for commands,
//   - may answer a mail with the result of the one that RSET ended before it,
//   - answers a timeout with 554, and
//   - gives an LMTP client one answer where it waits for several.
type chunkReader struct{ d *dialogue }

func (c chunkReader) Read(p []byte) (int, error) {
	d := c.d
	for d.chunk == 0 {
		if d.last {
			return 0, io.EOF
		}
		d.say(replyContinue)
		if err := d.nextChunk(); err != nil {
			return 0, io.ErrUnexpectedEOF // never io.EOF, which would commit
		}
	}
	n, err := d.in.Read(p[:min(int64(len(p)), d.chunk)])
	d.chunk -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// beginChunk reads "BDAT size [LAST]". A size that cannot be read ends the
// dialogue: where the next command begins is not known any more.
func (d *dialogue) beginChunk(line string) error {
	args := strings.Fields(line)[1:]
	if len(args) < 1 || len(args) > 2 {
		return d.end(replyChunkSize)
	}
	last := len(args) == 2
	if last && !strings.EqualFold(args[1], "LAST") {
		return d.end(replyChunkSize)
	}
	size, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil {
		return d.end(replyChunkSize)
	}
	d.chunk, d.last = int64(size), last
	d.link.enter(transferring)
	return nil
}

// nextChunk waits for the next BDAT. A command that ends the mail is kept for
// go-smtp, which is not to answer the mail itself any more.
func (d *dialogue) nextChunk() error {
	for {
		line, err := d.line()
		if err != nil {
			return err
		}
		switch verb(line) {
		case "BDAT":
			return d.beginChunk(line)
		case "RSET", "EHLO", "HELO", "LHLO", "QUIT":
			d.kept, d.mute = line, true
			return errReset
		}
		d.commands++
		d.say(replyChunking) // RFC 3030 §2
	}
}

// skipChunk throws away the chunk of a BDAT that was refused. The link bounds
// how much that may be.
func (d *dialogue) skipChunk() error {
	_, err := io.CopyN(io.Discard, d.in, d.chunk)
	d.chunk = 0
	return err
}
