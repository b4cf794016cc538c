//! What the State gives the programme.

use nonrecours_contracts::conventions::{
    CreateStateFundingRequest, GetStateFundingRequest, InstalmentKind, ListStateFundingsRequest,
    RecordStateReceiptRequest, RecordStateReportRequest, StateFunding,
};
use nonrecours_testkit::request_id;
use tonic::Code;

use crate::{
    requests::{date, euros, pairs, precondition, reason, refused, violations},
    world::World,
};

pub fn funding(parent: &str) -> CreateStateFundingRequest {
    CreateStateFundingRequest {
        parent: parent.to_owned(),
        state_funding: Some(StateFunding {
            budget_year: 2025,
            grant_amount: Some(euros(10_000_001)),
            agreement_reference: "DREETS-2025-62-17".to_owned(),
            advance_expected_date: Some(date(2025, 9, 30)),
            balance_expected_date: Some(date(2026, 6, 30)),
            report_due_date: Some(date(2026, 3, 31)),
            ..StateFunding::default()
        }),
        request_id: request_id(),
    }
}

fn receipt(name: &str, kind: InstalmentKind, cents: i64) -> RecordStateReceiptRequest {
    RecordStateReceiptRequest {
        name: name.to_owned(),
        kind: kind.into(),
        received_amount: Some(euros(cents)),
        received_date: Some(date(2025, 10, 6)),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn report(name: &str) -> RecordStateReportRequest {
    RecordStateReportRequest {
        name: name.to_owned(),
        sent_date: Some(date(2025, 10, 7)),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn the_advance_comes_then_the_report_goes_then_the_balance_comes() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let mut officer = world.state_fundings(world.tokens.officer());
    let request = funding(&setting.programme);
    let created = officer
        .create_state_funding(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = officer
        .create_state_funding(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, created);
    assert_eq!(created.advance_share, "0.8");
    // 80 % of an odd amount is rounded to the cent, the balance is the remainder.
    let expected: Vec<_> = created
        .instalments
        .iter()
        .map(|it| it.expected_amount.clone())
        .collect();
    assert_eq!(expected, [Some(euros(8_000_001)), Some(euros(2_000_000))]);
    let (code, details) = refused(
        officer
            .create_state_funding(funding(&setting.programme))
            .await,
    );
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::AlreadyExists, "ALREADY_EXISTS")
    );

    let name = created.name.clone();
    let outcome = officer
        .record_state_receipt(receipt(&name, InstalmentKind::Balance, 1))
        .await;
    assert_eq!(precondition(outcome), "STATE_REPORT_NOT_SENT");
    let request = receipt(&name, InstalmentKind::Advance, 8_000_001);
    let received = officer
        .record_state_receipt(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(received.received_amount, Some(euros(8_000_001)));
    let again = officer
        .record_state_receipt(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, received);
    let outcome = officer
        .record_state_receipt(receipt(&name, InstalmentKind::Advance, 1))
        .await;
    assert_eq!(precondition(outcome), "STATE_INSTALMENT_RECEIVED");
    let stale = RecordStateReportRequest {
        etag: created.etag.clone(),
        ..report(&name)
    };
    assert_eq!(
        reason(officer.record_state_report(stale).await),
        "ETAG_MISMATCH"
    );
    officer.record_state_report(report(&name)).await.unwrap();
    let outcome = officer.record_state_report(report(&name)).await;
    assert_eq!(precondition(outcome), "STATE_REPORT_SENT");
    let outcome = officer
        .record_state_receipt(receipt(&name, InstalmentKind::Balance, 2_000_001))
        .await;
    assert_eq!(precondition(outcome), "STATE_RECEIPT_EXCEEDS_GRANT");
    let done = officer
        .record_state_receipt(receipt(&name, InstalmentKind::Balance, 2_000_000))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(done.received_amount, done.grant_amount);

    let mut auditor = world.state_fundings(world.tokens.auditor());
    let get = GetStateFundingRequest { name: name.clone() };
    assert_eq!(
        auditor.get_state_funding(get).await.unwrap().into_inner(),
        done
    );
    let list = ListStateFundingsRequest {
        parent: setting.programme.clone(),
        ..ListStateFundingsRequest::default()
    };
    let listed = auditor
        .list_state_fundings(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.state_fundings, [done]);
    world.changes_until("state_funding.reported", &name).await;
}

#[tokio::test]
async fn everything_wrong_with_a_funding_comes_at_once() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let mut officer = world.state_fundings(world.tokens.officer());
    let request = CreateStateFundingRequest {
        state_funding: Some(StateFunding {
            budget_year: 2025,
            grant_amount: Some(euros(0)),
            agreement_reference: " ".to_owned(),
            advance_share: "1".to_owned(),
            advance_expected_date: Some(date(2024, 12, 31)),
            balance_expected_date: Some(date(2025, 2, 29)),
            ..StateFunding::default()
        }),
        ..funding(&setting.programme)
    };
    let mut found = violations(officer.create_state_funding(request).await);
    found.sort();
    assert_eq!(
        found,
        pairs(&[
            (
                "state_funding.advance_expected_date",
                "DATE_BEFORE_BUDGET_YEAR"
            ),
            ("state_funding.advance_share", "SHARE_OUT_OF_RANGE"),
            ("state_funding.agreement_reference", "REQUIRED"),
            ("state_funding.balance_expected_date", "DATE_INVALID"),
            ("state_funding.grant_amount", "AMOUNT_NOT_POSITIVE"),
            ("state_funding.report_due_date", "REQUIRED"),
        ])
    );
    let nowhere = funding(&format!("programmes/{}", request_id()));
    assert_eq!(
        reason(officer.create_state_funding(nowhere).await),
        "NOT_FOUND"
    );
    let created = officer
        .create_state_funding(funding(&setting.programme))
        .await
        .unwrap()
        .into_inner();
    let early = RecordStateReportRequest {
        sent_date: Some(date(2024, 12, 31)),
        ..report(&created.name)
    };
    assert_eq!(
        violations(officer.record_state_report(early).await),
        pairs(&[("sent_date", "DATE_BEFORE_BUDGET_YEAR")])
    );
    let future = RecordStateReceiptRequest {
        kind: 0,
        received_amount: Some(euros(-1)),
        received_date: Some(date(2025, 10, 8)),
        ..receipt(&created.name, InstalmentKind::Advance, 1)
    };
    let mut found = violations(officer.record_state_receipt(future).await);
    found.sort();
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["kind", "received_amount", "received_date"]);
}
