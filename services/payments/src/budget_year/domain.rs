//! Budget years as values.

use nonrecours_kernel::{BudgetYearName, InstalmentName, Money};
use time::{Date, OffsetDateTime};

use crate::{instalment::Stage, payment_plan::Charge};

/// A budget year as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetYearView {
    /// Resource name.
    pub name: BudgetYearName,
    /// How it was closed; none while it was not.
    pub closing: Option<Closing>,
    /// What is not in the accountant's hands; the first of them.
    pub pending: Vec<Pending>,
    /// How many they are in all.
    pub pending_count: i64,
    /// Their sum.
    pub pending_amount: Money,
}

/// How a budget year was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Instalments carried over.
    pub carried_count: i32,
    /// Their sum.
    pub carried_amount: Money,
    /// Subject of who closed it last.
    pub closer: String,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was closed.
    pub create_time: OffsetDateTime,
    /// When it was closed last.
    pub update_time: OffsetDateTime,
}

/// An instalment that is not in the accountant's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The instalment.
    pub instalment: InstalmentName,
    /// Title of its convention.
    pub title: String,
    /// Where it is.
    pub stage: Stage,
    /// Amount.
    pub amount: Money,
}

impl BudgetYearView {
    /// Last day on which orders go on it. None at the calendar's end.
    pub fn last_day(&self) -> Option<Date> {
        Charge::year(self.name.year).map(|charge| charge.last_day)
    }

    /// Whether orders still go on it.
    pub fn is_open(&self, today: Date) -> bool {
        self.last_day().is_none_or(|last| today <= last)
    }

    /// What closing it makes of it: so many carried over by somebody. Nothing when nothing changes.
    pub fn close(
        &self,
        carried: (i32, Money),
        closer: &str,
        now: OffsetDateTime,
    ) -> Option<Closing> {
        let (count, amount) = carried;
        match &self.closing {
            Some(_) if count == 0 => None,
            Some(before) => Some(Closing {
                carried_count: before.carried_count.saturating_add(count),
                carried_amount: before.carried_amount.checked_add(amount)?,
                closer: closer.to_owned(),
                revision: before.revision + 1,
                create_time: before.create_time,
                update_time: now,
            }),
            None => Some(Closing {
                carried_count: count,
                carried_amount: amount,
                closer: closer.to_owned(),
                revision: 1,
                create_time: now,
                update_time: now,
            }),
        }
    }
}
