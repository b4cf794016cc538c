//! An operator reaches its own records only: by the code, and by the database where the code forgets.

use nonrecours_contracts::{
    feed::{PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient},
    followup::{
        GetBeneficiaryRequest, GetEntitlementRequest, GetSessionRequest, ListBeneficiariesRequest,
        ListEntitlementsRequest, ListSessionsRequest,
        beneficiary_service_client::BeneficiaryServiceClient,
        entitlement_service_client::EntitlementServiceClient,
        session_service_client::SessionServiceClient,
    },
};
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::support::*;

/// The service with one record of each kind, whose names it gives.
async fn filled() -> (Suite, [String; 3]) {
    let suite = Suite::start().await;
    let answer = suite
        .push(vec![person("B1"), right("E1", "B1"), session("S1")])
        .await;
    let mut names = answer.results.into_iter().map(|result| result.name);
    let names = std::array::from_fn(|_| names.next().unwrap());
    (suite, names)
}

/// Asks for every record with a token, and gives each refusal.
async fn refusals(suite: &Suite, token: String, names: &[String; 3]) -> Vec<Status> {
    let channel = suite.serving.channel(token);
    let mut beneficiaries = BeneficiaryServiceClient::new(channel.clone());
    let mut entitlements = EntitlementServiceClient::new(channel.clone());
    let mut sessions = SessionServiceClient::new(channel.clone());
    let [beneficiary, entitlement, session] = names.clone();
    let parent = suite.convention.parent().to_string();
    let beneficiaries_of = ListBeneficiariesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let entitlements_of = ListEntitlementsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let sessions_of = ListSessionsRequest {
        parent,
        ..Default::default()
    };
    vec![
        beneficiaries
            .get_beneficiary(GetBeneficiaryRequest { name: beneficiary })
            .await
            .unwrap_err(),
        beneficiaries
            .list_beneficiaries(beneficiaries_of)
            .await
            .unwrap_err(),
        entitlements
            .get_entitlement(GetEntitlementRequest { name: entitlement })
            .await
            .unwrap_err(),
        entitlements
            .list_entitlements(entitlements_of)
            .await
            .unwrap_err(),
        sessions
            .get_session(GetSessionRequest { name: session })
            .await
            .unwrap_err(),
        sessions.list_sessions(sessions_of).await.unwrap_err(),
        send(
            channel,
            vec![opening(&suite.convention), batch(1, vec![person("B2")])],
        )
        .await
        .unwrap_err(),
    ]
}

#[tokio::test]
async fn another_operator_is_out_of_reach() {
    let (suite, names) = filled().await;
    for token in [
        suite.tokens.agent(operator(2)),
        suite.tokens.manager(operator(2)),
    ] {
        for status in refusals(&suite, token, &names).await {
            assert_eq!(
                refusal(&status),
                (Code::PermissionDenied, "OUT_OF_REACH".to_owned())
            );
        }
    }
    assert_eq!(suite.changes().await.len(), 3);
}

#[tokio::test]
async fn nobody_but_the_operator_sees_persons() {
    let (suite, names) = filled().await;
    for token in [
        suite.tokens.officer(),
        suite.tokens.authorising_officer(),
        suite.tokens.accountant(),
        suite.tokens.auditor(),
        suite.tokens.peer("conventions"),
    ] {
        for status in refusals(&suite, token, &names).await {
            assert_eq!(
                refusal(&status),
                (Code::PermissionDenied, "ROLE_MISSING".to_owned())
            );
        }
    }
}

