//! A referral and its states.

use nonrecours_kernel::{
    BeneficiaryName, Invalid, OperatorId, OperatorName, ReceivedReferralName, ReferralName, Text,
    catalogue,
};
use time::{Date, OffsetDateTime};

use crate::codes::{self, codes};

codes! {
    /// Where a referral stands.
    ReferralState {
        /// Proposée.
        Proposed = "PROPOSED",
        /// Acceptée.
        Accepted = "ACCEPTED",
        /// Refusée.
        Refused = "REFUSED",
        /// Consentement retiré.
        Revoked = "REVOKED",
    }
}

/// To whom a person is referred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Another operator, which answers itself.
    Operator(OperatorId),
    /// A partner, by its code: its answer is recorded by the operator.
    Partner(String),
}

/// Why a step is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was answered, or revoked.
    NotProposed,
    /// It was refused, or revoked.
    Ended,
    /// The operator that receives it answers itself.
    AnsweredByRecipient,
}

impl Refusal {
    /// Its machine reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotProposed => "REFERRAL_NOT_PROPOSED",
            Self::Ended => "REFERRAL_ENDED",
            Self::AnsweredByRecipient => "ANSWERED_BY_RECIPIENT",
        }
    }

    /// Its sentences.
    pub fn text(self) -> Text {
        match self {
            Self::NotProposed => Text::new(
                "The referral was answered or revoked already.",
                "Cette orientation a déjà reçu une réponse, ou le consentement a été retiré : relisez-la.",
            ),
            Self::Ended => Text::new(
                "The referral was refused or revoked: it has ended.",
                "Cette orientation a été refusée ou retirée : elle est terminée.",
            ),
            Self::AnsweredByRecipient => Text::new(
                "The operator that receives the referral answers it.",
                "C'est à l'opérateur qui reçoit l'orientation de répondre : attendez sa réponse, ou retirez l'orientation.",
            ),
        }
    }
}

/// A referral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// Its name, under the operator that makes it.
    pub name: ReferralName,
    /// Who is referred.
    pub beneficiary: BeneficiaryName,
    /// To whom.
    pub target: Target,
    /// Code of the right it is for.
    pub right: Option<String>,
    /// Day on which the person consented.
    pub consent_date: Date,
    /// Where it stands.
    pub state: ReferralState,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was proposed.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

impl Referral {
    /// Its name under the operator that receives it; none for a partner.
    pub fn received_name(&self) -> Option<ReceivedReferralName> {
        match self.target {
            Target::Operator(operator) => Some(ReceivedReferralName {
                operator,
                referral: self.name.referral,
            }),
            Target::Partner(_) => None,
        }
    }

    /// Its recipient takes the person, or not: PROPOSED -> ACCEPTED or REFUSED.
    pub fn answer(self, accepted: bool, now: OffsetDateTime) -> Result<Self, Refusal> {
        match self.state {
            ReferralState::Proposed => Ok(self.now(
                if accepted {
                    ReferralState::Accepted
                } else {
                    ReferralState::Refused
                },
                now,
            )),
            _ => Err(Refusal::NotProposed),
        }
    }

    /// The same, recorded by the operator that makes it: for a partner only.
    pub fn answer_of_partner(self, accepted: bool, now: OffsetDateTime) -> Result<Self, Refusal> {
        match self.target {
            Target::Partner(_) => self.answer(accepted, now),
            Target::Operator(_) => Err(Refusal::AnsweredByRecipient),
        }
    }

    /// The person takes their consent back: PROPOSED or ACCEPTED -> REVOKED.
    pub fn revoke(self, now: OffsetDateTime) -> Result<Self, Refusal> {
        match self.state {
            ReferralState::Proposed | ReferralState::Accepted => {
                Ok(self.now(ReferralState::Revoked, now))
            }
            ReferralState::Refused | ReferralState::Revoked => Err(Refusal::Ended),
        }
    }

