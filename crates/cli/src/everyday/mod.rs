//! Everyday steps on a running suite: commitments, budgets, reports, formal notices, controls, accounts and calls for
//! funds, posting codes, corrections, recoveries, cash. Each command gives the text that it would print.

pub mod accounts;
pub mod books;
pub mod budgets;
pub mod cash;
pub mod codes;
pub mod commitments;
pub mod controls;
pub mod corrections;
pub mod funds;
pub mod life;
pub mod notices;
pub mod recoveries;
pub mod reports;
pub mod retention;
pub mod subjects;
pub mod years;

use std::sync::Arc;

use nonrecours_contracts::google::r#type::Date as WireDate;
use nonrecours_kernel::{Clock as _, IdSource, SystemClock, french_date, paris_date, parse_date};
use nonrecours_rpc::convert::{date, to_date};

/// Things asked for at once.
const PAGE: i32 = 200;
/// Pages read of one list at most.
const MAX_PAGES: usize = 1000;

/// One for each command: sent again by hand, it is another request.
fn request_id() -> String {
    IdSource::new(Arc::new(SystemClock))
        .next::<()>()
        .to_string()
}

/// A day given on the command line, e.g. 2026-01-31; otherwise today in Paris.
fn day_or_today(given: Option<&str>) -> anyhow::Result<WireDate> {
    Ok(to_date(match given {
        Some(day) => parse_date(day).map_err(|invalid| anyhow::anyhow!("{}", invalid.text.fr))?,
        None => paris_date(SystemClock.now()),
    }))
}

/// A day as people read it; empty when there is none.
fn shown_day(day: Option<&WireDate>) -> anyhow::Result<String> {
    day.map_or_else(
        || Ok(String::new()),
        |day| Ok(french_date(date(Some(day))?)),
    )
}

/// Asks until answered or refused; a refusal is told in French. `$request` is sent as it is each time.
macro_rules! ask {
    ($client:expr, $method:ident, $request:expr) => {{
        let (client, request) = ($client, $request);
        $crate::client::answered(|| {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.$method(request).await }
        })
        .await
        .map_err($crate::ask::in_french)
    }};
}
use ask;
