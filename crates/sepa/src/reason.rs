//! What the codes say by which banks refuse or return a transfer (external code set of ISO 20022, ExternalStatusReason1Code and
//! ExternalReturnReason1Code, those of the SEPA rulebook).

/// The codes, and what each means to who pays.
const MEANINGS: &[(&str, &str)] = &[
    ("AC01", "Numéro de compte incorrect"),
    ("AC03", "Numéro de compte du bénéficiaire incorrect"),
    ("AC04", "Compte clôturé"),
    ("AC06", "Compte bloqué"),
    ("AC13", "Type de compte du bénéficiaire incorrect"),
    ("AC14", "Type de compte du bénéficiaire non admis"),
    ("AG01", "Virement interdit sur ce compte"),
    ("AG02", "Code d'opération incorrect"),
    ("AG03", "Type d'opération non admis"),
    ("AM02", "Montant non admis"),
    ("AM03", "Devise non admise"),
    ("AM04", "Provision insuffisante"),
    ("AM05", "Virement en double"),
    ("AM07", "Fonds bloqués"),
    ("AM09", "Montant reçu différent du montant attendu"),
    ("AM10", "Total de contrôle incorrect"),
    ("AM23", "Montant supérieur au plafond"),
    ("ARDT", "Virement déjà retourné"),
    ("BE01", "Nom et compte du bénéficiaire ne concordent pas"),
    ("BE04", "Adresse du bénéficiaire manquante ou incorrecte"),
    ("BE05", "Donneur d'ordre inconnu"),
    ("BE06", "Bénéficiaire inconnu à cette banque"),
    ("BE07", "Adresse du donneur d'ordre manquante ou incorrecte"),
    ("CH03", "Date d'exécution trop lointaine"),
    (
        "CNOR",
        "Banque du bénéficiaire non joignable par virement SEPA",
    ),
    ("CURR", "Devise incorrecte"),
    ("CUST", "Rappel demandé par le donneur d'ordre"),
    ("CUTA", "Rappel demandé par le donneur d'ordre"),
    (
        "DNOR",
        "Banque du donneur d'ordre non joignable par virement SEPA",
    ),
    ("DS02", "Ordre annulé"),
    ("DT01", "Date incorrecte"),
    ("DU01", "Identifiant de fichier déjà utilisé"),
    ("DUPL", "Virement en double"),
    ("ED05", "Règlement impossible"),
    ("ERIN", "Opération non admise par la banque du bénéficiaire"),
    ("FF01", "Format de fichier incorrect"),
    ("FOCR", "Retour à la suite d'un rappel"),
    ("FRAD", "Virement signalé comme frauduleux"),
    ("LEGL", "Décision légale ou réglementaire"),
    ("MD07", "Titulaire du compte décédé"),
    ("MS02", "Refusé par le bénéficiaire, sans motif"),
    ("MS03", "Refusé par la banque, sans motif"),
    ("NARR", "Motif en toutes lettres"),
    ("NOAS", "Pas de réponse du bénéficiaire"),
    ("NOOR", "Virement d'origine non reçu"),
    ("RC01", "Code BIC incorrect"),
    ("RC07", "Code BIC du bénéficiaire incorrect"),
    ("RF01", "Référence déjà utilisée"),
    ("RR01", "Compte du donneur d'ordre manquant (règle légale)"),
    (
        "RR02",
        "Nom ou adresse du donneur d'ordre manquants (règle légale)",
    ),
    (
        "RR03",
        "Nom ou adresse du bénéficiaire manquants (règle légale)",
    ),
    ("RR04", "Motif réglementaire"),
    ("SVNR", "Service non rendu"),
    ("TECH", "Incident technique"),
    ("TM01", "Reçu après l'heure limite"),
];

/// What a code means, in French; nothing for one that is not in the SEPA rulebook.
pub fn meaning(code: &str) -> Option<&'static str> {
    let found = MEANINGS.iter().find(|(known, _)| *known == code);
    found.map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_means_something() {
        for (index, (code, text)) in MEANINGS.iter().enumerate() {
            assert!(code.len() == 4 && !text.is_empty());
            assert!(
                MEANINGS
                    .iter()
                    .skip(index + 1)
                    .all(|(other, _)| other != code),
                "{code}"
            );
        }
        assert_eq!(meaning("AC04"), Some("Compte clôturé"));
        assert_eq!(meaning("XX99"), None);
    }
}
