//! The life of an amendment: DRAFT -> PARTLY_SIGNED -> IN_FORCE, or WITHDRAWN before that.

use nonrecours_kernel::{AmendmentName, Blocker, Money, Siren, paris_date};
use time::{Date, OffsetDateTime};

use crate::{
    act::domain::Act,
    convention::{
        domain::{Convention, Signature},
        party::{ByParty, Party},
        signing::{Circumstances, Document, Engages, blockers},
        targets::Targets,
        terms::{Commitment, Instalments, Signatory, Terms},
    },
    refusal::Refusal,
};

/// An amendment as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Resource name.
    pub name: AmendmentName,
    /// Its number in the convention, from 1.
    pub number: i32,
    /// What the parties agree to change.
    pub content: Content,
    /// State, with its data.
    pub state: State,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was drafted.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Life of an amendment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Being written.
    Draft,
    /// One party has signed.
    PartlySigned {
        /// Which.
        party: Party,
        /// Its signature.
        signature: Signature,
    },
    /// Both have signed.
    InForce {
        /// Both signatures.
        signatures: ByParty<Signature>,
        /// When it came into force.
        since: OffsetDateTime,
        /// The version of the convention that it brought into force.
        version: i32,
    },
    /// Given up.
    Withdrawn {
        /// The signature given before, if one was.
        signed: Option<(Party, Signature)>,
        /// When.
        time: OffsetDateTime,
        /// Why.
        reason: String,
    },
}

/// What the parties agree to change: new values, where there is none the term stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Why.
    pub object: String,
    /// New title.
    pub title: Option<String>,
    /// New grant, in all.
    pub grant: Option<Money>,
    /// New instalments.
    pub instalments: Option<Instalments>,
    /// Whether the advance is paid without a written call from now on.
    pub advance_without_call: Option<bool>,
    /// New publics.
    pub target_publics: Option<Vec<String>>,
    /// New objectives.
    pub objectives: Option<Vec<String>>,
    /// New commitments.
    pub commitments: Option<Vec<Commitment>>,
    /// New targets.
    pub targets: Option<Targets>,
    /// New indicative end.
    pub indicative_end: Option<Date>,
    /// Who signs the amendment.
    pub signatories: ByParty<Option<Signatory>>,
}

/// One field of the content, given anew.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Why.
    Object(String),
    /// The title.
    Title(Option<String>),
    /// The grant.
    Grant(Option<Money>),
    /// The instalments.
    Instalments(Option<Instalments>),
    /// The call for the advance.
    AdvanceWithoutCall(Option<bool>),
    /// The publics.
    TargetPublics(Option<Vec<String>>),
    /// The objectives.
    Objectives(Option<Vec<String>>),
    /// The commitments.
    Commitments(Option<Vec<Commitment>>),
    /// The targets.
    Targets(Option<Targets>),
    /// The indicative end.
    IndicativeEnd(Option<Date>),
    /// Who signs.
    Signatories(ByParty<Option<Signatory>>),
}

impl Content {
    /// The content with one field as it is given.
    pub fn edited(mut self, edit: Edit) -> Self {
        match edit {
            Edit::Object(value) => self.object = value,
            Edit::Title(value) => self.title = value,
            Edit::Grant(value) => self.grant = value,
            Edit::Instalments(value) => self.instalments = value,
            Edit::AdvanceWithoutCall(value) => self.advance_without_call = value,
            Edit::TargetPublics(value) => self.target_publics = value,
            Edit::Objectives(value) => self.objectives = value,
            Edit::Commitments(value) => self.commitments = value,
            Edit::Targets(value) => self.targets = value,
            Edit::IndicativeEnd(value) => self.indicative_end = value,
            Edit::Signatories(value) => self.signatories = value,
        }
        self
    }

