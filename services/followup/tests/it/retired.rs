//! Codes that a catalogue has lost since: what was followed with them is read, counted, sent again and goes on; nothing new
//! begins with them.

use nonrecours_contracts::followup::{
    Breakdown, EntitlementState, GetBeneficiaryRequest, GetEntitlementRequest, GetSessionRequest,
    GetStepRequest, Grain, PushRecordsResponse, Record, RecordOutcome,
    beneficiary_service_client::BeneficiaryServiceClient, count,
    entitlement_service_client::EntitlementServiceClient,
    session_service_client::SessionServiceClient, step_service_client::StepServiceClient,
};
use sqlx::AssertSqlSafe;

use crate::{
    support::*,
    tables::{ask, request},
};

use RecordOutcome::{Rejected, Stale, Stored, Unchanged};

/// A code of no catalogue.
const GONE: &str = "ANCIEN";
/// A commune that is none of the territory.
const OUTSIDE: &str = "62178";

/// One record of each kind that has codes, with those of today or those that are gone.
fn records(public: &str, right: &str, reason: &str, partner: &str, commune: &str) -> Vec<Record> {
    vec![
        person_with("B1", |person| person.publics = vec![public.to_owned()]),
        right_with("E1", "B1", |entitlement| {
            entitlement.right = right.to_owned();
            entitlement.non_take_up_reason = reason.to_owned();
        }),
        step_with("P1", "B1", |step| step.partner = partner.to_owned()),
        session_with("S1", |session| session.commune_code = commune.to_owned()),
    ]
}

fn gone() -> Vec<Record> {
    records(GONE, GONE, "PERDU", GONE, OUTSIDE)
}

/// Stores a record of each kind with codes of today, and makes them codes that were valid once.
async fn stored(suite: &Suite) -> PushRecordsResponse {
    let answer = suite
        .push(records(
            "DEMANDEUR_EMPLOI",
            "RSA",
            "COMPLEXITE",
            "CAF",
            "62041",
        ))
        .await;
    assert_eq!(outcomes(&answer), [Stored; 4]);
    for statement in [
        format!("UPDATE beneficiary SET publics = '{{{GONE}}}'"),
        format!("UPDATE entitlement SET right_code = '{GONE}', non_take_up_reason = 'PERDU'"),
        format!("UPDATE step SET partner = '{GONE}'"),
        format!("UPDATE session SET commune_code = '{OUTSIDE}'"),
        format!(
            "UPDATE indicator_rollup SET code = CASE dimension WHEN 'REASON' THEN 'PERDU'
                                                WHEN 'COMMUNE' THEN code ELSE '{GONE}' END
             WHERE dimension IN ('PUBLIC', 'RIGHT', 'REASON')"
        ),
    ] {
        let changed = sqlx::query(AssertSqlSafe(statement))
            .execute(&suite.owner)
            .await
            .unwrap();
        assert!(changed.rows_affected() > 0);
    }
    answer
}

#[tokio::test]
async fn what_is_sent_again_is_unchanged_and_goes_on() {
    let suite = Suite::start().await;
    stored(&suite).await;
    let again = suite.push(gone()).await;
    assert_eq!(outcomes(&again), [Unchanged; 4], "{again:?}");

    // With a later version, and another state: the codes are the record's own.
    let mut later = gone();
    later[1] = right_with("E1", "B1", |entitlement| {
        entitlement.right = GONE.to_owned();
        entitlement.non_take_up_reason = "PERDU".to_owned();
        entitlement.state = EntitlementState::MoreInformation.into();
    });
    for record in &mut later {
        record.version += 1;
    }
    assert_eq!(outcomes(&suite.push(later).await), [Stored; 4]);
    // What is older than that says nothing new.
    let older = records("PERDU", GONE, GONE, "PERDU", "59350");
    assert_eq!(outcomes(&suite.push(older).await), [Stale; 4]);
}

#[tokio::test]
async fn nothing_begins_with_a_code_that_is_gone() {
    let suite = Suite::start().await;
    stored(&suite).await;
    let mut new = gone();
    for (record, reference) in new.iter_mut().zip(["B2", "E2", "P2", "S2"]) {
        record.external_reference = reference.to_owned();
    }
    let refused = suite.push(new).await;
    assert_eq!(outcomes(&refused), [Rejected; 4]);
    let found: Vec<Vec<String>> = refused.results.iter().map(faults).collect();
    let expected = [
        vec!["beneficiary.publics[0] UNKNOWN_CODE"],
        vec![
            "entitlement.right UNKNOWN_CODE",
            "entitlement.non_take_up_reason UNKNOWN_CODE",
        ],
        vec!["step.partner UNKNOWN_CODE"],
        vec!["session.commune_code UNKNOWN_CODE"],
    ];
    assert_eq!(found, expected);

    // A record's own code is its own in one field only.
    let mut other = right_with("E1", "B1", |entitlement| {
        entitlement.right = GONE.to_owned();
        entitlement.non_take_up_reason = GONE.to_owned();
    });
    other.version += 1;
    let refused = suite.push(vec![other]).await;
    assert_eq!(
        faults(&refused.results[0]),
        ["entitlement.non_take_up_reason UNKNOWN_CODE"]
    );
}

#[tokio::test]
async fn what_was_followed_is_read_and_counted() {
    let suite = Suite::start().await;
    let answer = stored(&suite).await;
    let name = |place: usize| answer.results[place].name.clone();
    let agent = suite.agent();
    let person = BeneficiaryServiceClient::new(agent.clone())
        .get_beneficiary(GetBeneficiaryRequest { name: name(0) })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(person.publics, [GONE]);
    let right = EntitlementServiceClient::new(agent.clone())
        .get_entitlement(GetEntitlementRequest { name: name(1) })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (right.right.as_str(), right.non_take_up_reason.as_str()),
        (GONE, "PERDU")
    );
    let step = StepServiceClient::new(agent.clone())
        .get_step(GetStepRequest { name: name(2) })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(step.partner, GONE);
    let session = SessionServiceClient::new(agent)
        .get_session(GetSessionRequest { name: name(3) })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(session.commune_code, OUTSIDE);

    for (breakdown, code) in [
        (Breakdown::Public, GONE),
        (Breakdown::Right, GONE),
        (Breakdown::Reason, "PERDU"),
    ] {
        let parent = suite.convention.parent().to_string();
        let request = request(&parent, breakdown, Grain::Year);
        let token = suite.tokens.agent(suite.convention.operator);
        let table = ask(&suite, token, request).await.unwrap();
        let row = table.rows.iter().find(|row| row.code == code);
        let figure = row.and_then(|row| row.persons_spotted.or(row.entitlements_followed)?.figure);
        assert_eq!(
            figure,
            Some(count::Figure::Value(1)),
            "{breakdown:?}: {table:?}"
        );
    }
}
