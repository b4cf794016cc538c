//! Resource names: one spelling each, read back as written.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test says where"
)]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use nonrecours_kernel::*;
use proptest::prelude::*;
use uuid::Uuid;

const A: &str = "01998b2e-6c00-7abc-8def-0123456789ab";
const B: &str = "01998b2e-6c00-7abc-8def-0123456789ac";
const C: &str = "01998b2e-6c00-7abc-8def-0123456789ad";

fn roundtrip<N>(name: N, pattern: &str)
where
    N: FromStr<Err = Invalid> + Display + Debug + PartialEq,
{
    let text = name.to_string();
    assert_eq!(text.parse::<N>().unwrap(), name);
    let shape = |path: &str| {
        let segments = path.split('/').enumerate();
        segments
            .map(|(i, s)| if i % 2 == 0 { s } else { "" }.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(&text), shape(pattern), "{pattern}");
    for wrong in [
        format!("{text}/"),
        format!("/{text}"),
        format!("{text}/x/{A}"),
    ] {
        assert_eq!(
            wrong.parse::<N>().unwrap_err().reason,
            "RESOURCE_NAME_INVALID"
        );
    }
}

proptest! {
    #[test]
    fn every_name_roundtrips(a in 1..=u128::MAX, b in 1..=u128::MAX, c in 1..=u128::MAX) {
        let [a, b, c] = [a, b, c].map(Uuid::from_u128);
        let programme = Id::from_uuid(a);
        let (operator, convention) = (Id::from_uuid(a), Id::from_uuid(b));
        roundtrip(ProgrammeName { programme }, ProgrammeName::PATTERN);
        roundtrip(
            FrameworkConventionName { programme, framework_convention: Id::from_uuid(b) },
            FrameworkConventionName::PATTERN,
        );
        roundtrip(OperatorName { operator }, OperatorName::PATTERN);
        roundtrip(ConventionName { operator, convention }, ConventionName::PATTERN);
        roundtrip(ActName { operator, convention, act: Id::from_uuid(c) }, ActName::PATTERN);
        roundtrip(
            ActivityReportName { operator, convention, activity_report: Id::from_uuid(c) },
            ActivityReportName::PATTERN,
        );
        roundtrip(
            FormalNoticeName { operator, convention, formal_notice: Id::from_uuid(c) },
            FormalNoticeName::PATTERN,
        );
        roundtrip(
            InspectionName { operator, convention, inspection: Id::from_uuid(c) },
            InspectionName::PATTERN,
        );
        roundtrip(
            HearingName { operator, convention, hearing: Id::from_uuid(c) },
            HearingName::PATTERN,
        );
        roundtrip(
            DecisionName { operator, convention, decision: Id::from_uuid(c) },
            DecisionName::PATTERN,
        );
        roundtrip(
            DisputeName { operator, convention, dispute: Id::from_uuid(c) },
            DisputeName::PATTERN,
        );
        roundtrip(
            DocumentName { operator, convention, document: Id::from_uuid(c) },
            DocumentName::PATTERN,
        );
        roundtrip(
            AttachmentName { operator, convention, attachment: Id::from_uuid(c) },
            AttachmentName::PATTERN,
        );
        roundtrip(
            AmendmentName { operator, convention, amendment: Id::from_uuid(c) },
            AmendmentName::PATTERN,
        );
        let convention_name = ConventionName { operator, convention };
        roundtrip(
            ConventionVersionName { convention: convention_name, version: 12 },
            ConventionVersionName::PATTERN,
        );
        for version in ["0", "-1", "+1", "01", "1.0", "", "9999999999"] {
            let wrong = format!("{convention_name}/versions/{version}").parse::<ConventionVersionName>();
            assert_eq!(wrong.unwrap_err().reason, "RESOURCE_NAME_INVALID", "{version}");
        }
        let programme_name = ProgrammeName { programme: Id::from_uuid(a) };
        roundtrip(
            BudgetYearName { programme: programme_name, year: BudgetYear::new(2025).unwrap() },
            BudgetYearName::PATTERN,
        );
        for year in ["1999", "2101", "02025", "+2025", "x", ""] {
            let wrong = format!("{programme_name}/budgetYears/{year}").parse::<BudgetYearName>();
            assert_eq!(wrong.unwrap_err().reason, "RESOURCE_NAME_INVALID", "{year}");
        }
        roundtrip(PaymentPlanName { operator, convention }, PaymentPlanName::PATTERN);
        roundtrip(
            InstalmentName { operator, convention, instalment: Id::from_uuid(c) },
            InstalmentName::PATTERN,
        );
        roundtrip(
            RecoveryName { operator, convention, recovery: Id::from_uuid(c) },
            RecoveryName::PATTERN,
        );
        roundtrip(
            BeneficiaryName { operator, beneficiary: Id::from_uuid(b) },
            BeneficiaryName::PATTERN,
        );
        roundtrip(
            BeneficiaryIdentityName { operator, beneficiary: Id::from_uuid(b) },
            BeneficiaryIdentityName::PATTERN,
        );
        roundtrip(
            EntitlementName { operator, entitlement: Id::from_uuid(b) },
            EntitlementName::PATTERN,
        );
        roundtrip(
            ReferralName { operator, referral: Id::from_uuid(b) },
            ReferralName::PATTERN,
        );
        roundtrip(
            ReceivedReferralName { operator, referral: Id::from_uuid(b) },
            ReceivedReferralName::PATTERN,
        );
        roundtrip(LocalAidName { operator, local_aid: Id::from_uuid(b) }, LocalAidName::PATTERN);
        roundtrip(StepName { operator, step: Id::from_uuid(b) }, StepName::PATTERN);
        roundtrip(NoteName { operator, note: Id::from_uuid(b) }, NoteName::PATTERN);
        roundtrip(SessionName { operator, session: Id::from_uuid(b) }, SessionName::PATTERN);
        roundtrip(RenewalAlertName { operator, renewal_alert: Id::from_uuid(b) }, RenewalAlertName::PATTERN);
    }
}

#[test]
fn names_are_spelt_as_the_contract_says() {
    let act: ActName = format!("operators/{A}/conventions/{B}/acts/{C}")
        .parse()
        .unwrap();
    assert_eq!(act.operator().to_string(), A);
    assert_eq!(act.convention().to_string(), B);
    assert_eq!(act.act.to_string(), C);
    assert_eq!(
        act.parent().to_string(),
        format!("operators/{A}/conventions/{B}")
    );
    assert_eq!(act.parent().parent().to_string(), format!("operators/{A}"));
    let plan = PaymentPlanName {
        operator: act.operator(),
        convention: act.convention(),
    };
    assert_eq!(
        plan.to_string(),
        format!("operators/{A}/conventions/{B}/paymentPlan")
    );
    assert_eq!(plan.parent(), act.parent());
}

#[test]
fn another_shape_is_refused_and_the_expected_one_is_shown() {
    let nil = Uuid::nil();
    for wrong in [
        String::new(),
        "operators".to_owned(),
        format!("operators/{A}"),
        format!("operators/{A}/conventions"),
        format!("operators/{A}/conventions/"),
        format!("operators/{A}/conventions/{nil}"),
        format!("operators/{A}/conventions/-"),
        format!("operators/{A}/acts/{B}"),
        format!("Operators/{A}/conventions/{B}"),
        format!("operators//conventions/{B}"),
        format!("operators/{A}/conventions/{B}/paymentPlan"),
    ] {
        let refused = wrong.parse::<ConventionName>().unwrap_err();
        assert_eq!(refused.reason, "RESOURCE_NAME_INVALID", "{wrong}");
        assert!(refused.text.fr.contains(ConventionName::PATTERN));
    }
    let not_the_plan = format!("operators/{A}/conventions/{B}/paymentPlans");
    assert!(not_the_plan.parse::<PaymentPlanName>().is_err());
}