    /// The terms with the new values in the place of their own. Who signed them stays.
    pub fn over(&self, terms: &Terms) -> Terms {
        fn new<T: Clone>(value: Option<&T>, held: &T) -> T {
            value.unwrap_or(held).clone()
        }
        Terms {
            title: new(self.title.as_ref(), &terms.title),
            grant: self.grant.unwrap_or(terms.grant),
            instalments: new(self.instalments.as_ref(), &terms.instalments),
            advance_without_call: self
                .advance_without_call
                .unwrap_or(terms.advance_without_call),
            target_publics: new(self.target_publics.as_ref(), &terms.target_publics),
            objectives: new(self.objectives.as_ref(), &terms.objectives),
            commitments: new(self.commitments.as_ref(), &terms.commitments),
            targets: self.targets.unwrap_or(terms.targets),
            indicative_end: self.indicative_end.unwrap_or(terms.indicative_end),
            ..terms.clone()
        }
    }
}

impl State {
    /// Its name in the database and in the contract.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::PartlySigned { .. } => "PARTLY_SIGNED",
            Self::InForce { .. } => "IN_FORCE",
            Self::Withdrawn { .. } => "WITHDRAWN",
        }
    }

    /// Whether a party can still sign.
    pub const fn is_open(&self) -> bool {
        match self {
            Self::Draft | Self::PartlySigned { .. } => true,
            Self::InForce { .. } | Self::Withdrawn { .. } => false,
        }
    }

    /// The signature of a party, once given.
    pub fn signature(&self, party: Party) -> Option<&Signature> {
        match self {
            Self::Draft | Self::Withdrawn { signed: None, .. } => None,
            Self::PartlySigned {
                party: signed,
                signature,
            }
            | Self::Withdrawn {
                signed: Some((signed, signature)),
                ..
            } => (*signed == party).then_some(signature),
            Self::InForce { signatures, .. } => Some(signatures.get(party)),
        }
    }
}

impl Amendment {
    /// Nothing -> DRAFT, of a convention that may be amended so.
    pub fn draft(
        name: AmendmentName,
        number: i32,
        content: Content,
        convention: &Convention,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        convention.amendable(&content.over(&convention.terms))?;
        Ok(Self {
            name,
            number,
            content,
            state: State::Draft,
            revision: 1,
            create_time: now,
            update_time: now,
        })
    }

    /// DRAFT -> DRAFT: another content, which the recorded acts must still be about.
    pub fn update(
        self,
        edits: Vec<Edit>,
        acts: &ByParty<Option<Act>>,
        convention: &Convention,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        self.drafted()?;
        let mut content = edits
            .into_iter()
            .fold(self.content.clone(), Content::edited);
        convention.amendable(&content.over(&convention.terms))?;
        for party in Party::ALL {
            if let Some(act) = acts.get(party) {
                content.signatories = content.signatories.empowered(party, act.act_id.date())?;
            }
        }
        Ok(self.changed(now, |amendment| amendment.content = content))
    }

    /// DRAFT -> DRAFT: takes note of a party's act, decided on that day by the body of that SIREN. Gives the changed
    /// amendment when the blank date of the signatory was filled.
    pub fn authorise(
        self,
        party: Party,
        act: (Siren, Date),
        sirens: &ByParty<Siren>,
        now: OffsetDateTime,
    ) -> Result<Option<Self>, Refusal> {
        self.drafted()?;
        let (siren, date) = act;
        if siren != *sirens.get(party) {
            return Err(Refusal::ActSirenMismatch(party));
        }
        let signatories = self.content.signatories.clone().empowered(party, date)?;
        let filled = signatories != self.content.signatories;
        Ok(filled
            .then(|| self.changed(now, |amendment| amendment.content.signatories = signatories)))
    }

