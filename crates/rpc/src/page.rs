//! Pages of a list: coerced sizes, and opaque tokens bound to their query.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;

/// Page size when the request gives none.
pub const DEFAULT_PAGE_SIZE: i32 = 50;
/// Largest page that is served.
pub const MAX_PAGE_SIZE: i32 = 200;
/// Bytes of the query's fingerprint that a token carries.
const FINGERPRINT: usize = 8;

/// Which page of which list is asked for.
#[derive(Clone, Debug)]
pub struct Page {
    /// How many rows.
    pub size: usize,
    /// Key of the last row of the page before; `None` on the first page.
    pub after: Option<String>,
    fingerprint: [u8; FINGERPRINT],
}

impl Page {
    /// Reads a request's `page_size` and `page_token`. `query` names the list and its filters: a token serves only
    /// the query it was given for.
    pub fn read(query: &[&str], page_size: i32, page_token: &str) -> Result<Self, Failure> {
        Self::sized(
            query,
            page_size,
            page_token,
            DEFAULT_PAGE_SIZE,
            MAX_PAGE_SIZE,
        )
    }

    /// The same for a list with other sizes.
    pub fn sized(
        query: &[&str],
        page_size: i32,
        page_token: &str,
        default: i32,
        max: i32,
    ) -> Result<Self, Failure> {
        let fingerprint = fingerprint(query);
        let after = match page_token {
            "" => None,
            token => Some(
                decode(token, fingerprint)
                    .ok_or_else(|| Failure::page_token_invalid("page_token"))?,
            ),
        };
        let size = if page_size <= 0 {
            default
        } else {
            page_size.min(max)
        };
        Ok(Self {
            size: usize::try_from(size).unwrap_or_default(),
            after,
            fingerprint,
        })
    }

    /// How many rows to read from the database: one more than the page tells whether another page follows.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size)
            .unwrap_or(i64::MAX)
            .saturating_add(1)
    }

    /// Key of the last row before as the list's own type.
    pub fn after<K: std::str::FromStr>(&self) -> Result<Option<K>, Failure> {
        self.after
            .as_deref()
            .map(|key| {
                key.parse()
                    .map_err(|_| Failure::page_token_invalid("page_token"))
            })
            .transpose()
    }

    /// Cuts the rows read to the page, and gives the token of the next one, empty on the last.
    pub fn cut<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, String) {
        if rows.len() <= self.size {
            return (rows, String::new());
        }
        rows.truncate(self.size);
        let token = rows.last().map(|last| self.token(&key(last)));
        (rows, token.unwrap_or_default())
    }

    fn token(&self, key: &str) -> String {
        let mut bytes = self.fingerprint.to_vec();
        bytes.extend_from_slice(key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn fingerprint(query: &[&str]) -> [u8; FINGERPRINT] {
    let mut hash = Sha256::new();
    for part in query {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    std::array::from_fn(|index| digest[index])
}

fn decode(token: &str, fingerprint: [u8; FINGERPRINT]) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let key = bytes.strip_prefix(&fingerprint)?;
    String::from_utf8(key.to_vec())
        .ok()
        .filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_coerced_and_the_last_page_has_no_token() {
        let page = Page::read(&["a"], 0, "").unwrap();
        assert_eq!(page.size, 50);
        assert_eq!(Page::read(&["a"], 100_000, "").unwrap().size, 200);
        let page = Page::read(&["a"], 2, "").unwrap();
        let (rows, token) = page.cut(vec![1, 2, 3], ToString::to_string);
        assert_eq!(rows, [1, 2]);
        let next = Page::read(&["a"], 2, &token).unwrap();
        assert_eq!(next.after::<i32>().unwrap(), Some(2));
        assert_eq!(
            next.cut(vec![3], ToString::to_string),
            (vec![3], String::new())
        );
    }

    #[test]
    fn a_token_serves_its_own_query_only() {
        let page = Page::read(&["ListX", "operators/1"], 1, "").unwrap();
        let (_, token) = page.cut(vec![1, 2], ToString::to_string);
        assert!(Page::read(&["ListX", "operators/1"], 1, &token).is_ok());
        for other in [
            &["ListX", "operators/2"][..],
            &["ListY", "operators/1"],
            &["ListXoperators/1"],
        ] {
            let failure = Page::read(other, 1, &token).unwrap_err();
            assert_eq!(failure.reason(), "PAGE_TOKEN_INVALID");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(token in ".*") {
            let _ = Page::read(&["a"], 1, &token);
        }
    }
}
