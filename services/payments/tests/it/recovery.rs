//! Recoveries issued, notified and received.

use nonrecours_contracts::{
    conventions::{Convention, OperatorCategory},
    google::r#type::Date as WireDate,
    payments::{
        Account, Breach, GetRecoveryRequest, InstalmentRecoveryState, IssueRecoveryRequest,
        ListRecoveriesRequest, NotifyRecoveryRequest, ReceiveRecoveryRequest, Recovery,
        RecoveryActKind, RecoveryCause, RecoveryState,
    },
};
use nonrecours_kernel::{ConventionName, OperatorName, Role};
use nonrecours_rpc::convert::{to_date, to_timestamp};
use nonrecours_testkit::request_id;
use time::{
    Duration,
    macros::{date, datetime},
};
use tonic::Status;

use crate::{
    measures::told,
    treasury::Treasury,
    world::{World, confirm, euros, reason},
};

pub fn issue(convention: &ConventionName) -> IssueRecoveryRequest {
    IssueRecoveryRequest {
        parent: convention.to_string(),
        breach: None,
        request_id: request_id(),
    }
}

pub fn receive(recovery: &Recovery, cents: i64, reference: &str) -> ReceiveRecoveryRequest {
    ReceiveRecoveryRequest {
        name: recovery.name.clone(),
        amount: Some(euros(cents)),
        receipt_date: recovery.issue_date,
        reference: reference.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

pub fn notify(recovery: &Recovery) -> NotifyRecoveryRequest {
    NotifyRecoveryRequest {
        name: recovery.name.clone(),
        notification_date: recovery.issue_date,
        etag: String::new(),
        request_id: request_id(),
    }
}

impl World {
    /// Issues as the authorising officer.
    pub async fn claim(&self, request: IssueRecoveryRequest) -> Result<Recovery, Status> {
        let mut client = self.recoveries(self.tokens.authorising_officer());
        Ok(client.issue_recovery(request).await?.into_inner())
    }

    /// Records a receipt as the accountant.
    pub async fn receive(&self, request: ReceiveRecoveryRequest) -> Result<Recovery, Status> {
        let mut client = self.recoveries(self.tokens.accountant());
        Ok(client.receive_recovery(request).await?.into_inner())
    }

    /// Notes the notification as a programme officer.
    pub async fn notify(&self, request: NotifyRecoveryRequest) -> Result<Recovery, Status> {
        let mut client = self.recoveries(self.tokens.officer());
        Ok(client.notify_recovery(request).await?.into_inner())
    }
}

/// A convention whose advance is paid, and its name.
pub async fn paid(treasury: &Treasury<'_>) -> (Convention, ConventionName) {
    let (convention, advance) = treasury.ordered_under().await;
    let world = treasury.world;
    world
        .confirm(confirm(&advance, &world.clock))
        .await
        .unwrap();
    let name = convention.name.parse().unwrap();
    (convention, name)
}

/// The same, of which an amendment has left 9 000 €: 200 € are to be recovered.
pub async fn overpaid(treasury: &Treasury<'_>) -> (Convention, ConventionName) {
    let (mut convention, name) = paid(treasury).await;
    amend(treasury.world, &mut convention, 900_000).await;
    (convention, name)
}

/// An amendment to this grant, in 80 % and 20 %.
pub async fn amend(world: &World, convention: &mut Convention, cents: i64) {
    convention.grant_amount = Some(euros(cents));
    convention.instalment_terms[0].amount = Some(euros(cents / 10 * 8));
    convention.instalment_terms[1].amount = Some(euros(cents / 10 * 2));
    told(world, convention).await;
}

#[tokio::test]
async fn what_an_amendment_leaves_overpaid_is_claimed_and_received() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (_, convention) = overpaid(&treasury).await;
    let recovering = async || {
        let advance = world.schedule(&convention).await.remove(0);
        (advance.recovery_state(), advance.to_recover_amount)
    };
    let two_hundred = Some(euros(20_000));
    assert_eq!(
        recovering().await,
        (InstalmentRecoveryState::ToRecover, two_hundred.clone())
    );
    let request = issue(&convention);
    let issued = world.claim(request.clone()).await.unwrap();
    assert_eq!(
        (issued.budget_year, issued.number, issued.cause()),
        (2025, 1, RecoveryCause::Overpayment)
    );
    assert_eq!(issued.state(), RecoveryState::Issued);
    assert_eq!(issued.amount, two_hundred);
    assert_eq!(issued.outstanding_amount, two_hundred);
    assert_eq!(issued.issue_date, Some(to_date(date!(2025 - 10 - 07))));
    assert_eq!(issued.programme, treasury.programme.to_string());
    // Sent again it is the same one; asked for again there is nothing left to claim.
    assert_eq!(world.claim(request).await.unwrap(), issued);
    let again = world.claim(issue(&convention)).await;
    assert_eq!(reason(again), "NOTHING_TO_RECOVER");
    assert_eq!(
        recovering().await,
        (InstalmentRecoveryState::RecoveryIssued, two_hundred.clone())
    );

    let notified = world.notify(notify(&issued)).await.unwrap();
    assert_eq!(notified.state(), RecoveryState::Notified);
    assert_eq!(
        reason(world.notify(notify(&issued)).await),
        "RECOVERY_NOTIFIED"
    );
    let first = receive(&issued, 5_000, "P503-17");
    let partly = world.receive(first.clone()).await.unwrap();
    assert_eq!(partly.state(), RecoveryState::PartlyRecovered);
    assert_eq!(partly.outstanding_amount, Some(euros(15_000)));
    assert_eq!(world.receive(first.clone()).await.unwrap(), partly);
    // The same receipt under another request id is known by its reference.
    let told_again = ReceiveRecoveryRequest {
        request_id: request_id(),
        ..first.clone()
    };
    assert_eq!(world.receive(told_again).await.unwrap(), partly);
    let last = world.receive(receive(&issued, 15_000, "P503-18")).await;
    let last = last.unwrap();
    assert_eq!(last.state(), RecoveryState::Recovered);
    assert_eq!(last.outstanding_amount, Some(euros(0)));
    let kinds: Vec<_> = last.acts.iter().map(|act| act.kind()).collect();
    assert_eq!(kinds, [RecoveryActKind::Receipt; 2]);
    assert_eq!(last.revision, 4);

    let plan = world.plan(&convention).await;
    assert_eq!(plan.to_recover_amount, two_hundred);
    assert_eq!(plan.claimed_amount, two_hundred);
    assert_eq!(plan.recovered_amount, two_hundred);
    assert_eq!(
        recovering().await,
        (InstalmentRecoveryState::Recovered, two_hundred)
    );
    let booked: Vec<_> = world
        .entries(&convention)
        .await
        .into_iter()
        .skip(2)
        .collect();
    let moves: Vec<_> = booked
        .iter()
        .map(|entry| (entry.debit(), entry.credit(), entry.recovery_revision))
        .collect();
    assert_eq!(
        moves,
        [
            (Account::OperatorReceivable, Account::GrantRecovery, 1),
            (Account::Treasury, Account::OperatorReceivable, 3),
            (Account::Treasury, Account::OperatorReceivable, 4),
        ]
    );
    for entry in &booked {
        assert_eq!(
            (entry.recovery.as_str(), entry.instalment.as_str()),
            (issued.name.as_str(), "")
        );
        assert!(entry.label.contains("titre n° 1 de l'exercice 2025"));
    }
    world.verified(&convention).await;
    let told = world.changes_until("recovery.received", &issued.name).await;
    let plans = told
        .iter()
        .filter(|change| change.kind == "payment_plan.recovery_updated");
    assert_eq!(plans.count(), 2);

    let mut client = world.recoveries(world.tokens.manager(convention.operator));
    let request = GetRecoveryRequest {
        name: issued.name.clone(),
    };
    assert_eq!(
        client.get_recovery(request).await.unwrap().into_inner(),
        last
    );
}

#[tokio::test]
async fn each_step_is_refused_for_its_reason() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (_, convention) = overpaid(&treasury).await;
    let issued = world.claim(issue(&convention)).await.unwrap();

    let day = |request: ReceiveRecoveryRequest, day: time::Date| ReceiveRecoveryRequest {
        receipt_date: Some(to_date(day)),
        ..request
    };
    let receipt = || receive(&issued, 5_000, "P503-17");
    for (outcome, wanted) in [
        (
            world.receive(receive(&issued, 20_001, "P503-17")).await,
            "RECOVERY_EXCEEDED",
        ),
        (
            world.receive(day(receipt(), date!(2025 - 10 - 06))).await,
            "RECOVERY_DATE_OUT_OF_RANGE",
        ),
        (
            world.receive(day(receipt(), date!(2025 - 10 - 08))).await,
            "RECOVERY_DATE_OUT_OF_RANGE",
        ),
        (
            world.receive(receive(&issued, 0, "P503-17")).await,
            "INVALID_REQUEST",
        ),
        (
            world
                .receive(ReceiveRecoveryRequest {
                    reference: "1 85 05 78 006 084 91".to_owned(),
                    ..receipt()
                })
                .await,
            "INVALID_REQUEST",
        ),
        (
            world
                .receive(ReceiveRecoveryRequest {
                    etag: "7".to_owned(),
                    ..receipt()
                })
                .await,
            "ETAG_MISMATCH",
        ),
        (
            world
                .notify(NotifyRecoveryRequest {
                    notification_date: Some(to_date(date!(2025 - 10 - 06))),
                    ..notify(&issued)
                })
                .await,
            "RECOVERY_DATE_OUT_OF_RANGE",
        ),
        (
            world
                .notify(NotifyRecoveryRequest {
                    etag: "7".to_owned(),
                    ..notify(&issued)
                })
                .await,
            "ETAG_MISMATCH",
        ),
    ] {
        assert_eq!(reason(outcome), wanted);
    }
    world.receive(receipt()).await.unwrap();
    let other_sum = receive(&issued, 6_000, "P503-17");
    assert_eq!(reason(world.receive(other_sum).await), "RECEIPT_KNOWN");
    world
        .receive(receive(&issued, 15_000, "P503-18"))
        .await
        .unwrap();
    let closed = world.receive(receive(&issued, 1, "P503-19")).await;
    assert_eq!(reason(closed), "RECOVERY_CLOSED");
    assert_eq!(
        reason(world.notify(notify(&issued)).await),
        "RECOVERY_CLOSED"
    );

    let unknown = ConventionName {
        convention: world.ids.next(),
        ..convention
    };
    assert_eq!(reason(world.claim(issue(&unknown)).await), "NOT_FOUND");
    let nameless = Recovery {
        name: format!("{unknown}/recoveries/{}", convention.convention),
        ..issued.clone()
    };
    assert_eq!(reason(world.notify(notify(&nameless)).await), "NOT_FOUND");
    let mut client = world.recoveries(world.tokens.manager(world.ids.next()));
    let request = GetRecoveryRequest { name: issued.name };
    assert_eq!(reason(client.get_recovery(request).await), "OUT_OF_REACH");
}

