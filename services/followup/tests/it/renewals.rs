//! The watch over renewals: what is listed, what is alerted, and what counts as avoided.

use nonrecours_contracts::{
    feed::{Change, PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient},
    followup::{
        AmountKind, ClosingReason, EntitlementState, GetRenewalAlertRequest, JourneyState,
        ListRenewalsRequest, ListRenewalsResponse, QueryIndicatorsRequest, Record, Renewal,
        RenewalAlert, RenewalAlertState, count, indicator_service_client::IndicatorServiceClient,
        renewal_service_client::RenewalServiceClient,
    },
};
use nonrecours_followup::renewal::sweep;
use time::macros::datetime;
use tonic::{Code, Status};

use crate::support::*;

/// A right of a person, opened on 1 October 2025, to be renewed by a day.
fn opened(reference: &str, of: &str, renewal: (i32, i32, i32)) -> Record {
    right_with(reference, of, |right| {
        right.state = EntitlementState::Opened.into();
        right.amount_kind = AmountKind::Notified.into();
        right.filed_date = date(2025, 9, 1);
        right.decided_date = date(2025, 10, 1);
        right.renewal_date = date(renewal.0, renewal.1, renewal.2);
    })
}

async fn list(suite: &Suite, request: ListRenewalsRequest) -> Result<ListRenewalsResponse, Status> {
    let mut client = RenewalServiceClient::new(suite.agent());
    Ok(client.list_renewals(request).await?.into_inner())
}

async fn references(suite: &Suite, within_days: i32) -> Vec<(String, i32)> {
    let request = ListRenewalsRequest {
        parent: suite.convention.parent().to_string(),
        within_days,
        ..Default::default()
    };
    let answer = list(suite, request).await.unwrap();
    let renewals = answer.renewals.into_iter();
    renewals
        .map(|renewal| (renewal.external_reference, renewal.days_left))
        .collect()
}

/// Passes of the watch until one has nothing left to do, at most.
const MAX_PASSES: u32 = 5;

/// Lets the watch pass. Gives how many changes of alerts there were so far: the service's own pass, which comes when it
/// comes, may have made them; one that meets it on the same alerts gives way, and is made again.
pub async fn watch(suite: &Suite) -> usize {
    for _ in 0..MAX_PASSES {
        if sweep::run(&suite.db, &suite.ids, "followup").await.is_ok() {
            return alerts(suite).await.len();
        }
    }
    panic!("the watch never ends");
}

/// Kinds of the changes of alerts so far, with who made them.
async fn alerts(suite: &Suite) -> Vec<(String, String)> {
    let changes = suite.changes().await.into_iter();
    changes
        .filter(|change| change.name.contains("/renewalAlerts/"))
        .map(|change| (change.kind, change.actor))
        .collect()
}

async fn last_alert(suite: &Suite) -> RenewalAlert {
    let changes = suite.changes().await;
    let last = changes
        .iter()
        .rfind(|change| change.name.contains("/renewalAlerts/"));
    let request = GetRenewalAlertRequest {
        name: last.unwrap().name.clone(),
    };
    let mut client = RenewalServiceClient::new(suite.agent());
    client
        .get_renewal_alert(request)
        .await
        .unwrap()
        .into_inner()
}

