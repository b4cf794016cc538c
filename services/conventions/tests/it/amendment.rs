//! Amendments: drafted, changed, signed, withdrawn; and each refusal.

use nonrecours_contracts::conventions::{
    Amendment, AmendmentState, CommitmentTerm, Convention, CreateAmendmentRequest,
    GetAmendmentRequest, InstalmentKind, ListAmendmentsRequest, Party, SignAmendmentRequest,
    UpdateAmendmentRequest, WithdrawAmendmentRequest,
};
use nonrecours_kernel::AmendmentName;
use nonrecours_testkit::request_id;
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::{
    requests::{
        self, CUA_ACT, DAINVILLE_ACT, NIR, act, date, euros, pairs, precondition, reason, refused,
        signatory, term, violations,
    },
    world::World,
};

/// The acts that authorise the amendment.
pub const CUA_AMENDING: &str = "062-200033579-20251001-25C130-DE";
pub const DAINVILLE_AMENDING: &str = "062-216202630-20251002-25D050-DE";

pub fn draft(parent: &str, amendment: Amendment) -> CreateAmendmentRequest {
    CreateAmendmentRequest {
        parent: parent.to_owned(),
        amendment: Some(Amendment {
            object: "Davantage de permanences.".to_owned(),
            signatories: vec![
                signatory(Party::Authority, Some(date(2025, 10, 1))),
                signatory(Party::Operator, None),
            ],
            ..amendment
        }),
        request_id: request_id(),
    }
}

/// Another grant.
pub fn grant(cents: i64) -> Amendment {
    Amendment {
        grant_amount: Some(euros(cents)),
        ..Amendment::default()
    }
}

fn update(amendment: Amendment, fields: &[&str]) -> UpdateAmendmentRequest {
    UpdateAmendmentRequest {
        amendment: Some(amendment),
        update_mask: Some(FieldMask {
            paths: fields.iter().map(|field| (*field).to_owned()).collect(),
        }),
        request_id: request_id(),
    }
}

pub fn sign(name: &str, party: Party) -> SignAmendmentRequest {
    SignAmendmentRequest {
        name: name.to_owned(),
        party: party.into(),
        etag: String::new(),
        request_id: request_id(),
    }
}

