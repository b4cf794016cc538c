//! One right followed for one person, from spotted to opened.

use nonrecours_kernel::{
    BeneficiaryId, EntitlementId, EntitlementName, IdSource, Invalid, Money, OperatorId,
    catalogue::{self, RightUnit},
};
use time::Date;

use crate::{
    codes::codes,
    local_aid::domain::Rights,
    record::{About, Content, Faults, State, in_future, required},
};

/// Largest amount of one right: more is a slip of the keyboard, and would bury every sum.
pub const MAX_AMOUNT: Money = Money::from_cents(100_000_000);

codes! {
    /// Where a right stands.
    EntitlementState {
        /// Repéré.
        Identified = "IDENTIFIED",
        /// Éligibilité estimée.
        EligibilityEstimated = "ELIGIBILITY_ESTIMATED",
        /// Dossier préparé.
        Prepared = "PREPARED",
        /// Demande déposée.
        Filed = "FILED",
        /// Pièces demandées.
        MoreInformation = "MORE_INFORMATION",
        /// Droit ouvert.
        Opened = "OPENED",
        /// Refusé.
        Refused = "REFUSED",
        /// Recours déposé.
        Appealed = "APPEALED",
        /// Refus confirmé.
        ConfirmedRefusal = "CONFIRMED_REFUSAL",
    }
}

codes! {
    /// What an amount rests on.
    AmountKind {
        /// Estimated by a simulator or an agent.
        Estimated = "ESTIMATED",
        /// Notified by the body that pays.
        Notified = "NOTIFIED",
    }
}

codes! {
    /// What an amount counts.
    AmountUnit {
        /// Euros a month.
        Monthly = "MONTHLY",
        /// Euros a year.
        Annual = "ANNUAL",
        /// Euros once.
        OneOff = "ONE_OFF",
    }
}

codes! {
    /// How the person is supported.
    SupportMode {
        /// The person does it, helped.
        Autonomy = "AUTONOMY",
        /// Done in the person's place.
        OnBehalf = "ON_BEHALF",
    }
}

impl State for EntitlementState {
    fn next(self) -> &'static [Self] {
        match self {
            Self::Identified => &[Self::EligibilityEstimated],
            Self::EligibilityEstimated => &[Self::Prepared],
            Self::Prepared => &[Self::Filed],
            Self::Filed => &[Self::MoreInformation],
            Self::MoreInformation => &[Self::Opened, Self::Refused],
            Self::Refused => &[Self::Appealed],
            Self::Appealed => &[Self::Opened, Self::ConfirmedRefusal],
            Self::Opened | Self::ConfirmedRefusal => &[],
        }
    }
}

impl EntitlementState {
    /// The claim has been filed.
    pub fn is_filed(self) -> bool {
        Self::Filed.leads_to(self)
    }

    /// The body has decided, at least once.
    pub fn is_decided(self) -> bool {
        Self::Opened == self || Self::Refused.leads_to(self)
    }
}

/// An amount with what it rests on and what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// How much, not negative.
    pub value: Money,
    /// What it rests on.
    pub kind: AmountKind,
    /// What it counts.
    pub unit: AmountUnit,
}

/// Path of the right in a pushed record.
const RIGHT_FIELD: &str = "entitlement.right";
/// Path of the reason of non-take-up in it.
const REASON_FIELD: &str = "entitlement.non_take_up_reason";

/// What is known of a right, apart from whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Code of the right.
    pub right: String,
    /// Where it stands.
    pub state: EntitlementState,
    /// Amount; notified once opened, unless the right is no sum of money.
    pub amount: Option<Amount>,
    /// Day of filing, from FILED on.
    pub filed_date: Option<Date>,
    /// Day of the last decision, from OPENED or REFUSED on; not before filing.
    pub decided_date: Option<Date>,
    /// Day by which the right must be renewed, not before the decision nor the start.
    pub renewal_date: Option<Date>,
    /// Day from which the right is open, once OPENED.
    pub start_date: Option<Date>,
    /// How the person is supported, when known.
    pub support_mode: Option<SupportMode>,
    /// Code of the reason of non-take-up, when known.
    pub non_take_up_reason: Option<String>,
}