/// Interruptions avoided, as the operator's indicators count them.
async fn avoided(suite: &Suite) -> i64 {
    let request = QueryIndicatorsRequest {
        parent: suite.convention.parent().to_string(),
        year: 2025,
        breakdown: nonrecours_contracts::followup::Breakdown::Right.into(),
        grain: nonrecours_contracts::followup::Grain::Year.into(),
        audience: 0,
    };
    let mut client = IndicatorServiceClient::new(suite.agent());
    let table = client.query_indicators(request).await.unwrap().into_inner();
    let row = table.rows.iter().find(|row| row.code == "RSA").unwrap();
    match row.interruptions_avoided.unwrap().figure {
        Some(count::Figure::Value(value)) => value,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn renewals_that_come_up_and_those_missed_are_listed_by_date() {
    let suite = Suite::start().await;
    let deceased = person_with("D", |person| {
        person.state = JourneyState::Closed.into();
        person.closing_reason = ClosingReason::Deceased.into();
    });
    let again = right_with("E4b", "B4", |right| {
        right.state = EntitlementState::Opened.into();
        right.amount_kind = AmountKind::Notified.into();
        right.decided_date = date(2025, 10, 6);
    });
    let pending = right_with("E5b", "B5", |right| right.filed_date = date(2025, 10, 6));
    let records = vec![
        person("B1"),
        person("B4"),
        person("B5"),
        deceased,
        opened("E1", "B1", (2025, 12, 6)),
        opened("E2", "B1", (2025, 10, 6)),
        opened("E3", "B1", (2025, 12, 7)),
        // Given again since, by another line.
        opened("E4", "B4", (2025, 10, 20)),
        again,
        // Filed again, but not decided on: still to be watched.
        opened("E5", "B5", (2025, 10, 20)),
        pending,
        opened("E6", "D", (2025, 10, 20)),
        // Not open.
        right_with("E7", "B1", |right| {
            right.filed_date = date(2025, 9, 15);
            right.renewal_date = date(2025, 10, 20);
        }),
    ];
    let answer = suite.push(records).await;
    assert_eq!(answer.rejected, 0, "{:?}", answer.results);

    // On 7 October: sixty days reach to 6 December.
    let listed = |references: &[(&str, i32)]| -> Vec<(String, i32)> {
        let references = references.iter();
        references
            .map(|(reference, days)| ((*reference).to_owned(), *days))
            .collect()
    };
    assert_eq!(
        references(&suite, 0).await,
        listed(&[("E2", -1), ("E5", 13), ("E1", 60)])
    );
    assert_eq!(
        references(&suite, 13).await,
        listed(&[("E2", -1), ("E5", 13)])
    );
    assert_eq!(references(&suite, 61).await.len(), 4);

    // Page by page the same.
    let mut request = ListRenewalsRequest {
        parent: suite.convention.parent().to_string(),
        page_size: 2,
        ..Default::default()
    };
    let first = list(&suite, request.clone()).await.unwrap();
    let filed_again: Vec<bool> = first
        .renewals
        .iter()
        .map(|renewal: &Renewal| renewal.filed_again)
        .collect();
    assert_eq!(filed_again, [false, true]);
    request.page_token = first.next_page_token.clone();
    let second = list(&suite, request.clone()).await.unwrap();
    assert_eq!(second.renewals.len(), 1);
    assert_eq!(second.renewals[0].external_reference, "E1");
    assert_eq!(second.next_page_token, "");
    request.within_days = 30;
    let status = list(&suite, request).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned())
    );
}

#[tokio::test]
async fn a_right_renewed_in_time_after_an_alert_is_an_interruption_avoided() {
    let suite = Suite::start().await;
    suite
        .push(vec![person("B"), opened("E", "B", (2025, 12, 31))])
        .await;
    // Sixty days before, not sixty-one.
    suite.clock.set(datetime!(2025-10-31 12:00 +1));
    assert_eq!(watch(&suite).await, 0);
    suite.clock.set(datetime!(2025-11-01 12:00 +1));
    assert_eq!(watch(&suite).await, 1);
    assert_eq!(watch(&suite).await, 1);
    let service = |kind: &str| (kind.to_owned(), "service:followup".to_owned());
    assert_eq!(alerts(&suite).await, [service("renewal_alert.raised")]);
    let alert = last_alert(&suite).await;
    assert_eq!((alert.state(), alert.revision), (RenewalAlertState::Due, 1));
    assert_eq!(
        (alert.renewal_date, alert.settled_date),
        (date(2025, 12, 31), None)
    );
    assert_eq!(avoided(&suite).await, 0);

    // On the last day, a minute before midnight in Paris.
    suite.clock.set(datetime!(2025-12-31 23:59 +1));
    suite.push(vec![opened("E", "B", (2026, 12, 31))]).await;
    let alert = last_alert(&suite).await;
    assert_eq!(
        (alert.state(), alert.revision),
        (RenewalAlertState::Avoided, 2)
    );
    assert_eq!(alert.settled_date, date(2025, 12, 31));
    let changes = alerts(&suite).await;
    assert_eq!(changes[1].0, "renewal_alert.avoided");
    assert_ne!(changes[1].1, "service:followup");
    assert_eq!(avoided(&suite).await, 1);
    // Counted once, whatever comes.
    suite.push(vec![opened("E", "B", (2027, 12, 31))]).await;
    assert_eq!(watch(&suite).await, 2);
    assert_eq!(avoided(&suite).await, 1);
    assert_eq!(alerts(&suite).await.len(), 2);
}

