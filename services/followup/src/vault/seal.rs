//! Sealing: AES-256-GCM-SIV (RFC 8452), bound to the row it stands in. A nonce that came twice would show no more than
//! that the same text was sealed twice.
//!
//! A sealed text is: one byte for this format, 12 of nonce, the ciphertext, 16 of tag.

use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit as _,
    aead::{Aead as _, Payload},
};
use nonrecours_kernel::{BeneficiaryId, BeneficiaryName, OperatorId};
use rand::{TryRngCore as _, rngs::OsRng};
use secrecy::{ExposeSecret as _, SecretBox, zeroize::Zeroizing};
use uuid::Uuid;

use super::{
    pseudonym::mac,
    ring::{KEY_BYTES, KeyRing, NamedKey},
};

/// The only format so far.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;

/// Why something was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The ring does not hold the key: not yet, or not any more.
    #[error("the key {0} is not in the ring")]
    KeyMissing(String),
    /// Altered, cut, moved to another row, or sealed under another key of the same id.
    #[error("what is sealed does not open")]
    Altered,
    /// The system gives no randomness.
    #[error("no randomness")]
    Randomness(#[source] rand::rand_core::OsError),
}

/// What is sealed, and so where it can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A person's key.
    PersonKey,
    /// A person's identity.
    Identity,
    /// What a note says.
    Note,
    /// The key of an operator's digests of erased references.
    ErasureKey,
}

impl Label {
    const fn name(self) -> &'static str {
        match self {
            Self::PersonKey => "person_key",
            Self::Identity => "identity",
            Self::Note => "note",
            Self::ErasureKey => "erasure_key",
        }
    }

    /// What the ciphertext is bound to. The ids have a fixed length and come last: no two rows give the same bytes.
    fn binding(self, person: &BeneficiaryName, record: Uuid, key_id: &str) -> Vec<u8> {
        let name = format!("nonrecours.followup.{}.v1\0{key_id}\0", self.name());
        let mut bytes = name.into_bytes();
        bytes.extend_from_slice(person.operator.uuid().as_bytes());
        bytes.extend_from_slice(person.beneficiary.uuid().as_bytes());
        bytes.extend_from_slice(record.as_bytes());
        bytes
    }
}

/// A person's key as the database holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The key of the ring that wraps it.
    pub key_id: String,
    /// The key, sealed.
    pub bytes: Vec<u8>,
}

/// The key of one person: everything that says who they are is sealed under it. Never printed.
pub struct PersonKey(SecretBox<[u8; KEY_BYTES]>);

impl PersonKey {
    /// A new one, from the system's randomness.
    pub fn generate() -> Result<Self, SealError> {
        let mut key = Box::new([0; KEY_BYTES]);
        OsRng
            .try_fill_bytes(&mut *key)
            .map_err(SealError::Randomness)?;
        Ok(Self(SecretBox::new(key)))
    }

    /// Seals what a record says of the person.
    pub fn seal(
        &self,
        label: Label,
        person: &BeneficiaryName,
        record: Uuid,
        text: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        seal(
            self.0.expose_secret(),
            &label.binding(person, record, ""),
            text,
        )
    }

    /// Opens it again.
    pub fn open(
        &self,
        label: Label,
        person: &BeneficiaryName,
        record: Uuid,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(
            self.0.expose_secret(),
            &label.binding(person, record, ""),
            sealed,
        )
    }
}

/// The key of an operator's digests of references that lead to nobody any more. Never printed.
pub struct ErasureKey(PersonKey);

impl ErasureKey {
    /// A new one, from the system's randomness.
    pub fn generate() -> Result<Self, SealError> {
        PersonKey::generate().map(Self)
    }

    /// Digest of a reference: tells nothing of it without the key.
    pub fn digest(&self, reference: &str) -> [u8; 32] {
        mac(self.0.0.expose_secret(), reference.as_bytes())
    }
}

impl KeyRing {
    /// Wraps a person's key under the newest key.
    pub fn wrap(&self, person: &BeneficiaryName, key: &PersonKey) -> Result<Wrapped, SealError> {
        self.wrap_as(Label::PersonKey, person, key)
    }

