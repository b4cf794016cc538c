//! The letter of a decision (art. 8).

use nonrecours_kernel::{DecisionName, HearingName, long_french_date};
use nonrecours_pg::Tx;
use nonrecours_rpc::Failure;
use serde::Serialize;

use super::{Amount, Frame};
use crate::{
    decision,
    error::Error,
    hearing::{self, domain::State},
};

#[derive(Serialize)]
struct Own {
    measure: &'static str,
    day: String,
    amount: Option<Amount>,
    motives: String,
    hearing: Hearing,
}

#[derive(Serialize)]
struct Hearing {
    outcome: &'static str,
    day: String,
    subject: String,
}

/// The data of a decision, of its day.
pub async fn draw(tx: &mut Tx, frame: &Frame, name: &DecisionName) -> Result<String, Error> {
    let decision = decision::store::get(tx, name).await?;
    let hearing = HearingName {
        operator: name.operator,
        convention: name.convention,
        hearing: decision.hearing,
    };
    let hearing = hearing::store::get(tx, &hearing).await?;
    let State::Recorded { outcome, on, .. } = hearing.state else {
        return Err(Failure::bug("a decision without a hearing").into());
    };
    let own = Own {
        measure: decision.measure.as_str(),
        day: long_french_date(decision.date),
        amount: decision.measure.amount().map(Amount::of),
        motives: decision.motives,
        hearing: Hearing {
            outcome: outcome.as_str(),
            day: long_french_date(on),
            subject: hearing.subject,
        },
    };
    frame.write(decision.date, own)
}
