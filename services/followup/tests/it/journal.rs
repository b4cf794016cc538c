//! The journal of accesses: nothing about persons is told or changed without an entry.

use std::collections::BTreeSet;

use nonrecours_contracts::followup::{
    Access, AccessKind, GetBeneficiaryRequest, GetNoteRequest, ListAccessesRequest,
    ListAccessesResponse, PushMode, PushRecordsOnceRequest,
    access_service_client::AccessServiceClient,
    beneficiary_service_client::BeneficiaryServiceClient, note_service_client::NoteServiceClient,
    push_service_client::PushServiceClient,
};
use nonrecours_rpc::auth::journalled_table;
use prost_types::Timestamp;
use tonic::{Code, Status};

use crate::{calls::call_everything, support::*};

/// Rpcs entered without being held back by the layer: a stream, and the feed, whose contract is not of persons only.
const ENTERED_BESIDES: [&str; 3] = [
    "/nonrecours.followup.v1.PushService/PushRecords",
    "/nonrecours.feed.v1.ChangeFeedService/PullChanges",
    "/nonrecours.feed.v1.ChangeFeedService/ListHistory",
];

/// What those who answer for the operator are told of accesses.
pub async fn accesses(
    suite: &Suite,
    request: ListAccessesRequest,
) -> Result<ListAccessesResponse, Status> {
    let manager = suite.tokens.manager(suite.convention.operator);
    let mut client = AccessServiceClient::new(suite.serving.channel(manager));
    Ok(client.list_accesses(request).await?.into_inner())
}

fn all(suite: &Suite) -> ListAccessesRequest {
    ListAccessesRequest {
        parent: suite.convention.parent().to_string(),
        ..Default::default()
    }
}

/// Accesses by the last part of their rpc.
async fn of_rpc(suite: &Suite, rpc: &str) -> Vec<Access> {
    let page = accesses(suite, all(suite)).await.unwrap();
    let of = |access: &Access| access.rpc.ends_with(&format!("/{rpc}"));
    page.accesses.into_iter().filter(of).collect()
}

#[tokio::test]
async fn every_rpc_about_persons_leaves_an_entry() {
    let suite = Suite::start().await;
    suite.learn(convention_name(2, 1), 1, true).await;
    call_everything(&suite).await;
    let entered: Vec<String> = sqlx::query_scalar("SELECT DISTINCT rpc FROM access_entry")
        .fetch_all(&suite.owner)
        .await
        .unwrap();
    let entered: BTreeSet<&str> = entered
        .iter()
        .map(String::as_str)
        .filter(|rpc| !rpc.is_empty())
        .collect();
    let expected: BTreeSet<&str> = journalled_table()
        .iter()
        .map(String::as_str)
        .chain(ENTERED_BESIDES)
        .collect();
    assert_eq!(
        entered, expected,
        "an rpc about persons that this test does not call, or that leaves no entry"
    );

    // Who, as what, for whom, and in which trace; never who the persons are.
    let entries: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT actor, roles, access_entry::text FROM access_entry WHERE rpc LIKE '%GetBeneficiaryIdentity'",
    )
    .fetch_all(&suite.owner)
    .await
    .unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].1, "operator_agent");
    assert!(entries[0].0.starts_with("agent"), "{}", entries[0].0);
    let everything: Vec<String> = sqlx::query_scalar("SELECT access_entry::text FROM access_entry")
        .fetch_all(&suite.owner)
        .await
        .unwrap();
    for word in [
        "Lefèvre", "Quillacq", "Zoé", "Bapaume", "06 39", "Revient", "B1",
    ] {
        let told = everything.iter().find(|entry| entry.contains(word));
        assert_eq!(told, None, "{word}");
    }

    // The other operator's reading of the identity stands in this one's journal, under the other's name.
    let received = of_rpc(&suite, "GetReceivedReferral").await;
    let [access] = received.as_slice() else {
        panic!("{received:?}");
    };
    assert_eq!(
        access.actor_operator,
        convention_name(2, 1).parent().to_string()
    );
    assert!(
        access
            .records
            .iter()
            .any(|name| name.ends_with("/identity")),
        "{access:?}"
    );
}

#[tokio::test]
async fn a_batch_is_one_entry_with_all_it_met() {
    let suite = Suite::start().await;
    let persons: Vec<_> = (0..120).map(|n| person(&format!("B{n}"))).collect();
    suite.push(persons.clone()).await;
    // Again: nothing changes, and yet it tells what is there.
    suite.push(persons.clone()).await;
    // A dry run tells of the stored ones too.
    let dry = PushRecordsOnceRequest {
        convention: suite.convention.to_string(),
        records: persons,
        mode: PushMode::Validate.into(),
        ..Default::default()
    };
    let mut client = PushServiceClient::new(suite.agent());
    client.push_records_once(dry).await.unwrap();
    let pushed = of_rpc(&suite, "PushRecords").await;
    let kinds: Vec<(AccessKind, i32, usize)> = pushed
        .iter()
        .chain(&of_rpc(&suite, "PushRecordsOnce").await)
        .map(|access| (access.kind(), access.record_count, access.records.len()))
        .collect();
    assert_eq!(
        kinds,
        [
            (AccessKind::Write, 120, 50),
            (AccessKind::Read, 120, 50),
            (AccessKind::Read, 120, 50),
        ]
    );
    let ids: i32 = sqlx::query_scalar(
        "SELECT min(cardinality(records)) FROM access_entry WHERE rpc LIKE '%/Push%'",
    )
    .fetch_one(&suite.owner)
    .await
    .unwrap();
    assert_eq!(ids, 120);
}

