//! Originals, the amount in letters, and instalments of any split.

use nonrecours_contracts::conventions::{InstalmentKind, InstalmentTerm, UpdateConventionRequest};
use nonrecours_testkit::request_id;
use prost_types::FieldMask;

use crate::{
    requests::{NIR, convention, date, euros, pairs, term, violations},
    world::World,
};

fn interim(share: &str, condition: &str, month: i32) -> InstalmentTerm {
    InstalmentTerm {
        condition: condition.to_owned(),
        due_date: Some(date(2025, month, 30)),
        ..term(InstalmentKind::Interim, share)
    }
}

#[tokio::test]
async fn a_grant_is_paid_in_any_split() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let mut officer = world.conventions(world.tokens.officer());
    let mut request = convention(&setting.parent(), &setting.framework);
    let given = request.convention.as_mut().unwrap();
    given.grant_amount = Some(euros(1_000_001));
    given.originals = 4;
    given.instalment_terms = vec![
        term(InstalmentKind::Advance, "0.333333"),
        interim("0.25", "Six permanences tenues.", 6),
        interim("0.25", "Compte rendu à mi-parcours.", 9),
        term(InstalmentKind::Balance, "0.166667"),
    ];
    let drafted = officer
        .create_convention(request)
        .await
        .unwrap()
        .into_inner();
    let shown: Vec<_> = drafted
        .instalment_terms
        .iter()
        .map(|term| (term.kind(), term.amount.clone().unwrap(), term.due_date))
        .collect();
    assert_eq!(
        shown,
        [
            (InstalmentKind::Advance, euros(333_333), None),
            (
                InstalmentKind::Interim,
                euros(250_000),
                Some(date(2025, 6, 30))
            ),
            (
                InstalmentKind::Interim,
                euros(250_000),
                Some(date(2025, 9, 30))
            ),
            (InstalmentKind::Balance, euros(166_668), None),
        ]
    );
    assert_eq!(
        drafted.instalment_terms[1].condition,
        "Six permanences tenues."
    );
    assert_eq!(drafted.originals, 4);
    assert_eq!(
        drafted.grant_amount_in_words,
        "dix mille euros et un centime"
    );
    assert_eq!(world.convention(&drafted.name).await, drafted);

    let mut changed = drafted.clone();
    changed.originals = 0;
    let updated = officer
        .update_convention(UpdateConventionRequest {
            convention: Some(changed),
            update_mask: Some(FieldMask {
                paths: vec!["originals".to_owned()],
            }),
            request_id: request_id(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(updated.originals, 3);
    assert_eq!(updated.instalment_terms, drafted.instalment_terms);
}

#[tokio::test]
async fn what_is_wrong_with_a_split_is_said() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let mut officer = world.conventions(world.tokens.officer());
    let mut refused = async |terms: Vec<InstalmentTerm>, originals| {
        let mut request = convention(&setting.parent(), &setting.framework);
        let given = request.convention.as_mut().unwrap();
        given.instalment_terms = terms;
        given.originals = originals;
        violations(officer.create_convention(request).await)
    };
    let balance = |share| term(InstalmentKind::Balance, share);
    let misplaced = InstalmentTerm {
        kind: InstalmentKind::Advance.into(),
        ..interim("0.5", "x", 2)
    };
    let nameless = InstalmentTerm {
        due_date: Some(date(2025, 2, 30)),
        ..interim("0.2", "", 2)
    };
    let screened = interim("0.1", NIR, 4);
    assert_eq!(
        refused(vec![misplaced, nameless, screened, balance("0.2")], 1).await,
        pairs(&[
            ("convention.instalment_terms[0].condition", "INTERIM_ONLY"),
            ("convention.instalment_terms[0].due_date", "INTERIM_ONLY"),
            ("convention.instalment_terms[1].condition", "REQUIRED"),
            ("convention.instalment_terms[1].due_date", "DATE_INVALID"),
            ("convention.instalment_terms[2].condition", "NIR_FORBIDDEN"),
            ("convention.originals", "ORIGINALS_RANGE"),
        ])
    );
    let advance = || term(InstalmentKind::Advance, "0.4");
    for (terms, expected) in [
        (
            vec![advance(), advance(), balance("0.2")],
            "ADVANCE_NOT_FIRST",
        ),
        (
            vec![
                interim("0.5", "a", 9),
                interim("0.3", "b", 6),
                balance("0.2"),
            ],
            "DUE_DATES_OUT_OF_ORDER",
        ),
        (
            vec![
                InstalmentTerm {
                    due_date: Some(date(2024, 12, 31)),
                    ..interim("0.5", "a", 1)
                },
                balance("0.5"),
            ],
            "DUE_BEFORE_BUDGET_YEAR",
        ),
    ] {
        assert_eq!(
            refused(terms, 2).await,
            pairs(&[("convention.instalment_terms", expected)])
        );
    }
}
