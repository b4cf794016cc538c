//! What an operator is updated with, what it triggers, and what an association signs first.

use nonrecours_contracts::conventions::{
    ActivityReport, CreateOperatorRequest, ListOperatorsRequest, Operator, OperatorCategory, Party,
    Representative, UpdateOperatorRequest, representative::Empowerment,
};
use nonrecours_testkit::request_id;
use prost_types::FieldMask;
use tonic::{Response, Status};

use crate::{
    budget::accounted,
    requests::{
        self, CUA_ACT, DAINVILLE, DAINVILLE_ACT, NIR, date, euros, operator, pairs, reason,
        refused, sign, signatory, violations,
    },
    world::{Setting, World},
};

const ASSOCIATION: &str = "732 829 320 00074";

fn association() -> CreateOperatorRequest {
    let mut request = operator(ASSOCIATION, OperatorCategory::Association);
    let association = request.operator.as_mut().unwrap();
    association.legal_name = "Les Passerelles".to_owned();
    association.rna = "w621000123".to_owned();
    request
}

fn update(operator: Operator, fields: &[&str]) -> UpdateOperatorRequest {
    UpdateOperatorRequest {
        operator: Some(operator),
        update_mask: Some(FieldMask {
            paths: fields.iter().map(|field| (*field).to_owned()).collect(),
        }),
        request_id: request_id(),
    }
}

async fn updated(world: &World, request: UpdateOperatorRequest) -> Result<Operator, Status> {
    let mut officer = world.operators(world.tokens.officer());
    officer
        .update_operator(request)
        .await
        .map(Response::into_inner)
}

async fn created(world: &World, request: CreateOperatorRequest) -> Operator {
    let mut officer = world.operators(world.tokens.officer());
    officer.create_operator(request).await.unwrap().into_inner()
}

fn representative(empowerment: Empowerment) -> Representative {
    Representative {
        full_name: "Françoise ROSSIGNOL".to_owned(),
        capacity: "Maire".to_owned(),
        empowerment: Some(empowerment),
    }
}

fn duties(operator: &Operator) -> Vec<&str> {
    let reasons = operator.duties.iter();
    reasons.map(|duty| duty.reason.as_str()).collect()
}

#[tokio::test]
async fn an_operator_is_updated_by_its_mask() {
    let world = World::start().await;
    let first = created(&world, operator(DAINVILLE, OperatorCategory::Commune)).await;
    let by_act = representative(Empowerment::EmpoweringAct(DAINVILLE_ACT.to_owned()));
    let by_date = representative(Empowerment::EmpoweringDecisionDate(date(2024, 2, 29)));
    let request = update(
        Operator {
            representatives: vec![by_act.clone(), by_date.clone()],
            etag: first.etag.clone(),
            // Not in the mask: not read, however wrong.
            legal_name: NIR.to_owned(),
            ..Operator {
                name: first.name.clone(),
                ..Operator::default()
            }
        },
        &["representatives"],
    );
    let second = updated(&world, request.clone()).await.unwrap();
    assert_eq!(second.legal_name, first.legal_name);
    assert_eq!(second.representatives, [by_act, by_date]);
    assert_eq!(second.warnings, []);
    assert_eq!(updated(&world, request.clone()).await.unwrap(), second);
    let reused = UpdateOperatorRequest {
        request_id: request.request_id.clone(),
        ..update(first.clone(), &["address"])
    };
    assert_eq!(reason(updated(&world, reused).await), "REQUEST_ID_REUSED");
    assert_eq!(
        reason(updated(&world, update(first.clone(), &["address"])).await),
        "ETAG_MISMATCH"
    );
    // Without a mask everything is given: what is left out is taken away.
    let whole = UpdateOperatorRequest {
        operator: Some(Operator {
            representatives: Vec::new(),
            address: "1 place de la Mairie, 62217 Dainville".to_owned(),
            ..second.clone()
        }),
        update_mask: None,
        request_id: request_id(),
    };
    let third = updated(&world, whole).await.unwrap();
    assert_eq!(third.representatives, []);
    assert_eq!(third.address, "1 place de la Mairie, 62217 Dainville");
    let missing = Operator {
        name: format!("operators/{}", request_id()),
        ..third.clone()
    };
    assert_eq!(
        reason(updated(&world, update(missing, &["address"])).await),
        "NOT_FOUND"
    );
    world.changes_until("operator.updated", &third.name).await;
}

#[tokio::test]
async fn everything_wrong_with_an_update_comes_at_once() {
    let world = World::start().await;
    let first = created(&world, operator(DAINVILLE, OperatorCategory::Commune)).await;
    let bad = Operator {
        rna: "621000123".to_owned(),
        representatives: vec![
            Representative {
                empowerment: None,
                full_name: NIR.to_owned(),
                ..representative(Empowerment::EmpoweringAct(String::new()))
            },
            representative(Empowerment::EmpoweringAct("062-x".to_owned())),
            representative(Empowerment::EmpoweringDecisionDate(date(2025, 10, 8))),
        ],
        republican_commitment_date: Some(date(2025, 10, 8)),
        siret: "1".to_owned(),
        ..first.clone()
    };
    let fields = [
        "rna",
        "representatives",
        "republican_commitment_date",
        "siret",
    ];
    assert_eq!(
        violations(updated(&world, update(bad, &fields)).await),
        pairs(&[
            ("operator.representatives[0].empowerment", "REQUIRED"),
            ("update_mask.paths[3]", "FIELD_NOT_UPDATABLE"),
            ("operator.rna", "RNA_FORMAT"),
            ("operator.representatives[0].full_name", "NIR_FORBIDDEN"),
            (
                "operator.representatives[1].empowering_act",
                "ACT_ID_FORMAT"
            ),
            (
                "operator.representatives[2].empowering_decision_date",
                "DATE_IN_FUTURE"
            ),
            ("operator.republican_commitment_date", "DATE_IN_FUTURE"),
        ])
    );
}