    /// Wraps an operator's erasure key under the newest key.
    pub fn wrap_erasure_key(
        &self,
        operator: OperatorId,
        key: &ErasureKey,
    ) -> Result<Wrapped, SealError> {
        self.wrap_as(Label::ErasureKey, &nobody_of(operator), &key.0)
    }

    /// Unwraps it again, under whichever key wraps it.
    pub fn unwrap_erasure_key(
        &self,
        operator: OperatorId,
        wrapped: &Wrapped,
    ) -> Result<ErasureKey, SealError> {
        self.unwrap_as(Label::ErasureKey, &nobody_of(operator), wrapped)
            .map(ErasureKey)
    }

    fn wrap_as(
        &self,
        label: Label,
        person: &BeneficiaryName,
        key: &PersonKey,
    ) -> Result<Wrapped, SealError> {
        let NamedKey { id, .. } = self.wrapping();
        let binding = label.binding(person, person.beneficiary.uuid(), id);
        let bytes = seal(self.wrapping().bytes(), &binding, key.0.expose_secret())?;
        Ok(Wrapped {
            key_id: id.clone(),
            bytes,
        })
    }

    /// Unwraps it again, under whichever key wraps it.
    pub fn unwrap(
        &self,
        person: &BeneficiaryName,
        wrapped: &Wrapped,
    ) -> Result<PersonKey, SealError> {
        self.unwrap_as(Label::PersonKey, person, wrapped)
    }

    fn unwrap_as(
        &self,
        label: Label,
        person: &BeneficiaryName,
        wrapped: &Wrapped,
    ) -> Result<PersonKey, SealError> {
        let key = self.unwrapping(&wrapped.key_id)?;
        let binding = label.binding(person, person.beneficiary.uuid(), &wrapped.key_id);
        let opened = open(key.bytes(), &binding, &wrapped.bytes)?;
        let bytes =
            <[u8; KEY_BYTES]>::try_from(opened.as_slice()).map_err(|_| SealError::Altered)?;
        Ok(PersonKey(SecretBox::new(Box::new(bytes))))
    }
}

/// What is an operator's own is bound to no person.
fn nobody_of(operator: OperatorId) -> BeneficiaryName {
    BeneficiaryName {
        operator,
        beneficiary: BeneficiaryId::from_uuid(Uuid::nil()),
    }
}

fn seal(key: &[u8; KEY_BYTES], binding: &[u8], text: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    OsRng
        .try_fill_bytes(&mut nonce)
        .map_err(SealError::Randomness)?;
    let payload = Payload {
        msg: text,
        aad: binding,
    };
    let ciphertext = Aes256GcmSiv::new(key.into())
        .encrypt(&nonce.into(), payload)
        // Only texts of gigabytes are refused.
        .map_err(|_| SealError::Altered)?;
    Ok([&[FORMAT], nonce.as_slice(), &ciphertext].concat())
}

