//! What the State owes the programme: learned from the feed, received, taken back, verified.

use nonrecours_contracts::{
    conventions as source,
    payments::{
        Account, DiscrepancyKind, GetStateReceivableRequest, InstalmentKind,
        ListStateReceivablesRequest, ReceiptEvidence, ReceiveStateFundsRequest,
        ReverseStateReceiptRequest, StateReceivable, VerifyStateReceivablesRequest,
        state_receivable_service_client::StateReceivableServiceClient,
    },
};
use nonrecours_kernel::{Money, ProgrammeName, StateFundingName};
use nonrecours_rpc::{
    client::PeerChannel,
    convert::{money, to_date},
};
use nonrecours_testkit::request_id;
use sqlx::AssertSqlSafe;
use time::macros::date;
use tonic::Status;

use crate::world::{World, euros, reason};

/// A funding of 100 000,01 € in 80 % and 20 %, as `conventions` tells it.
pub fn funding(world: &World, programme: ProgrammeName, year: i32) -> source::StateFunding {
    let name = StateFundingName {
        programme: programme.programme,
        state_funding: world.ids.next(),
    };
    let part = |kind: source::InstalmentKind, cents, date| source::StateInstalment {
        kind: kind.into(),
        expected_amount: Some(euros(cents)),
        expected_date: Some(to_date(date)),
        ..Default::default()
    };
    source::StateFunding {
        name: name.to_string(),
        budget_year: year,
        grant_amount: Some(euros(10_000_001)),
        agreement_reference: "DREETS-2025-62-17".to_owned(),
        instalments: vec![
            part(
                source::InstalmentKind::Advance,
                8_000_001,
                date!(2025 - 09 - 30),
            ),
            part(
                source::InstalmentKind::Balance,
                2_000_000,
                date!(2026 - 06 - 30),
            ),
        ],
        ..Default::default()
    }
}

impl World {
    pub fn receivables(&self, token: String) -> StateReceivableServiceClient<PeerChannel> {
        StateReceivableServiceClient::new(self.service.channel(token))
    }

    pub fn tell_funding(&self, funding: &source::StateFunding, revision: i64) {
        let kind = "state_funding.recorded";
        self.feed.push(&funding.name, revision, kind, funding);
    }

    /// The receivable of a new funding, once it was learned.
    pub async fn owed(&self, funding: &source::StateFunding) -> StateReceivable {
        self.tell_funding(funding, 1);
        let name = funding.name.replace("stateFundings", "stateReceivables");
        self.changes_until("state_receivable.opened", &name).await;
        self.receivable(&name).await
    }

    /// The same once the report was sent.
    pub async fn reported(&self, mut funding: source::StateFunding) -> StateReceivable {
        funding.report_sent_date = Some(to_date(date!(2025 - 10 - 06)));
        self.tell_funding(&funding, 2);
        let name = funding.name.replace("stateFundings", "stateReceivables");
        self.changes_until("state_receivable.due", &name).await;
        self.receivable(&name).await
    }

    pub async fn receivable(&self, name: &str) -> StateReceivable {
        let request = GetStateReceivableRequest {
            name: name.to_owned(),
        };
        let mut client = self.receivables(self.tokens.auditor());
        let found = client.get_state_receivable(request).await.unwrap();
        found.into_inner()
    }

    pub async fn receive_funds(
        &self,
        request: ReceiveStateFundsRequest,
    ) -> Result<StateReceivable, Status> {
        let mut client = self.receivables(self.tokens.accountant());
        Ok(client.receive_state_funds(request).await?.into_inner())
    }

    pub async fn reverse_funds(
        &self,
        request: ReverseStateReceiptRequest,
    ) -> Result<StateReceivable, Status> {
        let mut client = self.receivables(self.tokens.accountant());
        Ok(client.reverse_state_receipt(request).await?.into_inner())
    }
}

