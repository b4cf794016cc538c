//! Commitments (art. 4): followed from the second signature on, shown to be kept, validated, reopened.

use nonrecours_contracts::conventions::{
    Commitment, CommitmentEvidence, CommitmentFilter, CommitmentState, GetCommitmentRequest,
    ListCommitmentsRequest, OperatorCategory, RecordCommitmentEvidenceRequest,
    ReopenCommitmentRequest, RescheduleCommitmentRequest, ValidateCommitmentRequest,
};
use nonrecours_kernel::{CommitmentName, paris_midnight};
use nonrecours_testkit::request_id;
use time::macros::date as day;
use tonic::Status;

use crate::{
    requests::{NIR, date, operator, pairs, precondition, reason, violations},
    world::{Setting, World},
};

fn evidence(name: &str) -> RecordCommitmentEvidenceRequest {
    RecordCommitmentEvidenceRequest {
        name: name.to_owned(),
        evidence: Some(CommitmentEvidence {
            text: "Douze permanences tenues à la Cité des Métiers.".to_owned(),
            reference: "Feuilles d'émargement 2025-12".to_owned(),
            ..CommitmentEvidence::default()
        }),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn validate(name: &str) -> ValidateCommitmentRequest {
    ValidateCommitmentRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn reopen(name: &str) -> ReopenCommitmentRequest {
    ReopenCommitmentRequest {
        name: name.to_owned(),
        reason: "Les feuilles d'émargement sont illisibles.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn reschedule(name: &str, year: i32, month: i32, day: i32) -> RescheduleCommitmentRequest {
    RescheduleCommitmentRequest {
        name: name.to_owned(),
        due_date: Some(date(year, month, day)),
        etag: String::new(),
        request_id: request_id(),
    }
}

async fn record(
    world: &World,
    request: RecordCommitmentEvidenceRequest,
) -> Result<Commitment, Status> {
    let name: CommitmentName = request.name.parse().unwrap();
    let mut client = world.commitments(world.tokens.manager(name.operator));
    Ok(client
        .record_commitment_evidence(request)
        .await?
        .into_inner())
}

async fn list(
    world: &World,
    token: String,
    parent: &str,
    filter: CommitmentFilter,
) -> Result<Vec<Commitment>, Status> {
    let request = ListCommitmentsRequest {
        parent: parent.to_owned(),
        filter: filter.into(),
        ..ListCommitmentsRequest::default()
    };
    let mut client = world.commitments(token);
    Ok(client
        .list_commitments(request)
        .await?
        .into_inner()
        .commitments)
}

/// The one commitment of a convention in force.
async fn followed(world: &World, setting: &Setting) -> Commitment {
    let convention = world.in_force(setting).await.name;
    let all = CommitmentFilter::Unspecified;
    let found = list(world, world.tokens.officer(), &convention, all).await;
    let [commitment] = found.unwrap().try_into().unwrap();
    commitment
}

#[tokio::test]
async fn a_convention_in_force_has_its_commitments_due_on_its_indicative_end() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let draft = world.draft(&setting).await.name;
    let all = CommitmentFilter::Unspecified;
    let before = list(&world, world.tokens.officer(), &draft, all).await;
    assert_eq!(before.unwrap(), []);
    let followed = followed(&world, &setting).await;
    assert_eq!(followed.code, "MISSIONS");
    assert_eq!(followed.text, "Remplir les missions de l'article 2.");
    assert_eq!(followed.due_date, Some(date(2025, 12, 31)));
    assert_eq!(followed.reminder_date, Some(date(2025, 12, 1)));
    assert_eq!(followed.state(), CommitmentState::Pending);
    assert!(!followed.overdue);
    let get = GetCommitmentRequest {
        name: followed.name.clone(),
    };
    let mut client = world.commitments(world.tokens.auditor());
    let got = client.get_commitment(get).await.unwrap().into_inner();
    assert_eq!(got, followed);
}

#[tokio::test]
async fn a_commitment_is_evidenced_validated_and_reopened() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let pending = followed(&world, &setting).await;
    let name = pending.name.clone();
    let mut officer = world.commitments(world.tokens.officer());

    let without = officer.validate_commitment(validate(&name)).await;
    assert_eq!(precondition(without), "COMMITMENT_WITHOUT_EVIDENCE");
    let without = officer.reopen_commitment(reopen(&name)).await;
    assert_eq!(precondition(without), "COMMITMENT_WITHOUT_EVIDENCE");

    let request = evidence(&name);
    let evidenced = record(&world, request.clone()).await.unwrap();
    assert_eq!(evidenced.state(), CommitmentState::Evidenced);
    let given = evidenced.evidence.clone().unwrap();
    assert_eq!(given.reference, "Feuilles d'émargement 2025-12");
    assert!(!given.recorded_by.is_empty());
    assert_eq!(record(&world, request.clone()).await.unwrap(), evidenced);
    let reused = RecordCommitmentEvidenceRequest {
        evidence: Some(CommitmentEvidence {
            text: "Autre chose.".to_owned(),
            ..CommitmentEvidence::default()
        }),
        ..request
    };
    assert_eq!(reason(record(&world, reused).await), "REQUEST_ID_REUSED");
    let stale = RecordCommitmentEvidenceRequest {
        etag: pending.etag,
        ..evidence(&name)
    };
    assert_eq!(reason(record(&world, stale).await), "ETAG_MISMATCH");

    let reopened = officer.reopen_commitment(reopen(&name)).await.unwrap();
    let reopened = reopened.into_inner();
    assert_eq!(reopened.state(), CommitmentState::Pending);
    assert_eq!(reopened.evidence, None);
    assert_eq!(
        reopened.reopen_reason,
        "Les feuilles d'émargement sont illisibles."
    );
    let evidenced = record(&world, evidence(&name)).await.unwrap();
    assert_eq!(evidenced.reopen_reason, "");
    let done = officer.validate_commitment(validate(&name)).await.unwrap();
    let done = done.into_inner();
    assert_eq!(done.state(), CommitmentState::Done);
    assert!(done.validate_time.is_some() && !done.validated_by.is_empty());
    for refused in [
        record(&world, evidence(&name)).await,
        officer
            .validate_commitment(validate(&name))
            .await
            .map(tonic::Response::into_inner),
        officer
            .reschedule_commitment(reschedule(&name, 2026, 1, 31))
            .await
            .map(tonic::Response::into_inner),
    ] {
        assert_eq!(precondition(refused), "COMMITMENT_DONE");
    }
    let reopened = officer.reopen_commitment(reopen(&name)).await.unwrap();
    assert_eq!(reopened.into_inner().state(), CommitmentState::Pending);
    let changes = world
        .changes_to(|change| change.name == name && change.revision == 6)
        .await;
    let kinds: Vec<_> = changes
        .iter()
        .filter(|change| change.name == name)
        .map(|change| change.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "commitment.evidenced",
            "commitment.reopened",
            "commitment.evidenced",
            "commitment.validated",
            "commitment.reopened",
        ]
    );
}

#[tokio::test]
async fn what_is_due_is_listed_by_the_day_in_paris() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let commitment = followed(&world, &setting).await;
    let listed = async |filter| {
        let mut names = Vec::new();
        for parent in ["operators/-".to_owned(), setting.parent()] {
            let found = list(&world, world.tokens.officer(), &parent, filter).await;
            names.push(
                found
                    .unwrap()
                    .into_iter()
                    .map(|it| it.name)
                    .collect::<Vec<_>>(),
            );
        }
        assert_eq!(names[0], names[1]);
        names.remove(0)
    };
    let (overdue, reminder) = (CommitmentFilter::Overdue, CommitmentFilter::Reminder);
    for (day, late, soon) in [
        (day!(2025 - 11 - 30), false, false),
        (day!(2025 - 12 - 01), false, true),
        (day!(2025 - 12 - 31), false, true),
        (day!(2026 - 01 - 01), true, false),
    ] {
        // Midnight in Paris is the evening before in universal time.
        world.clock.set(paris_midnight(day));
        assert_eq!(!listed(overdue).await.is_empty(), late, "{day}");
        assert_eq!(!listed(reminder).await.is_empty(), soon, "{day}");
    }
    let mut officer = world.commitments(world.tokens.officer());
    let moved = officer
        .reschedule_commitment(reschedule(&commitment.name, 2026, 3, 31))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(moved.due_date, Some(date(2026, 3, 31)));
    assert!(!moved.overdue);
    assert_eq!(listed(overdue).await, [""; 0]);
    world.clock.set(paris_midnight(day!(2026 - 04 - 01)));
    assert_eq!(listed(overdue).await, [commitment.name.as_str()]);
    record(&world, evidence(&commitment.name)).await.unwrap();
    assert_eq!(listed(overdue).await, [commitment.name.as_str()]);
    let mut officer = world.commitments(world.tokens.officer());
    let done = officer
        .validate_commitment(validate(&commitment.name))
        .await;
    assert!(!done.unwrap().into_inner().overdue);
    assert_eq!(listed(overdue).await, [""; 0]);
}

