//! Computing the chain again from the entries, and naming the first thing that is not as it was sealed.

use std::fmt;

use nonrecours_pg::{Error, Tx};

use super::{
    chain::{Anchor, Place},
    store,
};

/// Links read at once.
const BATCH: i64 = 1000;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Where the chain begins: after what was purged.
    pub start: Anchor,
    /// Where it ends, as far as it holds.
    pub head: Anchor,
    /// Entries that wait to be sealed.
    pub waiting: i64,
    /// Anchors from before the start: what they stood for is purged.
    pub outdated: Vec<Anchor>,
    /// The first fault.
    pub fault: Option<Fault>,
}

/// What is not as it was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The entry of this number says something else than when it was sealed.
    Altered(i64, Place),
    /// The entry or the link of this number is gone.
    Removed(i64),
    /// This entry was slipped in among sealed ones.
    Inserted(Place),
    /// The entry of this number stands before the one sealed earlier.
    Reordered(i64),
    /// The chain is sound, but another one than when this anchor was noted.
    Replaced(Anchor),
    /// The chain ended later when this anchor was noted.
    Truncated(Anchor),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered(number, place) => write!(
                f,
                "l'entrée {number} ({place}) a été modifiée depuis qu'elle a été scellée"
            ),
            Self::Removed(number) => write!(f, "l'entrée {number} a été supprimée"),
            Self::Inserted(place) => {
                write!(
                    f,
                    "l'entrée {place} a été ajoutée parmi des entrées déjà scellées"
                )
            }
            Self::Reordered(number) => write!(f, "l'entrée {number} a été déplacée"),
            Self::Replaced(anchor) => {
                write!(
                    f,
                    "la chaîne a été réécrite : elle ne passe plus par le repère {anchor}"
                )
            }
            Self::Truncated(anchor) => {
                write!(
                    f,
                    "la fin du journal a été supprimée : le repère {anchor} est au-delà"
                )
            }
        }
    }
}

/// Verifies the whole chain within one snapshot, and that it passes through each anchor.
pub async fn verify(tx: &mut Tx, anchors: &[Anchor]) -> Result<Report, Error> {
    let start = store::checkpoint(tx).await?.unwrap_or(Anchor::START);
    let outdated = anchors.iter().filter(|anchor| anchor.number < start.number);
    let mut chain = Chain {
        head: start,
        after: Place::START,
        anchors,
    };
    let fault = match chain.wrong_anchor() {
        Some(fault) => Some(fault),
        None => chain.follow(tx).await?,
    };
    let beyond = || {
        let beyond = anchors
            .iter()
            .find(|anchor| anchor.number > chain.head.number);
        beyond.map(|anchor| Fault::Truncated(*anchor))
    };
    let fault = fault.or_else(beyond);
    Ok(Report {
        start,
        head: chain.head,
        waiting: store::count_after(tx, chain.after).await?,
        outdated: outdated.copied().collect(),
        fault,
    })
}

/// The chain as far as it was followed.
struct Chain<'a> {
    head: Anchor,
    after: Place,
    anchors: &'a [Anchor],
}

impl Chain<'_> {
    async fn follow(&mut self, tx: &mut Tx) -> Result<Option<Fault>, Error> {
        loop {
            let links = store::links(tx, self.head.number, BATCH).await?;
            let Some(to) = links.iter().map(|(_, place)| *place).max() else {
                return Ok(None);
            };
            // One more than there are links: a first entry too many is enough to tell.
            let entries = store::between(tx, self.after, to, BATCH + 1).await?;
            let mut entries = entries.into_iter().peekable();
            for (link, place) in links {
                let number = self.head.number + 1;
                if link.number != number {
                    return Ok(Some(Fault::Removed(number)));
                }
                if place <= self.after {
                    return Ok(Some(Fault::Reordered(number)));
                }
                let Some(entry) = entries.next_if(|entry| entry.place <= place) else {
                    return Ok(Some(Fault::Removed(number)));
                };
                if entry.place < place {
                    return Ok(Some(Fault::Inserted(entry.place)));
                }
                if entry.link(number, &self.head.link) != link.link {
                    return Ok(Some(Fault::Altered(number, place)));
                }
                (self.head, self.after) = (link, place);
                if let Some(fault) = self.wrong_anchor() {
                    return Ok(Some(fault));
                }
            }
        }
    }

    /// An anchor of the number that the chain has reached, with another link.
    fn wrong_anchor(&self) -> Option<Fault> {
        let wrong = self
            .anchors
            .iter()
            .find(|anchor| anchor.number == self.head.number && anchor.link != self.head.link);
        wrong.map(|anchor| Fault::Replaced(*anchor))
    }
}