    fn now(self, state: ReferralState, now: OffsetDateTime) -> Self {
        Self {
            state,
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}

/// Reads to whom a person is referred by `own`: exactly one of the two. Refused with `RECIPIENT_INVALID`,
/// `RESOURCE_NAME_INVALID`, `UNKNOWN_CODE`; says of which field.
pub fn target(
    recipient: &str,
    partner: &str,
    own: OperatorId,
    today: Date,
) -> Result<Target, (&'static str, Invalid)> {
    match (recipient, partner) {
        ("", "") => Err(("recipient", recipient_invalid())),
        (recipient, "") => {
            let name: OperatorName = recipient
                .parse()
                .map_err(|invalid| ("recipient", invalid))?;
            if name.operator == own {
                return Err(("recipient", recipient_invalid()));
            }
            Ok(Target::Operator(name.operator))
        }
        ("", code) => catalogue::partner(code)
            .filter(|partner| partner.valid_on(today))
            .map(|partner| Target::Partner(partner.code.to_owned()))
            .ok_or_else(|| ("partner", codes::unknown())),
        _ => Err(("partner", recipient_invalid())),
    }
}

/// Reads the code of a right, valid today; empty: none. Refused with `UNKNOWN_CODE`.
pub fn right(code: &str, today: Date) -> Result<Option<String>, Invalid> {
    match code {
        "" => Ok(None),
        code => catalogue::right(code)
            .filter(|right| right.valid_on(today))
            .map(|right| Some(right.code.to_owned()))
            .ok_or_else(codes::unknown),
    }
}

fn recipient_invalid() -> Invalid {
    Invalid::new(
        "RECIPIENT_INVALID",
        "a referral goes to one other operator, or to one partner",
        "une orientation va à un autre opérateur, ou à un partenaire : indiquez l'un des deux, et un seul",
    )
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{BeneficiaryId, ReferralId};
    use time::{
        Duration,
        macros::{date, datetime},
    };
    use uuid::Uuid;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-10-07 07:00 UTC);
    const OWN: OperatorId = OperatorId::from_uuid(Uuid::from_u128(1));
    const OTHER: OperatorId = OperatorId::from_uuid(Uuid::from_u128(2));

    fn referral(state: ReferralState, target: Target) -> Referral {
        Referral {
            name: ReferralName {
                operator: OWN,
                referral: ReferralId::from_uuid(Uuid::from_u128(3)),
            },
            beneficiary: BeneficiaryName {
                operator: OWN,
                beneficiary: BeneficiaryId::from_uuid(Uuid::from_u128(4)),
            },
            target,
            right: None,
            consent_date: date!(2025 - 10 - 07),
            state,
            revision: 1,
            create_time: NOW,
            update_time: NOW,
        }
    }

    #[test]
    fn each_step_leads_where_the_rule_says_and_nowhere_else() {
        use ReferralState::*;
        let later = NOW + Duration::HOUR;
        for from in ReferralState::ALL.iter().copied() {
            for target in [Target::Operator(OTHER), Target::Partner("CAF".to_owned())] {
                let before = || referral(from, target.clone());
                let reached = |step: Result<Referral, Refusal>| {
                    step.map(|after| {
                        assert_eq!((after.revision, after.update_time), (2, later));
                        assert_eq!(after.create_time, NOW);
                        after.state
                    })
                };
                let answered = |to| match from {
                    Proposed => Ok(to),
                    _ => Err(Refusal::NotProposed),
                };
                let is_partner = matches!(target, Target::Partner(_));
                for (accepted, to) in [(true, Accepted), (false, Refused)] {
                    assert_eq!(reached(before().answer(accepted, later)), answered(to));
                    assert_eq!(
                        reached(before().answer_of_partner(accepted, later)),
                        if is_partner {
                            answered(to)
                        } else {
                            Err(Refusal::AnsweredByRecipient)
                        }
                    );
                }
                let revoked = match from {
                    Proposed | Accepted => Ok(Revoked),
                    Refused | Revoked => Err(Refusal::Ended),
                };
                assert_eq!(reached(before().revoke(later)), revoked);
            }
        }
    }

    #[test]
    fn a_person_goes_to_one_other_operator_or_one_partner() {
        let today = date!(2025 - 10 - 07);
        let target = |recipient: &str, partner: &str| {
            target(recipient, partner, OWN, today)
                .map_err(|(field, invalid)| format!("{field} {}", invalid.reason))
        };
        let (own, other) = (format!("operators/{OWN}"), format!("operators/{OTHER}"));
        assert_eq!(target(&other, ""), Ok(Target::Operator(OTHER)));
        assert_eq!(target("", "CAF"), Ok(Target::Partner("CAF".to_owned())));
        for (recipient, partner, refused) in [
            ("", "", "recipient RECIPIENT_INVALID"),
            (&*own, "", "recipient RECIPIENT_INVALID"),
            (&*other, "CAF", "partner RECIPIENT_INVALID"),
            ("operators/x", "", "recipient RESOURCE_NAME_INVALID"),
            ("", "ANPE", "partner UNKNOWN_CODE"),
        ] {
            assert_eq!(target(recipient, partner), Err(refused.to_owned()));
        }
    }
}
