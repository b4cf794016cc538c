//! A local aid, and which rights may be chosen on a day.

use std::collections::HashMap;

use nonrecours_kernel::{
    Invalid, LocalAidName, Siren,
    catalogue::{self, RightUnit, Validity},
    screen,
};
use time::{Date, OffsetDateTime};

use crate::{
    entitlement::domain::AmountUnit,
    record::{line, required},
};

/// What every code of a local aid begins with; none of the catalogue does.
pub const PREFIX: &str = "local:";
/// Longest name of its own in a code, in characters.
pub const MAX_SLUG: usize = 40;
/// Longest label, in characters.
pub const MAX_LABEL: usize = 200;

/// A local aid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAid {
    /// Resource name.
    pub name: LocalAidName,
    /// Code that rights are followed under.
    pub code: String,
    /// Name in French.
    pub label: String,
    /// What its amount counts; none: it is no sum of money.
    pub unit: Option<AmountUnit>,
    /// When it may be chosen.
    pub validity: Validity,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was added.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

impl LocalAid {
    /// Gives it its last day, or another one. Refused with `DATES_OUT_OF_ORDER`.
    pub fn end(self, last: Date, now: OffsetDateTime) -> Result<Self, Invalid> {
        Ok(Self {
            validity: validity(self.validity.from, Some(last))?,
            revision: self.revision + 1,
            update_time: now,
            ..self
        })
    }
}

/// Reads a code: `local:`, a SIREN, `:`, a name. Refused with `LOCAL_CODE_INVALID`, `NIR_FORBIDDEN`.
pub fn code(text: &str) -> Result<String, Invalid> {
    let parts = text
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once(':'));
    let is_code = parts.is_some_and(|(siren, slug)| {
        let is_siren = siren
            .parse::<Siren>()
            .is_ok_and(|read| read.to_string() == siren);
        let is_slug = (1..=MAX_SLUG).contains(&slug.len())
            && slug
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        is_siren && is_slug
    });
    if is_code {
        screen(text)?;
        return Ok(text.to_owned());
    }
    Err(Invalid::new(
        "LOCAL_CODE_INVALID",
        "a local code is local:<SIREN>:<name>, the name of 1 to 40 of a-z, 0-9 and -",
        "un code local s'écrit local:<SIREN>:<nom>, le nom en minuscules sans accent, chiffres et tirets : \
         par exemple local:216202630:aide-au-permis",
    ))
}

/// Reads a label. Refused with `REQUIRED`, `TEXT_TOO_LONG`, `TEXT_INVALID`, `NIR_FORBIDDEN`.
pub fn label(text: &str) -> Result<String, Invalid> {
    let label = line(text, MAX_LABEL)?;
    if label.is_empty() {
        return Err(required());
    }
    Ok(label)
}

/// From a first day to a last one. Refused with `DATES_OUT_OF_ORDER`.
pub fn validity(from: Date, to: Option<Date>) -> Result<Validity, Invalid> {
    if to.is_some_and(|to| to < from) {
        return Err(Invalid::new(
            "DATES_OUT_OF_ORDER",
            "the last day is not before the first one",
            "le dernier jour ne peut pas précéder le premier : vérifiez les dates",
        ));
    }
    Ok(Validity { from, to })
}

/// The rights that may be followed: those of the catalogue, and local aids of one operator.
#[derive(Debug, Default)]
pub struct Rights(HashMap<String, (RightUnit, Validity)>);

impl Rights {
    /// The catalogue with these.
    pub fn with(aids: impl IntoIterator<Item = LocalAid>) -> Self {
        let known = aids.into_iter().map(|aid| {
            let unit = match aid.unit {
                None => RightUnit::NotMonetary,
                Some(AmountUnit::Monthly) => RightUnit::Monthly,
                Some(AmountUnit::Annual) => RightUnit::Annual,
                Some(AmountUnit::OneOff) => RightUnit::OneOff,
            };
            (aid.code, (unit, aid.validity))
        });
        Self(known.collect())
    }

    /// What the amount of a right counts, and when the right may be chosen.
    pub fn find(&self, code: &str) -> Option<(RightUnit, Validity)> {
        let local = self.0.get(code).copied();
        local.or_else(|| catalogue::right(code).map(|right| (right.unit, right.validity)))
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{LocalAidId, OperatorId};
    use time::macros::{date, datetime};
    use uuid::Uuid;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-10-07 07:00 UTC);
    const CODE: &str = "local:216202630:aide-au-permis";

    fn aid(unit: Option<AmountUnit>) -> LocalAid {
        LocalAid {
            name: LocalAidName {
                operator: OperatorId::from_uuid(Uuid::from_u128(1)),
                local_aid: LocalAidId::from_uuid(Uuid::from_u128(2)),
            },
            code: CODE.to_owned(),
            label: "Aide au permis".to_owned(),
            unit,
            validity: validity(date!(2025 - 10 - 01), None).unwrap(),
            revision: 1,
            create_time: NOW,
            update_time: NOW,
        }
    }

    #[test]
    fn a_code_names_a_body_and_an_aid() {
        assert_eq!(code(CODE).unwrap(), CODE);
        for bad in [
            "",
            "RSA",
            "local:216202630",
            "local:216202630:",
            "local:216202631:aide",
            "local:216 202 630:aide",
            "local:216202630:Aide",
            "local:216202630:aide:2",
            &format!("local:216202630:{}", "a".repeat(MAX_SLUG + 1)),
        ] {
            assert_eq!(code(bad).unwrap_err().reason, "LOCAL_CODE_INVALID", "{bad}");
        }
    }

    #[test]
    fn an_aid_may_be_chosen_from_its_first_day_to_its_last() {
        let ended = aid(Some(AmountUnit::OneOff))
            .end(date!(2025 - 12 - 31), NOW)
            .unwrap();
        assert_eq!(ended.revision, 2);
        let early = ended.clone().end(date!(2025 - 09 - 30), NOW).unwrap_err();
        assert_eq!(early.reason, "DATES_OUT_OF_ORDER");
        let rights = Rights::with([ended]);
        let unit_on = |rights: &Rights, code, day| {
            let (unit, validity) = rights.find(code)?;
            validity.contains(day).then_some(unit)
        };
        for (day, unit) in [
            (date!(2025 - 09 - 30), None),
            (date!(2025 - 10 - 01), Some(RightUnit::OneOff)),
            (date!(2025 - 12 - 31), Some(RightUnit::OneOff)),
            (date!(2026 - 01 - 01), None),
        ] {
            assert_eq!(unit_on(&rights, CODE, day), unit, "{day}");
        }
        let day = date!(2025 - 10 - 01);
        assert_eq!(unit_on(&rights, "RSA", day), Some(RightUnit::Monthly));
        assert_eq!(unit_on(&Rights::default(), CODE, day), None);
        let service = Rights::with([aid(None)]);
        assert_eq!(unit_on(&service, CODE, day), Some(RightUnit::NotMonetary));
    }
}