pub fn withdraw(name: &str) -> WithdrawAmendmentRequest {
    WithdrawAmendmentRequest {
        name: name.to_owned(),
        reason: "La commune renonce.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

impl World {
    pub async fn amend(&self, request: CreateAmendmentRequest) -> Result<Amendment, Status> {
        let mut client = self.amendments(self.tokens.officer());
        Ok(client.create_amendment(request).await?.into_inner())
    }

    /// Records both acts of an amendment as transmitted and published.
    pub async fn authorise(&self, convention: &str, amendment: &str) {
        let mut client = self.acts(self.tokens.officer());
        for (party, act_id) in [
            (Party::Authority, CUA_AMENDING),
            (Party::Operator, DAINVILLE_AMENDING),
        ] {
            let mut request = act(convention, party, act_id);
            amendment.clone_into(&mut request.act.as_mut().unwrap().amendment);
            let recorded = client.create_act(request).await.unwrap().into_inner();
            assert_eq!(recorded.amendment, amendment);
            self.publish(&recorded.name).await;
        }
    }

    /// Signs an amendment, as the person who may.
    pub async fn sign_amendment(&self, request: SignAmendmentRequest) -> Result<Amendment, Status> {
        let name: AmendmentName = request.name.parse().unwrap();
        let token = match request.party() {
            Party::Authority => self.tokens.authorising_officer(),
            _ => self.tokens.manager(name.operator),
        };
        let mut client = self.amendments(token);
        Ok(client.sign_amendment(request).await?.into_inner())
    }

    /// Brings an amendment into force, and gives the convention after it.
    pub async fn amended(&self, convention: &str, amendment: Amendment) -> Convention {
        let name = self.amend(draft(convention, amendment)).await.unwrap().name;
        self.authorise(convention, &name).await;
        for party in [Party::Operator, Party::Authority] {
            self.sign_amendment(sign(&name, party)).await.unwrap();
        }
        self.convention(convention).await
    }

    pub async fn amendment(&self, name: &str) -> Amendment {
        let request = GetAmendmentRequest {
            name: name.to_owned(),
        };
        let mut client = self.amendments(self.tokens.auditor());
        client.get_amendment(request).await.unwrap().into_inner()
    }
}

fn blockers(amendment: &Amendment) -> Vec<&str> {
    let blockers = amendment.signing_blockers.iter();
    blockers.map(|blocker| blocker.reason.as_str()).collect()
}

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
async fn an_amendment_has_acts_of_its_own() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let drafted = world.amend(draft(&parent, grant(1_300_000))).await.unwrap();
    let mut officer = world.acts(world.tokens.officer());
    let of = |party, act_id| {
        let mut request = act(&parent, party, act_id);
        drafted
            .name
            .clone_into(&mut request.act.as_mut().unwrap().amendment);
        request
    };
    // The convention's own acts are fixed, those of the amendment are asked for.
    let outcome = officer
        .create_act(act(&parent, Party::Operator, DAINVILLE_ACT))
        .await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_DRAFT");
    let outcome = officer.create_act(of(Party::Operator, CUA_AMENDING)).await;
    assert_eq!(precondition(outcome), "ACT_SIREN_MISMATCH");
    let outcome = officer.create_act(of(Party::Authority, CUA_ACT)).await;
    assert_eq!(precondition(outcome), "ACT_DATE_MISMATCH");
    let mut elsewhere = of(Party::Authority, CUA_AMENDING);
    elsewhere.act.as_mut().unwrap().amendment = format!(
        "{}/conventions/{}/amendments/{}",
        setting.parent(),
        request_id(),
        request_id()
    );
    assert_eq!(reason(officer.create_act(elsewhere).await), "NOT_FOUND");
    let mut unreadable = of(Party::Authority, CUA_AMENDING);
    unreadable.act.as_mut().unwrap().amendment = "amendments/1".to_owned();
    assert_eq!(
        violations(officer.create_act(unreadable).await),
        pairs(&[("act.amendment", "RESOURCE_NAME_INVALID")])
    );
    let recorded = officer
        .create_act(of(Party::Operator, DAINVILLE_AMENDING))
        .await;
    let recorded = recorded.unwrap().into_inner();
    let outcome = officer
        .create_act(of(Party::Operator, DAINVILLE_AMENDING))
        .await;
    assert_eq!(reason(outcome), "ALREADY_EXISTS");
    // It has filled the blank date, and stands apart from those of the convention.
    let filled = world.amendment(&drafted.name).await;
    let decision = filled.signatories[1].empowering_decision_date;
    assert_eq!(decision, Some(date(2025, 10, 2)));
    assert_eq!(blockers(&filled), ["ACT_MISSING", "ACT_NOT_PUBLISHED"]);
    assert_eq!(recorded.amendment, drafted.name);
    let another_day = update(
        Amendment {
            name: drafted.name.clone(),
            signatories: vec![signatory(Party::Operator, Some(date(2025, 10, 3)))],
            ..Amendment::default()
        },
        &["signatories"],
    );
    let outcome = world
        .amendments(world.tokens.officer())
        .update_amendment(another_day)
        .await;
    assert_eq!(precondition(outcome), "ACT_DATE_MISMATCH");
}

#[tokio::test]
async fn each_party_signs_once_and_a_signed_amendment_is_fixed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let name = world
        .amend(draft(&parent, grant(1_300_000)))
        .await
        .unwrap()
        .name;
    let (_, details) = refused(world.sign_amendment(sign(&name, Party::Operator)).await);
    assert_eq!(details.reason, "SIGNING_BLOCKED");
    assert_eq!(
        details.blocker_reasons(),
        ["ACT_MISSING", "ACT_MISSING", "EMPOWERING_DECISION_MISSING"]
    );
    world.authorise(&parent, &name).await;
    let stale = SignAmendmentRequest {
        etag: "1".to_owned(),
        ..sign(&name, Party::Operator)
    };
    assert_eq!(reason(world.sign_amendment(stale).await), "ETAG_MISMATCH");
    let mut manager = world.amendments(world.tokens.manager(setting.operator));
    let outcome = manager.sign_amendment(sign(&name, Party::Authority)).await;
    let (code, details) = refused(outcome);
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::PermissionDenied, "PARTY_NOT_ALLOWED")
    );
    let request = sign(&name, Party::Operator);
    let partly = world.sign_amendment(request.clone()).await.unwrap();
    assert_eq!(partly.state(), AmendmentState::PartlySigned);
    assert_eq!(partly.signatures.len(), 1);
    assert_eq!(world.sign_amendment(request).await.unwrap(), partly);
    let outcome = world.sign_amendment(sign(&name, Party::Operator)).await;
    assert_eq!(precondition(outcome), "ALREADY_SIGNED");
    assert_eq!(world.convention(&parent).await.version, 1);
    let mut officer = world.amendments(world.tokens.officer());
    let change = update(
        Amendment {
            name: name.clone(),
            title: "Trop tard".to_owned(),
            ..Amendment::default()
        },
        &["title"],
    );
    let outcome = officer.update_amendment(change.clone()).await;
    assert_eq!(precondition(outcome), "AMENDMENT_NOT_DRAFT");

    let signed = world
        .sign_amendment(sign(&name, Party::Authority))
        .await
        .unwrap();
    assert_eq!(signed.state(), AmendmentState::InForce);
    assert_eq!(signed.version, format!("{parent}/versions/2"));
    assert_eq!(signed.changes, []);
    assert_eq!(world.amendment(&name).await, signed);
    for party in [Party::Operator, Party::Authority] {
        let outcome = world.sign_amendment(sign(&name, party)).await;
        assert_eq!(precondition(outcome), "AMENDMENT_NOT_OPEN");
    }
    let outcome = officer.withdraw_amendment(withdraw(&name)).await;
    assert_eq!(precondition(outcome), "AMENDMENT_NOT_OPEN");
    let told = world.changes_until("amendment.in_force", &name).await;
    let amended = told
        .iter()
        .find(|change| change.kind == "convention.amended")
        .unwrap();
    assert_eq!(
        (amended.name.as_str(), amended.why.as_str()),
        (parent.as_str(), "Davantage de permanences.")
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
