//! Budget years as protobuf.

use nonrecours_contracts::payments as wire;
use nonrecours_kernel::Money;
use nonrecours_rpc::{
    convert::{to_date, to_money, to_timestamp},
    etag,
};
use time::Date;

use super::{BudgetYearView, Pending};
use crate::instalment::Stage;

/// A budget year as it is seen on a day.
pub fn budget_year(view: &BudgetYearView, today: Date) -> wire::BudgetYear {
    let closing = view.closing.as_ref();
    let state = match closing {
        None => wire::BudgetYearState::Open,
        Some(_) => wire::BudgetYearState::Closed,
    };
    let open = view.is_open(today);
    let pending = |one: &Pending| wire::PendingInstalment {
        instalment: one.instalment.to_string(),
        convention_title: one.title.clone(),
        state: wire::InstalmentState::from(one.stage).into(),
        amount: Some(to_money(one.amount)),
        payable_in_time: open && one.stage >= Stage::Certified,
    };
    let revision = closing.map_or(0, |closing| closing.revision);
    let carried = closing.map_or(Money::ZERO, |closing| closing.carried_amount);
    wire::BudgetYear {
        name: view.name.to_string(),
        state: state.into(),
        last_order_date: view.last_day().map(to_date),
        pending: view.pending.iter().map(pending).collect(),
        pending_count: view.pending_count,
        pending_amount: Some(to_money(view.pending_amount)),
        carried_count: closing.map_or(0, |closing| closing.carried_count),
        carried_amount: Some(to_money(carried)),
        closer: closing
            .map(|closing| closing.closer.clone())
            .unwrap_or_default(),
        revision,
        create_time: closing.map(|closing| to_timestamp(closing.create_time)),
        update_time: closing.map(|closing| to_timestamp(closing.update_time)),
        etag: etag::of(revision),
    }
}
