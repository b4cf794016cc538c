//! Differences are complete, and readable.

use nonrecours_kernel::Rate;
use proptest::{
    option::of,
    prelude::*,
    sample::{select, subsequence},
};
use time::{Date, macros::date};

use super::*;
use crate::{
    amendment::domain::Content,
    convention::{
        fixtures::draft,
        terms::{Commitment, Instalments},
    },
};

fn split(first: &str, last: &str) -> Instalments {
    let share = |share| Rate::parse(share).unwrap();
    Instalments::new(vec![
        (InstalmentKind::Advance, share(first)),
        (InstalmentKind::Balance, share(last)),
    ])
    .unwrap()
}

fn commitment((code, text): (String, String)) -> Commitment {
    Commitment { code, text }
}

/// Few values for each field, so that they are often the same.
fn contents() -> impl Strategy<Value = Content> {
    let worded = prop::collection::btree_map("[AB]", "[cd]", 1..3)
        .prop_map(|all| all.into_iter().map(commitment).collect::<Vec<_>>());
    let publics = vec!["HABITANT".to_owned(), "SENIOR".to_owned()];
    let ends = vec![date!(2025 - 12 - 31), date!(2026 - 06 - 30)];
    let splits = vec![split("0.8", "0.2"), split("0.5", "0.5")];
    (
        of("[ab]"),
        of(1..4_i64),
        of(select(splits)),
        of(any::<bool>()),
        of(subsequence(publics, 1..3).prop_shuffle()),
        of(prop::collection::vec("[ab]", 1..4)),
        of(worded.prop_shuffle()),
        of(select(ends)),
    )
        .prop_map(
            |(
                title,
                grant,
                instalments,
                advance_without_call,
                publics,
                objectives,
                commitments,
                end,
            )| Content {
                title,
                grant: grant.map(|part| Money::from_cents(part * 100_000)),
                instalments,
                advance_without_call,
                target_publics: publics,
                objectives,
                commitments,
                indicative_end: end,
                ..Content::default()
            },
        )
}

/// Fields that a content gives.
fn given(content: &Content) -> Vec<&'static str> {
    let fields = [
        ("title", content.title.is_some()),
        ("grant_amount", content.grant.is_some()),
        // Of another grant the amounts are others.
        (
            "instalment_terms",
            content.instalments.is_some() || content.grant.is_some(),
        ),
        (
            "advance_without_call",
            content.advance_without_call.is_some(),
        ),
        ("target_publics", content.target_publics.is_some()),
        ("objectives", content.objectives.is_some()),
        ("commitments", content.commitments.is_some()),
        ("indicative_end_date", content.indicative_end.is_some()),
    ];
    let given = fields.into_iter().filter(|(_, given)| *given);
    given.map(|(field, _)| field).collect()
}

proptest! {
    /// Nothing is told of equal terms, and something of others; what is told is what an amendment gives; applied again it
    /// changes nothing; there and back, each line is turned around.
    #[test]
    fn there_is_no_difference_between_equal_terms_only(one in contents(), other in contents()) {
        let before = one.over(&draft().terms);
        let after = other.over(&before);
        let found = between(&before, &after);
        prop_assert_eq!(found.is_empty(), before == after);
        prop_assert_eq!(between(&after, &other.over(&after)), []);
        let fields = given(&other);
        for difference in &found {
            let field = difference.field.split('[').next().unwrap_or_default();
            prop_assert!(fields.contains(&field), "{difference:?}");
            prop_assert!(difference.before != difference.after);
            prop_assert!(!difference.sentence.is_empty() && !difference.label.is_empty());
        }
        let turned = |differences: Vec<Difference>| {
            let mut pairs: Vec<_> = differences.into_iter().map(|it| (it.field, it.before, it.after)).collect();
            pairs.sort();
            pairs
        };
        let back = between(&after, &before).into_iter().map(|it| Difference {
            before: it.after.clone(),
            after: it.before.clone(),
            ..it
        });
        prop_assert_eq!(turned(back.collect()), turned(found));
    }
}

#[test]
fn an_amendment_reads_as_an_avenant() {
    let before = draft().terms;
    let end: Date = date!(2026 - 06 - 30);
    let content = Content {
        grant: Some(Money::from_cents(1_300_000)),
        target_publics: Some(vec!["HABITANT".into(), "SENIOR".into()]),
        commitments: Some(vec![commitment((
            "BILAN".into(),
            "Remettre un bilan d'étape.".into(),
        ))]),
        advance_without_call: Some(true),
        indicative_end: Some(end),
        ..Content::default()
    };
    let sentences: Vec<_> = between(&before, &content.over(&before))
        .into_iter()
        .map(|difference| difference.sentence.replace(['\u{a0}', '\u{202f}'], " "))
        .collect();
    assert_eq!(
        sentences,
        [
            "Le public « Séniors » s'ajoute aux publics cibles.",
            "Le montant de la subvention passe de 11 500,00 € (onze mille cinq cents euros) à 13 000,00 € (treize mille \
             euros).",
            "Les échéances deviennent : acompte de 80 % (10 400,00 €), solde de 20 % (2 600,00 €) (auparavant : acompte \
             de 80 % (9 200,00 €), solde de 20 % (2 300,00 €)).",
            "L'acompte est désormais versé sans appel de fonds.",
            "Un engagement s'ajoute (BILAN) : « Remettre un bilan d'étape. »",
            "L'engagement MISSIONS est levé : « Remplir les missions. »",
            "La fin indicative des actions passe du 31 décembre 2025 au 30 juin 2026.",
        ]
    );
}
