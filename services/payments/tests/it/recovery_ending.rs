//! How recoveries end: set off, written off, reduced; and what is due again after them.

use nonrecours_contracts::{
    conventions::ConventionState,
    payments::{
        Account, InstalmentKind, InstalmentRecoveryState, OffsetRecoveryRequest, PaymentPlanState,
        Recovery, RecoveryActKind, RecoveryCause, RecoveryState, ReduceRecoveryRequest,
        VerifyLedgerRequest, WriteOffRecoveryRequest,
    },
};
use nonrecours_kernel::{ConventionName, Role};
use nonrecours_testkit::request_id;
use time::{Duration, macros::datetime};
use tonic::Status;

use crate::{
    measures::told,
    recovery::{amend, issue, notify, overpaid, receive},
    treasury::Treasury,
    world::{World, euros, reason},
};

fn offset(recovery: &Recovery, instalment: &str, cents: i64) -> OffsetRecoveryRequest {
    OffsetRecoveryRequest {
        name: recovery.name.clone(),
        instalment: instalment.to_owned(),
        amount: Some(euros(cents)),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn write_off(recovery: &Recovery) -> WriteOffRecoveryRequest {
    WriteOffRecoveryRequest {
        name: recovery.name.clone(),
        decision_reference: "DEL-2026-04".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn reduce(recovery: &Recovery, cents: i64) -> ReduceRecoveryRequest {
    ReduceRecoveryRequest {
        name: recovery.name.clone(),
        amount: Some(euros(cents)),
        reason: "Erreur de liquidation".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

impl World {
    async fn offset(&self, request: OffsetRecoveryRequest) -> Result<Recovery, Status> {
        let mut client = self.recoveries(self.tokens.accountant());
        Ok(client.offset_recovery(request).await?.into_inner())
    }

    async fn write_off(&self, request: WriteOffRecoveryRequest) -> Result<Recovery, Status> {
        let mut client = self.recoveries(self.tokens.authorising_officer());
        Ok(client.write_off_recovery(request).await?.into_inner())
    }

    async fn reduce(&self, request: ReduceRecoveryRequest) -> Result<Recovery, Status> {
        let mut client = self.recoveries(self.tokens.authorising_officer());
        Ok(client.reduce_recovery(request).await?.into_inner())
    }

    /// Every figure of the convention is what its entries say.
    pub async fn verified(&self, convention: &ConventionName) {
        let request = VerifyLedgerRequest {
            parent: convention.to_string(),
            ..Default::default()
        };
        let mut client = self.ledger(self.tokens.accountant());
        let page = client.verify_ledger(request).await.unwrap().into_inner();
        assert_eq!(page.verifications.len(), 1);
        assert_eq!(page.verifications[0].discrepancies, []);
    }
}

#[tokio::test]
async fn a_recovery_is_set_off_against_a_later_instalment_of_the_operator() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (first, convention) = overpaid(&treasury).await;
    world.clock.advance(Duration::hours(1));
    let issued = world.claim(issue(&convention)).await.unwrap();
    // Another convention of the same operator, paid a day later.
    world.clock.advance(Duration::days(1));
    let operator = first.name.rsplit_once("/conventions/").unwrap().0;
    let mut second = world.convention(operator.parse().unwrap());
    second.framework_convention = first.framework_convention.clone();
    let other = world.learned(&second).await;
    let (advance, balance) = (&other.advance.name, &other.balance.name);
    world.advance(advance, 3).await;
    let unpaid = world.offset(offset(&issued, advance, 5_000)).await;
    assert_eq!(reason(unpaid), "OFFSET_INSTALMENT_UNPAID");
    let transfer = crate::world::confirm(advance, &world.clock);
    world.confirm(transfer).await.unwrap();

    let earlier = world.schedule(&convention).await.remove(0).name;
    let stranger = treasury.ordered().await;
    let nobody = balance.replace(
        &other.balance.name[balance.len() - 36..],
        &other.convention.convention.to_string(),
    );
    for (request, wanted) in [
        (
            offset(&issued, &earlier, 5_000),
            "RECOVERY_DATE_OUT_OF_RANGE",
        ),
        (offset(&issued, &stranger, 5_000), "INVALID_REQUEST"),
        (offset(&issued, &nobody, 5_000), "NOT_FOUND"),
        (offset(&issued, advance, 20_001), "RECOVERY_EXCEEDED"),
        (
            OffsetRecoveryRequest {
                etag: "9".to_owned(),
                ..offset(&issued, advance, 5_000)
            },
            "ETAG_MISMATCH",
        ),
    ] {
        assert_eq!(reason(world.offset(request).await), wanted);
    }
    let request = offset(&issued, advance, 5_000);
    let partly = world.offset(request.clone()).await.unwrap();
    assert_eq!(partly.state(), RecoveryState::PartlyRecovered);
    assert_eq!(world.offset(request).await.unwrap(), partly);
    let rest = world
        .offset(offset(&issued, advance, 15_000))
        .await
        .unwrap();
    assert_eq!(rest.state(), RecoveryState::Offset);
    assert_eq!(rest.acts[1].kind(), RecoveryActKind::Offset);
    assert_eq!(&rest.acts[1].instalment, advance);
    let plan = world.plan(&convention).await;
    assert_eq!(plan.recovered_amount, Some(euros(20_000)));
    world.verified(&convention).await;
    world.verified(&other.convention).await;
    let closed = world.offset(offset(&issued, advance, 1)).await;
    assert_eq!(reason(closed), "RECOVERY_CLOSED");
}

#[tokio::test]
async fn no_more_is_set_off_than_the_instalment_was_paid() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (mut first, convention) = overpaid(&treasury).await;
    // Nothing is due any more: all of it is to be recovered.
    first.state = ConventionState::Terminated.into();
    first.due_amount = Some(euros(0));
    told(&world, &mut first).await;
    let issued = world.claim(issue(&convention)).await.unwrap();
    assert_eq!(issued.cause(), RecoveryCause::Termination);
    assert_eq!(issued.amount, Some(euros(920_000)));
    let operator = first.name.rsplit_once("/conventions/").unwrap().0;
    let mut small = world.convention(operator.parse().unwrap());
    small.framework_convention = first.framework_convention.clone();
    amounts(&mut small, 100_000);
    let small = world.learned(&small).await;
    world.advance(&small.advance.name, 4).await;
    let most = offset(&issued, &small.advance.name, 80_001);
    assert_eq!(reason(world.offset(most).await), "OFFSET_EXCEEDED");
    let all = offset(&issued, &small.advance.name, 80_000);
    world.offset(all).await.unwrap();
    let more = offset(&issued, &small.advance.name, 1);
    assert_eq!(reason(world.offset(more).await), "OFFSET_EXCEEDED");
    // Who issued it sets nothing off either.
    let both = [Role::AuthorisingOfficer, Role::Accountant];
    let token = world.tokens.token("authorising-officer", &both, None);
    let issuer = issued.issue.unwrap().actor;
    let token = if issuer == "authorising-officer" {
        token
    } else {
        world.tokens.token(&issuer, &both, None)
    };
    let mut client = world.recoveries(token);
    let request = offset(&partly(&world, &issued.name).await, &small.advance.name, 1);
    let outcome = client.offset_recovery(request).await;
    assert_eq!(reason(outcome), "SEPARATION_OF_DUTIES");
}

async fn partly(world: &World, name: &str) -> Recovery {
    let request = nonrecours_contracts::payments::GetRecoveryRequest {
        name: name.to_owned(),
    };
    let mut client = world.recoveries(world.tokens.auditor());
    client.get_recovery(request).await.unwrap().into_inner()
}

fn amounts(convention: &mut nonrecours_contracts::conventions::Convention, cents: i64) {
    convention.grant_amount = Some(euros(cents));
    convention.instalment_terms[0].amount = Some(euros(cents / 10 * 8));
    convention.instalment_terms[1].amount = Some(euros(cents / 10 * 2));
}

#[tokio::test]
async fn what_remains_is_written_off_once_the_operator_was_told() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (_, convention) = overpaid(&treasury).await;
    let issued = world.claim(issue(&convention)).await.unwrap();
    let early = world.write_off(write_off(&issued)).await;
    assert_eq!(reason(early), "RECOVERY_NOT_NOTIFIED");
    world.notify(notify(&issued)).await.unwrap();
    world
        .receive(receive(&issued, 5_000, "P503-17"))
        .await
        .unwrap();
    let stale = WriteOffRecoveryRequest {
        etag: "1".to_owned(),
        ..write_off(&issued)
    };
    assert_eq!(reason(world.write_off(stale).await), "ETAG_MISMATCH");
    let request = write_off(&issued);
    let written_off = world.write_off(request.clone()).await.unwrap();
    assert_eq!(written_off.state(), RecoveryState::WrittenOff);
    assert_eq!(written_off.acts[1].amount, Some(euros(15_000)));
    assert_eq!(written_off.acts[1].reference, "DEL-2026-04");
    assert_eq!(world.write_off(request).await.unwrap(), written_off);
    let closed = world.write_off(write_off(&issued)).await;
    assert_eq!(reason(closed), "RECOVERY_CLOSED");
    let plan = world.plan(&convention).await;
    assert_eq!(plan.written_off_amount, Some(euros(15_000)));
    assert_eq!(plan.recovered_amount, Some(euros(5_000)));
    let last = world.entries(&convention).await.pop().unwrap();
    assert_eq!(
        (last.debit(), last.credit()),
        (Account::Uncollectible, Account::OperatorReceivable)
    );
    let advance = world.schedule(&convention).await.remove(0);
    assert_eq!(advance.recovery_state(), InstalmentRecoveryState::Recovered);
    world.verified(&convention).await;
}

#[tokio::test]
async fn a_claim_is_reduced_and_what_is_to_recover_can_be_claimed_anew() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (mut agreed, convention) = overpaid(&treasury).await;
    let issued = world.claim(issue(&convention)).await.unwrap();
    let too_much = world.reduce(reduce(&issued, 20_001)).await;
    assert_eq!(reason(too_much), "RECOVERY_EXCEEDED");
    let screened = ReduceRecoveryRequest {
        reason: "dossier 1 85 05 78 006 084 91".to_owned(),
        ..reduce(&issued, 1)
    };
    assert_eq!(reason(world.reduce(screened).await), "INVALID_REQUEST");
    let stale = ReduceRecoveryRequest {
        etag: "2".to_owned(),
        ..reduce(&issued, 1)
    };
    assert_eq!(reason(world.reduce(stale).await), "ETAG_MISMATCH");
    let request = reduce(&issued, 20_000);
    let cancelled = world.reduce(request.clone()).await.unwrap();
    assert_eq!(cancelled.state(), RecoveryState::Cancelled);
    assert_eq!(world.reduce(request).await.unwrap(), cancelled);
    assert_eq!(
        reason(world.reduce(reduce(&issued, 1)).await),
        "RECOVERY_CLOSED"
    );
    assert_eq!(world.plan(&convention).await.claimed_amount, Some(euros(0)));
    let again = world.claim(issue(&convention)).await.unwrap();
    assert_eq!(
        (again.number, again.amount.clone()),
        (2, Some(euros(20_000)))
    );
    // A decision that claims more is claimed for the difference.
    agreed.recover_amount = Some(euros(50_000));
    told(&world, &mut agreed).await;
    let more = world.claim(issue(&convention)).await.unwrap();
    assert_eq!(
        (more.cause(), more.amount.clone()),
        (RecoveryCause::Decision, Some(euros(30_000)))
    );
    world.verified(&convention).await;
}

#[tokio::test]
async fn what_is_due_again_after_it_was_recovered_is_paid_once_more() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (mut agreed, convention) = overpaid(&treasury).await;
    let issued = world.claim(issue(&convention)).await.unwrap();
    world
        .receive(receive(&issued, 20_000, "P503-17"))
        .await
        .unwrap();
    let settled = world.plan(&convention).await;
    assert_eq!(settled.state(), PaymentPlanState::Settled);
    // The next amendment grants what was paid at first: 200 € are due again.
    amend(&world, &mut agreed, 920_000).await;
    let plan = world.plan(&convention).await;
    assert_eq!(plan.state(), PaymentPlanState::Open);
    assert_eq!(plan.to_recover_amount, Some(euros(0)));
    let further = world.schedule(&convention).await.pop().unwrap();
    assert_eq!(further.kind(), InstalmentKind::Balance);
    assert_eq!(further.amount, Some(euros(20_000)));
    agreed.state = ConventionState::Completed.into();
    told(&world, &mut agreed).await;
    world.advance(&further.name, 4).await;
    let plan = world.plan(&convention).await;
    assert_eq!(plan.paid_amount, Some(euros(940_000)));
    assert_eq!(plan.recovered_amount, Some(euros(20_000)));
    assert_eq!(plan.state(), PaymentPlanState::Settled);
    world.verified(&convention).await;
}

#[tokio::test]
async fn money_that_comes_for_a_claim_that_no_longer_holds_is_due_again() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (mut agreed, convention) = overpaid(&treasury).await;
    let issued = world.claim(issue(&convention)).await.unwrap();
    amend(&world, &mut agreed, 920_000).await;
    assert_eq!(
        world.plan(&convention).await.state(),
        PaymentPlanState::Settled
    );
    world.clock.set(datetime!(2025-10-08 09:00 UTC));
    world
        .receive(receive(&issued, 20_000, "P503-17"))
        .await
        .unwrap();
    let further = world.schedule(&convention).await.pop().unwrap();
    assert_eq!(further.amount, Some(euros(20_000)));
    assert_eq!(
        world.plan(&convention).await.state(),
        PaymentPlanState::Open
    );
    world.verified(&convention).await;
}

#[tokio::test]
async fn a_recovery_bears_a_hundred_acts() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let (_, convention) = overpaid(&treasury).await;
    let issued = world.claim(issue(&convention)).await.unwrap();
    for number in 0..100 {
        let receipt = receive(&issued, 1, &format!("P503-{number}"));
        world.receive(receipt).await.unwrap();
    }
    let full = world.receive(receive(&issued, 1, "P503-100")).await;
    assert_eq!(reason(full), "RECOVERY_FULL");
}
