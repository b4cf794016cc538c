//! A person who is followed, without identity, and the journey they make.

use std::borrow::Cow;

use nonrecours_kernel::{
    BeneficiaryId, BeneficiaryName, IdSource, InseeCode, Invalid, OperatorId, catalogue,
};
use time::Date;

use crate::{
    codes::codes,
    record::{Content, Faults, State, required},
};

/// Most target publics of one person.
pub const MAX_PUBLICS: usize = 10;

codes! {
    /// Where a journey stands.
    JourneyState {
        /// Repéré.
        Spotted = "SPOTTED",
        /// Informé.
        Informed = "INFORMED",
        /// Orienté.
        Oriented = "ORIENTED",
        /// En accompagnement.
        InSupport = "IN_SUPPORT",
        /// Clos.
        Closed = "CLOSED",
    }
}

codes! {
    /// Why a journey is closed. Renunciation is a legitimate outcome, not a failure.
    ClosingReason {
        /// Droits ouverts.
        RightsOpened = "RIGHTS_OPENED",
        /// Sans suite.
        NoFollowUp = "NO_FOLLOW_UP",
        /// Renoncement.
        Renunciation = "RENUNCIATION",
        /// Perdu de vue.
        LostContact = "LOST_CONTACT",
        /// Réorienté.
        Reoriented = "REORIENTED",
        /// Décédé.
        Deceased = "DECEASED",
    }
}

codes! {
    /// Age band.
    AgeBand {
        /// Under 18.
        Under18 = "UNDER_18",
        /// 18 to 24.
        From18To24 = "FROM_18_TO_24",
        /// 25 to 59.
        From25To59 = "FROM_25_TO_59",
        /// 60 to 74.
        From60To74 = "FROM_60_TO_74",
        /// 75 and over.
        From75 = "FROM_75",
    }
}

impl State for JourneyState {
    fn next(self) -> &'static [Self] {
        match self {
            Self::Spotted => &[Self::Informed],
            Self::Informed => &[Self::Oriented, Self::InSupport],
            // The body a person was oriented to may send them back for support.
            Self::Oriented => &[Self::InSupport, Self::Closed],
            Self::InSupport => &[Self::Closed],
            // A person who comes back begins a new journey.
            Self::Closed => &[],
        }
    }
}

/// Where a journey stands, with why it is closed exactly when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journey {
    /// Repéré.
    Spotted,
    /// Informé.
    Informed,
    /// Orienté.
    Oriented,
    /// En accompagnement.
    InSupport,
    /// Clos.
    Closed(ClosingReason),
}

impl Journey {
    /// Refused with `CLOSING_REASON_MISMATCH` when a reason is missing, or given to a journey under way.
    pub fn new(state: JourneyState, reason: Option<ClosingReason>) -> Result<Self, Invalid> {
        match (state, reason) {
            (JourneyState::Spotted, None) => Ok(Self::Spotted),
            (JourneyState::Informed, None) => Ok(Self::Informed),
            (JourneyState::Oriented, None) => Ok(Self::Oriented),
            (JourneyState::InSupport, None) => Ok(Self::InSupport),
            (JourneyState::Closed, Some(reason)) => Ok(Self::Closed(reason)),
            (JourneyState::Closed, None) | (_, Some(_)) => Err(Invalid::new(
                "CLOSING_REASON_MISMATCH",
                "a closing reason is given exactly when the journey is closed",
                "le motif de clôture se donne si le parcours est clos, et seulement alors : complétez-le ou retirez-le",
            )),
        }
    }

    /// Where it stands.
    pub fn state(self) -> JourneyState {
        match self {
            Self::Spotted => JourneyState::Spotted,
            Self::Informed => JourneyState::Informed,
            Self::Oriented => JourneyState::Oriented,
            Self::InSupport => JourneyState::InSupport,
            Self::Closed(_) => JourneyState::Closed,
        }
    }