#[tokio::test]
async fn who_claims_never_holds_the_money() {
    let world = World::start().await;
    let (_, convention) = overpaid(&Treasury::bare(&world)).await;
    let both = [Role::AuthorisingOfficer, Role::Accountant];
    let mut client = world.recoveries(world.tokens.token("both", &both, None));
    let issued = client.issue_recovery(issue(&convention)).await;
    let issued = issued.unwrap().into_inner();
    let outcome = client
        .receive_recovery(receive(&issued, 20_000, "P503-17"))
        .await;
    assert_eq!(reason(outcome), "SEPARATION_OF_DUTIES");
    world
        .receive(receive(&issued, 20_000, "P503-17"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_convention_of_no_known_programme_claims_nothing() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    world.advance(&agreed.advance.name, 4).await;
    let outcome = world.claim(issue(&agreed.convention)).await;
    assert_eq!(reason(outcome), "RECOVERY_PROGRAMME_UNKNOWN");
}

/// An association's convention from 6 October to 31 December, its advance paid on the 7th.
async fn association(treasury: &Treasury<'_>) -> (Convention, ConventionName) {
    let world = treasury.world;
    let operator = OperatorName {
        operator: world.ids.next(),
    };
    world.tell_operator_of(
        OperatorCategory::Association,
        operator,
        1,
        "Association Dainville",
    );
    let mut convention = Convention {
        framework_convention: treasury.convention().framework_convention,
        in_force_time: Some(to_timestamp(datetime!(2025-10-05 22:30 UTC))),
        indicative_end_date: Some(to_date(date!(2025 - 12 - 31))),
        ..world.convention(operator)
    };
    convention.title = "Convention d'association".to_owned();
    let agreed = world.learned(&convention).await;
    world.advance(&agreed.advance.name, 4).await;
    (convention, agreed.convention)
}

fn breach(convention: &ConventionName, day: Option<WireDate>) -> IssueRecoveryRequest {
    IssueRecoveryRequest {
        breach: Some(Breach {
            decision_reference: "DEC-2025-31".to_owned(),
            breach_date: day,
        }),
        ..issue(convention)
    }
}

#[tokio::test]
async fn a_breach_withdraws_what_falls_on_the_days_that_remain() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (mut convention, name) = association(&treasury).await;
    let plan = world.plan(&name).await;
    // Signed at half past midnight in Paris.
    assert_eq!(plan.period_start_date, Some(to_date(date!(2025 - 10 - 06))));
    world.clock.set(datetime!(2025-11-03 09:00 UTC));
    let day = |day: time::Date| Some(to_date(day));
    for out in [date!(2025 - 10 - 05), date!(2025 - 11 - 04)] {
        let outcome = world.claim(breach(&name, day(out))).await;
        assert_eq!(reason(outcome), "RECOVERY_DATE_OUT_OF_RANGE");
    }
    let outcome = world.claim(breach(&name, None)).await;
    assert_eq!(reason(outcome), "INVALID_REQUEST");
    // The 27th of October: the clock has changed, 66 of 87 days remain; 9 200 € x 66 / 87 = 6 979,310… €.
    let issued = world.claim(breach(&name, day(date!(2025 - 10 - 27)))).await;
    let issued = issued.unwrap();
    assert_eq!(issued.cause(), RecoveryCause::RepublicanCommitment);
    assert_eq!(issued.amount, Some(euros(697_931)));
    let counted = issued.breach.clone().unwrap();
    assert_eq!((counted.remaining_days, counted.period_days), (66, 87));
    assert_eq!(counted.kept_amount, Some(euros(920_000)));
    assert_eq!(counted.decision_reference, "DEC-2025-31");
    let again = world.claim(breach(&name, day(date!(2025 - 10 - 28)))).await;
    assert_eq!(reason(again), "BREACH_RECOVERED");
    let plan = world.plan(&name).await;
    assert_eq!(plan.to_recover_amount, Some(euros(697_931)));
    // An amendment that leaves less adds to it: the two are claimed apart.
    amend(&world, &mut convention, 900_000).await;
    let more = world.claim(issue(&name)).await.unwrap();
    assert_eq!(more.amount, Some(euros(20_000)));
    assert_eq!((more.number, more.cause()), (2, RecoveryCause::Overpayment));
    world.verified(&name).await;
}

#[tokio::test]
async fn a_breach_needs_an_association_and_its_period() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (_, commune) = paid(&treasury).await;
    let today = Some(to_date(date!(2025 - 10 - 07)));
    let outcome = world.claim(breach(&commune, today)).await;
    assert_eq!(reason(outcome), "REPUBLICAN_COMMITMENT_NOT_APPLICABLE");
    let (mut convention, name) = association(&treasury).await;
    // As plans of before were learned.
    let owner = world.db.owner().await;
    sqlx::query("UPDATE payment_plan SET period_start = NULL, period_end = NULL")
        .execute(&owner)
        .await
        .unwrap();
    let outcome = world.claim(breach(&name, today)).await;
    assert_eq!(reason(outcome), "RECOVERY_PERIOD_UNKNOWN");
    // The next word on the convention brings it.
    told(&world, &mut convention).await;
    world.claim(breach(&name, today)).await.unwrap();
}

