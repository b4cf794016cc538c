//! Slips that a bank pays: the file of transfers, and what reports and statements make of the orders.

use nonrecours_contracts::payments::{
    Account, GetPostingCodesRequest, InstalmentState, PaymentChannel, PaymentDifferenceCause,
    PaymentDifferenceOutcome, PostingCodes, ReturnFileKind, SettlePaymentDifferenceRequest, Slip,
    SlipOrderState,
};
use nonrecours_kernel::{ConventionName, InstalmentName};
use nonrecours_rpc::{convert::to_date, details::Details};
use nonrecours_testkit::request_id;
use prost::Message as _;
use time::macros::date;

use crate::{
    bank::{
        DEBTOR, credit, debit, message_id, notification, of_transfer, reference, report, statement,
        why,
    },
    recovery::{amend, issue},
    treasury::{Treasury, chunk, of_piece, retour, states},
    world::{IBAN, World, euros, reason},
};

/// A treasury with one order in a slip of a bank, and the name of its instalment.
async fn sent<'a>(world: &'a World) -> (Treasury<'a>, Slip, String) {
    let treasury = Treasury::of_a_bank(world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    (treasury, slip, name)
}

/// The convention of an instalment.
fn under(name: &str) -> ConventionName {
    name.parse::<InstalmentName>().unwrap().parent()
}

fn settle(name: &str, outcome: PaymentDifferenceOutcome) -> SettlePaymentDifferenceRequest {
    let paid = outcome == PaymentDifferenceOutcome::PaidInFull;
    SettlePaymentDifferenceRequest {
        name: name.to_owned(),
        outcome: outcome.into(),
        explanation: "Vu avec la banque.".to_owned(),
        payment_date: paid.then(|| to_date(date!(2025 - 10 - 07))),
        returned_amount: None,
        recovery: String::new(),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn a_programme_pays_through_its_accountant_or_its_bank() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let request = treasury.transfers();
    let set = treasury.set(request.clone()).await.unwrap();
    assert_eq!(treasury.set(request).await.unwrap(), set);
    let bank = set.bank_transfers.clone().unwrap();
    assert_eq!((set.version, set.codes.as_ref()), (1, None));
    assert_eq!(
        (bank.iban.as_str(), bank.bic.as_str()),
        (DEBTOR, "AGRIFRPPXXX")
    );
    assert_eq!(
        (bank.first_documents.len(), bank.later_documents.len()),
        (4, 3)
    );
    let read = GetPostingCodesRequest {
        name: set.name.clone(),
    };
    let mut client = treasury.codes_client(world.tokens.auditor());
    let stored = client.get_posting_codes(read).await.unwrap().into_inner();
    assert_eq!(stored, set);
    // Told to others without the account.
    let changes = world.changes_until("posting_codes.set", &set.name).await;
    let told = changes.last().unwrap().snapshot.clone().unwrap();
    let told = PostingCodes::decode(told.value.as_slice()).unwrap();
    let bank = told.bank_transfers.unwrap();
    assert_eq!([bank.iban, bank.bic, bank.debtor_name], ["", "", ""]);

    let refused = async |request| {
        let details = Details::of(&treasury.set(request).await.unwrap_err());
        let violations = details.violations.into_iter();
        let told = violations.map(|one| format!("{} {}", one.field, one.reason));
        told.collect::<Vec<_>>()
    };
    let mut both = treasury.transfers();
    both.codes = treasury.codes().codes;
    assert_eq!(refused(both).await, ["bank_transfers CHANNEL_TWICE"]);
    let mut neither = treasury.transfers();
    neither.bank_transfers = None;
    assert_eq!(refused(neither).await, ["codes CHANNEL_MISSING"]);
    let mut wrong = treasury.transfers();
    let bank = wrong.bank_transfers.as_mut().unwrap();
    bank.iban = "FR7630006000011234567890188".to_owned();
    bank.bic = "PSST".to_owned();
    bank.debtor_name = "1 85 02 62 263 001 42".to_owned();
    let told = refused(wrong).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("bank_transfers.iban IBAN_"), "{told:?}");

    // The other way from the next version on, and back.
    let accountant = treasury.set(treasury.codes()).await.unwrap();
    assert_eq!((accountant.version, accountant.bank_transfers), (2, None));
    assert_eq!(treasury.set(treasury.transfers()).await.unwrap().version, 3);
}

#[tokio::test]
async fn a_slip_of_a_bank_is_a_file_of_transfers_that_the_schema_accepts() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (first, second) = (treasury.ordered().await, treasury.ordered().await);
    let request = treasury.request(&[&first, &second]);
    let slip = treasury.issue(request.clone()).await.unwrap();
    assert_eq!(treasury.issue(request).await.unwrap(), slip);
    assert_eq!(treasury.slip(&slip.name).await, slip);
    assert_eq!(slip.channel(), PaymentChannel::Bank);
    assert_eq!((slip.number, slip.orders[1].piece), (1, 2));
    let file = treasury.transfer_file(&slip).await;
    let id = message_id(&slip);
    for element in [
        format!("<MsgId>{id}</MsgId>"),
        "<NbOfTxs>2</NbOfTxs><CtrlSum>18400.00</CtrlSum>".to_owned(),
        "<Dbtr><Nm>Fondation &apos; Bien-etre + OEuvres &apos;</Nm></Dbtr>".to_owned(),
        format!("<DbtrAcct><Id><IBAN>{DEBTOR}</IBAN></Id></DbtrAcct>"),
        format!("<EndToEndId>{}</EndToEndId>", slip.orders[1].end_to_end_id),
        format!("<CdtrAcct><Id><IBAN>{IBAN}</IBAN></Id></CdtrAcct>"),
        "<Ustrd>Mandat 2 bordereau 1 - acompte 2025 - Convention de partenariat 2025</Ustrd>"
            .to_owned(),
        "<ReqdExctnDt><Dt>2025-10-07</Dt></ReqdExctnDt>".to_owned(),
    ] {
        assert!(file.contains(&element), "{element} is not in {file}");
    }
    let uuid = first.rsplit_once('/').unwrap().1.replace('-', "");
    assert_eq!(reference(&slip), format!("{uuid}001"));
    // What the file says is what the books say is due.
    let due = world.entries(&under(&first)).await.remove(0);
    assert_eq!(
        (due.credit(), &due.amount),
        (Account::OperatorPayable, &slip.orders[0].amount)
    );
    // A programme's accountant takes over: the next slip is his, and numbered on.
    treasury.set(treasury.codes()).await.unwrap();
    let third = treasury.ordered().await;
    let next = treasury.issue(treasury.request(&[&third])).await.unwrap();
    assert_eq!(next.channel(), PaymentChannel::Accountant);
    assert_eq!(
        (next.number, next.orders[0].piece, reference(&next)),
        (2, 3, "")
    );
    assert_eq!(treasury.transfer_file(&slip).await, file);
}

