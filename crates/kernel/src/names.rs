//! Resource names (AIP-122): the path of a resource, which carries its tenant.

use std::fmt;
use std::str::{FromStr, Split};

use crate::id::*;
use crate::{BudgetYear, Invalid, id};

macro_rules! resource_name {
    (
        $(#[$doc:meta])*
        $name:ident = $pattern:literal {
            $($field:ident: $kind:ident in $collection:literal),+ $(; $singleton:literal)?
        }
        $(parent $parent:ident { $($inherited:ident),+ })?
        $(has $($accessor:ident: $accessed:ident),+)?
    ) => {
        $(#[$doc])*
        #[doc = concat!("\n\n`", $pattern, "`")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            $(
                #[doc = concat!("The id after `", $collection, "/`.")]
                pub $field: Id<id::$kind>,
            )+
        }

        impl $name {
            /// The shape of the name, with its variables in braces.
            pub const PATTERN: &'static str = $pattern;

            $(
                /// The name of the resource this one lives in.
                pub const fn parent(&self) -> $parent {
                    $parent { $($inherited: self.$inherited),+ }
                }
            )?

            $($(
                #[doc = concat!("The id of the ", stringify!($accessor), " in the name.")]
                pub const fn $accessor(&self) -> Id<id::$accessed> {
                    self.$accessor
                }
            )+)?
        }

        impl $name {
            fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
                let members = [$((concat!($collection, "/"), self.$field.uuid())),+];
                for (place, (collection, id)) in members.into_iter().enumerate() {
                    out.write_str(if place == 0 { "" } else { "/" })?;
                    out.write_str(collection)?;
                    let mut letters = [0; id::TEXT_LENGTH];
                    out.write_str(id.hyphenated().encode_lower(&mut letters))?;
                }
                $(out.write_str(concat!("/", $singleton))?;)?
                Ok(())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.write_to(f)
            }
        }

        impl From<$name> for String {
            /// The text, in one allocation.
            fn from(name: $name) -> Self {
                // A little more than it takes: the pattern has variables where the name has ids.
                let ids = [$($collection),+].len() * id::TEXT_LENGTH;
                let mut text = Self::with_capacity($name::PATTERN.len() + ids);
                // A text takes whatever is written to it.
                let _ = name.write_to(&mut text);
                text
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            /// Refused with `RESOURCE_NAME_INVALID` when the text has another shape.
            fn from_str(value: &str) -> Result<Self, Invalid> {
                let mut segments = value.split('/');
                let read = |segments: &mut Split<'_, char>| {
                    let name = Self { $($field: member(segments, $collection)?,)+ };
                    $((segments.next()? == $singleton).then_some(())?;)?
                    Some(name)
                };
                read(&mut segments)
                    .filter(|_| segments.next().is_none())
                    .ok_or_else(|| unexpected(Self::PATTERN))
            }
        }
    };
}

/// Reads `collection/id`.
fn member<K>(segments: &mut Split<'_, char>, collection: &str) -> Option<Id<K>> {
    (segments.next()? == collection).then_some(())?;
    segments.next()?.parse().ok()
}

fn unexpected(pattern: &'static str) -> Invalid {
    Invalid::new(
        "RESOURCE_NAME_INVALID",
        format!("the resource name must look like {pattern}"),
        format!(
            "Le nom de ressource doit avoir la forme {pattern}, où chaque variable est un UUID."
        ),
    )
}

resource_name! {
    /// A territory's programme.
    ProgrammeName = "programmes/{programme}" {
        programme: Programme in "programmes"
    }
}

resource_name! {
    /// The framework convention of a programme.
    FrameworkConventionName =
        "programmes/{programme}/frameworkConventions/{framework_convention}" {
        programme: Programme in "programmes",
        framework_convention: FrameworkConvention in "frameworkConventions"
    }
    parent ProgrammeName { programme }
}

resource_name! {
    /// What the State gives a programme for one budget year.
    StateFundingName = "programmes/{programme}/stateFundings/{state_funding}" {
        programme: Programme in "programmes",
        state_funding: StateFunding in "stateFundings"
    }
    parent ProgrammeName { programme }
}

resource_name! {
    /// What the State owes a programme by one of its fundings.
    StateReceivableName = "programmes/{programme}/stateReceivables/{state_receivable}" {
        programme: Programme in "programmes",
        state_receivable: StateFunding in "stateReceivables"
    }
    parent ProgrammeName { programme }
}

resource_name! {
    /// A publication of the grants of a programme.
    GrantPublicationName =
        "programmes/{programme}/grantPublications/{grant_publication}" {
        programme: Programme in "programmes",
        grant_publication: GrantPublication in "grantPublications"
    }
    parent ProgrammeName { programme }
}

/// A budget year of a programme, by its calendar year.
///
/// `programmes/{programme}/budgetYears/{budget_year}`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetYearName {
    /// The programme.
    pub programme: ProgrammeName,
    /// The year after `budgetYears/`.
    pub year: BudgetYear,
}

impl BudgetYearName {
    /// The shape of the name, with its variables in braces.
    pub const PATTERN: &'static str = "programmes/{programme}/budgetYears/{budget_year}";
}

