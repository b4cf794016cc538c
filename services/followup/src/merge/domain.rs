//! A merge of two records, and what stands in the way of undoing it.

use nonrecours_kernel::{BeneficiaryMergeName, BeneficiaryName, Blocker, Invalid, Text};
use time::OffsetDateTime;

use crate::codes::codes;

codes! {
    /// Why two records are taken to be one person's.
    MergeReason {
        /// The same birth name, first name, birth date and place.
        SamePseudonym = "SAME_PSEUDONYM",
        /// The person said so.
        ConfirmedByPerson = "CONFIRMED_BY_PERSON",
        /// Another reason.
        Other = "OTHER",
    }
}

codes! {
    /// Where a merge stands.
    MergeState {
        /// The two are one.
        Merged = "MERGED",
        /// They are two again.
        Undone = "UNDONE",
    }
}

/// A merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// Its name.
    pub name: BeneficiaryMergeName,
    /// The record that stays.
    pub survivor: BeneficiaryName,
    /// The record that went into it.
    pub duplicate: BeneficiaryName,
    /// Why.
    pub reason: MergeReason,
    /// Where it stands.
    pub state: MergeState,
    /// Something was stored under the duplicate's reference since.
    pub is_used: bool,
    /// The survivor, of whom no identity was held, was given that of the duplicate.
    pub identity_given: bool,
    /// What moved.
    pub moved: Moved,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When they were merged.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// How many records moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Rights.
    pub entitlements: i32,
    /// Steps.
    pub steps: i32,
    /// Notes.
    pub notes: i32,
    /// Referrals.
    pub referrals: i32,
}

/// How things stand when a merge is to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The survivor is a record of its own still.
    pub survivor_stands: bool,
    /// All that moved is with the survivor still.
    pub records_stand: bool,
    /// The identity given to the survivor, if one was, is as it was given.
    pub identity_stands: bool,
}

impl Merge {
    /// Undoes it: MERGED -> UNDONE; or every reason why that would not be exact.
    pub fn undo(self, standing: Standing, now: OffsetDateTime) -> Result<Self, Vec<Blocker>> {
        // Once undone, whatever else has changed since does not matter.
        if self.state == MergeState::Undone {
            return Err(vec![undone()]);
        }
        let mut blockers = Vec::new();
        let mut weigh = |is_in_the_way: bool, blocker: fn() -> Blocker| {
            if is_in_the_way {
                blockers.push(blocker());
            }
        };
        weigh(self.is_used, used);
        weigh(!standing.survivor_stands, survivor_merged);
        weigh(!standing.records_stand, records_moved);
        weigh(!standing.identity_stands, identity_changed);
        if blockers.is_empty() {
            Ok(Self {
                state: MergeState::Undone,
                revision: self.revision + 1,
                update_time: now,
                ..self
            })
        } else {
            Err(blockers)
        }
    }
}

fn undone() -> Blocker {
    Blocker::new(
        "MERGE_UNDONE",
        "state",
        "The merge is undone already.",
        "Cette fusion est déjà annulée.",
    )
}

fn used() -> Blocker {
    Blocker::new(
        "MERGE_USED",
        "duplicate",
        "Something was stored under the duplicate's reference since: whose it would be is not known.",
        "Des enregistrements sont arrivés depuis sous la référence du doublon : on ne sait plus de qui ils seraient. \
         Créez une nouvelle fiche et renvoyez-y ce qui la concerne.",
    )
}

fn survivor_merged() -> Blocker {
    Blocker::new(
        "MERGE_SURVIVOR_MERGED",
        "survivor",
        "The survivor was itself merged into another record: undo that merge first.",
        "La fiche conservée a été à son tour réunie à une autre : annulez d'abord cette fusion-là.",
    )
}

fn records_moved() -> Blocker {
    Blocker::new(
        "MERGE_RECORDS_MOVED",
        "survivor",
        "What was the duplicate's is about somebody else by now.",
        "Des enregistrements du doublon ont été rattachés depuis à une autre personne : ramenez-les d'abord.",
    )
}

fn identity_changed() -> Blocker {
    Blocker::new(
        "MERGE_IDENTITY_CHANGED",
        "survivor",
        "The identity that the survivor was given has been changed since.",
        "L'identité reprise du doublon a été modifiée depuis sur la fiche conservée : les deux ne peuvent plus être \
         séparées à l'identique.",
    )
}

/// What to tell beside the blockers.
pub fn undo_blocked(blockers: usize) -> Text {
    Text::new(
        format!("Undoing the merge is blocked by {blockers}."),
        format!(
            "L'annulation de la fusion n'est pas possible à l'identique : {blockers} point(s) l'empêchent."
        ),
    )
}

/// `MERGE_WITH_ITSELF`.
pub fn with_itself() -> Invalid {
    Invalid::new(
        "MERGE_WITH_ITSELF",
        "a record is not its own duplicate",
        "une fiche n'est pas son propre doublon : indiquez deux fiches différentes",
    )
}

/// `MERGE_ACROSS_CONVENTIONS`.
pub fn across_conventions() -> Text {
    Text::new(
        "The two records are under different conventions, whose figures never mix.",
        "Les deux fiches relèvent de conventions différentes, dont les chiffres ne se mêlent pas : gardez-les toutes deux.",
    )
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{BeneficiaryId, BeneficiaryMergeId, OperatorId};
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-10-07 07:00 UTC);
    const WHOLE: Standing = Standing {
        survivor_stands: true,
        records_stand: true,
        identity_stands: true,
    };

    fn merge() -> Merge {
        let operator = OperatorId::from_uuid(Uuid::from_u128(1));
        let person = |number| BeneficiaryName {
            operator,
            beneficiary: BeneficiaryId::from_uuid(Uuid::from_u128(number)),
        };
        Merge {
            name: BeneficiaryMergeName {
                operator,
                beneficiary_merge: BeneficiaryMergeId::from_uuid(Uuid::from_u128(2)),
            },
            survivor: person(3),
            duplicate: person(4),
            reason: MergeReason::Other,
            state: MergeState::Merged,
            is_used: false,
            identity_given: false,
            moved: Moved::default(),
            revision: 1,
            create_time: NOW,
            update_time: NOW,
        }
    }

    fn reasons(undone: Result<Merge, Vec<Blocker>>) -> Vec<&'static str> {
        undone
            .unwrap_err()
            .iter()
            .map(|blocker| blocker.reason)
            .collect()
    }

    #[test]
    fn a_merge_is_undone_once_and_only_exactly() {
        let later = NOW + time::Duration::HOUR;
        let undone = merge().undo(WHOLE, later).unwrap();
        assert_eq!(
            (undone.state, undone.revision, undone.update_time),
            (MergeState::Undone, 2, later)
        );
        let nothing = Standing {
            survivor_stands: false,
            records_stand: false,
            identity_stands: false,
        };
        assert_eq!(reasons(undone.undo(nothing, later)), ["MERGE_UNDONE"]);
        let used = Merge {
            is_used: true,
            ..merge()
        };
        assert_eq!(reasons(used.undo(WHOLE, later)), ["MERGE_USED"]);
        assert_eq!(
            reasons(merge().undo(nothing, later)),
            [
                "MERGE_SURVIVOR_MERGED",
                "MERGE_RECORDS_MOVED",
                "MERGE_IDENTITY_CHANGED"
            ]
        );
    }
}
