//! What distinguishes the terms of two versions, as an avenant words it.

use nonrecours_kernel::{Money, catalogue, long_french_date, money_in_words};

use crate::convention::{
    targets::Target,
    terms::{InstalmentKind, Terms},
};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Field of the convention, or one entry of it.
    pub field: String,
    /// The value before, as people read it; empty when there was none.
    pub before: String,
    /// The value after; empty when there is none any more.
    pub after: String,
    /// What changes, in French.
    pub label: &'static str,
    /// The change as a sentence.
    pub sentence: String,
}

/// Every difference between two sets of terms, in the order of the articles; none when they are the same. Who signs is no
/// term: the signatures of each version say it.
pub fn between(before: &Terms, after: &Terms) -> Vec<Difference> {
    let mut found = Vec::new();
    simple(before, after, &mut found);
    publics(before, after, &mut found);
    objectives(before, after, &mut found);
    money(before, after, &mut found);
    commitments(before, after, &mut found);
    targets(before, after, &mut found);
    if before.indicative_end != after.indicative_end {
        let (before, after) = (
            long_french_date(before.indicative_end),
            long_french_date(after.indicative_end),
        );
        found.push(Difference {
            field: "indicative_end_date".to_owned(),
            label: "Fin indicative des actions",
            sentence: format!("La fin indicative des actions passe du {before} au {after}."),
            before,
            after,
        });
    }
    found
}

fn simple(before: &Terms, after: &Terms, found: &mut Vec<Difference>) {
    if before.framework_convention != after.framework_convention {
        found.push(Difference {
            field: "framework_convention".to_owned(),
            before: before.framework_convention.to_string(),
            after: after.framework_convention.to_string(),
            label: "Convention-cadre",
            sentence: "La convention est rattachée à une autre convention-cadre.".to_owned(),
        });
    }
    if before.title != after.title {
        found.push(Difference {
            field: "title".to_owned(),
            before: before.title.clone(),
            after: after.title.clone(),
            label: "Intitulé",
            sentence: format!(
                "L'intitulé « {} » devient « {} ».",
                before.title, after.title
            ),
        });
    }
    if before.budget_year != after.budget_year {
        found.push(moved(
            "budget_year",
            "Exercice budgétaire",
            "L'exercice budgétaire",
            before.budget_year.to_string(),
            after.budget_year.to_string(),
        ));
    }
    if before.originals != after.originals {
        found.push(moved(
            "originals",
            "Exemplaires originaux",
            "Le nombre d'exemplaires originaux",
            before.originals.get().to_string(),
            after.originals.get().to_string(),
        ));
    }
}

fn money(before: &Terms, after: &Terms, found: &mut Vec<Difference>) {
    if before.grant != after.grant {
        found.push(moved(
            "grant_amount",
            "Montant de la subvention",
            "Le montant de la subvention",
            amount(before.grant),
            amount(after.grant),
        ));
    }
    // The same shares of another grant are other amounts.
    if before.instalments != after.instalments || before.grant != after.grant {
        let (paid_before, paid_after) = (payments(before), payments(after));
        found.push(Difference {
            field: "instalment_terms".to_owned(),
            label: "Modalités de paiement",
            sentence: format!(
                "Les échéances deviennent : {paid_after} (auparavant : {paid_before})."
            ),
            before: paid_before,
            after: paid_after,
        });
    }
    if before.advance_without_call != after.advance_without_call {
        let (without, with) = (
            "sans appel de fonds".to_owned(),
            "après un appel de fonds écrit".to_owned(),
        );
        let (before, after, sentence) = if after.advance_without_call {
            (
                with,
                without,
                "L'acompte est désormais versé sans appel de fonds.",
            )
        } else {
            (
                without,
                with,
                "L'acompte n'est désormais versé qu'après un appel de fonds écrit.",
            )
        };
        found.push(Difference {
            field: "advance_without_call".to_owned(),
            before,
            after,
            label: "Versement de l'acompte",
            sentence: sentence.to_owned(),
        });
    }
}

fn publics(before: &Terms, after: &Terms, found: &mut Vec<Difference>) {
    let label = |code: &str| {
        catalogue::public(code).map_or_else(|| code.to_owned(), |public| public.label_fr.to_owned())
    };
    let (held, kept) = (&before.target_publics, &after.target_publics);
    let listed = found.len();
    for code in kept.iter().filter(|code| !held.contains(code)) {
        let name = label(code);
        found.push(Difference {
            field: format!("target_publics[{code}]"),
            before: String::new(),
            label: "Public cible",
            sentence: format!("Le public « {name} » s'ajoute aux publics cibles."),
            after: name,
        });
    }
    for code in held.iter().filter(|code| !kept.contains(code)) {
        let name = label(code);
        found.push(Difference {
            field: format!("target_publics[{code}]"),
            label: "Public cible",
            sentence: format!("Le public « {name} » ne fait plus partie des publics cibles."),
            before: name,
            after: String::new(),
        });
    }
    if listed == found.len() && held != kept {
        let names = |codes: &[String]| {
            let names: Vec<_> = codes.iter().map(|code| label(code)).collect();
            names.join(", ")
        };
        found.push(arranged(
            "target_publics",
            "Publics cibles",
            "Les publics cibles sont désormais, dans cet ordre",
            names(held),
            names(kept),
        ));
    }
}

