//! The cash position of a programme, day by day.

use nonrecours_contracts::{
    conventions as source,
    google::r#type as wire,
    payments::{
        CashPosition, GetCashPositionRequest, IssueRecoveryRequest, ReceiveRecoveryRequest,
        cash_position_service_client::CashPositionServiceClient,
    },
};
use nonrecours_kernel::ProgrammeName;
use nonrecours_rpc::{
    client::PeerChannel,
    convert::{money, to_date},
};
use nonrecours_testkit::request_id;
use time::{
    Date,
    macros::{date, datetime},
};
use tonic::Status;

use crate::{
    state_receivable::{funding, receipt},
    treasury::Treasury,
    world::{World, euros, reason},
};

impl World {
    fn cash(&self, token: String) -> CashPositionServiceClient<PeerChannel> {
        CashPositionServiceClient::new(self.service.channel(token))
    }

    async fn position(
        &self,
        programme: &ProgrammeName,
        date: Option<Date>,
    ) -> Result<CashPosition, Status> {
        let request = GetCashPositionRequest {
            parent: programme.to_string(),
            date: date.map(to_date),
        };
        let mut client = self.cash(self.tokens.accountant());
        Ok(client.get_cash_position(request).await?.into_inner())
    }
}

/// Granted, received, receivable; paid, ordered, engaged, payable; recovered, recoverable; cash: all in cents.
fn cents(position: &CashPosition) -> ([i64; 3], [i64; 4], [i64; 2], i64) {
    let cents = |amount: &Option<wire::Money>| money(amount.as_ref()).unwrap().cents();
    (
        [
            cents(&position.state_granted_amount),
            cents(&position.state_received_amount),
            cents(&position.state_receivable_amount),
        ],
        [
            cents(&position.paid_amount),
            cents(&position.ordered_amount),
            cents(&position.engaged_amount),
            cents(&position.payable_amount),
        ],
        [
            cents(&position.recovered_amount),
            cents(&position.recoverable_amount),
        ],
        cents(&position.cash_amount),
    )
}

#[tokio::test]
async fn every_figure_of_every_day_is_what_the_books_of_that_day_say() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let programme = treasury.programme;
    let nothing = world.position(&programme, None).await.unwrap();
    assert_eq!(cents(&nothing), ([0; 3], [0; 4], [0; 2], 0));
    assert_eq!(nothing.date, Some(to_date(date!(2025 - 10 - 07))));

    // 7 October: two conventions of 11 500 €, the State owes its advance.
    let owed = world.owed(&funding(&world, programme, 2025)).await;
    let convention = treasury.convention();
    let first = world.learned(&convention).await;
    let second = treasury.agreed().await;
    world.advance(&first.advance.name, 2).await;
    let day_1 = (
        [10_000_001, 0, 8_000_001],
        [0, 0, 2_300_000, 920_000],
        [0; 2],
        0,
    );
    let today = world.position(&programme, None).await.unwrap();
    assert_eq!(cents(&today), day_1);

    // 8 October, from midnight in Paris on: the State pays in part, both advances are ordered, one is paid.
    world.clock.set(datetime!(2025-10-07 22:00 UTC));
    world
        .receive_funds(receipt(&owed.name, 5_000_000, "AC-1"))
        .await
        .unwrap();
    world.advance_from(&first.advance.name, 2).await;
    world.advance(&second.advance.name, 3).await;
    let day_2 = (
        [10_000_001, 5_000_000, 3_000_001],
        [920_000, 920_000, 460_000, 920_000],
        [0; 2],
        4_080_000,
    );
    let today = world.position(&programme, None).await.unwrap();
    assert_eq!(cents(&today), day_2);

    // 9 October: the first convention is terminated with 5 000 € due; 4 200 € are claimed, 1 000 € of it come back.
    world.clock.set(datetime!(2025-10-09 08:00 UTC));
    let terminated = source::Convention {
        state: source::ConventionState::Terminated.into(),
        due_amount: Some(euros(500_000)),
        revision: 8,
        ..convention
    };
    world.tell(&terminated);
    let plan = format!("{}/paymentPlan", first.convention);
    world.changes_until("payment_plan.updated", &plan).await;
    let request = IssueRecoveryRequest {
        parent: first.convention.to_string(),
        breach: None,
        request_id: request_id(),
    };
    let mut issuer = world.recoveries(world.tokens.authorising_officer());
    let recovery = issuer.issue_recovery(request).await.unwrap().into_inner();
    let request = ReceiveRecoveryRequest {
        name: recovery.name,
        amount: Some(euros(100_000)),
        receipt_date: Some(to_date(date!(2025 - 10 - 09))),
        reference: "ENC-1".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut accountant = world.recoveries(world.tokens.accountant());
    accountant.receive_recovery(request).await.unwrap();
    let day_3 = (
        [10_000_001, 5_000_000, 3_000_001],
        // Of the terminated convention nothing is engaged any more.
        [920_000, 920_000, 230_000, 920_000],
        [100_000, 320_000],
        4_180_000,
    );
    let today = world.position(&programme, None).await.unwrap();
    assert_eq!(cents(&today), day_3);

    // Each day is told later as it was.
    for (day, expected) in [
        (date!(2025 - 10 - 06), ([0; 3], [0; 4], [0; 2], 0)),
        (date!(2025 - 10 - 07), day_1),
        (date!(2025 - 10 - 08), day_2),
        (date!(2025 - 10 - 09), day_3),
    ] {
        let position = world.position(&programme, Some(day)).await.unwrap();
        assert_eq!(cents(&position), expected, "{day}");
    }
    let future = world
        .position(&programme, Some(date!(2025 - 10 - 10)))
        .await;
    assert_eq!(reason(future), "INVALID_REQUEST");
    // Another programme has none of it.
    let other = Treasury::bare(&world).programme;
    let position = world.position(&other, None).await.unwrap();
    assert_eq!(cents(&position), ([0; 3], [0; 4], [0; 2], 0));
}
