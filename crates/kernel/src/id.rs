//! Typed identifiers, ordered by the time they were made.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use uuid::Uuid;

use crate::{Clock, Invalid};

/// Length of the one accepted spelling of an identifier: hexadecimal with four hyphens.
pub(crate) const TEXT_LENGTH: usize = 36;

/// The identifier of a `K`; ids of two kinds cannot be mistaken for one another.
///
/// Made here it is a UUID of version 7 (RFC 9562), so ids sort in the order they were made;
/// ids read from outside may be of any version.
pub struct Id<K> {
    uuid: Uuid,
    // `fn() -> K`: an id is Send, Sync and Copy whatever its kind.
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// The id that nothing has.
    pub(crate) const NIL: Self = Self::from_uuid(Uuid::nil());

    /// Wraps a UUID that is already known to be the id of a `K`, such as one read from the
    /// database. Text from outside is read with `parse`, which also refuses the nil UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self {
            uuid,
            kind: PhantomData,
        }
    }

    /// The bare UUID.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<K> From<Id<K>> for Uuid {
    fn from(id: Id<K>) -> Self {
        id.uuid
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}

impl<K> FromStr for Id<K> {
    type Err = Invalid;

    /// Reads the hyphenated form, upper or lower case, of any version.
    ///
    /// Refused with `ID_FORMAT`, or `ID_NIL` for the nil UUID.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let uuid = Some(value)
            .filter(|value| value.len() == TEXT_LENGTH)
            .and_then(|value| Uuid::try_parse(value).ok())
            .ok_or_else(|| {
                Invalid::new(
                    "ID_FORMAT",
                    "an identifier is a UUID such as 01998b2e-6c00-7abc-8def-0123456789ab",
                    "Un identifiant est un UUID, par exemple \
                     01998b2e-6c00-7abc-8def-0123456789ab.",
                )
            })?;
        if uuid.is_nil() {
            return Err(Invalid::new(
                "ID_NIL",
                "the nil UUID identifies nothing",
                "L'identifiant ne peut pas être composé uniquement de zéros.",
            ));
        }
        Ok(Self::from_uuid(uuid))
    }
}

/// Makes identifiers from a clock and a random generator. Clones share one sequence.
#[derive(Clone)]
pub struct IdSource {
    clock: Arc<dyn Clock>,
    sequence: Arc<Mutex<Sequence>>,
}

struct Sequence {
    rng: StdRng,
    /// The last number given: 48 bits of milliseconds, then 74 random bits.
    last: u128,
}

/// Random bits of a version 7 UUID: 12 before the variant and 62 after.
const RANDOM_BITS: u32 = 74;
const RANDOM_MASK: u128 = (1 << RANDOM_BITS) - 1;
const MILLIS_MASK: u128 = (1 << 48) - 1;
const LOW_BITS: u32 = 62;
const LOW_MASK: u128 = (1 << LOW_BITS) - 1;

impl IdSource {
    /// A source seeded by the operating system.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where ambient randomness enters"
    )]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::from_rng(clock, StdRng::from_os_rng())
    }

    /// A source that gives the same ids again for the same seed and the same instants.
    pub fn seeded(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self::from_rng(clock, StdRng::seed_from_u64(seed))
    }

    fn from_rng(clock: Arc<dyn Clock>, rng: StdRng) -> Self {
        let sequence = Arc::new(Mutex::new(Sequence { rng, last: 0 }));
        Self { clock, sequence }
    }

    /// A new id, greater than every id this source gave before, also within one millisecond and
    /// when the clock goes back.
    pub fn next<K>(&self) -> Id<K> {
        let millis = self.clock.now().unix_timestamp_nanos() / 1_000_000;
        let millis = u128::try_from(millis).unwrap_or(0) & MILLIS_MASK;
        // A panic elsewhere cannot leave the sequence half-written: it is one number.
        let mut sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        let random = u128::from(sequence.rng.next_u64()) << 64;
        let random = (random | u128::from(sequence.rng.next_u64())) & RANDOM_MASK;
        let number = if millis > sequence.last >> RANDOM_BITS {
            (millis << RANDOM_BITS) | random
        } else {
            // Same millisecond or earlier: a random step up keeps ids increasing and hard to
            // guess; should it pass the random bits, it carries into the milliseconds.
            sequence.last + 1 + (random & u128::from(u32::MAX))
        };
        sequence.last = number;
        Id::from_uuid(version_7(number))
    }
}

