//! One act of support for a person.

use nonrecours_kernel::{
    BeneficiaryId, EntitlementId, IdSource, Invalid, OperatorId, StepId, StepName, catalogue,
};
use time::Date;

use crate::{
    entitlement::domain::SupportMode,
    record::{About, Content, Faults, Reference},
    session::domain::Channel,
};

/// Longest step, minutes: a day.
pub const MAX_MINUTES: i32 = 24 * 60;

/// What was done, apart from for whom and for which right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Day.
    pub step_date: Date,
    /// How the person was supported.
    pub mode: SupportMode,
    /// How they were met.
    pub channel: Channel,
    /// Code of the partner it was done with.
    pub partner: Option<String>,
    /// It renews the right.
    pub renewal: bool,
    /// Minutes it took; 0: not known.
    pub minutes: i32,
}

/// An act of support.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose.
    pub beneficiary: BeneficiaryId,
    /// The right it serves; a renewal serves one.
    pub entitlement: Option<EntitlementId>,
    /// What was done.
    pub act: Act,
}

impl Content for Step {
    type Id = StepId;
    type State = ();
    // Never refused: a step has one state.
    const STATE_FIELD: &'static str = "step";

    fn state(&self) {}

    fn has_code(&self, _: &str, code: &str) -> bool {
        // The partner is the only code in doubt.
        self.act.partner.as_deref() == Some(code)
    }

    fn new_id(ids: &IdSource) -> StepId {
        ids.next()
    }

    fn name(operator: OperatorId, step: StepId) -> String {
        StepName { operator, step }.to_string()
    }
}

impl About for Step {
    type Rest = Act;
    const PERSON_FIELD: &'static str = "step.beneficiary_reference";

    fn about(beneficiary: BeneficiaryId, act: Act) -> Self {
        Self {
            beneficiary,
            entitlement: None,
            act,
        }
    }
}

/// Path of the right in a pushed step.
pub const ENTITLEMENT_FIELD: &str = "step.entitlement_reference";

/// The reference of the right a step serves. A fault when it renews one and names none.
pub fn entitlement_reference(
    reference: &str,
    renewal: bool,
    faults: &mut Faults,
) -> Option<Reference> {
    let reference = match reference {
        "" if renewal => Err(crate::record::required()),
        "" => Ok(None),
        // What no record can have as its reference is the reference of none.
        reference => reference
            .parse()
            .map(Some)
            .map_err(|_: Invalid| entitlement_unknown()),
    };
    faults.take(ENTITLEMENT_FIELD, reference).flatten()
}

/// Reads a partner's code, valid on the day or in doubt; empty: none.
pub fn partner(code: &str, day: Date, faults: &mut Faults) -> Option<String> {
    if code.is_empty() {
        return None;
    }
    if !catalogue::partner(code).is_some_and(|partner| partner.valid_on(day)) {
        faults.doubt("step.partner", code);
    }
    Some(code.to_owned())
}

/// Checks a duration. Refused with `NUMBER_OUT_OF_RANGE`.
pub fn minutes(number: i32) -> Result<i32, Invalid> {
    if (0..=MAX_MINUTES).contains(&number) {
        return Ok(number);
    }
    Err(Invalid::new(
        "NUMBER_OUT_OF_RANGE",
        format!("a step takes 0 to {MAX_MINUTES} minutes"),
        format!("une démarche dure de 0 à {MAX_MINUTES} minutes : vérifiez la durée"),
    ))
}

/// `ENTITLEMENT_UNKNOWN`.
pub fn entitlement_unknown() -> Invalid {
    Invalid::new(
        "ENTITLEMENT_UNKNOWN",
        "no entitlement with this reference is stored or comes earlier in the batch",
        "aucun droit ne porte cette référence : envoyez-le avant ses démarches, ou corrigez la référence",
    )
}

/// `ENTITLEMENT_OF_ANOTHER`.
pub fn entitlement_of_another() -> Invalid {
    Invalid::new(
        "ENTITLEMENT_OF_ANOTHER",
        "this entitlement is that of another person",
        "ce droit est celui d'une autre personne : corrigez la référence du droit ou celle de la personne",
    )
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn partners_are_those_of_the_day() {
        let day = date!(2025 - 10 - 01);
        let partner = |code, day| {
            let mut faults = Faults::default();
            let read = partner(code, day, &mut faults);
            match faults.into_violations().pop() {
                None => Ok(read),
                Some(violation) => Err(violation),
            }
        };
        assert_eq!(partner("", day).unwrap(), None);
        assert_eq!(partner("CAF", day).unwrap().as_deref(), Some("CAF"));
        for (code, day) in [("ANPE", day), ("CAF", date!(2024 - 12 - 31))] {
            assert_eq!(partner(code, day).unwrap_err().reason, "UNKNOWN_CODE");
        }
    }

    #[test]
    fn a_step_takes_a_day_at_most() {
        for good in [0, 1, MAX_MINUTES] {
            assert_eq!(minutes(good).unwrap(), good);
        }
        for bad in [-1, MAX_MINUTES + 1] {
            assert_eq!(minutes(bad).unwrap_err().reason, "NUMBER_OUT_OF_RANGE");
        }
    }
}
