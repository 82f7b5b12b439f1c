package templates

import "testing"

func TestSay(t *testing.T) {
	check := func(reason, want string) {
		t.Helper()
		if got := Say("fr", reason); got != frenchSpaces(want) {
			t.Errorf("Say(fr, %q) = %q, want %q", reason, got, want)
		}
		if got := Say("en", reason); got != reason {
			t.Errorf("Say(en, %q) = %q", reason, got)
		}
	}
	check("it shows words of a note", "il montre des mots d’une note interne")
	check("unproven, found by the number in the subject", "non vérifié, trouvé par le numéro dans l’objet")
	check("forged: our own domain without proof", "falsifié : notre propre domaine, sans preuve")
	check(`no agent "nobody" works on this desk`, `aucun agent "nobody" ne travaille à ce guichet`)
	check("550 5.1.1 No such user: nobody", "550 5.1.1 No such user: nobody")
	check("550 no", "550 no")
	// A gap takes as little as it can, and is never empty.
	check("more than 3 new tickets of one subject in 1 in 2", "plus de 3 nouveaux tickets du même objet en 1 in 2")
	check("a ticket that is new cannot be cannot be x", "impossible dans l’état du ticket (new, cannot be x)")
	check("a ticket that is  cannot be x", "a ticket that is  cannot be x")
	check("no agent  works on this desk", "no agent  works on this desk")
	check("no agent \n works on this desk", "aucun agent \n ne travaille à ce guichet")
	check("it cannot be composed: ", "it cannot be composed: ")
	check("a relay's word: unknown command; #help lists them", "a relay's word: unknown command; #help lists them")
}
