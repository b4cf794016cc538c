//! Amendments: drafted, changed, withdrawn; and each refusal.

use nonrecours_contracts::conventions::{
    Amendment, AmendmentState, CommitmentTerm, CreateAmendmentRequest, GetAmendmentRequest,
    InstalmentKind, ListAmendmentsRequest, Party, UpdateAmendmentRequest, WithdrawAmendmentRequest,
};
use nonrecours_testkit::request_id;

use crate::{
    amending::{blockers, draft, grant, sign, update, withdraw},
    requests::{self, NIR, date, euros, pairs, precondition, reason, signatory, term, violations},
    world::World,
};

#[tokio::test]
async fn an_amendment_is_drafted_says_what_it_changes_and_is_changed() {
    let world = World::start().await;
    let setting = world.setting(1_200_000).await;
    let parent = world.in_force(&setting).await.name;
    let request = draft(&parent, grant(1_300_000));
    let drafted = world.amend(request.clone()).await.unwrap();
    assert_eq!(drafted.state(), AmendmentState::Draft);
    assert_eq!(drafted.number, 1);
    assert_eq!(
        blockers(&drafted),
        [
            "ACT_MISSING",
            "ACT_MISSING",
            "EMPOWERING_DECISION_MISSING",
            "ENVELOPE_EXCEEDED"
        ]
    );
    let fields: Vec<_> = drafted.changes.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["grant_amount", "instalment_terms"]);
    assert!(
        drafted.changes[0]
            .sentence_fr
            .contains("treize mille euros")
    );
    assert_eq!(world.amend(request.clone()).await.unwrap(), drafted);
    let mut other = request;
    other.amendment.as_mut().unwrap().title = "Autre".to_owned();
    assert_eq!(reason(world.amend(other).await), "REQUEST_ID_REUSED");
    let second = world.amend(draft(&parent, grant(1_200_000))).await;
    assert_eq!(precondition(second), "AMENDMENT_OPEN");
    // The convention itself is as it was.
    assert_eq!(world.convention(&parent).await.version, 1);

    let mut officer = world.amendments(world.tokens.officer());
    let change = update(
        Amendment {
            name: drafted.name.clone(),
            etag: drafted.etag.clone(),
            title: "Convention 2025, avenant n° 1".to_owned(),
            // Not in the mask: not read, however wrong.
            object: NIR.to_owned(),
            ..Amendment::default()
        },
        &["title", "grant_amount"],
    );
    let updated = officer.update_amendment(change.clone()).await.unwrap();
    let updated = updated.into_inner();
    assert_eq!(updated.grant_amount, None);
    let fields: Vec<_> = updated.changes.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["title"]);
    let again = officer.update_amendment(change.clone()).await.unwrap();
    assert_eq!(again.into_inner(), updated);
    let stale = UpdateAmendmentRequest {
        request_id: request_id(),
        ..change
    };
    assert_eq!(
        reason(officer.update_amendment(stale).await),
        "ETAG_MISMATCH"
    );
    let empty = update(
        Amendment {
            name: drafted.name.clone(),
            ..Amendment::default()
        },
        &["title"],
    );
    let empty = officer.update_amendment(empty).await.unwrap().into_inner();
    assert!(blockers(&empty).contains(&"AMENDMENT_EMPTY"));
    assert_eq!(empty, world.amendment(&drafted.name).await);

    let list = |page_token| ListAmendmentsRequest {
        parent: parent.clone(),
        page_size: 1,
        page_token,
    };
    officer
        .withdraw_amendment(withdraw(&drafted.name))
        .await
        .unwrap();
    let second = world.amend(draft(&parent, grant(1_160_000))).await.unwrap();
    assert_eq!(second.number, 2);
    let page = officer.list_amendments(list(String::new())).await.unwrap();
    let page = page.into_inner();
    assert_eq!(page.amendments[0].name, drafted.name);
    let page = officer.list_amendments(list(page.next_page_token)).await;
    let page = page.unwrap().into_inner();
    assert_eq!(
        (page.amendments, page.next_page_token.as_str()),
        (vec![second], "")
    );
}