    /// Everything that stands in the way of signing on that day, of both parties. Nothing when it is past being signed.
    pub fn signing_blockers(
        &self,
        convention: &Convention,
        circumstances: &Circumstances,
        today: Date,
    ) -> Vec<Blocker> {
        if !self.state.is_open() {
            return Vec::new();
        }
        let terms = self.content.over(&convention.terms);
        let document = Document {
            operator: convention.name.parent(),
            programme: terms.framework_convention.parent(),
            budget_year: terms.budget_year,
            signatories: &self.content.signatories,
            engages: Engages::Increase(increase(convention, &terms, self.update_time)),
        };
        let mut blockers = blockers(&document, circumstances, today);
        if terms == convention.terms {
            blockers.push(Blocker::new(
                "AMENDMENT_EMPTY",
                self.name.to_string(),
                "The amendment changes nothing of the terms in force.",
                "L'avenant ne change rien aux termes en vigueur : indiquez ce qui change, ou abandonnez-le.",
            ));
        }
        blockers
    }

    /// DRAFT -> PARTLY_SIGNED, PARTLY_SIGNED -> IN_FORCE: then the convention too, with the new terms in force.
    pub fn sign(
        self,
        party: Party,
        by: &str,
        convention: &Convention,
        circumstances: &Circumstances,
        now: OffsetDateTime,
    ) -> Result<(Self, Option<Convention>), Refusal> {
        let earlier = match &self.state {
            State::Draft => None,
            State::PartlySigned { party: signed, .. } if *signed == party => {
                return Err(Refusal::AlreadySigned(party));
            }
            State::PartlySigned { signature, .. } => Some(signature.clone()),
            State::InForce { .. } | State::Withdrawn { .. } => {
                return Err(Refusal::AmendmentNotOpen);
            }
        };
        let terms = self.content.over(&convention.terms);
        convention.amendable(&terms)?;
        let blockers = self.signing_blockers(convention, circumstances, paris_date(now));
        if !blockers.is_empty() {
            return Err(Refusal::SigningBlocked(blockers));
        }
        let signature = Signature {
            time: now,
            by: by.to_owned(),
        };
        let (authority, operator) = match (earlier, party) {
            (None, party) => {
                let state = State::PartlySigned { party, signature };
                return Ok((self.changed(now, |amendment| amendment.state = state), None));
            }
            (Some(operator), Party::Authority) => (signature, operator),
            (Some(authority), Party::Operator) => (authority, signature),
        };
        let convention = convention.clone().amend(terms, now)?;
        let state = State::InForce {
            signatures: ByParty {
                authority,
                operator,
            },
            since: now,
            version: convention.version(),
        };
        let amendment = self.changed(now, |amendment| amendment.state = state);
        Ok((amendment, Some(convention)))
    }

    /// DRAFT, PARTLY_SIGNED -> WITHDRAWN.
    pub fn withdraw(self, reason: String, now: OffsetDateTime) -> Result<Self, Refusal> {
        let signed = match &self.state {
            State::Draft => None,
            State::PartlySigned { party, signature } => Some((*party, signature.clone())),
            State::InForce { .. } | State::Withdrawn { .. } => {
                return Err(Refusal::AmendmentNotOpen);
            }
        };
        let state = State::Withdrawn {
            signed,
            time: now,
            reason,
        };
        Ok(self.changed(now, |amendment| amendment.state = state))
    }

    fn drafted(&self) -> Result<(), Refusal> {
        match self.state {
            State::Draft => Ok(()),
            _ => Err(Refusal::AmendmentNotDraft),
        }
    }

    fn changed(mut self, now: OffsetDateTime, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.revision += 1;
        self.update_time = now;
        self
    }
}

/// How much more a convention would weigh on its envelope with these terms.
fn increase(convention: &Convention, terms: &Terms, now: OffsetDateTime) -> Money {
    let before = convention.weight().engaged;
    // A convention that is past being amended engages no more.
    let after = convention
        .clone()
        .amend(terms.clone(), now)
        .map_or(before, |amended| amended.weight().engaged);
    let more = after.checked_sub(before).unwrap_or_default();
    more.max(Money::ZERO)
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;
