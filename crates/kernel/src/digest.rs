//! SHA-256 digests: what a content is known by.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::Invalid;

/// Bytes of a digest.
const LENGTH: usize = 32;

/// The SHA-256 digest (FIPS 180-4) of some bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; LENGTH]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest already known, such as one read from the database.
    pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = Invalid;

    /// Accepts upper and lower case. Refused with `DIGEST_FORMAT`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let refused = || {
            Invalid::new(
                "DIGEST_FORMAT",
                "a SHA-256 digest is 64 hexadecimal digits",
                "Une empreinte SHA-256 s'écrit avec 64 chiffres hexadécimaux.",
            )
        };
        let digits = value.as_bytes();
        if digits.len() != 2 * LENGTH {
            return Err(refused());
        }
        let mut bytes = [0; LENGTH];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).ok_or_else(refused)?;
                *byte = *byte << 4 | u8::try_from(value).map_err(|_| refused())?;
            }
        }
        Ok(Self(bytes))
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Computes the digest of bytes that come in pieces.
#[derive(Clone, Default)]
pub struct Digester(Sha256);

impl Digester {
    /// The next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vectors_of_the_standard() {
        for (bytes, digest) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            assert_eq!(Digest::of(bytes.as_bytes()).to_string(), digest);
        }
    }

    #[test]
    fn anything_but_sixty_four_hexadecimal_digits_is_refused() {
        let digest = Digest::of(b"abc").to_string();
        let longer = format!("{digest}0");
        let sign = format!("+{}", digest.get(1..).unwrap());
        let accent = format!("é{}", digest.get(2..).unwrap());
        for wrong in ["", "abc", digest.get(1..).unwrap(), &longer, &sign, &accent] {
            assert_eq!(wrong.parse::<Digest>().unwrap_err().reason, "DIGEST_FORMAT");
        }
    }

    proptest! {
        #[test]
        fn written_and_read_again_it_is_the_same(bytes: [u8; 32]) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
            prop_assert_eq!(digest.to_string().to_uppercase().parse::<Digest>().unwrap(), digest);
        }

        #[test]
        fn pieces_make_the_same_digest_as_the_whole(bytes: Vec<u8>, at: prop::sample::Index) {
            let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
            let mut digester = Digester::default();
            digester.update(first);
            digester.update(second);
            prop_assert_eq!(digester.finish(), Digest::of(&bytes));
        }
    }
}