#[tokio::test]
async fn a_report_accepts_and_rejects_and_what_is_sent_again_has_another_reference() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (first, second) = (treasury.ordered().await, treasury.ordered().await);
    let slip = treasury
        .issue(treasury.request(&[&first, &second]))
        .await
        .unwrap();
    let references: Vec<_> = slip.orders.iter().map(|one| &one.end_to_end_id).collect();
    let said = of_transfer(references[0], "ACSC", "")
        + &of_transfer(references[1], "RJCT", &why("AC04", "Clos depuis mars"))
        + &of_transfer("AILLEURS", "RJCT", "");
    let part = report(&message_id(&slip), "<GrpSts>PART</GrpSts>", &said);
    let taken = treasury.import(&part).await.unwrap();
    assert_eq!(taken.kind(), ReturnFileKind::StatusReport);
    assert_eq!(taken.flow_name, message_id(&slip));
    assert_eq!((taken.changed_count, taken.unknown_count), (2, 1));
    assert_eq!(treasury.import(&part).await.unwrap(), taken);
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(
        states(&stored),
        [SlipOrderState::TakenInCharge, SlipOrderState::Rejected]
    );
    let told = &stored.orders[1];
    assert_eq!(
        (told.reason_code.as_str(), told.reason_text.as_str()),
        ("AC04", "Compte clôturé : Clos depuis mars")
    );
    // A report is no payment.
    assert_eq!(
        world.instalment(&first).await.state(),
        InstalmentState::Ordered
    );
    // What came before arrives after.
    let early = report(&message_id(&slip), "<GrpSts>ACTC</GrpSts>", "");
    let early = treasury.import(&early).await.unwrap();
    assert_eq!((early.changed_count, early.difference_count), (0, 0));

    let again = treasury.issue(treasury.request(&[&second])).await.unwrap();
    // Rejected before it was taken in charge: its own number; and never mistaken for the first order.
    assert_eq!((again.number, again.orders[0].piece), (2, 2));
    assert_ne!(reference(&again), references[1]);
    let late = report(
        &message_id(&slip),
        "",
        &of_transfer(references[1], "RJCT", ""),
    );
    treasury.import(&late).await.unwrap();
    assert_eq!(
        states(&treasury.slip(&again.name).await),
        [SlipOrderState::Transmitted]
    );
    let waits = report(
        &message_id(&again),
        "",
        &of_transfer(reference(&again), "PDNG", ""),
    );
    treasury.import(&waits).await.unwrap();
    assert_eq!(
        states(&treasury.slip(&again.name).await),
        [SlipOrderState::Pending]
    );
}