#[tokio::test]
async fn everything_wrong_comes_at_once() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let wrong = Amendment {
        object: format!("Pour {NIR}"),
        title: format!("Avenant de {NIR}"),
        grant_amount: Some(euros(-1)),
        instalment_terms: vec![term(InstalmentKind::Advance, "1")],
        target_publics: vec!["MARTIEN".to_owned()],
        objectives: vec![" ".to_owned()],
        commitments: vec![
            CommitmentTerm {
                code: "A".to_owned(),
                text: "Une fois.".to_owned(),
            };
            2
        ],
        indicative_end_date: Some(date(2025, 2, 29)),
        signatories: vec![signatory(Party::Operator, Some(date(2026, 1, 1)))],
        ..Amendment::default()
    };
    let request = CreateAmendmentRequest {
        amendment: Some(wrong),
        ..draft(&parent, Amendment::default())
    };
    let mut found = violations(world.amend(request).await);
    found.sort();
    assert_eq!(
        found,
        pairs(&[
            ("amendment.commitments[1].code", "DUPLICATE"),
            ("amendment.grant_amount", "AMOUNT_NOT_POSITIVE"),
            ("amendment.indicative_end_date", "DATE_INVALID"),
            ("amendment.instalment_terms", "BALANCE_NOT_LAST"),
            ("amendment.object", "NIR_FORBIDDEN"),
            ("amendment.objectives[0]", "REQUIRED"),
            (
                "amendment.signatories[0].empowering_decision_date",
                "DATE_IN_FUTURE"
            ),
            ("amendment.target_publics[0]", "PUBLIC_UNKNOWN"),
            ("amendment.title", "NIR_FORBIDDEN"),
        ])
    );
    // What contradicts the terms in force.
    let before = Amendment {
        indicative_end_date: Some(date(2024, 12, 31)),
        ..Amendment::default()
    };
    assert_eq!(
        violations(world.amend(draft(&parent, before)).await),
        pairs(&[("amendment.indicative_end_date", "END_BEFORE_BUDGET_YEAR")])
    );
    let drafted = world.amend(draft(&parent, grant(1_200_000))).await.unwrap();
    let mut officer = world.amendments(world.tokens.officer());
    let name = Amendment {
        name: drafted.name.clone(),
        ..Amendment::default()
    };
    let outcome = officer
        .update_amendment(update(name.clone(), &["budget_year", "object"]))
        .await;
    assert_eq!(
        violations(outcome),
        pairs(&[
            ("amendment.object", "REQUIRED"),
            ("update_mask.paths[0]", "FIELD_NOT_UPDATABLE")
        ])
    );
    let outcome = officer
        .withdraw_amendment(WithdrawAmendmentRequest {
            reason: NIR.to_owned(),
            ..withdraw(&drafted.name)
        })
        .await;
    assert_eq!(violations(outcome), pairs(&[("reason", "NIR_FORBIDDEN")]));
}

#[tokio::test]
async fn only_a_running_convention_is_amended() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let outcome = world.amend(draft(&parent, grant(1_200_000))).await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_RUNNING");
    let missing = format!("{}/conventions/{}", setting.parent(), request_id());
    let outcome = world.amend(draft(&missing, grant(1_200_000))).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let mut officer = world.amendments(world.tokens.officer());
    let missing = format!("{parent}/amendments/{}", request_id());
    let get = GetAmendmentRequest {
        name: missing.clone(),
    };
    assert_eq!(reason(officer.get_amendment(get).await), "NOT_FOUND");
    assert_eq!(
        reason(officer.withdraw_amendment(withdraw(&missing)).await),
        "NOT_FOUND"
    );
    assert_eq!(
        reason(world.sign_amendment(sign(&missing, Party::Operator)).await),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn an_amendment_is_withdrawn_with_its_reason_also_when_one_party_has_signed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let name = world
        .amend(draft(&parent, grant(1_300_000)))
        .await
        .unwrap()
        .name;
    world.authorise(&parent, &name).await;
    world
        .sign_amendment(sign(&name, Party::Operator))
        .await
        .unwrap();
    let mut officer = world.amendments(world.tokens.officer());
    let stale = WithdrawAmendmentRequest {
        etag: "1".to_owned(),
        ..withdraw(&name)
    };
    assert_eq!(
        reason(officer.withdraw_amendment(stale).await),
        "ETAG_MISMATCH"
    );
    let request = withdraw(&name);
    let withdrawn = officer
        .withdraw_amendment(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(withdrawn.state(), AmendmentState::Withdrawn);
    assert_eq!(withdrawn.withdraw_reason, "La commune renonce.");
    assert_eq!(withdrawn.signatures.len(), 1);
    let again = officer
        .withdraw_amendment(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, withdrawn);
    let outcome = world.sign_amendment(sign(&name, Party::Authority)).await;
    assert_eq!(precondition(outcome), "AMENDMENT_NOT_OPEN");
    let convention = world.convention(&parent).await;
    assert_eq!(
        (convention.version, convention.grant_amount),
        (1, Some(euros(1_150_000)))
    );
    let told = world.changes_until("amendment.withdrawn", &name).await;
    assert_eq!(told.last().unwrap().why, "La commune renonce.");
}

#[tokio::test]
async fn another_operators_token_reaches_no_amendment_and_no_version() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let name = world
        .amend(draft(&parent, grant(1_300_000)))
        .await
        .unwrap()
        .name;
    let arras = requests::operator(
        "21620041000019",
        nonrecours_contracts::conventions::OperatorCategory::Ccas,
    );
    let stranger = world.setting_of(1, arras).await.operator;
    let mut amendments = world.amendments(world.tokens.manager(stranger));
    let get = GetAmendmentRequest { name: name.clone() };
    assert_eq!(reason(amendments.get_amendment(get).await), "OUT_OF_REACH");
    let list = ListAmendmentsRequest {
        parent: parent.clone(),
        ..ListAmendmentsRequest::default()
    };
    assert_eq!(
        reason(amendments.list_amendments(list).await),
        "OUT_OF_REACH"
    );
    let outcome = amendments
        .sign_amendment(sign(&name, Party::Operator))
        .await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
    let mut versions = world.versions(world.tokens.manager(stranger));
    let get = nonrecours_contracts::conventions::GetConventionVersionRequest {
        name: format!("{parent}/versions/1"),
    };
    assert_eq!(
        reason(versions.get_convention_version(get).await),
        "OUT_OF_REACH"
    );
    let list = nonrecours_contracts::conventions::ListConventionVersionsRequest {
        parent,
        ..Default::default()
    };
    assert_eq!(
        reason(versions.list_convention_versions(list).await),
        "OUT_OF_REACH"
    );
}
