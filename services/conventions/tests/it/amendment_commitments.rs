//! Commitments follow an amendment.

use nonrecours_contracts::conventions::{
    Amendment, Commitment, CommitmentEvidence, CommitmentState, CommitmentTerm,
    ListCommitmentsRequest, RecordCommitmentEvidenceRequest, ReopenCommitmentRequest,
    RescheduleCommitmentRequest, ValidateCommitmentRequest,
};
use nonrecours_kernel::ConventionName;
use nonrecours_testkit::request_id;

use crate::{
    requests::{date, precondition},
    world::World,
};

async fn commitments(world: &World, convention: &str) -> Vec<Commitment> {
    let request = ListCommitmentsRequest {
        parent: convention.to_owned(),
        ..ListCommitmentsRequest::default()
    };
    let mut client = world.commitments(world.tokens.auditor());
    client
        .list_commitments(request)
        .await
        .unwrap()
        .into_inner()
        .commitments
}

fn worded(code: &str, text: &str) -> CommitmentTerm {
    CommitmentTerm {
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn commitments_are_added_moved_and_released() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    let convention: ConventionName = name.parse().unwrap();
    let two = Amendment {
        commitments: vec![
            worded("MISSIONS", "Remplir les missions de l'article 2."),
            worded("BILAN", "Remettre un bilan d'étape."),
        ],
        indicative_end_date: Some(date(2026, 6, 30)),
        ..Amendment::default()
    };
    world.amended(&name, two).await;
    let followed = commitments(&world, &name).await;
    let seen: Vec<_> = followed
        .iter()
        .map(|it| (it.code.as_str(), it.due_date, it.revision()))
        .collect();
    assert_eq!(
        seen,
        [
            ("MISSIONS", Some(date(2026, 6, 30)), 2),
            ("BILAN", Some(date(2026, 6, 30)), 1)
        ]
    );
    let moved = world
        .changes_until("commitment.rescheduled", &followed[0].name)
        .await;
    assert_eq!(moved.last().unwrap().why, "Davantage de permanences.");

    // The first is done, and worded anew; the second is left out.
    let evidence = RecordCommitmentEvidenceRequest {
        name: followed[0].name.clone(),
        evidence: Some(CommitmentEvidence {
            text: "Douze permanences.".to_owned(),
            ..CommitmentEvidence::default()
        }),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut manager = world.commitments(world.tokens.manager(convention.operator));
    manager
        .record_commitment_evidence(evidence.clone())
        .await
        .unwrap();
    let validate = ValidateCommitmentRequest {
        name: followed[0].name.clone(),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut officer = world.commitments(world.tokens.officer());
    officer.validate_commitment(validate).await.unwrap();
    let other = Amendment {
        commitments: vec![worded(
            "MISSIONS",
            "Remplir les missions, et en rendre compte.",
        )],
        ..Amendment::default()
    };
    world.amended(&name, other).await;
    let followed = commitments(&world, &name).await;
    let states: Vec<_> = followed
        .iter()
        .map(|it| (it.code.as_str(), it.state()))
        .collect();
    assert_eq!(
        states,
        [
            ("MISSIONS", CommitmentState::Done),
            ("BILAN", CommitmentState::Released),
            ("MISSIONS", CommitmentState::Pending)
        ]
    );
    world
        .changes_until("commitment.released", &followed[1].name)
        .await;
    let released = followed[1].name.clone();
    let reopen = |name: &str| ReopenCommitmentRequest {
        name: name.to_owned(),
        reason: "Encore dû.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    for name in [&released, &followed[0].name] {
        let outcome = officer.reopen_commitment(reopen(name)).await;
        assert_eq!(precondition(outcome), "COMMITMENT_RELEASED");
    }
    let reschedule = RescheduleCommitmentRequest {
        name: released.clone(),
        due_date: Some(date(2026, 7, 31)),
        etag: String::new(),
        request_id: request_id(),
    };
    let outcome = officer.reschedule_commitment(reschedule).await;
    assert_eq!(precondition(outcome), "COMMITMENT_RELEASED");
    let outcome = manager
        .record_commitment_evidence(RecordCommitmentEvidenceRequest {
            name: released.clone(),
            request_id: request_id(),
            ..evidence.clone()
        })
        .await;
    assert_eq!(precondition(outcome), "COMMITMENT_RELEASED");
    let validate = ValidateCommitmentRequest {
        name: released,
        etag: String::new(),
        request_id: request_id(),
    };
    let outcome = officer.validate_commitment(validate).await;
    assert_eq!(precondition(outcome), "COMMITMENT_RELEASED");

    // The new wording is done, then left out altogether: nobody asks for it again.
    let done = followed[2].name.clone();
    let evidence = RecordCommitmentEvidenceRequest {
        name: done.clone(),
        request_id: request_id(),
        ..evidence
    };
    manager.record_commitment_evidence(evidence).await.unwrap();
    let validate = ValidateCommitmentRequest {
        name: done.clone(),
        etag: String::new(),
        request_id: request_id(),
    };
    officer.validate_commitment(validate).await.unwrap();
    let without = Amendment {
        commitments: vec![worded("BAROMETRE", "Contribuer au baromètre.")],
        ..Amendment::default()
    };
    world.amended(&name, without).await;
    let outcome = officer.reopen_commitment(reopen(&done)).await;
    assert_eq!(precondition(outcome), "COMMITMENT_RELEASED");
    let still = commitments(&world, &name).await;
    assert_eq!(still[2].state(), CommitmentState::Done);
}

trait Revision {
    fn revision(&self) -> i64;
}

impl Revision for Commitment {
    /// The etag is the revision.
    fn revision(&self) -> i64 {
        self.etag.parse().unwrap()
    }
}