#[tokio::test]
async fn recoveries_are_numbered_without_gaps_and_listed() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(overpaid(&treasury).await.1);
    }
    let nothing = paid(&treasury).await.1;
    let claims = names
        .iter()
        .chain([&nothing])
        .map(|name| world.claim(issue(name)));
    let [a, b, c, d, none] = <[_; 5]>::try_from(claims.collect::<Vec<_>>()).ok().unwrap();
    let (a, b, c, d, none) = tokio::join!(a, b, c, d, none);
    assert_eq!(reason(none), "NOTHING_TO_RECOVER");
    let issued = [a, b, c, d].map(Result::unwrap);
    let mut numbers = issued.clone().map(|one| one.number);
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
    // The next year begins again, in Paris.
    world.clock.set(datetime!(2025-12-31 23:00 UTC));
    let next = world
        .claim(issue(&overpaid_again(&treasury).await))
        .await
        .unwrap();
    assert_eq!((next.budget_year, next.number), (2026, 1));

    let list = async |parent: String, page_size, page_token: &str| {
        let mut client = world.recoveries(world.tokens.auditor());
        let request = ListRecoveriesRequest {
            parent,
            page_size,
            page_token: page_token.to_owned(),
        };
        client
            .list_recoveries(request)
            .await
            .map(|page| page.into_inner())
    };
    let own = list(names[0].to_string(), 0, "").await.unwrap();
    assert_eq!(own.recoveries, issued[..1]);
    let first = list("operators/-".to_owned(), 3, "").await.unwrap();
    let second = list("operators/-".to_owned(), 3, &first.next_page_token)
        .await
        .unwrap();
    assert_eq!((first.recoveries.len(), second.recoveries.len()), (3, 2));
    assert_eq!(second.next_page_token, "");
    let elsewhere = list(names[0].to_string(), 3, &first.next_page_token).await;
    assert_eq!(reason(elsewhere), "PAGE_TOKEN_INVALID");
    assert_eq!(reason(list("x".to_owned(), 0, "").await), "INVALID_REQUEST");
}

/// One more that is overpaid, ordered and paid whatever the day.
async fn overpaid_again(treasury: &Treasury<'_>) -> ConventionName {
    treasury.world.clock.advance(Duration::hours(10));
    overpaid(treasury).await.1
}
