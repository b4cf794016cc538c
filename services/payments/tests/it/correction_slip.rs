//! Corrections of orders: on slips of their own, without effect until the accountant takes them in charge; the books verified
//! after each step.

use std::collections::BTreeSet;

use nonrecours_contracts::payments::{
    DiscrepancyKind, ExplainInstalmentsRequest, InstalmentState, IssueCorrectionSlipRequest,
    LedgerEntry, PaymentDifferenceCause, PaymentPlanState, Slip, SlipKind, SlipOrderState,
    VerifyLedgerRequest, explanation_service_client::ExplanationServiceClient,
    slip_service_client::SlipServiceClient,
};
use nonrecours_kernel::{ConventionName, InstalmentName, Role};
use nonrecours_pes::validate;
use nonrecours_rpc::{client::PeerChannel, details::Details};
use nonrecours_testkit::request_id;
use time::macros::datetime;
use tonic::Status;

use crate::{
    payment_difference::dismissed,
    recovery::amend,
    treasury::{Treasury, acquit, of_piece, of_slip, retour, states},
    world::{World, euros, reason},
};

/// Clients that correct at once.
const CLIENTS: usize = 16;
/// How often a client sends again what met another transaction.
const ATTEMPTS: usize = 50;

fn blockers(outcome: Result<Slip, Status>) -> Vec<String> {
    let details = Details::of(&outcome.unwrap_err());
    assert_eq!(details.reason, "CORRECTION_BLOCKED");
    details.blockers.into_iter().map(|one| one.r#type).collect()
}

/// The state of each correction of a slip.
fn corrected(slip: &Slip) -> Vec<SlipOrderState> {
    slip.corrections.iter().map(|one| one.state()).collect()
}

/// The reasons of what stands in the way of an instalment's next step.
async fn obstacles(world: &World, name: &str) -> Vec<String> {
    let request = ExplainInstalmentsRequest {
        parent: name.to_owned(),
        ..Default::default()
    };
    let mut client = ExplanationServiceClient::new(world.service.channel(world.tokens.auditor()));
    let page = client.explain_instalments(request).await.unwrap();
    let obstacles = page.into_inner().explanations.remove(0).obstacles;
    let reasons = obstacles.into_iter();
    reasons.map(|one| one.blocker.unwrap().reason).collect()
}

fn labels(entries: &[LedgerEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.label.as_str()).collect()
}

#[tokio::test]
async fn an_order_that_is_reduced_is_paid_with_the_rest() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (told, name, ordered) = treasury.charged().await;
    let convention: ConventionName = told.name.parse().unwrap();

    let request = treasury.correction(&name, Some(20_000));
    let slip = treasury.correct(request.clone()).await.unwrap();
    assert_eq!(treasury.correct(request).await.unwrap(), slip);
    assert_eq!(treasury.slip(&slip.name).await, slip);
    assert_eq!((slip.kind(), slip.number), (SlipKind::Correction, 1));
    assert_eq!(slip.amount, Some(euros(20_000)));
    assert_eq!(slip.orders, []);
    let correction = &slip.corrections[0];
    assert_eq!((correction.corrected_piece, correction.piece), (1, 2));
    assert_eq!(
        (correction.cancels, correction.motive.as_str()),
        (false, "Montant erroné")
    );
    assert_eq!(corrected(&slip), [SlipOrderState::Transmitted]);
    world
        .changes_until("slip.correction_issued", &slip.name)
        .await;
    let file = treasury.file(&slip).await;
    assert_eq!(validate(&file.content), []);
    let golden = include_bytes!("golden/correction.xml");
    assert_eq!(
        String::from_utf8_lossy(&file.content),
        String::from_utf8_lossy(golden)
    );
    assert_eq!(file.content, golden);

    // Nothing has changed yet, but that the payment depends on the answer.
    assert_eq!(world.instalment(&name).await.amount, Some(euros(920_000)));
    assert_eq!(world.entries(&convention).await.len(), 1);
    assert_eq!(obstacles(&world, &name).await, ["CORRECTION_OPEN"]);
    world.verified(&convention).await;

    let received = acquit(&slip.file_name, &of_slip(1, 1, ""));
    treasury.import(&received).await.unwrap();
    let waits = treasury.slip(&slip.name).await;
    assert_eq!(corrected(&waits), [SlipOrderState::Acknowledged]);
    let taken = retour(1, &of_piece(2, "02", "", &[]));
    let file = treasury.import(&taken).await.unwrap();
    assert_eq!((file.changed_count, file.difference_count), (1, 0));
    let accepted = treasury.slip(&slip.name).await;
    assert_eq!(corrected(&accepted), [SlipOrderState::TakenInCharge]);
    assert_eq!(accepted.corrections[0].acceptor, "accountant");
    assert!(accepted.corrections[0].acceptance_time.is_some());
    let order = treasury.slip(&ordered.name).await.orders.remove(0);
    assert_eq!(order.state(), SlipOrderState::TakenInCharge);
    assert_eq!(
        (order.amount, order.reduced_amount),
        (Some(euros(920_000)), Some(euros(20_000)))
    );
    world.changes_until("instalment.order_reduced", &name).await;
    assert_eq!(obstacles(&world, &name).await, Vec::<String>::new());
    // What is due all the same goes on the balance.
    let schedule = world.schedule(&convention).await;
    let amounts: Vec<_> = schedule
        .iter()
        .map(|one| (one.state(), one.amount.clone()))
        .collect();
    assert_eq!(
        amounts,
        [
            (InstalmentState::Ordered, Some(euros(900_000))),
            (InstalmentState::Planned, Some(euros(250_000))),
        ]
    );
    let entries = world.entries(&convention).await;
    assert_eq!(
        labels(&entries)[1],
        "Mandat réduit, écriture contrepassée : acompte (échéance n° 1)"
    );
    assert_eq!(entries[1].amount, Some(euros(20_000)));
    world.verified(&convention).await;

    // The same word again does nothing; the rest is paid, and nothing differs.
    let again = retour(1, &of_piece(2, "05", "", &[]));
    assert_eq!(treasury.import(&again).await.unwrap().changed_count, 0);
    let paid = of_piece(1, "05", "", &[("2025-10-07", "9000.00")]);
    let done = treasury.import(&retour(1, &paid)).await.unwrap();
    assert_eq!((done.changed_count, done.difference_count), (1, 0));
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(900_000))
    );
    world.verified(&convention).await;
}

