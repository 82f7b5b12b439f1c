package mailflow

var frenchPhrases = phraseList{
	solved: []string{
		"{c'est|cest|tout est|voilà c'est|ça y est c'est|ça y est tout est} {|bien |maintenant |enfin |désormais |bel et bien |parfaitement |tout à fait |à présent }{réglé|résolu|réparé|rétabli|rentré dans l'ordre}",
		"{le problème|mon problème|notre problème|l'incident|le souci|la panne|le défaut|le dysfonctionnement|le ticket|l'affaire|la situation|ma demande|notre demande|la demande} est {|bien |maintenant |enfin |désormais |effectivement |donc |à présent }{réglé|réglée|résolu|résolue|rétabli|rétablie|réparé|réparée|rentré dans l'ordre}",
		"{le problème|mon problème|notre problème|l'incident|le souci|la panne} {|a été |a bien été |a disparu|n'est plus là|a bien disparu}{|réglé|réglée|résolu|résolue|réparée}",
		"{problème|incident|souci|panne} {résolu|réglé|résolue|réglée}", "résolu", "réglé", "réparé", "bien résolu", "bien réglé",
		"{il n'y a plus|nous n'avons plus|je n'ai plus|on n'a plus} {de|aucun} {problème|souci}",
		"{tout est|c'est|les choses sont} {rentré|rentrées|revenu|revenues} {dans l'ordre|à la normale}", "tout est redevenu normal",
		"tout est de retour à la normale", "tout est revenu à la normale", "le service est rétabli", "{la connexion|la ligne|la liaison} est rétablie",
		"{|vous pouvez |tu peux |on peut |nous pouvons |merci de |veuillez |vous pouvez donc |je vous laisse |vous pouvez maintenant }{clôturer|fermer|clore|cloturer} {le ticket|ce ticket|l'incident|la demande|ma demande|notre demande|le dossier|mon ticket|cette demande}",
		"{le ticket|l'incident|la demande|le dossier} peut être {clos|close|clôturé|clôturée|fermé|fermée}",
	},
	works: []string{
		"{c'est|cest|tout est|pour moi c'est|c'est tout} {|bien |maintenant }{bon|ok|nickel|parfait|impeccable|en ordre}",
		"{tout|ça|cela|le routeur|la ligne|le service|la connexion|internet|le téléphone|l'accès|la liaison|c'est reparti tout} {|re}{fonctionne|marche} {|bien|très bien|parfaitement|correctement|normalement|à nouveau|de nouveau|comme avant|impeccablement|comme il faut}",
		"{ça|cela|tout} est opérationnel", "tout est {opérationnel|fonctionnel}", "c'est {opérationnel|fonctionnel|reparti}", "opérationnel",
		"fonctionne", "marche", "ça remarche", "ça refonctionne", "tout va bien", "tout roule",
		"{je|nous} {confirme|confirmons|valide|validons|approuve|approuvons} {|bien }{la clôture|la résolution|la solution|le bon fonctionnement|la fermeture|la clôture du ticket|la résolution du ticket|la résolution de l'incident|la résolution du problème|que c'est réglé|que c'est résolu|que tout fonctionne|que ça fonctionne|que cela fonctionne|que tout est réglé|que tout est résolu|que le problème est résolu|que le problème est réglé|que tout est rentré dans l'ordre|que tout marche|que ça marche|le retour à la normale|le rétablissement}",
		"{je|nous} vous {confirme|confirmons} {|bien }{la clôture|la clôture du ticket|la résolution|la résolution du problème|la solution|le bon fonctionnement|que c'est réglé|que c'est résolu|que tout fonctionne|que ça fonctionne|que cela fonctionne|que tout est réglé|que tout est résolu|que le problème est résolu|que le problème est réglé|que tout est rentré dans l'ordre|le retour à la normale|le rétablissement du service}",
		"{vous pouvez|tu peux|on peut|vous pouvez donc} {clôturer|fermer|clore|cloturer}", "bon pour clôture", "ok pour {|la }clôture", "d'accord pour {|la }clôture", "approuvé", "validé", "solution {approuvée|validée}",
		"j'approuve", "j'approuve {la solution|la clôture}", "je valide", "nous validons",
	},
	needless: []string{
		"{je|nous} {|n'ai |n'avons }plus besoin {|d'aide|de votre aide|de rien}", "{je n'en ai|nous n'en avons|je n'ai|nous n'avons} plus besoin {|d'aide|de votre aide|de cette demande}",
		"{je retire|j'annule|nous retirons|nous annulons|merci d'annuler|vous pouvez annuler|veuillez annuler} {ma demande|notre demande|cette demande|la demande|le ticket|ce ticket}",
		"{ma|notre|cette|la} demande {est|n'a} {sans objet|plus d'objet|caduque}", "{oubliez|laissez tomber} {|ma demande|mon message|notre demande}",
		"ce n'est plus {nécessaire|utile|d'actualité}", "{la demande|ma demande} n'est plus {nécessaire|utile|d'actualité}",
	},
	not: []string{
		"{|ce |non ce }{n'est|n'est malheureusement|n'est hélas} {|toujours |encore |malheureusement |hélas |absolument }pas {|encore |du tout |totalement |complètement |vraiment |entièrement }{réglé|résolu|réparé|rétabli|bon}",
		"c'est {|toujours |encore }pas {|encore }{réglé|résolu|réparé|bon}", "{|toujours |encore }pas {|encore |du tout }{réglé|résolu|réparé}", "{non|jamais} {résolu|réglé|réparé}",
		"{le|mon|notre} {problème|souci} {persiste|perdure|demeure|continue|subsiste|revient|est revenu|est réapparu|n'a pas disparu}", "l'incident {persiste|perdure|continue}", "la panne {persiste|perdure|continue|est revenue}",
		"{le|mon|notre} {problème|souci} {n'est|n'est malheureusement|n'est toujours|n'est hélas} {|toujours |malheureusement }pas {|encore |du tout |totalement |complètement }{réglé|résolu}",
		"l'incident {n'est|n'est toujours} pas {|encore }{réglé|résolu|clos}", "{le|mon|notre} {problème|souci} est {toujours|encore} {là|présent|d'actualité}", "j'ai toujours le {|même }problème", "nous avons toujours le {|même }problème", "toujours le même {problème|souci}", "même problème", "toujours en panne", "c'est toujours en panne",
		"{|ça |cela |tout |le routeur |la ligne |le service |la connexion |internet |le téléphone }ne {fonctionne|marche} {|toujours |malheureusement |hélas }{pas|plus} {|du tout|mieux|correctement|encore}", "{|ça |cela }{marche|fonctionne} {toujours |encore |}{pas|plus}", "rien ne {fonctionne|marche} {|plus}", "rien n'a changé", "{aucun changement|aucune amélioration|pas d'amélioration|pas de changement}",
		"{ne clôturez pas|ne fermez pas|merci de ne pas clôturer|merci de ne pas fermer|veuillez ne pas clôturer} {|le ticket|ce ticket|l'incident}", "{ça|cela} {recommence|a recommencé}",
		"je ne confirme pas", "je refuse {|la solution|la clôture}", "je n'approuve pas {|la solution|la clôture}", "refusé",
	},
	yes:   []string{"oui", "oui oui", "tout à fait", "absolument", "exactement", "je confirme", "je vous le confirme", "je le confirme", "nous confirmons", "nous vous le confirmons", "affirmatif", "bien sûr", "oui je confirme", "oui bien sûr", "oui tout à fait", "oui absolument"},
	no:    []string{"non", "non non", "pas du tout", "absolument pas", "hélas non", "malheureusement non", "non pas du tout", "non hélas", "non malheureusement", "non toujours pas", "toujours pas", "pas encore", "non pas encore", "malheureusement pas", "malheureusement", "hélas", "négatif"},
	nod:   []string{"ok", "okay", "d'accord", "ok pour {moi|nous}", "c'est d'accord", "d'acc", "oki", "ça me va", "cela me convient", "ça nous va"},
	noted: []string{"bien reçu", "{c'est |}bien noté", "noté", "entendu", "c'est noté", "très bien", "reçu", "{je prends|nous prenons|j'en prends} note", "pris en compte"},
	polite: []string{
		"{|un grand |mille |encore |grand }{merci|mercis} {|bien|beaucoup|encore|infiniment|à vous|à tous|à toi|à vous tous|à toute l'équipe|à l'équipe|mille fois}",
		"{merci|merci beaucoup|merci encore|un grand merci|merci à vous|merci bien} {pour|de} {tout|votre aide|ton aide|votre réactivité|votre réponse|votre retour|votre intervention|votre travail|votre patience|votre rapidité|votre efficacité|l'aide|l'intervention|le retour|la réparation|votre soutien|votre support|votre réponse rapide|votre intervention rapide|l'information|ces informations|cette information}",
		"{je vous remercie|nous vous remercions|vous remerciant|je vous en remercie} {|beaucoup|infiniment|pour votre aide|de votre aide|pour votre réactivité|pour tout|pour votre intervention|pour votre réponse|de votre réponse|de votre intervention|de votre réactivité}",
		"{bonne|très bonne|excellente} {journée|soirée|fin de journée|après midi|semaine|continuation|fin de semaine}", "{bon|excellent} {week end|weekend|après midi|courage}", "{bonne journée|bonne soirée} {à vous|à vous aussi|à tous|également}",
		"à {bientôt|plus|demain|vous}", "{super|parfait|génial|excellent|impeccable|nickel|formidable|top|bravo|chapeau|youpi|cool}", "c'est {super|génial|top}", "beau travail", "bon travail", "excellent travail", "désolé {pour|de} {le retard|le dérangement|ma réponse tardive|cette réponse tardive|la réponse tardive}",
		"madame", "monsieur", "madame monsieur", "messieurs", "mesdames messieurs", "{à tous|à toutes et à tous|toute l'équipe|l'équipe|le support|cher support|chère équipe|chers tous}",
		"{envoyé|expédié} {de|depuis} mon {iphone|ipad|mobile|smartphone|téléphone|portable|android|samsung}", "{obtenir|télécharger} outlook pour {ios|android}",
	},
	filler: []string{"{|c'est |et }{pour moi|pour nous|de mon côté|de notre côté|chez moi|chez nous|de ma part}", "en effet", "effectivement", "enfin", "finalement", "donc", "et", "alors", "voilà", "ça y est", "bien", "svp", "s'il vous plaît", "désolé", "pardon"},
	time: []string{"maintenant", "à présent", "désormais", "à nouveau", "de nouveau", "depuis {ce matin|hier|hier soir|cet après midi|midi|aujourd'hui|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|votre intervention}",
		"ce matin", "aujourd'hui", "cette fois", "cette fois ci", "grâce à {vous|votre aide|votre intervention}"},
	greetings: []string{"bonjour", "bonsoir", "salut", "cher", "chère", "coucou", "bonjour à", "rebonjour", "re bonjour", "merci", "merci beaucoup", "merci encore"},
	closings: []string{"cordialement", "bien cordialement", "très cordialement", "bien à vous", "{|mes |meilleures |bonnes |sincères }salutations", "sincères salutations", "salutations distinguées", "amicalement", "cdlt", "cdt", "bàv", "respectueusement",
		"{je vous prie d'agréer|veuillez agréer|veuillez recevoir} {|madame|monsieur|madame monsieur} {mes|l'expression de mes} {salutations distinguées|salutations les meilleures|sincères salutations|meilleures salutations}"},
	doubts: `non ne n pas plus jamais rien aucun aucune ni mais sauf excepté hormis toutefois cependant pourtant néanmoins encore toujours si quand lorsque
		presque parfois partiellement seulement sinon sans peut-être bizarre reste restent demain vérifier attendez attends attendre attendons annulez
		recommence revient revenu problème souci panne erreur lent lente coupé coupée bloqué bloquée défaut cassé muet muette dysfonctionne ps
		malheureusement hélas difficile impossible manque autre deuxième second seconde`,
}
