//! Drafting and changing a convention, and recording its end.

use nonrecours_contracts::conventions::{
    CommitmentTerm, Convention, ConventionState, CreateConventionRequest, GetConventionRequest,
    InstalmentKind, InstalmentTerm, ListConventionsRequest, OperatorCategory, Party,
    UpdateConventionRequest,
};
use nonrecours_testkit::request_id;
use prost_types::FieldMask;

use crate::{
    requests::{
        CUA_ACT, DAINVILLE_ACT, NIR, act, convention, date, euros, framework, operator, pairs,
        precondition, programme, reason, sign, signatory, violations,
    },
    world::World,
};

/// An update of the named fields.
fn update(given: Convention, paths: &[&str]) -> UpdateConventionRequest {
    UpdateConventionRequest {
        convention: Some(given),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn a_draft_shows_its_instalments_to_the_cent() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let mut officer = world.conventions(world.tokens.officer());
    let request = convention(&setting.parent(), &setting.framework);
    let drafted = officer
        .create_convention(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(drafted.state(), ConventionState::Draft);
    assert_eq!(drafted.programme, setting.programme);
    assert_eq!((drafted.revision, drafted.etag.as_str()), (1, "1"));
    let amounts: Vec<_> = drafted
        .instalment_terms
        .iter()
        .map(|term| term.amount.clone())
        .collect();
    assert_eq!(amounts, [Some(euros(920_000)), Some(euros(230_000))]);
    assert_eq!(drafted.paid_amount, Some(euros(0)));
    assert!(!drafted.advance_without_call);
    assert_eq!(world.convention(&drafted.name).await, drafted);

    let again = officer
        .create_convention(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, drafted);
    let mut other = request.clone();
    other.convention.as_mut().unwrap().grant_amount = Some(euros(100));
    assert_eq!(
        reason(officer.create_convention(other).await),
        "REQUEST_ID_REUSED"
    );

    // Half a cent goes up, and the last instalment is what remains.
    let mut odd = CreateConventionRequest {
        request_id: request_id(),
        ..request
    };
    odd.convention.as_mut().unwrap().grant_amount = Some(euros(1_000_003));
    let odd = officer.create_convention(odd).await.unwrap().into_inner();
    let amounts: Vec<_> = odd
        .instalment_terms
        .iter()
        .map(|term| term.amount.clone())
        .collect();
    assert_eq!(amounts, [Some(euros(800_002)), Some(euros(200_001))]);
    let changes = world.changes_until("convention.drafted", &odd.name).await;
    let snapshot: Convention = changes
        .last()
        .unwrap()
        .snapshot
        .as_ref()
        .unwrap()
        .to_msg()
        .unwrap();
    assert_eq!(snapshot, odd);
    let drafts = changes
        .iter()
        .filter(|change| change.kind == "convention.drafted");
    assert_eq!(drafts.count(), 2);
}

#[tokio::test]
async fn everything_wrong_with_a_draft_comes_at_once() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let mut officer = world.conventions(world.tokens.officer());
    let commitment = |code: &str| CommitmentTerm {
        code: code.to_owned(),
        text: "Remplir les missions.".to_owned(),
    };
    let request = CreateConventionRequest {
        convention: Some(Convention {
            framework_convention: "programmes/1".to_owned(),
            title: format!("Convention de {NIR}"),
            budget_year: 1999,
            grant_amount: Some(euros(-1)),
            instalment_terms: vec![InstalmentTerm {
                kind: InstalmentKind::Balance.into(),
                share: "80 %".to_owned(),
                ..InstalmentTerm::default()
            }],
            target_publics: vec![
                "SENIOR".to_owned(),
                "MARTIEN".to_owned(),
                "SENIOR".to_owned(),
            ],
            objectives: vec!["Repérer".to_owned(), format!("Voir {NIR}")],
            commitments: vec![commitment("A"), commitment("A")],
            signatories: vec![
                signatory(Party::Operator, Some(date(2025, 10, 8))),
                signatory(Party::Authority, None),
                signatory(Party::Authority, None),
            ],
            ..Convention::default()
        }),
        ..convention(&setting.parent(), &setting.framework)
    };
    let mut found = violations(officer.create_convention(request).await);
    found.sort();
    let mut expected = pairs(&[
        ("convention.framework_convention", "RESOURCE_NAME_INVALID"),
        ("convention.title", "NIR_FORBIDDEN"),
        ("convention.budget_year", "TOO_SMALL"),
        ("convention.grant_amount", "AMOUNT_NOT_POSITIVE"),
        ("convention.instalment_terms[0].share", "RATE_FORMAT"),
        ("convention.target_publics[1]", "PUBLIC_UNKNOWN"),
        ("convention.target_publics[2]", "DUPLICATE"),
        ("convention.objectives[1]", "NIR_FORBIDDEN"),
        ("convention.commitments[1].code", "DUPLICATE"),
        ("convention.indicative_end_date", "REQUIRED"),
        ("convention.signatories", "TOO_MANY_ITEMS"),
        (
            "convention.signatories[0].empowering_decision_date",
            "DATE_IN_FUTURE",
        ),
        ("convention.signatories[2].party", "DUPLICATE"),
    ]);
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn terms_that_contradict_each_other_are_refused() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let mut officer = world.conventions(world.tokens.officer());
    let mut request = convention(&setting.parent(), &setting.framework);
    let given = request.convention.as_mut().unwrap();
    given.grant_amount = Some(euros(1));
    given.indicative_end_date = Some(date(2024, 12, 31));
    let contradictions = pairs(&[
        ("convention.instalment_terms", "INSTALMENT_EMPTY"),
        ("convention.indicative_end_date", "END_BEFORE_BUDGET_YEAR"),
    ]);
    assert_eq!(
        violations(officer.create_convention(request.clone()).await),
        contradictions
    );
    request.convention.as_mut().unwrap().instalment_terms[1].share = "0.3".to_owned();
    assert_eq!(
        violations(officer.create_convention(request).await),
        pairs(&[("convention.instalment_terms", "RATES_TOTAL")])
    );
    // The same when an update brings them about.
    let draft = world.draft(&setting).await;
    let given = Convention {
        name: draft.name.clone(),
        budget_year: 2026,
        ..Convention::default()
    };
    let outcome = officer
        .update_convention(update(given, &["budget_year"]))
        .await;
    assert_eq!(violations(outcome), contradictions[1..]);
    assert_eq!(world.convention(&draft.name).await, draft);
}

#[tokio::test]
async fn a_convention_hangs_under_what_exists() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let mut officer = world.conventions(world.tokens.officer());
    let nobody = format!("operators/{}", request_id());
    let framework = format!(
        "{}/frameworkConventions/{}",
        setting.programme,
        request_id()
    );
    for request in [
        convention(&nobody, &setting.framework),
        convention(&setting.parent(), &framework),
    ] {
        assert_eq!(
            reason(officer.create_convention(request).await),
            "NOT_FOUND"
        );
    }
    let name = format!("{}/conventions/{}", setting.parent(), request_id());
    let outcome = officer
        .get_convention(GetConventionRequest { name: name.clone() })
        .await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let given = Convention {
        name,
        title: "x".to_owned(),
        ..Convention::default()
    };
    let outcome = officer.update_convention(update(given, &["title"])).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let draft = world.draft(&setting).await;
    let mut officer = world.conventions(world.tokens.officer());
    let given = Convention {
        name: draft.name.clone(),
        title: "Convention corrigée".to_owned(),
        grant_amount: Some(euros(1_000_000)),
        objectives: vec!["Laissé de côté".to_owned()],
        etag: draft.etag.clone(),
        ..Convention::default()
    };
    let request = update(given, &["title", "grant_amount"]);
    let updated = officer
        .update_convention(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(updated.title, "Convention corrigée");
    assert_eq!(updated.instalment_terms[0].amount, Some(euros(800_000)));
    assert_eq!(updated.objectives, draft.objectives);
    assert_eq!(updated.etag, "2");
    assert_eq!(world.convention(&draft.name).await, updated);
    let again = officer
        .update_convention(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, updated);
    let stale = UpdateConventionRequest {
        request_id: request_id(),
        ..request.clone()
    };
    assert_eq!(
        reason(officer.update_convention(stale).await),
        "ETAG_MISMATCH"
    );
    let mut other = request;
    other.convention.as_mut().unwrap().title = "Autre".to_owned();
    assert_eq!(
        reason(officer.update_convention(other).await),
        "REQUEST_ID_REUSED"
    );
    world.changes_until("convention.updated", &draft.name).await;

    // Without a mask, every field counts: those that are missing too.
    let whole = UpdateConventionRequest {
        convention: Some(Convention {
            signatories: Vec::new(),
            advance_without_call: true,
            ..updated.clone()
        }),
        update_mask: None,
        request_id: request_id(),
    };
    let whole = officer.update_convention(whole).await.unwrap().into_inner();
    assert!(whole.signatories.is_empty() && whole.advance_without_call);
    let empty = UpdateConventionRequest {
        convention: Some(Convention {
            name: draft.name.clone(),
            ..Convention::default()
        }),
        update_mask: None,
        request_id: request_id(),
    };
    assert_eq!(violations(officer.update_convention(empty).await).len(), 9);
    let foreign = update(whole, &["state", "title", "x"]);
    assert_eq!(
        violations(officer.update_convention(foreign).await),
        pairs(&[
            ("update_mask.paths[0]", "FIELD_NOT_UPDATABLE"),
            ("update_mask.paths[2]", "FIELD_NOT_UPDATABLE"),
        ])
    );
}

#[tokio::test]
async fn a_recorded_act_dates_the_signatory_whichever_comes_first() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let draft = world.draft(&setting).await;
    world.act(&draft.name, Party::Operator, DAINVILLE_ACT).await;
    let mut officer = world.conventions(world.tokens.officer());
    let signatories = |day| Convention {
        name: draft.name.clone(),
        signatories: vec![signatory(Party::Operator, day)],
        ..Convention::default()
    };
    let blank = update(signatories(None), &["signatories"]);
    let updated = officer.update_convention(blank).await.unwrap().into_inner();
    let [operator] = updated.signatories.as_slice() else {
        panic!("{:?}", updated.signatories);
    };
    assert_eq!(operator.empowering_decision_date, Some(date(2025, 9, 29)));
    let wrong = update(signatories(Some(date(2025, 9, 30))), &["signatories"]);
    assert_eq!(
        precondition(officer.update_convention(wrong).await),
        "ACT_DATE_MISMATCH"
    );
}