/// Spreads the number around the version and variant bits, which keeps its order.
fn version_7(number: u128) -> Uuid {
    let millis = (number >> RANDOM_BITS) & MILLIS_MASK;
    let high = (number >> LOW_BITS) & 0xfff;
    let low = number & LOW_MASK;
    Uuid::from_u128((millis << 80) | (7 << 76) | (high << 64) | (0b10 << LOW_BITS) | low)
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident => $alias:ident),+ $(,)?) => {$(
        $(#[$doc])*
        pub enum $kind {}

        #[doc = concat!("The identifier of a [`", stringify!($kind), "`].")]
        pub type $alias = Id<$kind>;
    )+};
}

kinds! {
    /// Kind of a territory's programme (programme).
    Programme => ProgrammeId,
    /// Kind of a framework convention (convention-cadre).
    FrameworkConvention => FrameworkConventionId,
    /// Kind of what the State gives a programme (financement de l'État).
    StateFunding => StateFundingId,
    /// Kind of a publication of grants (publication des subventions).
    GrantPublication => GrantPublicationId,
    /// Kind of a funded body (opérateur).
    Operator => OperatorId,
    /// Kind of a grant agreement (convention de partenariat).
    Convention => ConventionId,
    /// Kind of an authorising decision (acte, délibération).
    Act => ActRecordId,
    /// Kind of an activity report (bilan).
    ActivityReport => ActivityReportId,
    /// Kind of a formal notice (mise en demeure).
    FormalNotice => FormalNoticeId,
    /// Kind of an inspection (contrôle).
    Inspection => InspectionId,
    /// Kind of a hearing (audition).
    Hearing => HearingId,
    /// Kind of a decision of the authority (décision).
    Decision => DecisionId,
    /// Kind of a dispute (litige).
    Dispute => DisputeId,
    /// Kind of a commitment of an operator (engagement).
    Commitment => CommitmentId,
    /// Kind of a document written by the suite.
    Document => DocumentId,
    /// Kind of a file under a convention (pièce jointe).
    Attachment => AttachmentId,
    /// Kind of an amendment of a convention (avenant).
    Amendment => AmendmentId,
    /// Kind of a payment plan (échéancier).
    PaymentPlan => PaymentPlanId,
    /// Kind of an instalment (échéance).
    Instalment => InstalmentId,
    /// Kind of a followed person (personne accompagnée).
    Beneficiary => BeneficiaryId,
    /// Kind of a followed right (ligne de droit).
    Entitlement => EntitlementId,
    /// Kind of an act of support (démarche).
    Step => StepId,
    /// Kind of a local extra-legal aid (aide extra-légale).
    LocalAid => LocalAidId,
    /// Kind of a referral (orientation).
    Referral => ReferralId,
    /// Kind of a request of a person about their own data (demande d'exercice de droits).
    SubjectRequest => SubjectRequestId,
    /// Kind of a note on a person.
    Note => NoteId,
    /// Kind of an outreach presence (permanence).
    Session => SessionId,
    /// Kind of an alert about a renewal (alerte de renouvellement).
    RenewalAlert => RenewalAlertId,
    /// Kind of the erasure of a person (effacement).
    Erasure => ErasureId,
    /// Kind of a legal hold on a person (conservation pour motif légal).
    LegalHold => LegalHoldId,
    /// Kind of a merge of two records of one person (fusion de doublons).
    BeneficiaryMerge => BeneficiaryMergeId,
    /// Kind of a notice before an erasure (préavis d'effacement).
    RetentionNotice => RetentionNoticeId,
    /// Kind of a bank account of an operator (RIB).
    BankAccount => BankAccountId,
    /// Kind of a line of the ledger (écriture).
    LedgerEntry => LedgerEntryId,
    /// Kind of a slip of orders (bordereau de mandats).
    Slip => SlipId,
    /// Kind of a file from the accountant (flux retour).
    ReturnFile => ReturnFileId,
    /// Kind of a difference between what was ordered and what was paid (écart).
    PaymentDifference => PaymentDifferenceId,
    /// Kind of a claim for money paid that was not due (titre de recette).
    Recovery => RecoveryId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;
    use proptest::prelude::*;
    use time::macros::datetime;
    use time::{Duration, OffsetDateTime};

    fn clock() -> ManualClock {
        ManualClock::at(datetime!(2025-09-25 18:30 UTC))
    }

    #[test]
    fn ids_are_version_7_and_carry_the_instant() {
        let source = IdSource::new(Arc::new(clock()));
        let uuid = source.next::<Operator>().uuid();
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        let (seconds, _) = uuid.get_timestamp().unwrap().to_unix();
        assert_eq!(
            OffsetDateTime::from_unix_timestamp(seconds as i64).unwrap(),
            datetime!(2025-09-25 18:30 UTC)
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let ids = |seed| {
            let source = IdSource::seeded(Arc::new(clock()), seed);
            [source.next::<Act>(), source.next(), source.next()]
        };
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
    }

    #[test]
    fn ids_keep_increasing_when_the_clock_stands_still_or_goes_back() {
        let hands = clock();
        let source = IdSource::seeded(Arc::new(hands.clone()), 1);
        let mut last = source.next::<Session>();
        for turn in 0..10_000 {
            if turn == 5_000 {
                hands.set(hands.now() - Duration::hours(1));
            }
            let next = source.clone().next();
            assert!(next > last);
            last = next;
        }
        hands.advance(Duration::hours(2));
        assert!(source.next() > last);
    }

    #[test]
    fn a_full_millisecond_carries_into_the_next() {
        let source = IdSource::seeded(Arc::new(clock()), 1);
        let first = source.next::<Act>();
        source.sequence.lock().unwrap().last |= RANDOM_MASK;
        let full = Id::<Act>::from_uuid(version_7(source.sequence.lock().unwrap().last));
        let carried = source.next::<Act>();
        assert!(first <= full && full < carried);
        assert_eq!(carried.uuid().get_version_num(), 7);
    }

    #[test]
    fn only_one_spelling_is_read_and_nil_is_refused() {
        let reason = |value: &str| value.parse::<ConventionId>().unwrap_err().reason;
        assert_eq!(reason(""), "ID_FORMAT");
        assert_eq!(reason("12"), "ID_FORMAT");
        assert_eq!(reason("01998b2e6c007abc8def0123456789ab"), "ID_FORMAT");
        assert_eq!(
            reason("{01998b2e-6c00-7abc-8def-0123456789ab}"),
            "ID_FORMAT"
        );
        assert_eq!(reason("01998b2e-6c00-7abc-8def-0123456789ag"), "ID_FORMAT");
        assert_eq!(reason(&Uuid::nil().to_string()), "ID_NIL");
    }

    proptest! {
        #[test]
        fn text_roundtrips_and_keeps_order(a in 1..=u128::MAX, b in 1..=u128::MAX) {
            let (a, b) = (Uuid::from_u128(a), Uuid::from_u128(b));
            let (a, b) = (BeneficiaryId::from_uuid(a), BeneficiaryId::from_uuid(b));
            prop_assert_eq!(a.to_string().parse::<BeneficiaryId>().unwrap(), a);
            prop_assert_eq!(a.to_string().to_uppercase().parse::<BeneficiaryId>().unwrap(), a);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn spreading_the_number_keeps_its_order(a in 0..1_u128 << 122, b in 0..1_u128 << 122) {
            prop_assert_eq!(a.cmp(&b), version_7(a).cmp(&version_7(b)));
        }
    }
}
