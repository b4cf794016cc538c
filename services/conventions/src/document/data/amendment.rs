//! An amendment as its parties sign it: what it changes of the terms before it.

use nonrecours_kernel::{AmendmentName, ConventionVersionName, long_french_date, paris_date};
use nonrecours_pg::Tx;
use nonrecours_rpc::Failure;
use serde::Serialize;

use super::{
    Amount, Frame,
    convention::{Seen, Signatories, acts_seen},
};
use crate::{
    act,
    amendment::{
        self,
        domain::{Amendment, State},
    },
    convention::{party::Party, terms::Terms},
    error::Error,
    version::{
        self,
        difference::{self, Difference},
    },
};

#[derive(Serialize)]
struct Own {
    /// Not in force.
    draft: bool,
    /// Day on which it was given up.
    withdrawn: Option<String>,
    number: i32,
    object: String,
    changes: Vec<Changed>,
    /// The grant in all, when it is another one.
    grant: Option<Amount>,
    acts: Vec<Seen>,
    signatories: Signatories,
    originals: i16,
}

/// A term, before and after.
#[derive(Serialize)]
struct Changed {
    term: &'static str,
    before: Option<String>,
    after: Option<String>,
}

/// The data of an amendment. Its day is that of the last signature; of one that nobody signed, that of its last change.
pub async fn draw(tx: &mut Tx, mut frame: Frame, name: &AmendmentName) -> Result<String, Error> {
    let amendment = amendment::store::get(tx, name).await?;
    let (before, after) = terms(tx, &frame, &amendment).await?;
    let acts = act::store::of_amendment(tx, name).await?;
    let signed = |party| {
        let signature = amendment.state.signature(party)?;
        Some(paris_date(signature.time))
    };
    let last = Party::ALL.map(signed).into_iter().flatten().max();
    let day = last.unwrap_or_else(|| paris_date(amendment.update_time));
    let withdrawn = match &amendment.state {
        State::Withdrawn { time, .. } => Some(long_french_date(paris_date(*time))),
        State::Draft | State::PartlySigned { .. } | State::InForce { .. } => None,
    };
    let own = Own {
        draft: !matches!(amendment.state, State::InForce { .. }),
        withdrawn,
        number: amendment.number,
        object: amendment.content.object.clone(),
        changes: difference::between(&before, &after)
            .into_iter()
            .map(Changed::of)
            .collect(),
        grant: (before.grant != after.grant).then(|| Amount::of(after.grant)),
        acts: acts_seen(&acts),
        signatories: Signatories::of(&amendment.content.signatories, signed),
        originals: after.originals.get(),
    };
    // It names the convention as it read before it, whatever came later.
    frame.convention.terms = before;
    frame.write(day, own)
}

/// The terms before and after: of one in force, those of its versions; of another, those in force and what it would make of
/// them.
async fn terms(tx: &mut Tx, frame: &Frame, amendment: &Amendment) -> Result<(Terms, Terms), Error> {
    let State::InForce { version, .. } = amendment.state else {
        let before = frame.convention.terms.clone();
        let after = amendment.content.over(&before);
        return Ok((before, after));
    };
    let name = ConventionVersionName {
        convention: frame.convention.name,
        version,
    };
    let (before, after) = version::store::get(tx, &name).await?;
    let before = before.ok_or_else(|| Failure::bug("an amendment of nothing"))?;
    Ok((before.terms, after.terms))
}

impl Changed {
    fn of(difference: Difference) -> Self {
        let given = |text: String| (!text.is_empty()).then_some(text);
        Self {
            term: difference.label,
            before: given(difference.before),
            after: given(difference.after),
        }
    }
}
