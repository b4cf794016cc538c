//! What a journey leaves in the three services: compared between journeys, however they went.

use nonrecours_cli::{
    client::answered,
    journey::{Cast, Facts},
};
use nonrecours_contracts::{
    conventions::{ConventionState, GetConventionRequest, GetProgrammeRequest},
    feed::ListHistoryRequest,
    followup::GetIndicatorsRequest,
    payments::{ListInstalmentsRequest, ListLedgerEntriesRequest},
};
use nonrecours_kernel::OperatorName;
use nonrecours_rpc::convert::money;

/// The books of one convention, without what differs from run to run (ids, instants).
#[derive(Debug, PartialEq, Eq)]
pub struct Books {
    pub state: ConventionState,
    pub paid: String,
    pub envelope: (String, String, String),
    pub ledger: Vec<(String, String, String)>,
    pub instalments: Vec<(String, String)>,
    pub indicators: String,
    pub kinds: Vec<String>,
}

/// Reads them as the auditor, the indicators as the operator's manager and the feed of changes as the officer.
pub async fn read(cast: &Cast, facts: &Facts) -> Books {
    let auditor = cast.auditor().unwrap();
    let manager = cast
        .manager(facts.operator.parse::<OperatorName>().unwrap().operator)
        .unwrap();
    let convention = facts.convention.clone();
    let found = answered(|| {
        let (mut client, name) = (auditor.conventions(), convention.clone());
        async move { client.get_convention(GetConventionRequest { name }).await }
    })
    .await
    .unwrap();
    let programme = answered(|| {
        let (mut client, name) = (auditor.programmes(), facts.programme.clone());
        async move { client.get_programme(GetProgrammeRequest { name }).await }
    })
    .await
    .unwrap();
    let envelope = &programme.envelopes[0];
    let amount = |money_: &Option<_>| money(money_.as_ref()).unwrap().to_string();
    let entries = answered(|| {
        let (mut client, parent) = (auditor.ledger(), convention.clone());
        let request = ListLedgerEntriesRequest {
            parent,
            ..Default::default()
        };
        async move { client.list_ledger_entries(request).await }
    })
    .await
    .unwrap()
    .ledger_entries;
    let instalments = answered(|| {
        let (mut client, parent) = (auditor.instalments(), convention.clone());
        let request = ListInstalmentsRequest {
            parent,
            ..Default::default()
        };
        async move { client.list_instalments(request).await }
    })
    .await
    .unwrap()
    .instalments;
    let indicators = answered(|| {
        let (mut client, convention) = (manager.indicators(), convention.clone());
        async move {
            client
                .get_indicators(GetIndicatorsRequest { convention })
                .await
        }
    })
    .await
    .unwrap();
    let mut kinds = Vec::new();
    for feed in [auditor.conventions_feed(), auditor.payments_feed()] {
        let history = answered(|| {
            let (mut feed, name) = (feed.clone(), convention.clone());
            let request = ListHistoryRequest {
                name,
                page_size: 500,
                page_token: String::new(),
            };
            async move { feed.list_history(request).await }
        })
        .await
        .unwrap();
        kinds.extend(history.changes.into_iter().map(|change| change.kind));
    }
    kinds.sort();
    Books {
        state: found.state(),
        paid: amount(&found.paid_amount),
        envelope: (
            amount(&envelope.voted_amount),
            amount(&envelope.engaged_amount),
            amount(&envelope.paid_amount),
        ),
        ledger: entries
            .iter()
            .map(|entry| {
                (
                    format!("{:?}", entry.debit()),
                    format!("{:?}", entry.credit()),
                    amount(&entry.amount),
                )
            })
            .collect(),
        instalments: instalments
            .iter()
            .map(|instalment| {
                (
                    format!("{:?}", instalment.state()),
                    amount(&instalment.amount),
                )
            })
            .collect(),
        indicators: format!(
            "{:?} {:?} {} {}",
            indicators.total, indicators.publics, indicators.sessions_held, indicators.persons_met
        ),
        kinds,
    }
}

impl Books {
    /// What the Dainville 2025 convention must come to, however the journey went.
    pub fn check(&self) {
        assert_eq!(self.state, ConventionState::Settled);
        assert_eq!(self.paid, "11500.00");
        assert_eq!(
            self.envelope,
            (
                "180000.00".to_owned(),
                "11500.00".to_owned(),
                "11500.00".to_owned()
            )
        );
        let entry = |debit: &str, credit: &str, amount: &str| {
            (debit.to_owned(), credit.to_owned(), amount.to_owned())
        };
        assert_eq!(
            self.ledger,
            [
                entry("GrantExpense", "OperatorPayable", "9200.00"),
                entry("OperatorPayable", "Treasury", "9200.00"),
                entry("GrantExpense", "OperatorPayable", "2300.00"),
                entry("OperatorPayable", "Treasury", "2300.00"),
            ]
        );
        assert_eq!(
            self.instalments,
            [
                ("Paid".to_owned(), "9200.00".to_owned()),
                ("Paid".to_owned(), "2300.00".to_owned())
            ]
        );
    }
}