impl fmt::Display for BudgetYearName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/budgetYears/{}", self.programme, self.year)
    }
}

impl FromStr for BudgetYearName {
    type Err = Invalid;

    /// Refused with `RESOURCE_NAME_INVALID` when the text has another shape, or the year another spelling.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let read = || {
            let (programme, year) = value.rsplit_once("/budgetYears/")?;
            let name = Self {
                programme: programme.parse().ok()?,
                year: BudgetYear::new(year.parse().ok()?).ok()?,
            };
            (year == name.year.to_string()).then_some(name)
        };
        read().ok_or_else(|| {
            Invalid::new(
                "RESOURCE_NAME_INVALID",
                format!("the resource name must look like {}", Self::PATTERN),
                format!(
                    "Le nom de ressource doit avoir la forme {}, où l'exercice est une année et le programme un UUID.",
                    Self::PATTERN
                ),
            )
        })
    }
}

resource_name! {
    /// A funded body: the tenant of everything below it.
    OperatorName = "operators/{operator}" {
        operator: Operator in "operators"
    }
    has operator: Operator
}

resource_name! {
    /// The grant agreement of an operator.
    ConventionName = "operators/{operator}/conventions/{convention}" {
        operator: Operator in "operators",
        convention: Convention in "conventions"
    }
    parent OperatorName { operator }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A decision that authorises a convention.
    ActName = "operators/{operator}/conventions/{convention}/acts/{act}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        act: Act in "acts"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A report on what was done and spent under a convention.
    ActivityReportName =
        "operators/{operator}/conventions/{convention}/activityReports/{activity_report}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        activity_report: ActivityReport in "activityReports"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A party's formal notice under a convention.
    FormalNoticeName =
        "operators/{operator}/conventions/{convention}/formalNotices/{formal_notice}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        formal_notice: FormalNotice in "formalNotices"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// One of the operator's duties under a convention.
    CommitmentName = "operators/{operator}/conventions/{convention}/commitments/{commitment}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        commitment: Commitment in "commitments"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A check by the authority.
    InspectionName =
        "operators/{operator}/conventions/{convention}/inspections/{inspection}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        inspection: Inspection in "inspections"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A hearing of the operator.
    HearingName =
        "operators/{operator}/conventions/{convention}/hearings/{hearing}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        hearing: Hearing in "hearings"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A decision of the authority about a convention.
    DecisionName =
        "operators/{operator}/conventions/{convention}/decisions/{decision}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        decision: Decision in "decisions"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A dispute about a convention.
    DisputeName =
        "operators/{operator}/conventions/{convention}/disputes/{dispute}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        dispute: Dispute in "disputes"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A document written by the suite.
    DocumentName =
        "operators/{operator}/conventions/{convention}/documents/{document}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        document: Document in "documents"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A file under a convention.
    AttachmentName =
        "operators/{operator}/conventions/{convention}/attachments/{attachment}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        attachment: Attachment in "attachments"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// An amendment of a convention.
    AmendmentName =
        "operators/{operator}/conventions/{convention}/amendments/{amendment}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        amendment: Amendment in "amendments"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

/// A version of the terms of a convention, by its number.
///
/// `operators/{operator}/conventions/{convention}/versions/{version}`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConventionVersionName {
    /// The convention.
    pub convention: ConventionName,
    /// The number after `versions/`, from 1.
    pub version: i32,
}

impl ConventionVersionName {
    /// The shape of the name, with its variables in braces.
    pub const PATTERN: &'static str =
        "operators/{operator}/conventions/{convention}/versions/{version}";
}

impl fmt::Display for ConventionVersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/versions/{}", self.convention, self.version)
    }
}

impl FromStr for ConventionVersionName {
    type Err = Invalid;

    /// Refused with `RESOURCE_NAME_INVALID` when the text has another shape, or the number another spelling.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let read = || {
            let (convention, version) = value.rsplit_once("/versions/")?;
            let name = Self {
                convention: convention.parse().ok()?,
                version: version.parse().ok().filter(|version| *version > 0)?,
            };
            (version == name.version.to_string()).then_some(name)
        };
        read().ok_or_else(|| {
            Invalid::new(
                "RESOURCE_NAME_INVALID",
                format!("the resource name must look like {}", Self::PATTERN),
                format!(
                    "Le nom de ressource doit avoir la forme {}, où la version est un nombre à partir de 1 et les \
                     autres variables sont des UUID.",
                    Self::PATTERN
                ),
            )
        })
    }
}