#[tokio::test]
async fn what_is_unusual_is_a_warning() {
    let world = World::start().await;
    let reasons = |operator: &Operator| -> Vec<String> {
        let warnings = operator.warnings.iter();
        warnings.map(|warning| warning.reason.clone()).collect()
    };
    let known = created(&world, association()).await;
    assert_eq!(known.rna, "W621000123");
    assert_eq!(reasons(&known), [""; 0]);
    let strange = Operator {
        rna: String::new(),
        representatives: vec![representative(Empowerment::EmpoweringAct(
            DAINVILLE_ACT.to_owned(),
        ))],
        ..known.clone()
    };
    let strange = updated(&world, update(strange, &["rna", "representatives"])).await;
    assert_eq!(
        reasons(&strange.unwrap()),
        ["RNA_MISSING", "REPRESENTATIVE_ACT_SIREN"]
    );
    let mut commune = operator(DAINVILLE, OperatorCategory::Commune);
    commune.operator.as_mut().unwrap().rna = "W621000123".to_owned();
    assert_eq!(reasons(&created(&world, commune).await), ["RNA_UNEXPECTED"]);
}

/// A convention of the association, ready but for the contrat d'engagement républicain.
async fn draft_of(world: &World, setting: &Setting, cents: i64) -> String {
    let mut request = requests::convention(&setting.parent(), &setting.framework);
    let convention = request.convention.as_mut().unwrap();
    convention.grant_amount = Some(euros(cents));
    convention.signatories = vec![
        signatory(Party::Authority, Some(date(2025, 9, 25))),
        signatory(Party::Operator, Some(date(2025, 6, 14))),
    ];
    let mut officer = world.conventions(world.tokens.officer());
    let name = officer.create_convention(request).await.unwrap();
    let name = name.into_inner().name;
    let act = world.act(&name, Party::Authority, CUA_ACT).await;
    world.publish(&act.name).await;
    name
}

#[tokio::test]
async fn no_association_signs_without_the_republican_commitment_and_each_grant_counts() {
    let world = World::start().await;
    let setting = world.setting_of(50_000_000, association()).await;
    let name = draft_of(&world, &setting, 1_300_000).await;
    let blockers = world.convention(&name).await.signing_blockers;
    let [blocker] = blockers.as_slice() else {
        panic!("{blockers:?}");
    };
    assert_eq!(blocker.reason, "REPUBLICAN_COMMITMENT_MISSING");
    assert_eq!(blocker.subject, setting.parent());
    let (_, details) = refused(world.sign(sign(&name, Party::Operator)).await);
    assert_eq!(details.blocker_reasons(), ["REPUBLICAN_COMMITMENT_MISSING"]);
    let list = async || {
        let mut officer = world.operators(world.tokens.officer());
        let list = officer.list_operators(ListOperatorsRequest::default());
        list.await.unwrap().into_inner().operators.remove(0)
    };
    assert_eq!(duties(&list().await), ["REPUBLICAN_COMMITMENT"]);

    let signed = Operator {
        republican_commitment_date: Some(date(2025, 10, 7)),
        ..list().await
    };
    let signed = updated(&world, update(signed, &["republican_commitment_date"])).await;
    assert_eq!(duties(&signed.unwrap()), [""; 0]);
    for party in [Party::Operator, Party::Authority] {
        world.sign(sign(&name, party)).await.unwrap();
    }
    // 13 000 € do not reach the threshold; 13 000 € more exceed it.
    let after = list().await;
    assert_eq!(duties(&after), ["FINANCIAL_REPORT"]);
    assert_eq!(after.duties[0].due_date, Some(date(2026, 6, 30)));
    assert_eq!(after.duties[0].budget_year, 2025);
    let second = draft_of(&world, &setting, 1_300_000).await;
    for party in [Party::Operator, Party::Authority] {
        world.sign(sign(&second, party)).await.unwrap();
    }
    let after = list().await;
    assert_eq!(duties(&after), ["CONVENTION_REQUIRED", "FINANCIAL_REPORT"]);
    let required = &after.duties[0];
    assert!(required.message_fr.contains("26"), "{required:?}");
    assert!(required.legal_basis.contains("2000-321"), "{required:?}");

    // The financial report is due until the report of each of the year's conventions is accepted.
    for convention in [&name, &second] {
        assert!(duties(&list().await).contains(&"FINANCIAL_REPORT"));
        accounted(&world, convention).await;
        let report: ActivityReport = world.submitted(convention).await;
        world.accept(&report.name).await;
    }
    assert_eq!(duties(&list().await), ["CONVENTION_REQUIRED"]);
}