#[tokio::test]
async fn the_feed_is_for_operators_each_its_own_and_peers() {
    let (suite, _) = filled().await;
    let pull = async |token, seconds| {
        let mut client = ChangeFeedServiceClient::new(suite.serving.channel(token));
        let request = PullChangesRequest {
            wait: Some(prost_types::Duration { seconds, nanos: 0 }),
            ..PullChangesRequest::default()
        };
        let page = client.pull_changes(request).await?;
        Ok::<usize, Status>(page.into_inner().changes.len())
    };
    assert_eq!(
        pull(suite.tokens.manager(suite.convention.operator), 20)
            .await
            .unwrap(),
        3
    );
    assert_eq!(pull(suite.tokens.peer("conventions"), 20).await.unwrap(), 3);
    // By now the changes can be seen, by those who may.
    assert_eq!(pull(suite.tokens.agent(operator(2)), 0).await.unwrap(), 0);
    for token in [suite.tokens.officer(), suite.tokens.auditor()] {
        assert_eq!(
            pull(token, 0).await.unwrap_err().code(),
            Code::PermissionDenied
        );
    }
}

const COUNTS: [&str; 4] = [
    "SELECT count(*) FROM convention",
    "SELECT count(*) FROM beneficiary",
    "SELECT count(*) FROM entitlement",
    "SELECT count(*) FROM session",
];

/// Counts rows under the application role with the predicate left out; `operator` as the transaction's own.
async fn visible(app: &PgPool, operator: Option<String>) -> Vec<i64> {
    let mut tx = app.begin().await.unwrap();
    if let Some(operator) = operator {
        sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
            .bind(operator)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    let mut counts = Vec::new();
    for count in COUNTS {
        counts.push(sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap());
    }
    counts
}

#[tokio::test]
async fn the_database_hides_the_rows_of_others() {
    let (suite, _) = filled().await;
    let app = suite.database.app().await;
    let own = suite.convention.operator.to_string();
    assert_eq!(visible(&app, Some(own)).await, [1; 4]);
    assert_eq!(visible(&app, Some("*".to_owned())).await, [1; 4]);
    assert_eq!(visible(&app, Some(operator(2).to_string())).await, [0; 4]);
    assert_eq!(visible(&app, None).await, [0; 4]);
}

#[tokio::test]
async fn the_database_hides_steps_and_notes_of_others() {
    let suite = Suite::start().await;
    suite
        .push(vec![
            person("B1"),
            step("P1", "B1"),
            note("N1", "B1", "Revient."),
        ])
        .await;
    let app = suite.database.app().await;
    let own = suite.convention.operator.to_string();
    for (scope, visible) in [
        (own, 1_i64),
        ("*".to_owned(), 1),
        (operator(2).to_string(), 0),
    ] {
        for count in [
            "SELECT count(*) FROM step",
            "SELECT count(*) FROM note",
            "SELECT count(*) FROM note_text",
        ] {
            let mut tx = app.begin().await.unwrap();
            sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
                .bind(&scope)
                .execute(&mut *tx)
                .await
                .unwrap();
            let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(seen, visible, "{count} as {scope}");
        }
    }
}

#[tokio::test]
async fn the_database_refuses_rows_of_others_and_deletions() {
    let (suite, _) = filled().await;
    let app = suite.database.app().await;
    let as_stranger = async |statement: &'static str| {
        let mut tx = app.begin().await.unwrap();
        sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
            .bind(operator(2).to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(statement)
            .bind(suite.convention.operator.uuid())
            .execute(&mut *tx)
            .await
    };
    let code = |error: sqlx::Error| {
        error
            .as_database_error()
            .and_then(|error| error.code())
            .unwrap()
            .into_owned()
    };
    let insert = "INSERT INTO convention VALUES ($1, gen_random_uuid(), 1, true, '2025-10-07')";
    assert_eq!(code(as_stranger(insert).await.unwrap_err()), "42501");
    let update = "UPDATE beneficiary SET version = 9 WHERE operator_id = $1";
    assert_eq!(as_stranger(update).await.unwrap().rows_affected(), 0);
    let delete = "DELETE FROM session WHERE operator_id = $1";
    assert_eq!(code(as_stranger(delete).await.unwrap_err()), "42501");
}