resource_name! {
    /// The budget of a convention: there is at most one.
    BudgetName = "operators/{operator}/conventions/{convention}/budget" {
        operator: Operator in "operators",
        convention: Convention in "conventions"; "budget"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// The payment plan of a convention: there is exactly one.
    PaymentPlanName = "operators/{operator}/conventions/{convention}/paymentPlan" {
        operator: Operator in "operators",
        convention: Convention in "conventions"; "paymentPlan"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// One payment of a convention.
    InstalmentName =
        "operators/{operator}/conventions/{convention}/instalments/{instalment}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        instalment: Instalment in "instalments"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A claim for money paid under a convention that was not due.
    RecoveryName =
        "operators/{operator}/conventions/{convention}/recoveries/{recovery}" {
        operator: Operator in "operators",
        convention: Convention in "conventions",
        recovery: Recovery in "recoveries"
    }
    parent ConventionName { operator, convention }
    has operator: Operator, convention: Convention
}

resource_name! {
    /// A person followed by an operator.
    BeneficiaryName = "operators/{operator}/beneficiaries/{beneficiary}" {
        operator: Operator in "operators",
        beneficiary: Beneficiary in "beneficiaries"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// Who a followed person is: there is at most one.
    BeneficiaryIdentityName = "operators/{operator}/beneficiaries/{beneficiary}/identity" {
        operator: Operator in "operators",
        beneficiary: Beneficiary in "beneficiaries"; "identity"
    }
    parent BeneficiaryName { operator, beneficiary }
    has operator: Operator, beneficiary: Beneficiary
}

resource_name! {
    /// A right followed for one beneficiary.
    EntitlementName = "operators/{operator}/entitlements/{entitlement}" {
        operator: Operator in "operators",
        entitlement: Entitlement in "entitlements"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// An act of support of an operator.
    StepName = "operators/{operator}/steps/{step}" {
        operator: Operator in "operators",
        step: Step in "steps"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// A note of an operator on a person.
    NoteName = "operators/{operator}/notes/{note}" {
        operator: Operator in "operators",
        note: Note in "notes"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// A local extra-legal aid of an operator.
    LocalAidName = "operators/{operator}/localAids/{local_aid}" {
        operator: Operator in "operators",
        local_aid: LocalAid in "localAids"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// A request of a person about their own data, received by an operator.
    SubjectRequestName = "operators/{operator}/subjectRequests/{subject_request}" {
        operator: Operator in "operators",
        subject_request: SubjectRequest in "subjectRequests"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// A referral as the operator that makes it names it.
    ReferralName = "operators/{operator}/referrals/{referral}" {
        operator: Operator in "operators",
        referral: Referral in "referrals"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// The same as the operator that receives it names it.
    ReceivedReferralName = "operators/{operator}/receivedReferrals/{referral}" {
        operator: Operator in "operators",
        referral: Referral in "receivedReferrals"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// An outreach presence held by an operator.
    SessionName = "operators/{operator}/sessions/{session}" {
        operator: Operator in "operators",
        session: Session in "sessions"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// Under which codes a programme orders its payments: there is one set in force.
    PostingCodesName = "programmes/{programme}/postingCodes" {
        programme: Programme in "programmes"; "postingCodes"
    }
    parent ProgrammeName { programme }
}

resource_name! {
    /// A bank account of an operator.
    BankAccountName = "operators/{operator}/bankAccounts/{bank_account}" {
        operator: Operator in "operators",
        bank_account: BankAccount in "bankAccounts"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// A slip of payment orders of a programme.
    SlipName = "programmes/{programme}/slips/{slip}" {
        programme: Programme in "programmes",
        slip: Slip in "slips"
    }
    parent ProgrammeName { programme }
}

resource_name! {
    /// A file that the accountant sent back.
    ReturnFileName = "programmes/{programme}/returnFiles/{return_file}" {
        programme: Programme in "programmes",
        return_file: ReturnFile in "returnFiles"
    }
    parent ProgrammeName { programme }
}

resource_name! {
    /// What the accountant states otherwise than it was ordered.
    PaymentDifferenceName =
        "programmes/{programme}/paymentDifferences/{payment_difference}" {
        programme: Programme in "programmes",
        payment_difference: PaymentDifference in "paymentDifferences"
    }
    parent ProgrammeName { programme }
}

resource_name! {
    /// An alert about the renewal of a followed right.
    RenewalAlertName = "operators/{operator}/renewalAlerts/{renewal_alert}" {
        operator: Operator in "operators",
        renewal_alert: RenewalAlert in "renewalAlerts"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// That a person was erased.
    ErasureName = "operators/{operator}/erasures/{erasure}" {
        operator: Operator in "operators",
        erasure: Erasure in "erasures"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// Why a person may not be erased for now.
    LegalHoldName = "operators/{operator}/legalHolds/{legal_hold}" {
        operator: Operator in "operators",
        legal_hold: LegalHold in "legalHolds"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// How long an operator's records are kept: there is one.
    RetentionPolicyName = "operators/{operator}/retentionPolicy" {
        operator: Operator in "operators"; "retentionPolicy"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// That a person is about to be erased.
    RetentionNoticeName = "operators/{operator}/retentionNotices/{retention_notice}" {
        operator: Operator in "operators",
        retention_notice: RetentionNotice in "retentionNotices"
    }
    parent OperatorName { operator }
    has operator: Operator
}

resource_name! {
    /// That two records of one person became one.
    BeneficiaryMergeName = "operators/{operator}/beneficiaryMerges/{beneficiary_merge}" {
        operator: Operator in "operators",
        beneficiary_merge: BeneficiaryMerge in "beneficiaryMerges"
    }
    parent OperatorName { operator }
    has operator: Operator
}
