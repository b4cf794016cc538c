//! A request of a person about their own data: pure.

use nonrecours_kernel::{BeneficiaryName, Invalid, SubjectRequestName, Text, months_after};
use time::{Date, Duration, OffsetDateTime};

use crate::{
    codes::codes,
    record::{line, required},
};

/// Months within which a request is answered (art. 12.3).
pub const DUE_MONTHS: u8 = 1;
/// The same once it is extended, counted from its reception (art. 12.3).
pub const EXTENDED_MONTHS: u8 = 3;
/// How long before the due date of an open request the feed tells of it.
pub const REMIND_AHEAD: Duration = Duration::days(7);
/// Longest reason, in characters.
pub const MAX_REASON: usize = 500;

codes! {
    /// What is asked for.
    SubjectRight {
        /// Accès.
        Access = "ACCESS",
        /// Rectification.
        Rectification = "RECTIFICATION",
        /// Effacement.
        Erasure = "ERASURE",
        /// Limitation.
        Restriction = "RESTRICTION",
        /// Opposition.
        Objection = "OBJECTION",
    }
}

codes! {
    /// How it was made sure who asks.
    IdentityCheck {
        /// Came, and is known.
        InPerson = "IN_PERSON",
        /// Showed a document.
        DocumentShown = "DOCUMENT_SHOWN",
        /// Was reached at what is held.
        ContactConfirmed = "CONTACT_CONFIRMED",
    }
}

codes! {
    /// The law that a refusal rests on.
    RefusalBasis {
        /// Art. 12.2, 12.6.
        IdentityNotProven = "IDENTITY_NOT_PROVEN",
        /// Art. 12.5.
        UnfoundedOrExcessive = "UNFOUNDED_OR_EXCESSIVE",
        /// Art. 16.
        DataAccurate = "DATA_ACCURATE",
        /// Art. 17.3 b.
        LegalObligation = "LEGAL_OBLIGATION",
        /// Art. 17.3 e, 21.1.
        LegalClaims = "LEGAL_CLAIMS",
        /// Art. 21.1.
        CompellingGrounds = "COMPELLING_GROUNDS",
        /// Art. 18.1.
        NoGroundToRestrict = "NO_GROUND_TO_RESTRICT",
    }
}

impl SubjectRight {
    /// Whether the records are stored and nothing else once it is fulfilled.
    pub const fn limits(self) -> bool {
        matches!(self, Self::Restriction | Self::Objection)
    }
}

