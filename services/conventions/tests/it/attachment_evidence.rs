//! The evidence of a commitment may rest on an attachment, which then stays.

use nonrecours_contracts::conventions::{
    Commitment, CommitmentEvidence, CommitmentState, ListCommitmentsRequest,
    RecordCommitmentEvidenceRequest, ReopenCommitmentRequest, ValidateCommitmentRequest,
};
use nonrecours_kernel::CommitmentName;
use nonrecours_testkit::request_id;
use tonic::Status;

use crate::{
    attachment::{opening, pdf, upload, withdraw},
    requests::{pairs, precondition, reason, violations},
    world::World,
};

async fn commitment(world: &World, convention: &str) -> Commitment {
    let request = ListCommitmentsRequest {
        parent: convention.to_owned(),
        ..ListCommitmentsRequest::default()
    };
    let mut client = world.commitments(world.tokens.officer());
    let page = client.list_commitments(request).await.unwrap().into_inner();
    page.commitments.first().unwrap().clone()
}

async fn record(world: &World, name: &str, reference: &str) -> Result<Commitment, Status> {
    let request = RecordCommitmentEvidenceRequest {
        name: name.to_owned(),
        evidence: Some(CommitmentEvidence {
            text: "Douze permanences tenues.".to_owned(),
            reference: reference.to_owned(),
            ..CommitmentEvidence::default()
        }),
        etag: String::new(),
        request_id: request_id(),
    };
    let parsed: CommitmentName = name.parse().unwrap();
    let mut client = world.commitments(world.tokens.manager(parsed.operator));
    Ok(client
        .record_commitment_evidence(request)
        .await?
        .into_inner())
}

#[tokio::test]
async fn evidence_rests_on_an_attachment_of_the_same_convention() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let commitment = commitment(&world, &convention).await.name;
    let bytes = pdf(100);
    let about = opening(&convention, &bytes);
    let attachment = upload(&world, about, &bytes).await.unwrap().name;

    let elsewhere = attachment.replace(&convention[convention.len() - 4..], "0000");
    assert_eq!(
        violations(record(&world, &commitment, &elsewhere).await),
        pairs(&[("evidence.reference", "ATTACHMENT_ELSEWHERE")])
    );
    assert_eq!(
        violations(record(&world, &commitment, &convention).await),
        pairs(&[("evidence.reference", "RESOURCE_NAME_INVALID")])
    );
    let absent = format!("{convention}/attachments/{}", request_id());
    assert_eq!(
        reason(record(&world, &commitment, &absent).await),
        "NOT_FOUND"
    );

    let evidenced = record(&world, &commitment, &attachment).await.unwrap();
    assert_eq!(evidenced.state(), CommitmentState::Evidenced);
    assert_eq!(evidenced.evidence.unwrap().reference, attachment);

    // As long as the evidence rests on it, validated or not, it is not withdrawn.
    let mut manager = world.attachments(world.tokens.manager(setting.operator));
    let refused = manager.withdraw_attachment(withdraw(&attachment)).await;
    assert_eq!(precondition(refused), "ATTACHMENT_CITED");
    let mut officer = world.commitments(world.tokens.officer());
    let validated = officer.validate_commitment(ValidateCommitmentRequest {
        name: commitment.clone(),
        etag: String::new(),
        request_id: request_id(),
    });
    validated.await.unwrap();
    let refused = manager.withdraw_attachment(withdraw(&attachment)).await;
    assert_eq!(precondition(refused), "ATTACHMENT_CITED");
    let reopened = officer.reopen_commitment(ReopenCommitmentRequest {
        name: commitment.clone(),
        reason: "Les feuilles sont illisibles.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    });
    reopened.await.unwrap();
    let withdrawn = manager.withdraw_attachment(withdraw(&attachment)).await;
    withdrawn.unwrap();
    let refused = record(&world, &commitment, &attachment).await;
    assert_eq!(precondition(refused), "ATTACHMENT_WITHDRAWN");

    // Words do as before.
    let words = "Feuilles d'émargement 2025-12";
    let evidenced = record(&world, &commitment, words).await.unwrap();
    assert_eq!(evidenced.evidence.unwrap().reference, words);
}

#[tokio::test]
async fn citing_and_withdrawing_at_once_never_both_succeed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let commitment = commitment(&world, &convention).await.name;
    let mut outcomes = [0, 0];
    for length in 100..110 {
        let bytes = pdf(length);
        let about = opening(&convention, &bytes);
        let attachment = upload(&world, about, &bytes).await.unwrap().name;
        let mut officer = world.attachments(world.tokens.officer());
        let (cited, withdrawn) = tokio::join!(
            record(&world, &commitment, &attachment),
            officer.withdraw_attachment(withdraw(&attachment))
        );
        match (cited, withdrawn) {
            (Ok(_), Err(refused)) => {
                outcomes[0] += 1;
                assert_eq!(precondition(Err::<(), _>(refused)), "ATTACHMENT_CITED");
            }
            (Err(refused), Ok(_)) => {
                outcomes[1] += 1;
                assert_eq!(precondition(Err::<(), _>(refused)), "ATTACHMENT_WITHDRAWN");
            }
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(outcomes[0] + outcomes[1], 10);
}