#[tokio::test]
async fn an_order_that_is_cancelled_is_called_and_ordered_again() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (mut told, name, ordered) = treasury.charged().await;
    let convention: ConventionName = told.name.parse().unwrap();
    // An amendment leaves less than what is ordered.
    amend(&world, &mut told, 1_000_000).await;
    world.verified(&convention).await;
    let slip = treasury
        .correct(treasury.correction(&name, None))
        .await
        .unwrap();
    assert!(slip.corrections[0].cancels);
    assert_eq!(slip.amount, Some(euros(920_000)));
    // The order is in a slip until the accountant has answered.
    let early = treasury.issue(treasury.request(&[&name])).await;
    assert_eq!(reason(early), "SLIP_BLOCKED");

    let taken = of_piece(2, "02", "", &[]);
    treasury.import(&retour(1, &taken)).await.unwrap();
    let cancelled = treasury.slip(&ordered.name).await;
    assert_eq!(states(&cancelled), [SlipOrderState::Cancelled]);
    world
        .changes_until("instalment.order_cancelled", &name)
        .await;
    let advance = world.instalment(&name).await;
    assert_eq!(
        (advance.state(), advance.amount),
        (InstalmentState::Planned, Some(euros(800_000)))
    );
    assert_eq!((advance.call, advance.documents), (None, vec![]));
    world.verified(&convention).await;
    // Older news of the order do nothing; a payment of it does not go unseen.
    let late = of_piece(1, "02", "<Obs V=\"rappel\"/>", &[]);
    let late = treasury.import(&retour(1, &late)).await.unwrap();
    assert_eq!((late.changed_count, late.difference_count), (0, 0));
    let strange = of_piece(1, "05", "", &[("2025-10-07", "9200.00")]);
    let strange = treasury.import(&retour(1, &strange)).await.unwrap();
    assert_eq!((strange.changed_count, strange.difference_count), (0, 1));
    let difference = treasury.differences().await.remove(0);
    assert_eq!(difference.cause(), PaymentDifferenceCause::State);
    treasury.settle(dismissed(&difference)).await.unwrap();

    world.advance(&name, 3).await;
    let next = treasury.issue(treasury.request(&[&name])).await.unwrap();
    assert_eq!((next.number, next.orders[0].piece), (2, 3));
    let paid = of_piece(3, "05", "", &[("2025-10-07", "8000.00")]);
    treasury.import(&retour(2, &paid)).await.unwrap();
    let plan = world.plan(&convention).await;
    assert_eq!(
        (plan.paid_amount.clone(), plan.state()),
        (Some(euros(800_000)), PaymentPlanState::Open)
    );
    world.verified(&convention).await;
}