impl RefusalBasis {
    /// Whether the law lets a request for this right be refused so.
    pub const fn fits(self, right: SubjectRight) -> bool {
        match self {
            Self::IdentityNotProven | Self::UnfoundedOrExcessive => true,
            Self::DataAccurate => matches!(right, SubjectRight::Rectification),
            Self::LegalObligation => matches!(right, SubjectRight::Erasure),
            Self::LegalClaims => matches!(right, SubjectRight::Erasure | SubjectRight::Objection),
            Self::CompellingGrounds => matches!(right, SubjectRight::Objection),
            Self::NoGroundToRestrict => matches!(right, SubjectRight::Restriction),
        }
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Open,
    /// Done on a day; a limit may have been lifted on another.
    Fulfilled {
        /// The day.
        date: Date,
        /// Day on which a restriction or an objection ended.
        lifted: Option<Date>,
    },
    /// Refused on a day.
    Refused {
        /// The day.
        date: Date,
        /// On what law.
        basis: RefusalBasis,
        /// Why, as the person is told.
        reason: String,
    },
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRequest {
    /// Its name.
    pub name: SubjectRequestName,
    /// Whose data.
    pub beneficiary: BeneficiaryName,
    /// What is asked for.
    pub right: SubjectRight,
    /// How it was made sure who asks.
    pub identity_check: IdentityCheck,
    /// Day it was received.
    pub received_date: Date,
    /// Last day to answer.
    pub due_date: Date,
    /// The feed has told that it comes up.
    pub reminded: bool,
    /// Why it was extended, when it was.
    pub extension: Option<String>,
    /// What was decided.
    pub decision: Decision,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was entered.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Why a step is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was fulfilled or refused already.
    Decided,
    /// It was extended already.
    Extended,
    /// Its month has passed.
    Overdue,
    /// No export under it.
    ExportMissing,
    /// No record of the person has changed since.
    RectificationMissing,
    /// It limits nothing, or not any more.
    NotInEffect,
    /// It asks for something else than access.
    NotAccess,
    /// The person's records are stored and nothing else.
    Limited,
}

impl SubjectRequest {
    /// The request as it is entered.
    pub fn received(
        name: SubjectRequestName,
        beneficiary: BeneficiaryName,
        right: SubjectRight,
        identity_check: IdentityCheck,
        received_date: Date,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            name,
            beneficiary,
            right,
            identity_check,
            received_date,
            due_date: months_after(received_date, DUE_MONTHS),
            reminded: false,
            extension: None,
            decision: Decision::Open,
            revision: 1,
            create_time: now,
            update_time: now,
        }
    }

    /// Neither fulfilled nor refused.
    pub fn is_open(&self) -> bool {
        self.decision == Decision::Open
    }

    /// Refused with Decided unless it is open.
    pub fn open(self) -> Result<Self, Refusal> {
        if self.is_open() {
            Ok(self)
        } else {
            Err(Refusal::Decided)
        }
    }

    /// Refused unless it is an open request for access.
    pub fn exportable(self) -> Result<Self, Refusal> {
        match self.open()? {
            open if open.right == SubjectRight::Access => Ok(open),
            _ => Err(Refusal::NotAccess),
        }
    }

    /// Refused unless it limits the processing.
    pub fn in_effect(self) -> Result<Self, Refusal> {
        match self.decision {
            Decision::Fulfilled { lifted: None, .. } if self.right.limits() => Ok(self),
            _ => Err(Refusal::NotInEffect),
        }
    }

    /// Due two months later, once, while the month has not passed.
    pub fn extend(self, reason: String, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        let open = self.open()?;
        if open.extension.is_some() {
            return Err(Refusal::Extended);
        }
        if today > open.due_date {
            return Err(Refusal::Overdue);
        }
        Ok(Self {
            due_date: months_after(open.received_date, EXTENDED_MONTHS),
            extension: Some(reason),
            reminded: false,
            ..open.changed(now)
        })
    }

    /// Done.
    pub fn fulfil(self, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        Ok(Self {
            decision: Decision::Fulfilled {
                date: today,
                lifted: None,
            },
            ..self.open()?.changed(now)
        })
    }

    /// Refused. That the basis fits has been looked at.
    pub fn refuse(
        self,
        basis: RefusalBasis,
        reason: String,
        today: Date,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            decision: Decision::Refused {
                date: today,
                basis,
                reason,
            },
            ..self.open()?.changed(now)
        })
    }

    /// Its effect ends.
    pub fn lift(self, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        let held = self.in_effect()?;
        match held.decision {
            Decision::Fulfilled { date, .. } => Ok(Self {
                decision: Decision::Fulfilled {
                    date,
                    lifted: Some(today),
                },
                ..held.changed(now)
            }),
            _ => Err(Refusal::NotInEffect),
        }
    }

    /// The feed tells that it comes up.
    pub fn remind(self, now: OffsetDateTime) -> Self {
        Self {
            reminded: true,
            ..self.changed(now)
        }
    }

    fn changed(self, now: OffsetDateTime) -> Self {
        Self {
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}

impl Refusal {
    /// Its machine reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Decided => "SUBJECT_REQUEST_DECIDED",
            Self::Extended => "SUBJECT_REQUEST_EXTENDED",
            Self::Overdue => "SUBJECT_REQUEST_OVERDUE",
            Self::ExportMissing => "EXPORT_MISSING",
            Self::RectificationMissing => "RECTIFICATION_MISSING",
            Self::NotInEffect => "LIMIT_NOT_IN_EFFECT",
            Self::NotAccess => "NOT_AN_ACCESS_REQUEST",
            Self::Limited => "PROCESSING_LIMITED",
        }
    }

    /// Its sentences.
    pub fn text(self) -> Text {
        match self {
            Self::Decided => Text::new(
                "The request was fulfilled or refused already.",
                "Il a déjà été répondu à cette demande : enregistrez-en une nouvelle si la personne en fait une autre.",
            ),
            Self::Extended => Text::new(
                "The request was extended already: the law allows it once.",
                "Le délai de cette demande a déjà été prolongé : il ne peut l'être qu'une fois. Répondez avant l'échéance.",
            ),
            Self::Overdue => Text::new(
                "The month to answer has passed: an extension is told to the person within it.",
                "Le mois pour répondre est passé : une prolongation s'annonce à la personne dans ce délai. Répondez au \
                 plus vite.",
            ),
            Self::ExportMissing => Text::new(
                "The person's data have not been exported under this request.",
                "Les données de la personne n'ont pas été extraites au titre de cette demande : extrayez-les, \
                 remettez-les-lui, puis clôturez.",
            ),
            Self::RectificationMissing => Text::new(
                "No record of the person has changed since the request was entered.",
                "Aucune donnée de la personne n'a changé depuis la demande : corrigez-la d'abord, ou refusez la demande \
                 avec son motif.",
            ),
            Self::NotInEffect => Text::new(
                "This request limits nothing, or not any more.",
                "Cette demande ne limite aucun traitement, ou n'en limite plus : il n'y a rien à lever.",
            ),
            Self::NotAccess => Text::new(
                "Data are exported under a request for access.",
                "L'extraction répond à une demande d'accès : enregistrez-en une.",
            ),
            Self::Limited => limited().text,
        }
    }
}