#[tokio::test]
async fn a_date_that_passes_is_an_interruption_until_the_right_is_resumed() {
    let suite = Suite::start().await;
    suite
        .push(vec![person("B"), opened("E", "B", (2025, 11, 1))])
        .await;
    assert_eq!(watch(&suite).await, 1);
    suite.clock.set(datetime!(2025-11-01 23:59 +1));
    assert_eq!(watch(&suite).await, 1);
    suite.clock.set(datetime!(2025-11-02 00:00 +1));
    assert_eq!(watch(&suite).await, 2);
    assert_eq!(
        last_alert(&suite).await.state(),
        RenewalAlertState::Interrupted
    );
    suite.push(vec![opened("E", "B", (2026, 11, 1))]).await;
    let alert = last_alert(&suite).await;
    assert_eq!(
        (alert.state(), alert.revision),
        (RenewalAlertState::Resumed, 3)
    );
    assert_eq!(avoided(&suite).await, 0);
    assert!(references(&suite, 0).await.is_empty());
}

#[tokio::test]
async fn an_alert_without_object_is_cleared_and_a_right_given_again_settles_it() {
    let suite = Suite::start().await;
    suite
        .push(vec![
            person("B"),
            person("C"),
            opened("E", "B", (2025, 11, 1)),
            opened("F", "C", (2025, 11, 1)),
        ])
        .await;
    assert_eq!(watch(&suite).await, 2);
    let died = person_with("B", |person| {
        person.state = JourneyState::Closed.into();
        person.closing_reason = ClosingReason::Deceased.into();
    });
    suite.push(vec![died]).await;
    assert_eq!(last_alert(&suite).await.state(), RenewalAlertState::Cleared);
    suite.clock.set(datetime!(2025-10-20 12:00 +2));
    let again = right_with("G", "C", |right| {
        right.state = EntitlementState::Opened.into();
        right.amount_kind = AmountKind::Notified.into();
        right.decided_date = date(2025, 10, 20);
    });
    suite.push(vec![again]).await;
    assert_eq!(last_alert(&suite).await.state(), RenewalAlertState::Avoided);
    assert_eq!(avoided(&suite).await, 1);
}

#[tokio::test]
async fn what_was_missed_already_when_it_came_is_an_interruption_at_once() {
    let suite = Suite::start().await;
    suite
        .push(vec![person("B"), opened("E", "B", (2025, 10, 6))])
        .await;
    // Two instances watch at once, and the service's own: each alert is raised once.
    assert_eq!(tokio::join!(watch(&suite), watch(&suite)), (1, 1));
    assert_eq!(alerts(&suite).await.len(), 1);
    assert_eq!(
        last_alert(&suite).await.state(),
        RenewalAlertState::Interrupted
    );
}