#[tokio::test]
async fn a_file_that_the_bank_refuses_rejects_all_its_transfers() {
    let world = World::start().await;
    let (treasury, slip, _) = sent(&world).await;
    let group = format!("<GrpSts>RJCT</GrpSts>{}", why("FF01", ""));
    treasury
        .import(&report(&message_id(&slip), &group, ""))
        .await
        .unwrap();
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::FlowRejected]);
    assert_eq!(stored.orders[0].reason_text, "Format de fichier incorrect");
}

#[tokio::test]
async fn what_is_booked_pays_once_however_often_it_is_told() {
    let world = World::start().await;
    let (treasury, slip, name) = sent(&world).await;
    let paid = debit(reference(&slip), "9200.00");
    let first = treasury.import(&notification(&paid)).await.unwrap();
    assert_eq!(first.kind(), ReturnFileKind::Notification);
    assert_eq!((first.changed_count, first.difference_count), (1, 0));
    let instalment = world.instalment(&name).await;
    assert_eq!(instalment.state(), InstalmentState::Paid);
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::Paid]);
    assert_eq!(
        stored.orders[0].payment_date,
        Some(to_date(date!(2025 - 10 - 07)))
    );
    // The statement of the day says the same, and what is none of ours.
    let fees = debit("NOTPROVIDED", "12.50") + &debit("LOYER-10", "800.00");
    let day = treasury
        .import(&statement(DEBTOR, &(paid.clone() + &fees)))
        .await
        .unwrap();
    assert_eq!(day.kind(), ReturnFileKind::Statement);
    assert_eq!(
        (
            day.changed_count,
            day.unchanged_count,
            day.unknown_count,
            day.difference_count
        ),
        (0, 1, 2, 0)
    );
    // And the report, late.
    let late = report(
        &message_id(&slip),
        "",
        &of_transfer(reference(&slip), "ACSP", ""),
    );
    assert_eq!(treasury.import(&late).await.unwrap().changed_count, 0);
    // The same transfer made twice is a difference.
    let twice = statement(DEBTOR, &(paid.clone() + &paid));
    assert_eq!(treasury.import(&twice).await.unwrap().difference_count, 1);
    let convention = under(&name);
    assert_eq!(world.entries(&convention).await.len(), 2);
    world.verified(&convention).await;
}