/// `PROCESSING_LIMITED`.
pub fn limited() -> Invalid {
    Invalid::new(
        "PROCESSING_LIMITED",
        "the person has restricted the processing of their data or objected to it: their records are stored only",
        "la personne a demandé la limitation du traitement de ses données ou s'y est opposée : elles sont conservées sans \
         autre usage tant que la demande n'est pas levée",
    )
}

/// Reads a reason. Refused with `REQUIRED`, or as any line is.
pub fn reason(text: &str) -> Result<String, Invalid> {
    let text = line(text, MAX_REASON)?;
    if text.is_empty() {
        return Err(required());
    }
    Ok(text)
}

/// `REFUSAL_BASIS_UNFIT`.
pub fn unfit_basis() -> Invalid {
    Invalid::new(
        "REFUSAL_BASIS_UNFIT",
        "the law does not let a request for this right be refused on this basis",
        "ce fondement ne permet pas de refuser ce droit : choisissez celui que prévoit l'article applicable",
    )
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{BeneficiaryId, OperatorId, SubjectRequestId};
    use time::macros::{date, datetime};
    use uuid::Uuid;

    use super::*;

    fn request(right: SubjectRight, received: Date) -> SubjectRequest {
        let operator = OperatorId::from_uuid(Uuid::from_u128(1));
        let name = SubjectRequestName {
            operator,
            subject_request: SubjectRequestId::from_uuid(Uuid::from_u128(2)),
        };
        let person = BeneficiaryName {
            operator,
            beneficiary: BeneficiaryId::from_uuid(Uuid::from_u128(3)),
        };
        let check = IdentityCheck::InPerson;
        SubjectRequest::received(name, person, right, check, received, NOW)
    }

    const NOW: OffsetDateTime = datetime!(2025-10-07 09:00 UTC);
    const TODAY: Date = date!(2025 - 10 - 07);

    #[test]
    fn a_request_is_due_a_month_later_and_three_when_extended() {
        let january = request(SubjectRight::Access, date!(2026 - 01 - 31));
        assert_eq!(january.due_date, date!(2026 - 02 - 28));
        let extended = january
            .clone()
            .extend("x".into(), january.due_date, NOW)
            .unwrap();
        assert_eq!(extended.due_date, date!(2026 - 04 - 30));
        assert_eq!(
            extended.extend("x".into(), TODAY, NOW),
            Err(Refusal::Extended)
        );
        let late = date!(2026 - 03 - 01);
        assert_eq!(january.extend("x".into(), late, NOW), Err(Refusal::Overdue));
    }

    #[test]
    fn a_request_is_decided_once() {
        let open = request(SubjectRight::Restriction, TODAY);
        let fulfilled = open.clone().fulfil(TODAY, NOW).unwrap();
        let basis = RefusalBasis::NoGroundToRestrict;
        let refused = open.clone().refuse(basis, "x".into(), TODAY, NOW).unwrap();
        for decided in [&fulfilled, &refused] {
            assert_eq!(decided.revision, 2);
            let again = decided.clone().fulfil(TODAY, NOW);
            assert_eq!(again, Err(Refusal::Decided));
            let again = decided.clone().refuse(basis, "x".into(), TODAY, NOW);
            assert_eq!(again, Err(Refusal::Decided));
            let again = decided.clone().extend("x".into(), TODAY, NOW);
            assert_eq!(again, Err(Refusal::Decided));
        }
        let lifted = fulfilled.lift(TODAY, NOW).unwrap();
        assert_eq!(lifted.lift(TODAY, NOW), Err(Refusal::NotInEffect));
        for other in [open, refused] {
            assert_eq!(other.lift(TODAY, NOW), Err(Refusal::NotInEffect));
        }
        let access = request(SubjectRight::Access, TODAY).fulfil(TODAY, NOW);
        assert_eq!(access.unwrap().lift(TODAY, NOW), Err(Refusal::NotInEffect));
    }

    #[test]
    fn each_right_is_refused_on_the_bases_of_its_article() {
        let fitting = |right| {
            let bases = RefusalBasis::ALL.iter().copied();
            bases.filter(|basis| basis.fits(right)).count()
        };
        let counts: Vec<usize> = SubjectRight::ALL.iter().copied().map(fitting).collect();
        assert_eq!(counts, [2, 3, 4, 3, 4]);
    }
}