#[tokio::test]
async fn renewals_are_the_operators_own() {
    let suite = Suite::start().await;
    suite
        .push(vec![person("B"), opened("E", "B", (2025, 10, 20))])
        .await;
    watch(&suite).await;
    let name = last_alert(&suite).await.name;
    let parent = suite.convention.parent().to_string();
    for (token, code, reason) in [
        (
            suite.tokens.agent(operator(2)),
            Code::PermissionDenied,
            "OUT_OF_REACH",
        ),
        (
            suite.tokens.officer(),
            Code::PermissionDenied,
            "ROLE_MISSING",
        ),
    ] {
        let mut client = RenewalServiceClient::new(suite.serving.channel(token));
        let listing = ListRenewalsRequest {
            parent: parent.clone(),
            ..Default::default()
        };
        let refused = client.list_renewals(listing).await.unwrap_err();
        assert_eq!(refusal(&refused), (code, reason.to_owned()));
        let request = GetRenewalAlertRequest { name: name.clone() };
        let refused = client.get_renewal_alert(request).await.unwrap_err();
        assert_eq!(refusal(&refused), (code, reason.to_owned()));
    }
    let unknown = format!("{parent}/renewalAlerts/{}", operator(9));
    let mut client = RenewalServiceClient::new(suite.agent());
    let refused = client
        .get_renewal_alert(GetRenewalAlertRequest { name: unknown })
        .await
        .unwrap_err();
    assert_eq!(refusal(&refused), (Code::NotFound, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn a_step_that_renews_settles_the_alert_of_its_date_and_of_no_other() {
    let suite = Suite::start().await;
    let renewing = |reference: &str, day| {
        step_with(reference, "B", |step| {
            step.entitlement_reference = "E".into();
            step.step_date = day;
            step.renewal = true;
        })
    };
    suite
        .push(vec![person("B"), opened("E", "B", (2025, 12, 31))])
        .await;
    suite.clock.set(datetime!(2025-11-10 12:00 +1));
    assert_eq!(watch(&suite).await, 1);
    // A step that renews nothing, and one of sixty-one days before the date, which renewed for an earlier one.
    let plain = step_with("P1", "B", |step| step.entitlement_reference = "E".into());
    let answer = suite
        .push(vec![plain, renewing("P2", date(2025, 10, 31))])
        .await;
    assert_eq!(answer.rejected, 0, "{:?}", answer.results);
    assert_eq!(last_alert(&suite).await.state(), RenewalAlertState::Due);
    assert_eq!(references(&suite, 0).await.len(), 1);

    // On the sixtieth day before.
    let answer = suite.push(vec![renewing("P3", date(2025, 11, 1))]).await;
    assert_eq!(answer.rejected, 0, "{:?}", answer.results);
    let alert = last_alert(&suite).await;
    assert_eq!(
        (alert.state(), alert.settled_date),
        (RenewalAlertState::Avoided, date(2025, 11, 10))
    );
    assert_eq!(avoided(&suite).await, 1);
    assert!(references(&suite, 0).await.is_empty());
    assert_eq!(watch(&suite).await, 2);

    // The next date is another: that step did not renew for it.
    suite.push(vec![opened("E", "B", (2026, 12, 31))]).await;
    suite.clock.set(datetime!(2026-11-10 12:00 +1));
    assert_eq!(watch(&suite).await, 3);
    assert_eq!(last_alert(&suite).await.state(), RenewalAlertState::Due);
    // Too late: what was interrupted was.
    suite.clock.set(datetime!(2027-01-01 12:00 +1));
    assert_eq!(watch(&suite).await, 4);
    suite.push(vec![renewing("P4", date(2027, 1, 1))]).await;
    assert_eq!(last_alert(&suite).await.state(), RenewalAlertState::Resumed);
    assert_eq!(avoided(&suite).await, 1);
}

/// Changes that the operator's software reads after a cursor until one of a kind comes, those of alerts; and the cursor.
async fn pulled(suite: &Suite, mut cursor: String, last: &str) -> (Vec<Change>, String) {
    let mut feed = ChangeFeedServiceClient::new(suite.agent());
    let mut changes: Vec<Change> = Vec::new();
    // A pull waits for what is to come: the calls end with the suite's own limit at the latest.
    while !changes.iter().any(|change| change.kind == last) {
        let wait = Some(prost_types::Duration {
            seconds: 5,
            nanos: 0,
        });
        let request = PullChangesRequest {
            cursor,
            wait,
            ..PullChangesRequest::default()
        };
        let page = feed.pull_changes(request).await.unwrap().into_inner();
        cursor = page.next_cursor;
        changes.extend(page.changes);
    }
    changes.retain(|change| change.name.contains("/renewalAlerts/"));
    (changes, cursor)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_reach_the_operators_software_by_the_feed() {
    let suite = Suite::start().await;
    suite
        .push(vec![person("B"), opened("E", "B", (2025, 11, 1))])
        .await;
    watch(&suite).await;
    let (raised, cursor) = pulled(&suite, String::new(), "renewal_alert.raised").await;
    assert_eq!(raised.len(), 1);
    let shown =
        |change: &Change| -> RenewalAlert { change.snapshot.as_ref().unwrap().to_msg().unwrap() };
    let alert = shown(&raised[0]);
    assert_eq!((alert.state(), alert.revision), (RenewalAlertState::Due, 1));
    assert_eq!(alert, last_alert(&suite).await);
    assert_eq!(raised[0].label_fr, "alerte : renouvellement à préparer");

    // From where it had read on, what came since and nothing twice.
    suite.clock.set(datetime!(2025-11-02 00:00 +1));
    watch(&suite).await;
    let (passed, _) = pulled(&suite, cursor, "renewal_alert.interrupted").await;
    let kinds: Vec<&str> = passed.iter().map(|change| change.kind.as_str()).collect();
    assert_eq!(kinds, ["renewal_alert.interrupted"]);
    assert_eq!(shown(&passed[0]).state(), RenewalAlertState::Interrupted);

    // Another operator's software reads of none of it.
    let other = suite.agent_of(operator(2));
    let page = ChangeFeedServiceClient::new(other)
        .pull_changes(PullChangesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(page.changes.is_empty(), "{:?}", page.changes);
}