#[tokio::test]
async fn another_sum_or_a_contradiction_waits_until_it_is_settled() {
    let world = World::start().await;
    let (treasury, slip, name) = sent(&world).await;
    let short = notification(&debit(reference(&slip), "9199.99"));
    assert_eq!(treasury.import(&short).await.unwrap().difference_count, 1);
    let [difference] = treasury.differences().await.try_into().unwrap();
    assert_eq!(difference.cause(), PaymentDifferenceCause::Amount);
    assert_eq!(difference.stated_amount, Some(euros(919_999)));
    assert_eq!(
        world.instalment(&name).await.state(),
        InstalmentState::Ordered
    );
    let request = settle(&difference.name, PaymentDifferenceOutcome::PaidInFull);
    treasury.settle(request).await.unwrap();
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Paid]
    );
    // Rejected, the bank says now.
    let said = of_transfer(reference(&slip), "RJCT", &why("MS03", ""));
    treasury
        .import(&report(&message_id(&slip), "", &said))
        .await
        .unwrap();
    // And part of the money came back.
    let part = credit(reference(&slip), "200.00", "AC04");
    treasury.import(&notification(&part)).await.unwrap();
    let causes: Vec<_> = treasury
        .differences()
        .await
        .iter()
        .map(|one| one.cause())
        .collect();
    assert_eq!(
        causes,
        [
            PaymentDifferenceCause::State,
            PaymentDifferenceCause::Amount
        ]
    );
    assert_eq!(world.instalment(&name).await.state(), InstalmentState::Paid);
}

#[tokio::test]
async fn money_that_comes_back_takes_the_payment_back_and_is_paid_again() {
    let world = World::start().await;
    let (treasury, slip, name) = sent(&world).await;
    let convention = under(&name);
    let paid = debit(reference(&slip), "9200.00");
    treasury.import(&notification(&paid)).await.unwrap();
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(920_000))
    );
    let back = credit(reference(&slip), "9200.00", "AC04");
    let taken = treasury.import(&notification(&back)).await.unwrap();
    assert_eq!((taken.changed_count, taken.difference_count), (1, 0));
    world.changes_until("instalment.returned", &name).await;
    let stored = treasury.slip(&slip.name).await;
    let order = &stored.orders[0];
    assert_eq!(order.state(), SlipOrderState::Rejected);
    assert_eq!(
        (order.reason_code.as_str(), order.reason_text.as_str()),
        ("AC04", "Virement retourné, Compte clôturé")
    );
    assert_eq!(order.return_date, Some(to_date(date!(2025 - 10 - 07))));
    assert_eq!(order.payment_date, None);
    let instalment = world.instalment(&name).await;
    assert_eq!(instalment.state(), InstalmentState::Ordered);
    assert_eq!(world.plan(&convention).await.paid_amount, Some(euros(0)));
    let last = world.entries(&convention).await.pop().unwrap();
    assert_eq!(
        (last.debit(), last.credit()),
        (Account::Treasury, Account::OperatorPayable)
    );
    world.verified(&convention).await;
    // The statement of the day tells both movements once more, in any order.
    let day = treasury
        .import(&statement(DEBTOR, &(back + &paid)))
        .await
        .unwrap();
    assert_eq!((day.changed_count, day.difference_count), (0, 0));

    let again = treasury.issue(treasury.request(&[&name])).await.unwrap();
    // It had been taken in charge: a new number.
    assert_eq!(again.orders[0].piece, 2);
    let paid = debit(reference(&again), "9200.00");
    treasury.import(&notification(&paid)).await.unwrap();
    assert_eq!(world.instalment(&name).await.state(), InstalmentState::Paid);
    assert_eq!(
        world.plan(&convention).await.paid_amount,
        Some(euros(920_000))
    );
    world.verified(&convention).await;
}