/// A claim as it was sent, each part readable or absent.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Code of the right.
    pub right: String,
    /// Where it stands.
    pub state: Option<EntitlementState>,
    /// How much.
    pub amount: Option<Money>,
    /// What it rests on.
    pub amount_kind: Option<AmountKind>,
    /// What it counts.
    pub amount_unit: Option<AmountUnit>,
    /// Day of filing.
    pub filed_date: Option<Date>,
    /// Day of the last decision.
    pub decided_date: Option<Date>,
    /// Day by which the right must be renewed.
    pub renewal_date: Option<Date>,
    /// Day from which the right is open.
    pub start_date: Option<Date>,
    /// How the person is supported.
    pub support_mode: Option<SupportMode>,
    /// Code of the reason of non-take-up; empty: not known.
    pub non_take_up_reason: String,
}

impl Draft {
    /// Checks the whole against the rules; notes every fault. `rights` may be chosen; `today` is the day in Paris. Codes
    /// that are not valid on the day of filing, before that today, are in doubt.
    pub fn check(self, rights: &Rights, today: Date, faults: &mut Faults) -> Option<Claim> {
        let day = self.filed_date.unwrap_or(today);
        let unit = self.right(rights, day, faults);
        if self.state.is_none() {
            faults.refuse("entitlement.state", required());
        }
        let amount = self.amount(unit, faults);
        self.dates(today, faults);
        let reason = self.non_take_up_reason.as_str();
        if !(reason.is_empty()
            || catalogue::non_take_up_reason(reason).is_some_and(|known| known.valid_on(day)))
        {
            faults.doubt(REASON_FIELD, reason);
        }
        let (Some(state), true) = (self.state, faults.is_readable()) else {
            return None;
        };
        Some(Claim {
            right: self.right,
            state,
            amount,
            filed_date: self.filed_date,
            decided_date: self.decided_date,
            renewal_date: self.renewal_date,
            start_date: self.start_date,
            support_mode: self.support_mode,
            non_take_up_reason: Some(self.non_take_up_reason).filter(|reason| !reason.is_empty()),
        })
    }

    /// What the amount of the right counts, as long as some list has the right.
    fn right(&self, rights: &Rights, day: Date, faults: &mut Faults) -> Option<RightUnit> {
        if self.right.is_empty() {
            faults.refuse(RIGHT_FIELD, required());
            return None;
        }
        let known = rights.find(&self.right);
        if !known.is_some_and(|(_, validity)| validity.contains(day)) {
            faults.doubt(RIGHT_FIELD, &self.right);
        }
        known.map(|(unit, _)| unit)
    }

    /// Amount, kind and unit come together or not at all; an opened right has them, notified.
    fn amount(&self, unit: Option<RightUnit>, faults: &mut Faults) -> Option<Amount> {
        let opened = self.state == Some(EntitlementState::Opened);
        let given =
            self.amount.is_some() || self.amount_kind.is_some() || self.amount_unit.is_some();
        match unit {
            Some(RightUnit::NotMonetary) => {
                if given {
                    faults.refuse("entitlement.amount", not_in_money());
                }
                return None;
            }
            // Of a right that no list has nobody can say whether it should have an amount.
            Some(_) if opened || given => {}
            None if given => {}
            _ => return None,
        }
        for (field, missing) in [
            ("entitlement.amount", self.amount.is_none()),
            ("entitlement.amount_kind", self.amount_kind.is_none()),
            ("entitlement.amount_unit", self.amount_unit.is_none()),
        ] {
            if missing {
                faults.refuse(field, incomplete());
            }
        }
        match self.amount {
            Some(value) if value.is_negative() => faults.refuse("entitlement.amount", negative()),
            Some(value) if value > MAX_AMOUNT => faults.refuse("entitlement.amount", too_large()),
            _ => {}
        }
        if opened && self.amount_kind == Some(AmountKind::Estimated) {
            faults.refuse("entitlement.amount_kind", incomplete());
        }
        Some(Amount {
            value: self.amount?,
            kind: self.amount_kind?,
            unit: self.amount_unit?,
        })
    }

