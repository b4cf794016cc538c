//! Posting codes: every version kept, a budget of one programme only.

use nonrecours_contracts::payments::{GetPostingCodesRequest, PayeeCodes};
use nonrecours_rpc::details::Details;
use nonrecours_testkit::request_id;

use crate::{
    treasury::Treasury,
    world::{World, reason},
};

#[tokio::test]
async fn codes_are_set_and_set_again() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let read = GetPostingCodesRequest {
        name: format!("{}/postingCodes", treasury.programme),
    };
    let mut client = treasury.codes_client(world.tokens.auditor());
    let outcome = client.get_posting_codes(read.clone()).await;
    assert_eq!(reason(outcome), "NOT_FOUND");

    let request = treasury.codes();
    let first = treasury.set(request.clone()).await.unwrap();
    assert_eq!(first.version, 1);
    let codes = first.codes.clone().unwrap();
    assert_eq!(codes.authority_siret, "20003357900018");
    assert_eq!(treasury.set(request).await.unwrap(), first);

    let mut stale = treasury.codes();
    stale.etag = "\"0\"".to_owned();
    assert_eq!(reason(treasury.set(stale).await), "ETAG_MISMATCH");

    let mut request = treasury.codes();
    request.etag.clone_from(&first.etag);
    request.codes.as_mut().unwrap().function_code.clear();
    let second = treasury.set(request).await.unwrap();
    assert_eq!(second.version, 2);
    assert_eq!(second.create_time, first.create_time);
    assert_eq!(second.codes.as_ref().unwrap().function_code, "");
    let stored = client.get_posting_codes(read).await.unwrap().into_inner();
    assert_eq!(stored, second);
    world
        .changes_to(|change| change.kind == "posting_codes.set" && change.revision == 2)
        .await;
}

#[tokio::test]
async fn every_fault_of_the_codes_is_told_at_once() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let mut request = treasury.codes();
    let codes = request.codes.as_mut().unwrap();
    codes.authority_siret = "20003357900019".to_owned();
    codes.posting_office = "06200A".to_owned();
    codes.collectivity_code = "1-2".to_owned();
    codes.function_code = "4 20".to_owned();
    let payee = codes.payees[0].clone();
    codes.payees.push(PayeeCodes {
        third_party_category: "99".to_owned(),
        legal_nature: "99".to_owned(),
        ..payee.clone()
    });
    codes.payees.push(payee);
    let details = Details::of(&treasury.set(request).await.unwrap_err());
    assert_eq!(details.reason, "INVALID_REQUEST");
    let told: Vec<_> = details
        .violations
        .iter()
        .map(|violation| (violation.field.as_str(), violation.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("codes.authority_siret", "SIRET_CHECKSUM"),
            ("codes.posting_office", "DIGITS"),
            ("codes.collectivity_code", "WORD"),
            ("codes.function_code", "WORD"),
            ("codes.payees[1].third_party_category", "CODE"),
            ("codes.payees[1].legal_nature", "CODE"),
            ("codes.payees[2].category", "DUPLICATE"),
        ]
    );
}

#[tokio::test]
async fn two_programmes_never_number_their_slips_in_one_budget() {
    let world = World::start().await;
    let first = Treasury::open(&world).await;
    let second = Treasury::bare(&world);
    let mut request = second.codes();
    assert_eq!(reason(second.set(request.clone()).await), "BUDGET_TAKEN");
    request.codes.as_mut().unwrap().budget_code = "01".to_owned();
    request.request_id = request_id();
    assert_eq!(second.set(request).await.unwrap().version, 1);
    assert_eq!(first.set(first.codes()).await.unwrap().version, 2);
}