#[tokio::test]
async fn a_draft_does_not_move_to_another_authority_than_that_of_its_act() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let draft = world.draft(&setting).await;
    let mut request = programme(50_000_000);
    request.programme.as_mut().unwrap().authority_siret = "21620041000019".to_owned();
    let mut programmes = world.programmes(world.tokens.officer());
    let parent = programmes
        .create_programme(request)
        .await
        .unwrap()
        .into_inner()
        .name;
    let mut frameworks = world.frameworks(world.tokens.officer());
    let other = frameworks
        .create_framework_convention(framework(&parent))
        .await
        .unwrap();
    let given = Convention {
        name: draft.name.clone(),
        framework_convention: other.into_inner().name,
        ..Convention::default()
    };
    world.act(&draft.name, Party::Authority, CUA_ACT).await;
    let mut officer = world.conventions(world.tokens.officer());
    let outcome = officer
        .update_convention(update(given, &["framework_convention"]))
        .await;
    assert_eq!(precondition(outcome), "ACT_SIREN_MISMATCH");
}

#[tokio::test]
async fn from_the_first_signature_on_terms_and_acts_are_fixed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let ready = world.ready(&setting).await;
    world
        .sign(sign(&ready.name, Party::Operator))
        .await
        .unwrap();
    let given = Convention {
        name: ready.name.clone(),
        title: "Autre".to_owned(),
        ..Convention::default()
    };
    let mut officer = world.conventions(world.tokens.officer());
    let outcome = officer.update_convention(update(given, &["title"])).await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_DRAFT");
    let mut acts = world.acts(world.tokens.officer());
    let outcome = acts
        .create_act(act(&ready.name, Party::Authority, CUA_ACT))
        .await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_DRAFT");
}

