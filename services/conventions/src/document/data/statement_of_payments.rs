//! The sums paid under a convention, as `payments` reported them last.

use nonrecours_kernel::{Money, long_french_date};
use serde::Serialize;
use time::Date;

use super::{Amount, Instalment, instalments};
use crate::convention::domain::Convention;

/// What the statement says.
#[derive(Serialize)]
pub struct Own {
    day: String,
    grant: Amount,
    /// The grant, once a decision reduces it.
    reduced: Option<Amount>,
    due: Amount,
    paid: Amount,
    remaining: Amount,
    /// Paid beyond what is due.
    overpaid: Option<Amount>,
    /// Claimed back by decisions.
    claimed: Option<Amount>,
    instalments: Vec<Instalment>,
    suspended: bool,
    settled: bool,
}

/// The statement of a day; of a convention that is not signed, nothing is paid.
pub fn of(convention: &Convention, day: Date) -> Own {
    let execution = convention.execution();
    let measures = execution.map(|it| it.measures).unwrap_or_default();
    let plan = execution.map(|it| it.plan).unwrap_or_default();
    let due = convention.due();
    let positive = |amount: Option<Money>| amount.filter(|it| it.is_positive());
    Own {
        day: long_french_date(day),
        grant: Amount::of(convention.terms.grant),
        reduced: measures.reduced.map(Amount::of),
        due: Amount::of(due),
        paid: Amount::of(plan.paid),
        remaining: Amount::of(positive(due.checked_sub(plan.paid)).unwrap_or(Money::ZERO)),
        overpaid: positive(plan.paid.checked_sub(due)).map(Amount::of),
        claimed: positive(Some(measures.claimed)).map(Amount::of),
        instalments: instalments(convention),
        suspended: measures.suspended,
        settled: plan.settled,
    }
}