pub fn receipt(name: &str, cents: i64, reference: &str) -> ReceiveStateFundsRequest {
    ReceiveStateFundsRequest {
        name: name.to_owned(),
        amount: Some(euros(cents)),
        receipt_date: Some(to_date(date!(2025 - 10 - 07))),
        reference: reference.to_owned(),
        evidence: Some(ReceiptEvidence {
            file_name: "avis-de-credit.pdf".to_owned(),
            sha256: "5A".repeat(32),
        }),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn reversal(name: &str, reference: &str) -> ReverseStateReceiptRequest {
    ReverseStateReceiptRequest {
        name: name.to_owned(),
        reference: reference.to_owned(),
        reason: "Versement d'un autre programme.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn programme(world: &World) -> ProgrammeName {
    ProgrammeName {
        programme: world.ids.next(),
    }
}

/// Due, received and outstanding cents.
fn sums(receivable: &StateReceivable) -> [i64; 3] {
    [
        &receivable.due_amount,
        &receivable.received_amount,
        &receivable.outstanding_amount,
    ]
    .map(|amount| money(amount.as_ref()).unwrap().cents())
}

async fn verified(world: &World, parent: &str) -> Vec<(i64, Vec<(Account, Money)>, usize)> {
    let request = VerifyStateReceivablesRequest {
        parent: parent.to_owned(),
        ..Default::default()
    };
    let mut client = world.receivables(world.tokens.auditor());
    let page = client.verify_state_receivables(request).await.unwrap();
    let found = page.into_inner().verifications.into_iter();
    found
        .map(|one| {
            let balances = one.balances.iter();
            let balances = balances.map(|it| (it.account(), money(it.amount.as_ref()).unwrap()));
            (one.entry_count, balances.collect(), one.discrepancies.len())
        })
        .collect()
}

#[tokio::test]
async fn the_advance_is_due_at_once_and_the_balance_once_the_report_was_sent() {
    let world = World::start().await;
    let programme = programme(&world);
    let told = funding(&world, programme, 2025);
    let owed = world.owed(&told).await;
    assert_eq!(sums(&owed), [8_000_001, 0, 8_000_001]);
    assert_eq!(owed.state_funding, told.name);
    assert_eq!(owed.grant_amount, told.grant_amount);
    let due: Vec<_> = owed
        .instalments
        .iter()
        .map(|it| (it.kind(), it.due))
        .collect();
    assert_eq!(
        due,
        [
            (InstalmentKind::Advance, true),
            (InstalmentKind::Balance, false)
        ]
    );

    let request = receipt(&owed.name, 5_000_000, "AC-1");
    let first = world.receive_funds(request.clone()).await.unwrap();
    assert_eq!(world.receive_funds(request.clone()).await.unwrap(), first);
    // The same receipt by another request.
    let again = ReceiveStateFundsRequest {
        request_id: request_id(),
        ..request
    };
    assert_eq!(world.receive_funds(again).await.unwrap(), first);
    assert_eq!(sums(&first), [8_000_001, 5_000_000, 3_000_001]);
    let receipt_shown = &first.receipts[0];
    assert_eq!(receipt_shown.reference, "AC-1");
    assert_eq!(
        receipt_shown.evidence.as_ref().unwrap().sha256,
        "5a".repeat(32)
    );
    assert_eq!(receipt_shown.step.as_ref().unwrap().actor, "accountant");

    let refused = |request| async { reason(world.receive_funds(request).await) };
    let more = receipt(&owed.name, 3_000_002, "AC-2");
    assert_eq!(refused(more.clone()).await, "STATE_RECEIPT_EXCEEDED");
    let other = receipt(&owed.name, 1, "AC-1");
    assert_eq!(refused(other).await, "STATE_RECEIPT_KNOWN");
    for day in [date!(2024 - 12 - 31), date!(2025 - 10 - 09)] {
        let elsewhen = ReceiveStateFundsRequest {
            receipt_date: Some(to_date(day)),
            ..receipt(&owed.name, 1, "AC-2")
        };
        assert_eq!(refused(elsewhen).await, "STATE_RECEIPT_DATE_OUT_OF_RANGE");
    }
    let stale = ReceiveStateFundsRequest {
        etag: owed.etag.clone(),
        ..receipt(&owed.name, 1, "AC-2")
    };
    assert_eq!(refused(stale).await, "ETAG_MISMATCH");
    let nowhere = owed.name.replace(
        &programme.to_string(),
        &format!("programmes/{}", request_id()),
    );
    assert_eq!(refused(receipt(&nowhere, 1, "AC-2")).await, "NOT_FOUND");
    let wrong = ReceiveStateFundsRequest {
        amount: Some(euros(0)),
        evidence: Some(ReceiptEvidence {
            file_name: " ".to_owned(),
            sha256: "x".repeat(64),
        }),
        ..receipt(&owed.name, 1, "AC-2")
    };
    let details =
        nonrecours_rpc::details::Details::of(&world.receive_funds(wrong).await.unwrap_err());
    let mut fields: Vec<_> = details
        .violations
        .iter()
        .map(|it| it.field.as_str())
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["amount", "evidence.file_name", "evidence.sha256"]);

    let reported = world.reported(told.clone()).await;
    assert_eq!(sums(&reported), [10_000_001, 5_000_000, 5_000_001]);
    // An older revision that comes late changes nothing.
    world.tell_funding(&told, 1);
    let second = world.receive_funds(more).await.unwrap();
    assert_eq!(sums(&second), [10_000_001, 8_000_002, 1_999_999]);
    let by_part: Vec<_> = second
        .instalments
        .iter()
        .map(|it| money(it.received_amount.as_ref()).unwrap().cents())
        .collect();
    assert_eq!(by_part, [8_000_001, 1]);

    // Taken back, and its reference is free again.
    let request = reversal(&owed.name, "AC-2");
    let reversed = world.reverse_funds(request.clone()).await.unwrap();
    assert_eq!(world.reverse_funds(request).await.unwrap(), reversed);
    assert_eq!(sums(&reversed), [10_000_001, 5_000_000, 5_000_001]);
    assert!(reversed.receipts[2].reversal);
    assert_eq!(
        reason(world.reverse_funds(reversal(&owed.name, "AC-2")).await),
        "STATE_RECEIPT_UNKNOWN"
    );
    let stale = ReverseStateReceiptRequest {
        etag: owed.etag,
        ..reversal(&owed.name, "AC-1")
    };
    assert_eq!(reason(world.reverse_funds(stale).await), "ETAG_MISMATCH");
    world
        .receive_funds(receipt(&owed.name, 1_000_000, "AC-2"))
        .await
        .unwrap();
    world
        .changes_until("state_receivable.reversed", &owed.name)
        .await;

    let euros = Money::from_cents;
    assert_eq!(
        verified(&world, &programme.to_string()).await,
        [(
            6,
            vec![
                (Account::Treasury, euros(6_000_000)),
                (Account::StateReceivable, euros(4_000_001)),
                (Account::StateGrant, euros(-10_000_001)),
            ],
            0
        )]
    );
}

#[tokio::test]
async fn a_receivable_has_a_hundred_receipts_at_most() {
    let world = World::start().await;
    let told = funding(&world, programme(&world), 2025);
    let name = world.owed(&told).await.name;
    for number in 1..=100 {
        let request = receipt(&name, 1, &format!("AC-{number}"));
        world.receive_funds(request).await.unwrap();
    }
    let full = world.receive_funds(receipt(&name, 1, "AC-101")).await;
    assert_eq!(reason(full), "STATE_RECEIVABLE_FULL");
    let full = world.reverse_funds(reversal(&name, "AC-1")).await;
    assert_eq!(reason(full), "STATE_RECEIVABLE_FULL");
}

#[tokio::test]
async fn a_figure_that_the_books_do_not_bear_out_is_found() {
    let world = World::start().await;
    let told = funding(&world, programme(&world), 2025);
    let name = world.owed(&told).await.name;
    world
        .receive_funds(receipt(&name, 100, "AC-1"))
        .await
        .unwrap();
    let owner = world.db.owner().await;
    // What nobody can do through the service.
    for sql in [
        "UPDATE state_receipt SET amount = 2",
        "UPDATE state_receivable SET advance_amount = 80000",
    ] {
        sqlx::query(AssertSqlSafe(sql))
            .execute(&owner)
            .await
            .unwrap();
    }
    let request = VerifyStateReceivablesRequest {
        parent: "programmes/-".to_owned(),
        ..Default::default()
    };
    let mut client = world.receivables(world.tokens.accountant());
    let page = client.verify_state_receivables(request).await.unwrap();
    let [one] = page.into_inner().verifications.try_into().unwrap();
    let found: Vec<_> = one
        .discrepancies
        .iter()
        .map(|it| (it.kind(), it.expected.as_str(), it.found.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (DiscrepancyKind::StateDueAmount, "80000.01", "80000.00"),
            (DiscrepancyKind::StateReceivedAmount, "1.00", "2.00"),
        ]
    );

    let app = world.db.app().await;
    for sql in [
        "UPDATE state_receipt SET amount = 1",
        "DELETE FROM state_receipt",
        "UPDATE state_ledger_entry SET amount = 1",
        "DELETE FROM state_ledger_entry",
        "UPDATE state_receivable SET advance_amount = 1",
        "DELETE FROM state_receivable",
        "UPDATE instalment_step SET amount = 1",
        "DELETE FROM instalment_step",
    ] {
        let refused = sqlx::query(AssertSqlSafe(sql))
            .execute(&app)
            .await
            .unwrap_err();
        let code = refused
            .as_database_error()
            .unwrap()
            .code()
            .unwrap()
            .into_owned();
        assert_eq!(code, "42501", "{sql}");
    }
    let again = "INSERT INTO state_ledger_entry
                 SELECT programme_id, state_funding_id, gen_random_uuid(), revision, debit, credit, amount, label, actor,
                        book_time FROM state_ledger_entry";
    let refused = sqlx::query(again).execute(&owner).await.unwrap_err();
    let constraint = refused
        .as_database_error()
        .unwrap()
        .constraint()
        .unwrap()
        .to_owned();
    assert_eq!(constraint, "state_ledger_entry_revision_key");
}

#[tokio::test]
async fn receivables_are_listed_and_verified_by_page() {
    let world = World::start().await;
    let programme = programme(&world);
    let mut names = Vec::new();
    for year in 2024..2027 {
        let told = funding(&world, programme, year);
        names.push(world.owed(&told).await.name);
    }
    let mut client = world.receivables(world.tokens.officer());
    let mut page = async |page_token: String| {
        let request = ListStateReceivablesRequest {
            parent: programme.to_string(),
            page_size: 2,
            page_token,
        };
        let page = client.list_state_receivables(request).await.unwrap();
        page.into_inner()
    };
    let first = page(String::new()).await;
    let second = page(first.next_page_token.clone()).await;
    let listed = [first.state_receivables, second.state_receivables].concat();
    let listed: Vec<_> = listed.into_iter().map(|it| it.name).collect();
    assert_eq!(listed, names);
    assert_eq!(verified(&world, "programmes/-").await.len(), 3);

    let request = VerifyStateReceivablesRequest {
        parent: programme.to_string(),
        page_size: 2,
        page_token: first.next_page_token,
    };
    let mut auditor = world.receivables(world.tokens.auditor());
    let outcome = auditor.verify_state_receivables(request).await;
    assert_eq!(reason(outcome), "PAGE_TOKEN_INVALID");
    let request = VerifyStateReceivablesRequest {
        parent: "programmes".to_owned(),
        ..Default::default()
    };
    let outcome = auditor.verify_state_receivables(request).await;
    assert_eq!(reason(outcome), "INVALID_REQUEST");
}