#[tokio::test]
async fn a_correction_that_is_rejected_keeps_its_number_and_changes_nothing() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (told, name, ordered) = treasury.charged().await;
    let convention: ConventionName = told.name.parse().unwrap();
    let first = treasury
        .correct(treasury.correction(&name, Some(100)))
        .await
        .unwrap();
    // Two slips have the number 1: of which of them is this?
    let nameless = treasury
        .import(&acquit("", &of_slip(1, 0, "")))
        .await
        .unwrap();
    assert_eq!((nameless.changed_count, nameless.unknown_count), (0, 1));
    let refused = acquit(&first.file_name, &of_slip(1, 0, ""));
    treasury.import(&refused).await.unwrap();
    let rejected = treasury.slip(&first.name).await;
    assert_eq!(corrected(&rejected), [SlipOrderState::FlowRejected]);
    assert_eq!(
        states(&treasury.slip(&ordered.name).await),
        [SlipOrderState::TakenInCharge]
    );
    assert_eq!(world.instalment(&name).await.amount, Some(euros(920_000)));

    let second = treasury
        .correct(treasury.correction(&name, Some(100)))
        .await
        .unwrap();
    assert_eq!((second.number, second.corrections[0].piece), (2, 2));
    let waits = of_piece(
        2,
        "04",
        "<CodRejet V=\"7\"/><MotifRejet V=\"Piece manquante\"/>",
        &[],
    );
    treasury.import(&retour(2, &waits)).await.unwrap();
    let rejected = treasury.slip(&second.name).await;
    assert_eq!(corrected(&rejected), [SlipOrderState::Rejected]);
    let said = &rejected.corrections[0];
    assert_eq!(
        (said.reason_code.as_str(), said.reason_text.as_str()),
        ("7", "MotifRejet : Piece manquante")
    );
    // Orders have their own series, and go on behind the pieces of corrections.
    let (_, _, other) = treasury.charged().await;
    assert_eq!((other.number, other.orders[0].piece), (2, 3));
    world.verified(&convention).await;
}

#[tokio::test]
async fn what_stands_in_the_way_of_each_correction_is_told_at_once() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let transmitted = treasury.ordered().await;
    treasury
        .issue(treasury.request(&[&transmitted]))
        .await
        .unwrap();
    let unsent = treasury.ordered().await;
    let elsewhere = Treasury::bare(&world).ordered().await;
    let (_, waiting, _) = treasury.charged().await;
    treasury
        .correct(treasury.correction(&waiting, Some(100)))
        .await
        .unwrap();
    let (_, paid, slip) = treasury.charged().await;
    let payment = of_piece(slip.orders[0].piece, "05", "", &[("2025-10-07", "9200.00")]);
    treasury
        .import(&retour(slip.number, &payment))
        .await
        .unwrap();
    let (_, whole, _) = treasury.charged().await;
    let (_, differing, slip) = treasury.charged().await;
    let payment = of_piece(slip.orders[0].piece, "05", "", &[("2025-10-07", "1.00")]);
    treasury
        .import(&retour(slip.number, &payment))
        .await
        .unwrap();
    let names = [
        &transmitted,
        &unsent,
        &elsewhere,
        &waiting,
        &paid,
        &differing,
    ];
    let mut request = treasury.correction(&whole, Some(920_000));
    for name in names {
        let more = treasury.correction(name, None).corrections;
        request.corrections.extend(more);
    }
    let told = [
        "REDUCTION_TOO_HIGH",
        "ORDER_NOT_IN_CHARGE",
        "ORDER_NOT_IN_CHARGE",
        "ORDER_OTHER_PROGRAMME",
        "ORDER_NOT_IN_CHARGE",
        "CORRECTION_OPEN",
        "ORDER_PAID",
        "DIFFERENCE_OPEN",
    ];
    assert_eq!(blockers(treasury.correct(request).await), told);

    let mut request = treasury.correction(&whole, None);
    request.budget_year = 2024;
    assert_eq!(
        blockers(treasury.correct(request).await),
        ["ORDER_OTHER_YEAR", "BUDGET_YEAR_CLOSED"]
    );
    // Who certified what is corrected, although it may order too.
    let both = [Role::ProgrammeOfficer, Role::AuthorisingOfficer];
    let mut client = treasury.slips(world.tokens.token("officer", &both, None));
    let outcome = client
        .issue_correction_slip(treasury.correction(&whole, None))
        .await;
    assert_eq!(
        blockers(outcome.map(tonic::Response::into_inner)),
        ["SEPARATION_OF_DUTIES"]
    );
    // Under other codes than the first of the slip; and what is not known of the payee any more.
    treasury.set(treasury.codes()).await.unwrap();
    let (_, later, _) = treasury.charged().await;
    let mut request = treasury.correction(&later, None);
    let more = treasury.correction(&whole, None).corrections;
    request.corrections.extend(more);
    assert_eq!(
        blockers(treasury.correct(request).await),
        ["ORDER_OTHER_CODES"]
    );
    let owner = world.db.owner().await;
    for (sql, told) in [
        (
            "UPDATE operator SET category = 'ASSOCIATION'",
            "POSTING_CODES_MISSING",
        ),
        (
            "UPDATE operator SET siret = NULL, category = NULL",
            "PAYEE_UNIDENTIFIED",
        ),
    ] {
        sqlx::query(sql).execute(&owner).await.unwrap();
        let outcome = treasury.correct(treasury.correction(&whole, None)).await;
        assert_eq!(blockers(outcome), [told]);
    }
    // Nothing of all that was given a number.
    sqlx::query("UPDATE operator SET siret = '21620263000010', category = 'COMMUNE'")
        .execute(&owner)
        .await
        .unwrap();
    let slip = treasury
        .correct(treasury.correction(&whole, None))
        .await
        .unwrap();
    assert_eq!((slip.number, slip.corrections[0].piece), (2, 8));
}