#[tokio::test]
async fn what_cannot_be_entered_is_neither_told_nor_changed() {
    let suite = Suite::start().await;
    let name = suite.push(vec![person("B1")]).await.results[0].name.clone();
    let app: String = sqlx::query_scalar("SELECT regexp_replace(current_user, '_owner$', '_app')")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    execute(
        &suite.owner,
        &format!("REVOKE INSERT ON access_entry FROM {app}"),
    )
    .await;
    let mut client = BeneficiaryServiceClient::new(suite.agent());
    let get = client.get_beneficiary(GetBeneficiaryRequest { name }).await;
    assert_eq!(
        refusal(&get.unwrap_err()),
        (Code::Internal, "INTERNAL".to_owned())
    );
    let push = suite
        .push_under(&suite.convention, vec![vec![person("B2")]])
        .await;
    assert_eq!(push.unwrap_err().code(), Code::Internal);
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM beneficiary")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(stored, 1);
}

#[tokio::test]
async fn those_who_answer_for_the_operator_list_accesses_by_person_and_time() {
    let suite = Suite::start().await;
    let records = vec![
        person("B1"),
        person("B2"),
        note("N1", "B1", "Revient lundi."),
    ];
    let names: Vec<String> = suite
        .push(records)
        .await
        .results
        .into_iter()
        .map(|result| result.name)
        .collect();
    suite
        .clock
        .set(time::macros::datetime!(2025-10-08 09:00 +2));
    let mut notes = NoteServiceClient::new(suite.agent());
    let name = names[2].clone();
    notes.get_note(GetNoteRequest { name }).await.unwrap();
    let mut beneficiaries = BeneficiaryServiceClient::new(suite.agent());
    let name = names[1].clone();
    let get = beneficiaries.get_beneficiary(GetBeneficiaryRequest { name });
    get.await.unwrap();

    let rpcs = |page: &ListAccessesResponse| -> Vec<String> {
        let accesses = page.accesses.iter();
        accesses
            .map(|access| access.rpc.rsplit_once('/').unwrap().1.to_owned())
            .collect()
    };
    // The note is about the person, whose name the reader never gave.
    let mut request = all(&suite);
    request.beneficiary = names[0].clone();
    let page = accesses(&suite, request).await.unwrap();
    assert_eq!(rpcs(&page), ["PushRecords", "GetNote"]);
    assert_eq!(page.accesses[1].records, [names[2].clone()]);
    assert_eq!(page.accesses[1].roles, ["operator_agent"]);

    // From the second day on; asking is an access too.
    let second_day = Timestamp {
        seconds: time::macros::datetime!(2025-10-08 00:00 +2).unix_timestamp(),
        nanos: 0,
    };
    let mut request = all(&suite);
    request.start_time = Some(second_day);
    request.page_size = 2;
    let first = accesses(&suite, request.clone()).await.unwrap();
    assert_eq!(rpcs(&first), ["GetNote", "GetBeneficiary"]);
    request.page_token = first.next_page_token.clone();
    let second = accesses(&suite, request.clone()).await.unwrap();
    assert_eq!(rpcs(&second), ["ListAccesses", "ListAccesses"]);
    assert_eq!(second.accesses[0].records, [names[0].clone()]);
    let mut before = all(&suite);
    before.end_time = Some(second_day);
    assert_eq!(
        rpcs(&accesses(&suite, before.clone()).await.unwrap()),
        ["PushRecords"]
    );

    // A token of another question, periods that are none, instants that are none, other people's names.
    request.end_time = request.start_time;
    request.page_token = String::new();
    let status = accesses(&suite, request.clone()).await.unwrap_err();
    let violations = nonrecours_rpc::details::Details::of(&status).violations;
    assert_eq!(violations[0].reason, "PERIOD_EMPTY");
    request.end_time = Some(Timestamp {
        seconds: i64::MAX,
        nanos: 0,
    });
    let status = accesses(&suite, request).await.unwrap_err();
    let violations = nonrecours_rpc::details::Details::of(&status).violations;
    assert_eq!(violations[0].reason, "TIMESTAMP_INVALID");
    before.page_token = first.next_page_token;
    let status = accesses(&suite, before).await.unwrap_err();
    assert_eq!(refusal(&status).1, "PAGE_TOKEN_INVALID");
    let mut foreign = all(&suite);
    foreign.beneficiary = names[0].replace(
        &suite.convention.operator.to_string(),
        &operator(2).to_string(),
    );
    let status = accesses(&suite, foreign).await.unwrap_err();
    assert_eq!(refusal(&status).1, "OUT_OF_REACH");

    // An agent does not watch their colleagues; another operator's manager sees nothing of this one.
    let mut agent = AccessServiceClient::new(suite.agent());
    let status = agent.list_accesses(all(&suite)).await.unwrap_err();
    assert_eq!(refusal(&status).1, "ROLE_MISSING");
    let other = suite.serving.channel(suite.tokens.manager(operator(2)));
    let status = AccessServiceClient::new(other)
        .list_accesses(all(&suite))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status).1, "OUT_OF_REACH");
}
