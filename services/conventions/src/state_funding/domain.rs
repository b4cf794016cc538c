//! What the State gives a programme for a budget year: an advance, and the balance once the territory has reported.

use nonrecours_kernel::{BudgetYear, Money, Rate, StateFundingName};
use time::{Date, OffsetDateTime};

use crate::refusal::Refusal;

/// One of the two instalments of the State's grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateInstalment {
    /// At the start.
    Advance,
    /// After the territory's report.
    Balance,
}

impl StateInstalment {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::Advance, Self::Balance];
}

/// Share that comes first, unless the State's agreement says otherwise.
pub const DEFAULT_ADVANCE_SHARE: &str = "0.8";

/// A funding as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFunding {
    /// Resource name.
    pub name: StateFundingName,
    /// What was agreed with the State.
    pub terms: Terms,
    /// What came of the advance.
    pub advance: Option<Receipt>,
    /// What came of the balance: only after the report.
    pub balance: Option<Receipt>,
    /// Day on which the territory's report was sent.
    pub report_sent: Option<Date>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What was agreed with the State.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Grant, positive.
    pub grant: Money,
    /// Reference of the agreement.
    pub agreement_reference: String,
    /// Share of the advance, between 0 and 1.
    pub advance_share: Rate,
    /// Day on which the advance is expected.
    pub advance_expected: Date,
    /// Day on which the balance is expected.
    pub balance_expected: Date,
    /// Day by which the territory's report is due.
    pub report_due: Date,
}

/// Money that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// How much, positive.
    pub amount: Money,
    /// When.
    pub date: Date,
}

impl Terms {
    /// The advance, rounded half-up to the cent.
    pub fn advance(&self) -> Money {
        self.grant.share(self.advance_share)
    }

    /// The amount expected of an instalment; both add up to the grant.
    pub fn expected(&self, kind: StateInstalment) -> Money {
        match kind {
            StateInstalment::Advance => self.advance(),
            // A share of a positive amount is never more than the amount.
            StateInstalment::Balance => self.grant.checked_sub(self.advance()).unwrap_or_default(),
        }
    }

    /// The day on which an instalment is expected.
    pub const fn expected_date(&self, kind: StateInstalment) -> Date {
        match kind {
            StateInstalment::Advance => self.advance_expected,
            StateInstalment::Balance => self.balance_expected,
        }
    }
}

impl StateFunding {
    /// What came of an instalment.
    pub const fn receipt(&self, kind: StateInstalment) -> Option<Receipt> {
        match kind {
            StateInstalment::Advance => self.advance,
            StateInstalment::Balance => self.balance,
        }
    }

    /// Sum received: never more than the grant.
    pub fn received(&self) -> Money {
        let amounts = [self.advance, self.balance].into_iter().flatten();
        Money::sum(amounts.map(|receipt| receipt.amount)).unwrap_or_default()
    }

    /// Records what came of an instalment, once.
    pub fn receive(
        self,
        kind: StateInstalment,
        receipt: Receipt,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        if self.receipt(kind).is_some() {
            return Err(Refusal::StateInstalmentReceived);
        }
        if kind == StateInstalment::Balance && self.report_sent.is_none() {
            return Err(Refusal::StateReportNotSent);
        }
        let remaining = self
            .terms
            .grant
            .checked_sub(self.received())
            .unwrap_or_default();
        if receipt.amount > remaining {
            return Err(Refusal::StateReceiptExceedsGrant { remaining });
        }
        Ok(self.changed(now, |funding| match kind {
            StateInstalment::Advance => funding.advance = Some(receipt),
            StateInstalment::Balance => funding.balance = Some(receipt),
        }))
    }

    /// Records that the territory's report was sent, once.
    pub fn report(self, sent: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        if self.report_sent.is_some() {
            return Err(Refusal::StateReportSent);
        }
        Ok(self.changed(now, |funding| funding.report_sent = Some(sent)))
    }

    fn changed(mut self, now: OffsetDateTime, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.revision += 1;
        self.update_time = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-10-07 08:00 UTC);

    fn funding(grant: i64) -> StateFunding {
        let id = "0198b2e6-c000-7abc-8def-0123456789ab";
        StateFunding {
            name: format!("programmes/{id}/stateFundings/{id}")
                .parse()
                .unwrap(),
            terms: Terms {
                budget_year: BudgetYear::new(2025).unwrap(),
                grant: Money::from_cents(grant),
                agreement_reference: "C-2025-17".into(),
                advance_share: DEFAULT_ADVANCE_SHARE.parse().unwrap(),
                advance_expected: date!(2025 - 03 - 31),
                balance_expected: date!(2026 - 06 - 30),
                report_due: date!(2026 - 03 - 31),
            },
            advance: None,
            balance: None,
            report_sent: None,
            revision: 1,
            create_time: NOW,
            update_time: NOW,
        }
    }

    proptest! {
        #[test]
        fn the_two_instalments_add_up_to_the_grant(grant in 1..1_000_000_000_i64) {
            let terms = funding(grant).terms;
            let parts = [StateInstalment::Advance, StateInstalment::Balance].map(|kind| terms.expected(kind));
            prop_assert_eq!(Money::sum(parts), Some(terms.grant));
        }

        /// Whatever is asked in whatever order: never more received than granted, and no balance before the report.
        #[test]
        fn the_state_never_gives_more_than_it_granted(
            steps in prop::collection::vec((0..3_u8, 1..1_500_i64), 0..12),
        ) {
            let mut funding = funding(1_000);
            for (step, cents) in steps {
                let receipt = Receipt { amount: Money::from_cents(cents), date: date!(2025 - 10 - 07) };
                let next = match step {
                    0 => funding.clone().receive(StateInstalment::Advance, receipt, NOW),
                    1 => funding.clone().receive(StateInstalment::Balance, receipt, NOW),
                    _ => funding.clone().report(receipt.date, NOW),
                };
                if let Ok(next) = next {
                    prop_assert_eq!(next.revision, funding.revision + 1);
                    funding = next;
                }
                prop_assert!(funding.received() <= funding.terms.grant);
                prop_assert!(funding.balance.is_none() || funding.report_sent.is_some());
            }
        }
    }
}
