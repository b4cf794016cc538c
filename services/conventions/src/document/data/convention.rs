//! The convention as its parties sign it.

use nonrecours_kernel::{catalogue, long_french_date, paris_date};
use nonrecours_pg::Tx;
use serde::Serialize;

use super::{Amount, Frame, Instalment, instalments, signed};
use crate::{
    act::{self, domain::Act},
    convention::party::{ByParty, Party},
    error::Error,
};

#[derive(Serialize)]
struct Own {
    /// Not signed by both.
    draft: bool,
    /// Of the territory, on the day of the document.
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

/// An act that authorises a party.
#[derive(Serialize)]
struct Seen {
    party: &'static str,
    number: String,
    date: String,
    enforceable: Option<String>,
}

#[derive(Serialize)]
struct Signatories {
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

/// The data of the convention. Its day is that of the last signature; of a draft, that of its last change.
pub async fn draw(tx: &mut Tx, frame: &Frame) -> Result<String, Error> {
    let convention = &frame.convention;
    let acts = act::store::of_convention(tx, &convention.name).await?;
    let last = Party::ALL.map(|party| signed(convention, party));
    let day = last.into_iter().flatten().max();
    let day = day.unwrap_or_else(|| paris_date(convention.update_time));
    let terms = &convention.terms;
    let own = Own {
        draft: convention.execution().is_none(),
        communes: frame.programme.territory.on(day).count(),
        acts: acts_seen(&acts),
        signatories: Signatories {
            authority: signatory(frame, Party::Authority),
            operator: signatory(frame, Party::Operator),
        },
        publics: terms.target_publics.iter().map(|it| label(it)).collect(),
        objectives: terms.objectives.clone(),
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
    frame.write(day, own)
}

fn acts_seen(acts: &ByParty<Option<Act>>) -> Vec<Seen> {
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

fn signatory(frame: &Frame, party: Party) -> Option<Signatory> {
    let signatory = frame.convention.terms.signatories.get(party).as_ref()?;
    Some(Signatory {
        name: signatory.full_name.clone(),
        capacity: signatory.capacity.clone(),
        decision: signatory.empowering_decision.map(long_french_date),
        signed: signed(&frame.convention, party).map(long_french_date),
    })
}

/// What people call a public; its code, of one that the catalogue no longer has.
pub fn label(code: &str) -> String {
    catalogue::public(code)
        .map_or(code, |public| public.label_fr)
        .to_owned()
}
