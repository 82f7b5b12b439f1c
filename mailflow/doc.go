// Package mailflow is the way of one mail through the gateway. Each stage is
// one file, in this order:
//
//	receive   bytes and envelope are committed, then 250 is said
//	classify  did a person write it, and may it be answered automatically
//	thread    which ticket, by which proof, or a new one
//	people    who wrote, in which role, and how far the sender is proven
//	command   what an agent's first lines ask for
//	notify    what the rules decided becomes outbox rows
//	compose   an outbox row becomes a finished mail
//	deadline  what is due without any mail
//
// Reading the bytes is package rfc822's, the rules are package ticket's.
package mailflow