#[tokio::test]
async fn everything_wrong_comes_at_once_and_strangers_reach_nothing() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let commitment = followed(&world, &setting).await;
    let request = RecordCommitmentEvidenceRequest {
        evidence: Some(CommitmentEvidence {
            text: " ".to_owned(),
            reference: NIR.to_owned(),
            ..CommitmentEvidence::default()
        }),
        request_id: "x".to_owned(),
        ..evidence(&commitment.name)
    };
    assert_eq!(
        violations(record(&world, request).await),
        pairs(&[
            ("request_id", "UUID_INVALID"),
            ("evidence.text", "REQUIRED"),
            ("evidence.reference", "NIR_FORBIDDEN"),
        ])
    );
    let mut officer = world.commitments(world.tokens.officer());
    let early = reschedule(&commitment.name, 2025, 10, 6);
    assert_eq!(
        violations(officer.reschedule_commitment(early).await),
        pairs(&[("due_date", "DUE_BEFORE_IN_FORCE")])
    );
    let unknown = officer.validate_commitment(validate(&format!(
        "{}/commitments/{}",
        commitment.name.rsplit_once("/commitments/").unwrap().0,
        request_id()
    )));
    assert_eq!(reason(unknown.await), "NOT_FOUND");

    let arras = operator("21620041000019", OperatorCategory::Ccas);
    let stranger = world.setting_of(1, arras).await;
    let manager = || world.tokens.manager(stranger.operator);
    let mut client = world.commitments(manager());
    assert_eq!(
        reason(
            client
                .record_commitment_evidence(evidence(&commitment.name))
                .await
        ),
        "OUT_OF_REACH"
    );
    let all = CommitmentFilter::Unspecified;
    let other = list(&world, manager(), &setting.parent(), all).await;
    assert_eq!(reason(other), "OUT_OF_REACH");
    let own = list(&world, manager(), "operators/-", all).await;
    assert_eq!(own.unwrap(), []);
    let role = world
        .commitments(manager())
        .validate_commitment(validate(&commitment.name))
        .await;
    assert_eq!(reason(role), "ROLE_MISSING");
}
