//! Validators for integrators.

use nonrecours_contracts::conventions::{
    CheckIdentifiersRequest, Identifier, IdentifierCheck, IdentifierKind,
};
use tonic::Status;

use crate::{
    requests::{pairs, violations},
    world::World,
};

fn identifier(kind: IdentifierKind, value: &str) -> Identifier {
    Identifier {
        kind: kind.into(),
        value: value.to_owned(),
    }
}

async fn check(
    world: &World,
    token: String,
    identifiers: Vec<Identifier>,
) -> Result<Vec<IdentifierCheck>, Status> {
    let mut client = world.identifiers(token);
    let request = CheckIdentifiersRequest { identifiers };
    Ok(client.check_identifiers(request).await?.into_inner().checks)
}

#[tokio::test]
async fn each_value_is_judged_by_itself_in_its_order() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let given = vec![
        identifier(IdentifierKind::Siret, "216 202 630 00010"),
        identifier(IdentifierKind::Siret, "21620263000011"),
        identifier(IdentifierKind::Siren, "216202630"),
        identifier(IdentifierKind::Iban, "fr14 2004 1010 0505 0001 3m02 606"),
        identifier(IdentifierKind::Bic, "BDFEFRPP"),
        identifier(IdentifierKind::Act, "062-216202630-20250230-25D045-DE"),
        identifier(IdentifierKind::Rna, "w621000123"),
        identifier(IdentifierKind::Commune, "62217X"),
        identifier(IdentifierKind::Commune, ""),
    ];
    let checks = check(&world, world.tokens.agent(setting.operator), given.clone())
        .await
        .unwrap();
    let found: Vec<_> = checks
        .iter()
        .map(|check| {
            (
                check.valid,
                check.normalised.as_str(),
                check.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (true, "21620263000010", ""),
            (false, "", "SIRET_CHECKSUM"),
            (true, "216202630", ""),
            (true, "FR1420041010050500013M02606", ""),
            (true, "BDFEFRPP", ""),
            (false, "", "ACT_ID_DATE"),
            (true, "W621000123", ""),
            (false, "", "INSEE_FORMAT"),
            (false, "", "INSEE_FORMAT"),
        ]
    );
    for check in &checks {
        assert_eq!(check.message_fr.is_empty(), check.valid, "{check:?}");
        assert_eq!(check.message_en.is_empty(), check.valid, "{check:?}");
    }
    // Unusual is apart from wrong.
    let [warning] = checks[3].warnings.as_slice() else {
        panic!("{checks:?}");
    };
    assert_eq!(
        (warning.field.as_str(), warning.reason.as_str()),
        ("value", "IBAN_NOT_AT_TREASURY")
    );
    // Whoever asks is answered the same.
    for token in [world.tokens.accountant(), world.tokens.peer("payments")] {
        assert_eq!(check(&world, token, given.clone()).await.unwrap(), checks);
    }
}

#[tokio::test]
async fn a_request_says_what_each_value_is_meant_to_be_and_is_bounded() {
    let world = World::start().await;
    let officer = || world.tokens.officer();
    let unknown = vec![
        identifier(IdentifierKind::Siret, "216 202 630 00010"),
        identifier(IdentifierKind::Unspecified, "216 202 630 00010"),
        identifier(IdentifierKind::Siren, &"2".repeat(101)),
    ];
    assert_eq!(
        violations(check(&world, officer(), unknown).await),
        pairs(&[
            ("identifiers[1].kind", "REQUIRED"),
            ("identifiers[2].value", "TOO_LONG"),
        ])
    );
    let nothing = check(&world, officer(), Vec::new()).await;
    assert_eq!(
        violations(nothing),
        pairs(&[("identifiers", "TOO_FEW_ITEMS")])
    );
    let many = vec![identifier(IdentifierKind::Siren, "1"); 501];
    assert_eq!(
        violations(check(&world, officer(), many).await),
        pairs(&[("identifiers", "TOO_MANY_ITEMS")])
    );
}