#[tokio::test]
async fn an_order_is_corrected_until_the_end_of_january() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (_, first, _) = treasury.charged().await;
    let (_, second, _) = treasury.charged().await;
    world.clock.set(datetime!(2026-01-31 23:59 +1));
    treasury
        .correct(treasury.correction(&first, None))
        .await
        .unwrap();
    world.clock.set(datetime!(2026-02-01 00:00 +1));
    let outcome = treasury.correct(treasury.correction(&second, None)).await;
    assert_eq!(blockers(outcome), ["BUDGET_YEAR_CLOSED"]);
}

#[tokio::test]
async fn a_bank_takes_no_corrections() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let name = treasury.ordered().await;
    treasury.issue(treasury.request(&[&name])).await.unwrap();
    let outcome = treasury.correct(treasury.correction(&name, None)).await;
    assert_eq!(blockers(outcome), ["ORDER_NOT_IN_CHARGE", "ORDER_BY_BANK"]);
}

#[tokio::test]
async fn a_request_is_checked_whole() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (_, name, _) = treasury.charged().await;
    let mut request = treasury.correction(&name, Some(-100));
    request.corrections[0].motive = "NIR 1 85 05 78 006 084 91".to_owned();
    let more = treasury.correction(&name, None).corrections;
    request.corrections.extend(more);
    let details = Details::of(&treasury.correct(request).await.unwrap_err());
    assert_eq!(details.reason, "INVALID_REQUEST");
    let told: Vec<_> = details
        .violations
        .iter()
        .map(|violation| (violation.field.as_str(), violation.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("corrections[0].reduction", "NOT_POSITIVE"),
            ("corrections[0].motive", "NIR_FORBIDDEN"),
            ("corrections[1].instalment", "DUPLICATE"),
        ]
    );
    let mut unknown: InstalmentName = name.parse().unwrap();
    unknown.instalment = world.ids.next();
    let request = treasury.correction(&unknown.to_string(), None);
    assert_eq!(reason(treasury.correct(request).await), "NOT_FOUND");
    // A text that no file holds says where.
    let mut request = treasury.correction(&name, None);
    request.corrections[0].motive = "漢".to_owned();
    let details = Details::of(&treasury.correct(request).await.unwrap_err());
    assert_eq!(details.violations[0].reason, "UNREPRESENTABLE");
}

#[tokio::test]
async fn a_correction_said_to_be_taken_after_the_payment_is_a_difference() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (told, name, _) = treasury.charged().await;
    let convention: ConventionName = told.name.parse().unwrap();
    let slip = treasury
        .correct(treasury.correction(&name, Some(20_000)))
        .await
        .unwrap();
    let paid = of_piece(1, "05", "", &[("2025-10-07", "9200.00")]);
    treasury.import(&retour(1, &paid)).await.unwrap();
    let taken = of_piece(2, "02", "", &[]);
    let file = treasury.import(&retour(1, &taken)).await.unwrap();
    assert_eq!((file.changed_count, file.difference_count), (0, 1));
    let difference = treasury.differences().await.remove(0);
    assert_eq!(difference.cause(), PaymentDifferenceCause::State);
    assert_eq!(difference.instalment, name);
    assert!(difference.message_fr.contains("correction"));
    assert_eq!(
        corrected(&treasury.slip(&slip.name).await),
        [SlipOrderState::Transmitted]
    );
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(920_000))
    );
    world.verified(&convention).await;
}