#[tokio::test]
async fn conventions_are_listed_by_operator_and_overall_within_reach() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let arras = operator("21620041000019", OperatorCategory::Ccas);
    let other = world.setting_of(50_000_000, arras).await;
    let mut names = Vec::new();
    for setting in [&setting, &other, &setting] {
        names.push(world.draft(setting).await.name);
    }
    let list = |parent: &str, page_size, page_token: &str| ListConventionsRequest {
        parent: parent.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let mut auditor = world.conventions(world.tokens.auditor());
    let page = auditor
        .list_conventions(list("operators/-", 2, ""))
        .await
        .unwrap()
        .into_inner();
    let listed: Vec<_> = page.conventions.iter().map(|it| it.name.clone()).collect();
    assert_eq!(listed, names[..2]);
    // The blockers of each are its own.
    assert_eq!(page.conventions[0], world.convention(&names[0]).await);
    assert_eq!(page.conventions[1], world.convention(&names[1]).await);
    let token = page.next_page_token;
    let page = auditor
        .list_conventions(list("operators/-", 2, &token))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.conventions[0].name, names[2]);
    assert_eq!(page.next_page_token, "");
    let outcome = auditor
        .list_conventions(list(&setting.parent(), 2, &token))
        .await;
    assert_eq!(reason(outcome), "PAGE_TOKEN_INVALID");

    let mut own = world.conventions(world.tokens.agent(other.operator));
    let page = own
        .list_conventions(list("operators/-", 0, ""))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.conventions.len(), 1);
    assert_eq!(page.conventions[0].name, names[1]);
    let outcome = own.list_conventions(list(&setting.parent(), 0, "")).await;
    assert_eq!(reason(outcome), "OUT_OF_REACH");
}