#[tokio::test]
async fn a_return_may_arrive_before_the_payment_or_with_it() {
    let world = World::start().await;
    let (treasury, slip, name) = sent(&world).await;
    let (paid, back) = (
        debit(reference(&slip), "9200.00"),
        credit(reference(&slip), "9200.00", "AC01"),
    );
    treasury.import(&notification(&back)).await.unwrap();
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Rejected]
    );
    treasury.import(&notification(&paid)).await.unwrap();
    assert_eq!(treasury.differences().await, []);
    let second = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let both =
        debit(reference(&second), "9200.00") + &credit(reference(&second), "9200.00", "AC01");
    treasury.import(&statement(DEBTOR, &both)).await.unwrap();
    assert_eq!(
        states(&treasury.slip(&second.name).await),
        [SlipOrderState::Rejected]
    );
    let convention = under(&name);
    assert_eq!(
        world.instalment(&name).await.state(),
        InstalmentState::Ordered
    );
    assert_eq!(world.entries(&convention).await.len(), 1);
    world.verified(&convention).await;
}

#[tokio::test]
async fn a_return_of_what_was_claimed_back_meanwhile_is_for_somebody_to_settle() {
    let world = World::start().await;
    let treasury = Treasury::of_a_bank(&world).await;
    let (mut convention, name) = treasury.ordered_under().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    treasury
        .import(&notification(&debit(reference(&slip), "9200.00")))
        .await
        .unwrap();
    amend(&world, &mut convention, 900_000).await;
    let of = convention.name.parse().unwrap();
    world.claim(issue(&of)).await.unwrap();
    let back = notification(&credit(reference(&slip), "9200.00", "AC04"));
    assert_eq!(treasury.import(&back).await.unwrap().difference_count, 1);
    let [difference] = treasury.differences().await.try_into().unwrap();
    assert_eq!(difference.cause(), PaymentDifferenceCause::Confirmation);
    assert!(
        difference.message_fr.contains("réclamée"),
        "{}",
        difference.message_fr
    );
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Paid]
    );
    world.verified(&of).await;
}

#[tokio::test]
async fn a_payment_under_a_reference_that_no_order_has_is_a_difference() {
    let world = World::start().await;
    let (treasury, slip, name) = sent(&world).await;
    // The second order of the instalment, which there is not.
    let uuid = &reference(&slip)[..32];
    let unknown = debit(&format!("{uuid}002"), "9200.00");
    let file = statement(DEBTOR, &(unknown.clone() + &debit("LOYER-10", "800.00")));
    let taken = treasury.import(&file).await.unwrap();
    assert_eq!((taken.unknown_count, taken.difference_count), (2, 1));
    let again = treasury.import(&notification(&unknown)).await.unwrap();
    assert_eq!(again.difference_count, 0);
    let [difference] = treasury.differences().await.try_into().unwrap();
    assert_eq!(difference.cause(), PaymentDifferenceCause::Reference);
    assert_eq!(difference.stated_reference, format!("{uuid}002"));
    assert_eq!(
        (difference.instalment.as_str(), difference.slip.as_str()),
        ("", "")
    );
    assert_eq!(
        (difference.ordered_amount, difference.stated_amount),
        (None, Some(euros(920_000)))
    );
    let request = settle(&difference.name, PaymentDifferenceOutcome::PaidInFull);
    assert_eq!(reason(treasury.settle(request).await), "ORDER_NOT_PAYABLE");
    let request = settle(&difference.name, PaymentDifferenceOutcome::Dismissed);
    let settled = treasury.settle(request.clone()).await.unwrap();
    assert_eq!(treasury.settle(request).await.unwrap(), settled);
    assert_eq!(treasury.differences().await, []);
    // The order itself waits as before.
    assert_eq!(
        world.instalment(&name).await.state(),
        InstalmentState::Ordered
    );
    // Another programme may pay from the same account: its references are no strangers.
    let other = Treasury::of_a_bank(&world).await;
    let elsewhere = notification(&debit(reference(&slip), "9200.00"));
    let taken = other.import(&elsewhere).await.unwrap();
    assert_eq!((taken.unknown_count, taken.difference_count), (1, 0));
}