#[tokio::test]
async fn the_rest_may_be_paid_in_the_file_that_takes_the_correction_in_charge() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (told, name, _) = treasury.charged().await;
    let convention: ConventionName = told.name.parse().unwrap();
    treasury
        .correct(treasury.correction(&name, Some(20_000)))
        .await
        .unwrap();
    let paid = of_piece(1, "05", "", &[("2025-10-07", "9000.00")]);
    let file = retour(1, &(paid + &of_piece(2, "02", "", &[])));
    let file = treasury.import(&file).await.unwrap();
    assert_eq!((file.changed_count, file.difference_count), (2, 0));
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(900_000))
    );
    world.verified(&convention).await;
}

#[tokio::test]
async fn who_issued_a_correction_does_not_bring_the_word_of_it() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (_, name, _) = treasury.charged().await;
    let slip = treasury
        .correct(treasury.correction(&name, None))
        .await
        .unwrap();
    let taken = retour(1, &of_piece(2, "02", "", &[]));
    let token = world
        .tokens
        .token("authorising-officer", &[Role::Accountant], None);
    let outcome = treasury.import_as(token, &taken).await;
    assert_eq!(reason(outcome), "SEPARATION_OF_DUTIES");
    assert_eq!(
        corrected(&treasury.slip(&slip.name).await),
        [SlipOrderState::Transmitted]
    );
    // The file was not taken: another person imports it.
    assert_eq!(treasury.import(&taken).await.unwrap().changed_count, 1);
}

#[tokio::test]
async fn a_correction_that_the_books_do_not_bear_out_is_found() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (told, name, _) = treasury.charged().await;
    treasury
        .correct(treasury.correction(&name, Some(20_000)))
        .await
        .unwrap();
    let taken = retour(1, &of_piece(2, "02", "", &[]));
    treasury.import(&taken).await.unwrap();
    let owner = world.db.owner().await;
    sqlx::query("UPDATE slip_correction SET amount = 100")
        .execute(&owner)
        .await
        .unwrap();
    let request = VerifyLedgerRequest {
        parent: told.name,
        ..Default::default()
    };
    let mut client = world.ledger(world.tokens.auditor());
    let page = client.verify_ledger(request).await.unwrap().into_inner();
    let found = &page.verifications[0].discrepancies;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind(), DiscrepancyKind::OrderAmount);
    assert_eq!(
        (
            found[0].subject.as_str(),
            found[0].expected.as_str(),
            found[0].found.as_str()
        ),
        (name.as_str(), "9100.00", "9000.00")
    );
}

/// Corrects, and sends again what met another transaction.
async fn persist(
    mut client: SlipServiceClient<PeerChannel>,
    request: IssueCorrectionSlipRequest,
) -> Result<Slip, Status> {
    let mut outcome = client.issue_correction_slip(request.clone()).await;
    for _ in 1..ATTEMPTS {
        let Err(status) = &outcome else { break };
        if Details::of(status).retry.is_none() {
            break;
        }
        outcome = client.issue_correction_slip(request.clone()).await;
    }
    Ok(outcome?.into_inner())
}

#[tokio::test]
async fn clients_at_once_get_numbers_without_a_gap() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let mut names = Vec::new();
    for _ in 0..CLIENTS / 2 {
        names.push(treasury.charged().await.1);
    }
    let token = world.tokens.authorising_officer();
    // Each order is corrected twice: one of the two is refused, and costs no number.
    let clients: Vec<_> = (0..CLIENTS)
        .map(|index| {
            let client = SlipServiceClient::new(world.service.channel(token.clone()));
            let mut request = treasury.correction(&names[index / 2], Some(100));
            request.request_id = request_id();
            tokio::spawn(persist(client, request))
        })
        .collect();
    let (mut numbers, mut refused) = (BTreeSet::new(), 0);
    for client in clients {
        match client.await.unwrap() {
            Ok(slip) => {
                numbers.insert(slip.number);
            }
            outcome => {
                assert_eq!(blockers(outcome), ["CORRECTION_OPEN"]);
                refused += 1;
            }
        }
    }
    let all: BTreeSet<_> = (1..=i32::try_from(CLIENTS / 2).unwrap()).collect();
    assert_eq!((numbers, refused), (all, CLIENTS / 2));
}
