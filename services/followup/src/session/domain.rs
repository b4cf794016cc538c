//! An outreach presence.

use nonrecours_kernel::{
    IdSource, InseeCode, Invalid, OperatorId, SessionId, SessionName, catalogue,
};
use time::Date;

use crate::{
    codes::{self, codes},
    record::{Content, Faults, line, required},
};

/// Path of the commune in a pushed session.
const COMMUNE_FIELD: &str = "session.commune_code";
/// Longest name of a place, in characters.
pub const MAX_VENUE: usize = 200;
/// Most persons met at one session.
pub const MAX_PERSONS_MET: i32 = 10_000;

codes! {
    /// How persons are met.
    Channel {
        /// Permanence at a partner's place.
        PartnerSession = "PARTNER_SESSION",
        /// Visite à domicile.
        HomeVisit = "HOME_VISIT",
        /// Téléphone.
        Phone = "PHONE",
        /// Guichet.
        Desk = "DESK",
        /// Autre.
        Other = "OTHER",
    }
}

/// An outreach session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Place.
    pub venue: String,
    /// Commune of the place: in the programme's territory.
    pub commune: InseeCode,
    /// Day.
    pub held_date: Date,
    /// Channel.
    pub channel: Channel,
    /// Persons met.
    pub persons_met: i32,
}

impl Content for Session {
    type Id = SessionId;
    type State = ();
    // Never refused: a session has one state.
    const STATE_FIELD: &'static str = "session";

    fn state(&self) {}

    fn has_code(&self, _: &str, code: &str) -> bool {
        // The commune is the only code in doubt.
        self.commune.as_str() == code
    }

    fn new_id(ids: &IdSource) -> SessionId {
        ids.next()
    }

    fn name(operator: OperatorId, session: SessionId) -> String {
        SessionName { operator, session }.to_string()
    }
}

/// Reads the name of a place: 1 to [`MAX_VENUE`] characters once trimmed. Refused with `REQUIRED`, `TEXT_TOO_LONG`,
/// `TEXT_INVALID` (control characters), `NIR_FORBIDDEN`.
pub fn venue(text: &str) -> Result<String, Invalid> {
    let venue = line(text, MAX_VENUE)?;
    if venue.is_empty() {
        return Err(required());
    }
    Ok(venue)
}

/// Reads the commune of a session's place, which lies in the territory on that day (art. 3), or is in doubt. A fault without
/// one (`REQUIRED`) and of what is no code of a commune (`UNKNOWN_CODE`).
pub fn commune(code: &str, day: Date, faults: &mut Faults) -> Option<InseeCode> {
    if code.is_empty() {
        faults.refuse(COMMUNE_FIELD, required());
        return None;
    }
    let read = code.parse::<InseeCode>().map_err(|_| codes::unknown());
    let commune = faults.take(COMMUNE_FIELD, read)?;
    if !catalogue::commune(commune.as_str()).is_some_and(|known| known.valid_on(day)) {
        faults.doubt(COMMUNE_FIELD, commune.as_str());
    }
    Some(commune)
}

/// Checks a number of persons met. Refused with `NUMBER_OUT_OF_RANGE`.
pub fn persons_met(number: i32) -> Result<i32, Invalid> {
    if (0..=MAX_PERSONS_MET).contains(&number) {
        return Ok(number);
    }
    Err(Invalid::new(
        "NUMBER_OUT_OF_RANGE",
        format!("between 0 and {MAX_PERSONS_MET} persons are met at a session"),
        format!(
            "le nombre de personnes reçues est compris entre 0 et {MAX_PERSONS_MET} : vérifiez-le"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_place_is_a_short_text_without_social_security_number() {
        assert_eq!(
            venue(" Cité des Métiers d'Arras ").unwrap(),
            "Cité des Métiers d'Arras"
        );
        assert_eq!(
            venue(&"é".repeat(MAX_VENUE)).unwrap().chars().count(),
            MAX_VENUE
        );
        for (text, reason) in [
            ("  ", "REQUIRED"),
            (&*"é".repeat(MAX_VENUE + 1), "TEXT_TOO_LONG"),
            ("Salle\u{0}2", "TEXT_INVALID"),
            ("chez 1 85 02 62 263 001 42", "NIR_FORBIDDEN"),
        ] {
            assert_eq!(venue(text).unwrap_err().reason, reason);
        }
    }

    #[test]
    fn a_session_is_held_in_the_territory() {
        let day = date!(2025 - 10 - 14);
        let commune = |code, day| {
            let mut faults = Faults::default();
            let read = commune(code, day, &mut faults);
            match faults.into_violations().pop() {
                None => Ok(read.unwrap()),
                Some(violation) => Err(violation),
            }
        };
        assert_eq!(commune(" 62041 ", day).unwrap().as_str(), "62041");
        for (code, day, reason) in [
            ("", day, "REQUIRED"),
            ("75056", day, "UNKNOWN_CODE"),
            ("Arras", day, "UNKNOWN_CODE"),
            ("62041", date!(2024 - 12 - 31), "UNKNOWN_CODE"),
        ] {
            assert_eq!(commune(code, day).unwrap_err().reason, reason);
        }
    }

    #[test]
    fn numbers_have_a_limit() {
        for good in [0, 1, MAX_PERSONS_MET] {
            assert_eq!(persons_met(good).unwrap(), good);
        }
        for bad in [-1, MAX_PERSONS_MET + 1, i32::MAX, i32::MIN] {
            assert_eq!(persons_met(bad).unwrap_err().reason, "NUMBER_OUT_OF_RANGE");
        }
    }
}
