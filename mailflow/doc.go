// Package mailflow is the way of one mail through the gateway. The stages, in
// this order, are
//
//	receive   bytes and envelope are committed, then 250 is said
//	read      the bytes become a mail (package rfc822 does it)
//	classify  did a person write it, and may it be answered automatically
//	thread    which ticket, by which proof, or a new one
//	people    who wrote, in which role, and how far the sender is proven
//	decide    the one transaction in which the rules of package ticket are
//	          applied: open (a new ticket), words (what a party's text plainly
//	          says), join (a form desk's further mails), approve and said (a
//	          solution confirmed or refused), keep (a mail as a message), command,
//	          plan, carry and agent (what an agent asks for, as steps that are
//	          carried out), phone (a ticket opened for somebody),
//	          confirm (an agent who was not proven), bounce and complaint (reports on
//	          our mails), linked (a new ticket that follows a closed one)
//	apply     the rules, for one event on one stored ticket
//	notify    what they decided becomes outbox rows, with args to compose them by;
//	          batch: many to one agent become one; lend: they are leased as they
//	          are added
//	compose   a row becomes a finished mail, searched for what must not leave
//	outcome   what became of a mail, and what follows from it
//	deadline  what is due without any mail
//
// process runs read to decide, each delivery once; byhand is what an operator
// does; form is how a form behind a mailed link enters: what is asked, what is
// taken, and the one decision. number is what other systems call a matter.
// replay asks the stages without a gateway; import brings old mail in, past
// them: it is history, and nothing follows from it.
package mailflow