fn open(
    key: &[u8; KEY_BYTES],
    binding: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, ciphertext) = match sealed.split_first() {
        Some((&FORMAT, rest)) => rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::Altered)?,
        _ => return Err(SealError::Altered),
    };
    let payload = Payload {
        msg: ciphertext,
        aad: binding,
    };
    let text = Aes256GcmSiv::new(key.into())
        .decrypt(&(*nonce).into(), payload)
        .map_err(|_| SealError::Altered)?;
    Ok(Zeroizing::new(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;

    fn ring() -> KeyRing {
        KeyRing::parse(KeyRing::generate("a").unwrap().expose_secret()).unwrap()
    }

    fn person(operator: u128, beneficiary: u128) -> BeneficiaryName {
        BeneficiaryName {
            operator: OperatorId::from_uuid(Uuid::from_u128(operator)),
            beneficiary: BeneficiaryId::from_uuid(Uuid::from_u128(beneficiary)),
        }
    }

    const RECORD: Uuid = Uuid::from_u128(9);

    #[test]
    fn what_is_sealed_opens_in_its_own_row_only() {
        let key = PersonKey::generate().unwrap();
        let own = person(1, 2);
        let sealed = key.seal(Label::Identity, &own, RECORD, b"Durand").unwrap();
        let open = |key: &PersonKey, label, person: &BeneficiaryName, record| {
            key.open(label, person, record, &sealed)
                .map(|text| text.to_vec())
        };
        assert_eq!(
            open(&key, Label::Identity, &own, RECORD).unwrap(),
            b"Durand"
        );
        for (label, person, record) in [
            (Label::PersonKey, own, RECORD),
            (Label::Note, own, RECORD),
            (Label::Identity, person(3, 2), RECORD),
            (Label::Identity, person(1, 3), RECORD),
            (Label::Identity, own, Uuid::from_u128(8)),
        ] {
            let refused = open(&key, label, &person, record);
            assert!(matches!(refused, Err(SealError::Altered)));
        }
        let stranger = PersonKey::generate().unwrap();
        let refused = open(&stranger, Label::Identity, &own, RECORD);
        assert!(matches!(refused, Err(SealError::Altered)));
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same() {
        let key = PersonKey::generate().unwrap();
        let seal = || {
            key.seal(Label::Identity, &person(1, 2), RECORD, b"Durand")
                .unwrap()
        };
        assert_ne!(seal(), seal());
    }

    #[test]
    fn a_wrapped_key_opens_for_its_own_person_and_under_its_own_key_only() {
        let (ring, own) = (ring(), person(1, 2));
        let key = PersonKey::generate().unwrap();
        let wrapped = ring.wrap(&own, &key).unwrap();
        let sealed = key.seal(Label::Identity, &own, RECORD, b"x").unwrap();
        let again = ring.unwrap(&own, &wrapped).unwrap();
        let text = again.open(Label::Identity, &own, RECORD, &sealed).unwrap();
        assert_eq!(text.as_slice(), b"x");
        assert!(matches!(
            ring.unwrap(&person(1, 3), &wrapped),
            Err(SealError::Altered)
        ));
        let elsewhere: SecretString = KeyRing::generate("b").unwrap();
        let elsewhere = KeyRing::parse(elsewhere.expose_secret()).unwrap();
        assert!(matches!(
            elsewhere.unwrap(&own, &wrapped),
            Err(SealError::KeyMissing(id)) if id == "a"
        ));
        // Another key under the same id.
        assert!(matches!(
            self::ring().unwrap(&own, &wrapped),
            Err(SealError::Altered)
        ));
    }

    #[test]
    fn an_erased_reference_is_digested_under_its_operators_key_alone() {
        let ring = ring();
        let (one, other) = (person(1, 0).operator, person(2, 0).operator);
        let key = ErasureKey::generate().unwrap();
        let wrapped = ring.wrap_erasure_key(one, &key).unwrap();
        let again = ring.unwrap_erasure_key(one, &wrapped).unwrap();
        assert_eq!(again.digest("B1"), key.digest("B1"));
        assert_ne!(again.digest("B1"), key.digest("B2"));
        assert_ne!(
            ErasureKey::generate().unwrap().digest("B1"),
            key.digest("B1")
        );
        assert!(matches!(
            ring.unwrap_erasure_key(other, &wrapped),
            Err(SealError::Altered)
        ));
        // Nor is it anybody's key.
        assert!(matches!(
            ring.unwrap(&nobody_of(one), &wrapped),
            Err(SealError::Altered)
        ));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_no_altered_byte_goes_unseen(
            text in prop::collection::vec(any::<u8>(), 0..200),
            place in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            let (key, own) = (PersonKey::generate().unwrap(), person(1, 2));
            let mut sealed = key.seal(Label::Identity, &own, RECORD, &text).unwrap();
            let opened = key.open(Label::Identity, &own, RECORD, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), text.as_slice());
            let place = place.index(sealed.len());
            sealed[place] ^= flip;
            prop_assert!(key.open(Label::Identity, &own, RECORD, &sealed).is_err());
            prop_assert!(key.open(Label::Identity, &own, RECORD, &sealed[..place]).is_err());
        }
    }
}