    /// Filing, then decision, then renewal; the first two not in the future, and there when the state needs them. The start
    /// of an opened right may lie before its filing or after its decision, not after its renewal.
    fn dates(&self, today: Date, faults: &mut Faults) {
        let opened = self.state == Some(EntitlementState::Opened);
        if self.start_date.is_some() && self.state.is_some() && !opened {
            faults.refuse("entitlement.start_date", start_before_opening());
        }
        let is = |test: fn(EntitlementState) -> bool| self.state.is_some_and(test);
        for (field, date, needed) in [
            (
                "entitlement.filed_date",
                self.filed_date,
                is(EntitlementState::is_filed),
            ),
            (
                "entitlement.decided_date",
                self.decided_date,
                is(EntitlementState::is_decided),
            ),
        ] {
            match date {
                None if needed => faults.refuse(field, required()),
                Some(date) if date > today => faults.refuse(field, in_future()),
                _ => {}
            }
        }
        for (field, earlier, later) in [
            (
                "entitlement.decided_date",
                self.filed_date,
                self.decided_date,
            ),
            (
                "entitlement.renewal_date",
                self.decided_date,
                self.renewal_date,
            ),
            (
                "entitlement.renewal_date",
                self.start_date,
                self.renewal_date,
            ),
        ] {
            if let (Some(earlier), Some(later)) = (earlier, later)
                && later < earlier
            {
                faults.refuse(field, out_of_order());
            }
        }
    }
}

fn incomplete() -> Invalid {
    Invalid::new(
        "AMOUNT_INCOMPLETE",
        "amount, kind and unit come together, and an opened right has a notified amount",
        "le montant, sa nature et son unité vont ensemble, et un droit ouvert porte le montant notifié : complétez-les",
    )
}

fn negative() -> Invalid {
    Invalid::new(
        "AMOUNT_INVALID",
        "an amount is not negative",
        "un montant ne peut pas être négatif : corrigez-le",
    )
}

fn not_in_money() -> Invalid {
    Invalid::new(
        "AMOUNT_INVALID",
        "this right is not a sum of money",
        "ce droit ne se compte pas en euros : retirez le montant, sa nature et son unité",
    )
}

fn too_large() -> Invalid {
    Invalid::new(
        "NUMBER_OUT_OF_RANGE",
        format!("an amount is at most {} euros", MAX_AMOUNT.amount()),
        format!(
            "un montant ne dépasse pas {} : vérifiez-le",
            MAX_AMOUNT.french()
        ),
    )
}

fn start_before_opening() -> Invalid {
    Invalid::new(
        "START_BEFORE_OPENING",
        "a right has a start once it is opened",
        "la date de début se donne une fois le droit ouvert : retirez-la, ou corrigez l'état",
    )
}

fn out_of_order() -> Invalid {
    Invalid::new(
        "DATES_OUT_OF_ORDER",
        "a decision follows the filing, a renewal the decision and the start",
        "la décision vient après le dépôt, le renouvellement après la décision et le début : vérifiez les dates",
    )
}

/// A right followed for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Whose.
    pub beneficiary: BeneficiaryId,
    /// What is known of it.
    pub claim: Claim,
}

impl Content for Entitlement {
    type Id = EntitlementId;
    type State = EntitlementState;
    const STATE_FIELD: &'static str = "entitlement.state";

    fn state(&self) -> EntitlementState {
        self.claim.state
    }

    fn has_code(&self, field: &str, code: &str) -> bool {
        match field {
            RIGHT_FIELD => self.claim.right == code,
            REASON_FIELD => self.claim.non_take_up_reason.as_deref() == Some(code),
            _ => false,
        }
    }

    fn new_id(ids: &IdSource) -> EntitlementId {
        ids.next()
    }

    fn name(operator: OperatorId, entitlement: EntitlementId) -> String {
        EntitlementName {
            operator,
            entitlement,
        }
        .to_string()
    }
}

impl About for Entitlement {
    type Rest = Claim;
    const PERSON_FIELD: &'static str = "entitlement.beneficiary_reference";

    fn about(beneficiary: BeneficiaryId, claim: Claim) -> Self {
        Self { beneficiary, claim }
    }
}

#[cfg(test)]
mod tests;