#[tokio::test]
async fn what_is_booked_on_another_account_says_nothing_of_an_order() {
    let world = World::start().await;
    let (treasury, slip, _) = sent(&world).await;
    // Who is paid has a statement with the same reference, on the other side.
    let received = credit(reference(&slip), "9200.00", "AC04");
    let theirs = statement(IBAN, &received);
    assert_eq!(
        reason(treasury.import(&theirs).await),
        "RETURN_OTHER_ACCOUNT"
    );
    let both = theirs.replace(
        "</BkToCstmrStmt>",
        &format!(
            "<Stmt><Id>S2</Id><Acct><Id><IBAN>{DEBTOR}</IBAN></Id></Acct></Stmt></BkToCstmrStmt>"
        ),
    );
    let taken = treasury.import(&both).await.unwrap();
    assert_eq!((taken.changed_count, taken.unknown_count), (0, 1));
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Transmitted]
    );
    // What is only announced is no payment.
    let announced = notification(&debit(reference(&slip), "9200.00").replace("BOOK", "PDNG"));
    assert_eq!(treasury.import(&announced).await.unwrap().changed_count, 0);
    // Nor is a flow of an accountant about orders of a bank, or the other way round.
    let flow = retour(1, &of_piece(1, "05", "", &[("2025-10-07", "9200.00")]));
    assert_eq!(reason(treasury.import(&flow).await), "RETURN_OTHER_BUDGET");
    let accountant = Treasury::open(&world).await;
    let file = report("X", "<GrpSts>ACTC</GrpSts>", "");
    assert_eq!(
        reason(accountant.import(&file).await),
        "RETURN_OTHER_ACCOUNT"
    );
}

#[tokio::test]
async fn a_bank_file_is_taken_whole_or_refused_with_its_line() {
    let world = World::start().await;
    let (treasury, slip, _) = sent(&world).await;
    let good = debit(reference(&slip), "9200.00");
    let file = statement(DEBTOR, &good);
    for (wrong, expected) in [
        (file.replace("9200.00", "9200.001"), "FLOW_VALUE"),
        (
            file.replace("<BookgDt><Dt>2025-10-07</Dt></BookgDt>", ""),
            "FLOW_INCOMPLETE",
        ),
        (
            file.replace("camt.053.001.08", "camt.052.001.08")
                .replace("BkToCstmrStmt", "BkToCstmrAcctRpt"),
            "FLOW_UNKNOWN",
        ),
        (file[..file.len() - 30].to_owned(), "XML_TRUNCATED"),
        (
            file.replace("LOYER", "&loyer;")
                .replace("<Refs>", "<Refs>&x;"),
            "XML_ENTITY",
        ),
    ] {
        let details = Details::of(&treasury.import(&wrong).await.unwrap_err());
        assert_eq!(details.reason, "INVALID_REQUEST");
        assert_eq!(details.violations[0].reason, expected);
        assert!(details.french.contains("Ligne "), "{}", details.french);
    }
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Transmitted]
    );

    // Larger than any message: eight megabytes of other movements around ours.
    let (before, after) = file.split_once("<Ntry>").unwrap();
    let other = debit("LOYER-10", "800.00");
    let many = other.repeat((1 << 20) / other.len());
    let messages = [treasury.opening(), chunk(before.as_bytes().to_vec())]
        .into_iter()
        .chain(std::iter::repeat_n(chunk(many.into_bytes()), 8))
        .chain([chunk(format!("<Ntry>{after}").into_bytes())]);
    let mut client = treasury.returns(world.tokens.accountant());
    let messages: Vec<_> = messages.collect();
    let taken = client.push_return_file(tokio_stream::iter(messages)).await;
    let taken = taken.unwrap().into_inner();
    assert!(taken.size > 8_000_000 && taken.unknown_count > 10_000);
    assert_eq!((taken.changed_count, taken.difference_count), (1, 0));
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Paid]
    );
}
