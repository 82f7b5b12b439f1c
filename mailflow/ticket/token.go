package ticket

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
)

// Purpose says what a token stands for; each has its own address or id.
type Purpose byte

// The purposes. The payload of a reply token names a ticket and a party of
// it, that of every other one an outbox row.
const (
	ForReply Purpose = iota + 1
	ForMessage
	ForBounce
	ForConfirm
	ForApprove
	ForRefuse
)

// TokenLength is the length of a token in characters, all of a-z2-7.
const TokenLength = 32

const (
	payloadBytes = 7
	macBytes     = 12
)

// ErrToken is returned for whatever is no token of ours.
var ErrToken = errors.New("not a token of ours")

var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Key signs tokens. ID is 0 to 15; a key verifies until it is revoked, that
// is, taken out of the ring.
type Key struct {
	ID     byte
	Secret []byte
}

// Keyring holds the keys; the last one signs.
type Keyring []Key

// Token is what a verified token says.
type Token struct {
	Purpose Purpose
	Payload uint64 // 56 bits
}

// Ticket and Party are a reply token's payload.
func (t Token) Ticket() int64 { return int64(t.Payload >> 16) }

// Party is the ordinal of the party on its ticket.
func (t Token) Party() int { return int(t.Payload & 0xffff) }

// Row is the outbox row that every token but a reply token names.
func (t Token) Row() int64 { return int64(t.Payload) }

// Reply makes the token of a party's reply address. Ticket ids are below
// 2^40 and ordinals below 2^16; beyond them it is "", for what does not fit
// would be somebody else's token.
func (k Keyring) Reply(ticket int64, party int) string {
	if ticket < 0 || ticket >= 1<<40 || party < 0 || party >= 1<<16 {
		return ""
	}
	return k.sign(ForReply, uint64(ticket)<<16|uint64(party))
}

// Outbox makes the token of an outbox row. Row ids are below 2^56.
func (k Keyring) Outbox(p Purpose, row int64) string { return k.sign(p, uint64(row)) }

func (k Keyring) sign(p Purpose, payload uint64) string {
	key := k[len(k)-1]
	b := make([]byte, 0, 1+payloadBytes+sha256.Size)
	b = append(b, key.ID<<4|byte(p))
	for i := payloadBytes - 1; i >= 0; i-- {
		b = append(b, byte(payload>>(8*i)))
	}
	return tokenEncoding.EncodeToString(key.mac(b))
}

// mac appends the cut HMAC over head to head.
func (k Key) mac(head []byte) []byte {
	h := hmac.New(sha256.New, k.Secret)
	h.Write(head)
	return h.Sum(head)[:1+payloadBytes+macBytes]
}

// Verify reads a token. Letter case is folded, since mail systems change it.
// Exactly one spelling of each token verifies: 160 bits fill 32 characters, so
// there are no spare bits.
func (k Keyring) Verify(s string) (Token, error) {
	if len(s) != TokenLength {
		return Token{}, ErrToken
	}
	b, err := tokenEncoding.DecodeString(strings.ToLower(s))
	if err != nil || len(b) != 1+payloadBytes+macBytes {
		return Token{}, ErrToken
	}
	for _, key := range k {
		if key.ID != b[0]>>4 {
			continue
		}
		head := append([]byte(nil), b[:1+payloadBytes]...)
		if !hmac.Equal(key.mac(head), b) {
			continue // two keys may share an id
		}
		t := Token{Purpose: Purpose(b[0] & 0xf)}
		for _, o := range b[1 : 1+payloadBytes] {
			t.Payload = t.Payload<<8 | uint64(o)
		}
		return t, nil
	}
	return Token{}, ErrToken
}

// Fingerprint tells keys apart without revealing them.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("guichet key "), k.Secret...))
	return tokenEncoding.EncodeToString(sum[:10])
}
