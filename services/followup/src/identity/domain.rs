//! Who a person is.

use std::fmt;

use nonrecours_contracts::followup::Identity as Wire;
use nonrecours_kernel::Invalid;
use nonrecours_rpc::convert::{optional_date, to_date};
use prost::Message as _;
use secrecy::zeroize::Zeroizing;
use time::Date;

use crate::{
    record::{Faults, in_future, line},
    vault::pseudonym::Traits,
};

/// Longest name or place, in characters.
pub const MAX_NAME: usize = 100;
/// Longest e-mail address, in characters (RFC 5321).
pub const MAX_EMAIL: usize = 254;
/// Longest telephone number as it is written, in characters.
pub const MAX_PHONE: usize = 40;
/// Digits of a telephone number (ITU-T E.164 allows 15).
pub const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;
/// Longest postal address, in characters.
pub const MAX_ADDRESS: usize = 300;

/// What is known of who a person is; each part may be missing. Debug shows none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Identity {
    birth_name: String,
    first_names: String,
    usual_name: String,
    birth_date: Option<Date>,
    birth_place: String,
    phone: String,
    email: String,
    postal_address: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// Reads what was sent; notes every fault under `path`. `today` is the day in Paris.
    pub fn read(wire: &Wire, path: &str, today: Date, faults: &mut Faults) -> Option<Self> {
        let text = |faults: &mut Faults, name: &str, value: &str, max| {
            faults.take(&format!("{path}.{name}"), line(value, max))
        };
        let birth_name = text(faults, "birth_name", &wire.birth_name, MAX_NAME);
        let first_names = text(faults, "first_names", &wire.first_names, MAX_NAME);
        let usual_name = text(faults, "usual_name", &wire.usual_name, MAX_NAME);
        let birth_place = text(faults, "birth_place", &wire.birth_place, MAX_NAME);
        let postal_address = text(faults, "postal_address", &wire.postal_address, MAX_ADDRESS);
        let phone = line(&wire.phone, MAX_PHONE).and_then(phone);
        let phone = faults.take(&format!("{path}.phone"), phone);
        let email = line(&wire.email, MAX_EMAIL).and_then(email);
        let email = faults.take(&format!("{path}.email"), email);
        let birth_date = optional_date(wire.birth_date.as_ref()).and_then(|date| match date {
            Some(date) if date > today => Err(in_future()),
            date => Ok(date),
        });
        let birth_date = faults.take(&format!("{path}.birth_date"), birth_date);
        Some(Self {
            birth_name: birth_name?,
            first_names: first_names?,
            usual_name: usual_name?,
            birth_date: birth_date?,
            birth_place: birth_place?,
            phone: phone?,
            email: email?,
            postal_address: postal_address?,
        })
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What makes the person one over all operators, when all of it is known.
    pub fn traits(&self) -> Option<Traits> {
        Traits::of(
            &self.birth_name,
            &self.first_names,
            self.birth_date?,
            &self.birth_place,
        )
    }

    /// As it is sealed: the message of the contract, whose fields keep their numbers for ever.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Wire::from(self).encode_to_vec())
    }

    /// Reads [`Self::to_bytes`]; `None` when it is not that.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let wire = Wire::decode(bytes).ok()?;
        let birth_date = optional_date(wire.birth_date.as_ref()).ok()?;
        Some(Self {
            birth_name: wire.birth_name,
            first_names: wire.first_names,
            usual_name: wire.usual_name,
            birth_date,
            birth_place: wire.birth_place,
            phone: wire.phone,
            email: wire.email,
            postal_address: wire.postal_address,
        })
    }
}

impl From<&Identity> for Wire {
    fn from(identity: &Identity) -> Self {
        let identity = identity.clone();
        Self {
            birth_name: identity.birth_name,
            first_names: identity.first_names,
            usual_name: identity.usual_name,
            birth_date: identity.birth_date.map(to_date),
            birth_place: identity.birth_place,
            phone: identity.phone,
            email: identity.email,
            postal_address: identity.postal_address,
        }
    }
}

/// `PHONE_INVALID` unless it is empty, or [`PHONE_DIGITS`] digits with a leading `+` at most and separators between.
fn phone(text: String) -> Result<String, Invalid> {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let plain = text.strip_prefix('+').unwrap_or(&text);
    let is_phone = PHONE_DIGITS.contains(&digits)
        && plain.chars().all(|character| {
            character.is_ascii_digit() || " .-/()\u{a0}\u{202f}".contains(character)
        });
    if text.is_empty() || is_phone {
        return Ok(text);
    }
    Err(Invalid::new(
        "PHONE_INVALID",
        "a telephone number has 6 to 15 digits, blanks, dots and dashes between",
        "un numéro de téléphone compte de 6 à 15 chiffres, espaces, points et tirets mis à part : corrigez-le",
    ))
}

/// `EMAIL_INVALID` unless it is empty, or something before and after one `@`, with no blank.
fn email(text: String) -> Result<String, Invalid> {
    let is_email = text.split_once('@').is_some_and(|(name, domain)| {
        let is_part = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        is_part(name) && is_part(domain) && !domain.contains('@')
    });
    if text.is_empty() || is_email {
        return Ok(text);
    }
    Err(Invalid::new(
        "EMAIL_INVALID",
        "an e-mail address has a name, an @ and a domain",
        "une adresse électronique s'écrit nom@domaine, sans espace : corrigez-la",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_numbers_are_taken_as_people_write_them() {
        for good in [
            "",
            "0321215000",
            "03 21 21 50 00",
            "+33 (0)3.21.21.50.00",
            "3939-00",
            "06\u{202f}12\u{202f}34\u{202f}56\u{202f}78",
        ] {
            assert_eq!(phone(good.to_owned()).unwrap(), good);
        }
        for bad in ["39", "1234567890123456", "06 12 34 AB 78", "0612345678+"] {
            assert_eq!(phone(bad.to_owned()).unwrap_err().reason, "PHONE_INVALID");
        }
    }

    #[test]
    fn e_mail_addresses_have_one_at_and_no_blank() {
        for good in ["", "a@b", "zoe.l'etoile+x@mairie-dainville.fr"] {
            assert_eq!(email(good.to_owned()).unwrap(), good);
        }
        for bad in ["a", "@b", "a@", "a@b@c", "a b@c", "a@b c"] {
            assert_eq!(email(bad.to_owned()).unwrap_err().reason, "EMAIL_INVALID");
        }
    }

    #[test]
    fn an_identity_comes_back_from_its_bytes_and_is_never_printed() {
        let identity = Identity {
            birth_name: "Lefèvre".to_owned(),
            birth_date: Some(time::macros::date!(1980 - 01 - 31)),
            ..Identity::default()
        };
        let bytes = identity.to_bytes();
        assert!(Identity::from_bytes(&bytes) == Some(identity.clone()));
        assert!(Identity::from_bytes(&[0xff]).is_none());
        assert_eq!(format!("{identity:?}"), "Identity");
        assert!(!identity.is_empty() && identity.traits().is_none());
        assert!(Identity::default().is_empty() && Identity::default().to_bytes().is_empty());
    }
}