    /// Why it is closed.
    pub fn closing_reason(self) -> Option<ClosingReason> {
        match self {
            Self::Closed(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Target publics of a person: at least one, each once, in the order of the catalogue, which does not count.
#[derive(Clone, Debug)]
pub struct Publics(Vec<Cow<'static, str>>);

impl PartialEq for Publics {
    /// A catalogue that has changed has another order, or none for what it lost.
    fn eq(&self, other: &Self) -> bool {
        let within = |one: &Self, other: &Self| one.0.iter().all(|code| other.0.contains(code));
        self.0.len() == other.0.len() && within(self, other)
    }
}

impl Eq for Publics {}

impl Publics {
    /// Reads codes valid on a day. Faults under `field`: `REQUIRED` without any, `NUMBER_OUT_OF_RANGE` above
    /// [`MAX_PUBLICS`]; in doubt, each that is not one on that day.
    pub fn read(codes: &[String], day: Date, field: &str, faults: &mut Faults) -> Option<Self> {
        if codes.is_empty() {
            faults.refuse(field, required());
            return None;
        }
        if codes.len() > MAX_PUBLICS {
            faults.refuse(
                field,
                Invalid::new(
                    "NUMBER_OUT_OF_RANGE",
                    format!("at most {MAX_PUBLICS} publics are accepted"),
                    format!("{MAX_PUBLICS} publics au plus sont acceptés : retirez-en"),
                ),
            );
            return None;
        }
        for (index, code) in codes.iter().enumerate() {
            if !catalogue::public(code).is_some_and(|public| public.valid_on(day)) {
                faults.doubt(format!("{field}[{index}]"), code);
            }
        }
        let ordered = catalogue::publics().iter().map(|public| public.code);
        let listed = ordered.filter(|code| codes.iter().any(|given| given == code));
        let mut publics: Vec<Cow<'static, str>> = listed.map(Cow::Borrowed).collect();
        for code in codes {
            if !publics.iter().any(|known| known == code) {
                publics.push(Cow::Owned(code.clone()));
            }
        }
        Some(Self(publics))
    }

    /// Those of a stored record, also when the catalogue has changed since.
    pub fn stored(codes: Vec<String>) -> Self {
        Self(codes.into_iter().map(Cow::Owned).collect())
    }

    /// The codes.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// The codes, each after a comma but the first: none of them has one.
    pub fn joined(&self) -> String {
        self.0.join(",")
    }
}

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beneficiary {
    /// Target publics.
    pub publics: Publics,
    /// Commune of residence.
    pub commune: InseeCode,
    /// Age band, when known.
    pub age_band: Option<AgeBand>,
    /// Where the journey stands.
    pub journey: Journey,
    /// Day on which the person was spotted.
    pub spotted_date: Date,
}

impl Content for Beneficiary {
    type Id = BeneficiaryId;
    type State = JourneyState;
    const STATE_FIELD: &'static str = "beneficiary.state";

    fn state(&self) -> JourneyState {
        self.journey.state()
    }

    fn has_code(&self, _: &str, code: &str) -> bool {
        // Publics are the only codes in doubt.
        self.publics.codes().any(|own| own == code)
    }

    fn new_id(ids: &IdSource) -> BeneficiaryId {
        ids.next()
    }

    fn name(operator: OperatorId, beneficiary: BeneficiaryId) -> String {
        String::from(BeneficiaryName {
            operator,
            beneficiary,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    #[test]
    fn a_journey_goes_forward_and_ends_closed() {
        use JourneyState::*;
        for (from, to, legal) in [
            (Spotted, Spotted, true),
            (Spotted, Closed, true),
            (Informed, InSupport, true),
            (Oriented, InSupport, true),
            (InSupport, Oriented, false),
            (Informed, Spotted, false),
            (Closed, InSupport, false),
            (Closed, Closed, true),
        ] {
            assert_eq!(from.leads_to(to), legal, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn a_closing_reason_comes_exactly_with_closed() {
        for state in JourneyState::ALL {
            for reason in ClosingReason::ALL.iter().copied().map(Some).chain([None]) {
                let journey = Journey::new(*state, reason);
                if (*state == JourneyState::Closed) == reason.is_some() {
                    let journey = journey.unwrap();
                    assert_eq!(
                        (journey.state(), journey.closing_reason()),
                        (*state, reason)
                    );
                } else {
                    assert_eq!(journey.unwrap_err().reason, "CLOSING_REASON_MISMATCH");
                }
            }
        }
    }

    #[test]
    fn publics_are_a_set_in_the_order_of_the_catalogue() {
        let read = |codes: &[&str], day| {
            let mut faults = Faults::default();
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            let publics = Publics::read(&codes, day, "p", &mut faults);
            let faults = faults.into_violations();
            let faults: Vec<(String, String)> = faults
                .into_iter()
                .map(|fault| (fault.field, fault.reason))
                .collect();
            (publics.map(|publics| publics.0.join(" ")), faults)
        };
        let day = date!(2025 - 10 - 01);
        let (publics, faults) = read(&["SENIOR", "SALARIE", "SENIOR"], day);
        assert_eq!(
            (publics.unwrap().as_str(), faults.len()),
            ("SALARIE SENIOR", 0)
        );
        let fault = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
        assert_eq!(read(&[], day), (None, vec![fault("p", "REQUIRED")]));
        assert_eq!(
            read(&["SENIOR", "x", ""], day),
            (
                Some("SENIOR x ".to_owned()),
                vec![fault("p[1]", "UNKNOWN_CODE"), fault("p[2]", "UNKNOWN_CODE")]
            )
        );
        // The catalogue begins in 2025.
        assert_eq!(
            read(&["SENIOR"], date!(2024 - 12 - 31)),
            (
                Some("SENIOR".to_owned()),
                vec![fault("p[0]", "UNKNOWN_CODE")]
            )
        );
        assert_eq!(
            read(&["SENIOR"; 11], day),
            (None, vec![fault("p", "NUMBER_OUT_OF_RANGE")])
        );
    }

    proptest! {
        #[test]
        fn what_lies_ahead_of_what_lies_ahead_lies_ahead(
            a in prop::sample::select(JourneyState::ALL),
            b in prop::sample::select(JourneyState::ALL),
            c in prop::sample::select(JourneyState::ALL),
        ) {
            prop_assert!(!(a.leads_to(b) && b.leads_to(c)) || a.leads_to(c));
            prop_assert!(!(a.leads_to(b) && b.leads_to(a)) || a == b);
        }
    }
}