fn objectives(before: &Terms, after: &Terms, found: &mut Vec<Difference>) {
    let (held, kept) = (&before.objectives, &after.objectives);
    let listed = found.len();
    for objective in kept.iter().filter(|objective| !held.contains(objective)) {
        found.push(Difference {
            field: "objectives".to_owned(),
            before: String::new(),
            after: objective.clone(),
            label: "Objectif",
            sentence: format!("Un objectif s'ajoute : « {objective} »"),
        });
    }
    for objective in held.iter().filter(|objective| !kept.contains(objective)) {
        found.push(Difference {
            field: "objectives".to_owned(),
            before: objective.clone(),
            after: String::new(),
            label: "Objectif",
            sentence: format!("Un objectif est retiré : « {objective} »"),
        });
    }
    if listed == found.len() && held != kept {
        found.push(arranged(
            "objectives",
            "Objectifs",
            "Les objectifs sont désormais, dans cet ordre",
            held.join(" ; "),
            kept.join(" ; "),
        ));
    }
}

fn commitments(before: &Terms, after: &Terms, found: &mut Vec<Difference>) {
    let (held, kept) = (&before.commitments, &after.commitments);
    let listed = found.len();
    for commitment in kept {
        let (code, text) = (&commitment.code, &commitment.text);
        let earlier = held.iter().find(|earlier| earlier.code == *code);
        let sentence = match earlier {
            Some(earlier) if earlier.text == *text => continue,
            Some(earlier) => format!(
                "L'engagement {code}, « {} », devient « {text} »",
                earlier.text
            ),
            None => format!("Un engagement s'ajoute ({code}) : « {text} »"),
        };
        found.push(Difference {
            field: format!("commitments[{code}]"),
            before: earlier
                .map(|earlier| earlier.text.clone())
                .unwrap_or_default(),
            after: text.clone(),
            label: "Engagement de l'opérateur",
            sentence,
        });
    }
    for commitment in held {
        let (code, text) = (&commitment.code, &commitment.text);
        if kept.iter().all(|later| later.code != *code) {
            found.push(Difference {
                field: format!("commitments[{code}]"),
                before: text.clone(),
                after: String::new(),
                label: "Engagement de l'opérateur",
                sentence: format!("L'engagement {code} est levé : « {text} »"),
            });
        }
    }
    if listed == found.len() && held != kept {
        let codes = |terms: &Terms| {
            let codes: Vec<_> = terms
                .commitments
                .iter()
                .map(|it| it.code.as_str())
                .collect();
            codes.join(", ")
        };
        found.push(arranged(
            "commitments",
            "Engagements de l'opérateur",
            "Les engagements sont désormais, dans cet ordre",
            codes(before),
            codes(after),
        ));
    }
}

fn targets(before: &Terms, after: &Terms, found: &mut Vec<Difference>) {
    for (held, kept) in before.targets.each().iter().zip(&after.targets.each()) {
        let said = |target: &Target| match target.number {
            0 => String::new(),
            _ => target.in_words(),
        };
        let (old, new) = (said(held), said(kept));
        let sentence = match (held.number, kept.number) {
            (held, kept) if held == kept => continue,
            (0, _) => format!("Un objectif chiffré s'ajoute : {new}."),
            (_, 0) => format!("L'objectif chiffré de {old} est retiré."),
            _ => format!("L'objectif chiffré passe de {old} à {new}."),
        };
        found.push(Difference {
            field: format!("targets.{}", kept.field),
            before: old,
            after: new,
            label: kept.label,
            sentence,
        });
    }
}

fn moved(
    field: &str,
    label: &'static str,
    subject: &str,
    before: String,
    after: String,
) -> Difference {
    Difference {
        field: field.to_owned(),
        label,
        sentence: format!("{subject} passe de {before} à {after}."),
        before,
        after,
    }
}

fn arranged(
    field: &str,
    label: &'static str,
    subject: &str,
    before: String,
    after: String,
) -> Difference {
    Difference {
        field: field.to_owned(),
        label,
        sentence: format!("{subject} : {after}."),
        before,
        after,
    }
}

/// An amount in figures and in letters, as the convention writes it.
fn amount(amount: Money) -> String {
    format!("{} ({})", amount.french(), money_in_words(&amount))
}

/// The instalments with their amounts: `acompte de 80 % (9 200,00 €), solde de 20 % (2 300,00 €)`.
fn payments(terms: &Terms) -> String {
    let shares = terms.instalments.terms().iter();
    let written: Vec<_> = shares
        .zip(terms.instalments.amounts(terms.grant))
        .map(|((kind, share), amount)| {
            let part = format!("de {} ({})", share.french(), amount.french());
            match kind {
                InstalmentKind::Advance => format!("acompte {part}"),
                InstalmentKind::Balance => format!("solde {part}"),
                InstalmentKind::Interim { condition, due } => {
                    let by = due.map(|due| format!(", attendu le {}", long_french_date(due)));
                    format!(
                        "acompte intermédiaire {part}{}, à la condition : « {condition} »",
                        by.unwrap_or_default()
                    )
                }
            }
        })
        .collect();
    written.join(", ")
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
