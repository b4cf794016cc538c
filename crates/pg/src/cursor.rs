//! A place in a change feed.

use std::{fmt, str::FromStr};

/// Place of a change in the feed of one database: eras in order, in each the transactions, in each its changes.
///
/// Written `era.xid.position`; opaque to clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Era of the database.
    pub era: i32,
    /// Transaction that made the change.
    pub xid: u64,
    /// Place among all changes, in the order of their insertion.
    pub position: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.era, self.xid, self.position)
    }
}

/// The text is not a cursor.
#[derive(Debug, thiserror::Error)]
#[error("not a cursor")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    /// Reads a cursor; the empty text is the place before the first change.
    fn from_str(text: &str) -> Result<Self, NotACursor> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let mut parts = text.split('.');
        let (Some(era), Some(xid), Some(position), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotACursor);
        };
        let cursor = Self {
            era: era.parse().map_err(|_| NotACursor)?,
            xid: xid.parse().map_err(|_| NotACursor)?,
            position: position.parse().map_err(|_| NotACursor)?,
        };
        // One spelling only, so that equal cursors are equal texts.
        if cursor.era < 0 || cursor.position < 0 || cursor.to_string() != text {
            return Err(NotACursor);
        }
        Ok(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_and_the_order_of_the_feed() {
        let cursor = Cursor {
            era: 1,
            xid: 20,
            position: 3,
        };
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        assert_eq!("".parse::<Cursor>().unwrap(), Cursor::default());
        assert!(
            cursor
                < Cursor {
                    era: 2,
                    xid: 1,
                    position: 1
                }
        );
        assert!(
            cursor
                < Cursor {
                    era: 1,
                    xid: 21,
                    position: 1
                }
        );
        for bad in [
            "1.2", "1.2.3.4", "a.b.c", "01.2.3", "-1.2.3", "1.-2.3", "1.2.-3", "+1.2.3", " ",
        ] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
