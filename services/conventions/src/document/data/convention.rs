//! The convention as its parties sign it.

use nonrecours_kernel::{ConventionVersionName, catalogue, long_french_date, paris_date};
use nonrecours_pg::Tx;
use serde::Serialize;
use time::Date;

use super::{Amount, Frame, Instalment, instalments, signed};
use crate::{
    act::{self, domain::Act},
    amendment,
    convention::{
        party::{ByParty, Party},
        terms,
    },
    error::Error,
    version,
};

#[derive(Serialize)]
struct Own {
    /// Not signed by both.
    draft: bool,
    consolidated: Option<Consolidated>,
    /// Of the territory, on the day of the last signature.
    communes: usize,
    acts: Vec<Seen>,
    signatories: Signatories,
    publics: Vec<String>,
    objectives: Vec<String>,
    commitments: Vec<String>,
    grant: Amount,
    instalments: Vec<Instalment>,
    advance_without_call: bool,
    end: String,
    notice_days: i16,
    deviation_rate: String,
    originals: i16,
}

/// The amendment after which the text reads so.
#[derive(Serialize)]
struct Consolidated {
    amendment: i32,
    since: String,
}

/// An act that authorises a party.
#[derive(Serialize)]
pub struct Seen {
    party: &'static str,
    number: String,
    date: String,
    enforceable: Option<String>,
}

/// Who signs for each party.
#[derive(Serialize)]
pub struct Signatories {
    authority: Option<Signatory>,
    operator: Option<Signatory>,
}

#[derive(Serialize)]
struct Signatory {
    name: String,
    capacity: String,
    decision: Option<String>,
    signed: Option<String>,
}

/// The data of the convention. Its day is that of the last signature; of a draft, that of its last change; of an amended
/// one, that on which the last amendment came into force.
pub async fn draw(tx: &mut Tx, frame: &Frame) -> Result<String, Error> {
    let convention = &frame.convention;
    let acts = act::store::of_convention(tx, &convention.name).await?;
    let last = Party::ALL.map(|party| signed(convention, party));
    let day = last.into_iter().flatten().max();
    let day = day.unwrap_or_else(|| paris_date(convention.update_time));
    let amended = last_amendment(tx, frame).await?;
    let terms = &convention.terms;
    let own = Own {
        draft: convention.execution().is_none(),
        consolidated: amended.map(|(amendment, since)| Consolidated {
            amendment,
            since: long_french_date(since),
        }),
        communes: frame.programme.territory.on(day).count(),
        acts: acts_seen(&acts),
        signatories: Signatories::of(&terms.signatories, |party| signed(convention, party)),
        publics: terms.target_publics.iter().map(|it| label(it)).collect(),
        objectives: terms
            .objectives
            .iter()
            .cloned()
            .chain(terms.targets.as_objective())
            .collect(),
        commitments: terms
            .commitments
            .iter()
            .map(|commitment| commitment.text.clone())
            .collect(),
        grant: Amount::of(terms.grant),
        instalments: instalments(convention),
        advance_without_call: terms.advance_without_call,
        end: long_french_date(terms.indicative_end),
        notice_days: frame.programme.terms.notice_days,
        deviation_rate: frame.programme.terms.deviation_rate.french(),
        originals: terms.originals.get(),
    };
    frame.write(amended.map_or(day, |(_, since)| since), own)
}

/// Number of the amendment whose terms are in force, and since when they are.
async fn last_amendment(tx: &mut Tx, frame: &Frame) -> Result<Option<(i32, Date)>, Error> {
    let convention = &frame.convention;
    // Zero before both have signed; one until an amendment comes into force.
    if convention.version() <= 1 {
        return Ok(None);
    }
    let name = ConventionVersionName {
        convention: convention.name,
        version: convention.version(),
    };
    let (_, version) = version::store::get(tx, &name).await?;
    let Some(name) = version.amendment else {
        return Ok(None);
    };
    let amendment = amendment::store::get(tx, &name).await?;
    Ok(Some((amendment.number, paris_date(version.since))))
}

/// Acts as a document sees them.
pub fn acts_seen(acts: &ByParty<Option<Act>>) -> Vec<Seen> {
    let recorded = Party::ALL.into_iter().filter_map(|party| {
        let act = acts.get(party).as_ref()?;
        Some(Seen {
            party: party.as_str(),
            number: act.act_id.to_string(),
            date: long_french_date(act.act_id.date()),
            enforceable: act.enforceability().map(|it| long_french_date(it.day)),
        })
    });
    recorded.collect()
}

impl Signatories {
    /// These, with the day on which each party has signed.
    pub fn of(
        signatories: &ByParty<Option<terms::Signatory>>,
        signed: impl Fn(Party) -> Option<Date>,
    ) -> Self {
        let of = |party| {
            let signatory = signatories.get(party).as_ref()?;
            Some(Signatory {
                name: signatory.full_name.clone(),
                capacity: signatory.capacity.clone(),
                decision: signatory.empowering_decision.map(long_french_date),
                signed: signed(party).map(long_french_date),
            })
        };
        Self {
            authority: of(Party::Authority),
            operator: of(Party::Operator),
        }
    }
}

/// What people call a public; its code, of one that the catalogue no longer has.
pub fn label(code: &str) -> String {
    catalogue::public(code)
        .map_or(code, |public| public.label_fr)
        .to_owned()
}
