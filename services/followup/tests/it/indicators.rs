//! Indicators against figures computed by hand.

use nonrecours_contracts::followup::{
    AmountKind, AmountUnit, ClosingReason, EntitlementState, Figures, GetIndicatorsRequest,
    Indicators, JourneyState, PublicFigures, Record, RightFigures,
    indicator_service_client::IndicatorServiceClient,
};
use nonrecours_kernel::ConventionName;
use tonic::{Code, Status};

use crate::support::*;

async fn indicators(
    suite: &Suite,
    token: String,
    convention: &ConventionName,
) -> Result<Indicators, Status> {
    let mut client = IndicatorServiceClient::new(suite.serving.channel(token));
    let request = GetIndicatorsRequest {
        convention: convention.to_string(),
    };
    Ok(client.get_indicators(request).await?.into_inner())
}

fn journey(
    reference: &str,
    publics: &[&str],
    state: JourneyState,
    reason: Option<ClosingReason>,
) -> Record {
    person_with(reference, |person| {
        person.publics = publics.iter().map(ToString::to_string).collect();
        person.state = state.into();
        person.closing_reason = reason.map(i32::from).unwrap_or_default();
    })
}

fn claim(
    reference: &str,
    beneficiary: &str,
    code: &str,
    state: EntitlementState,
    amount: Option<(i64, i32, AmountKind, AmountUnit)>,
) -> Record {
    right_with(reference, beneficiary, |right| {
        right.right = code.to_owned();
        right.state = state.into();
        right.decided_date = date(2025, 10, 6);
        right.amount = amount.and_then(|(units, cents, ..)| euros(units, cents));
        right.amount_kind = amount.map(|amount| amount.2.into()).unwrap_or_default();
        right.amount_unit = amount.map(|amount| amount.3.into()).unwrap_or_default();
    })
}

#[tokio::test]
async fn figures_are_those_counted_by_hand() {
    use AmountKind::{Estimated, Notified};
    use AmountUnit::{Annual, Monthly, OneOff};
    use EntitlementState::*;
    let suite = Suite::start().await;
    let records = vec![
        journey(
            "B1",
            &["DEMANDEUR_EMPLOI", "JEUNE_MOINS_25"],
            JourneyState::InSupport,
            None,
        ),
        journey(
            "B2",
            &["SENIOR"],
            JourneyState::Closed,
            Some(ClosingReason::RightsOpened),
        ),
        journey(
            "B3",
            &["SENIOR"],
            JourneyState::Closed,
            Some(ClosingReason::Renunciation),
        ),
        journey("B4", &["SENIOR"], JourneyState::Spotted, None),
        journey("B5", &["HABITANT"], JourneyState::Oriented, None),
        journey("B6", &["HABITANT"], JourneyState::Informed, None),
        // B1: 646.52 × 12 = 7 758.24 opened, 50 × 12 = 600 estimated, a permit aid of 1 200 once.
        claim(
            "E1",
            "B1",
            "RSA",
            Opened,
            Some((646, 52, Notified, Monthly)),
        ),
        claim(
            "E2",
            "B1",
            "PRIME_ACTIVITE",
            Filed,
            Some((50, 0, Estimated, Monthly)),
        ),
        claim(
            "E3",
            "B1",
            "AIDE_PERMIS_DE",
            Opened,
            Some((1200, 0, Notified, OneOff)),
        ),
        // B2: 300.10 a year opened, an identity card without amount.
        claim("E4", "B2", "C2S", Opened, Some((300, 10, Notified, Annual))),
        claim("E5", "B2", "TITRE_IDENTITE", Opened, None),
        // Refused or confirmed: nothing is pursued any more. Appealed: 10 a year still is.
        claim(
            "E6",
            "B2",
            "RSA",
            Refused,
            Some((100, 0, Estimated, Monthly)),
        ),
        claim(
            "E7",
            "B2",
            "ASPA",
            ConfirmedRefusal,
            Some((100, 0, Estimated, Monthly)),
        ),
        claim(
            "E8",
            "B2",
            "CHEQUE_ENERGIE",
            Appealed,
            Some((10, 0, Estimated, Annual)),
        ),
        // B5 and B6 are supported by the right that is followed for them, B6 without amount.
        claim(
            "E9",
            "B5",
            "RSA",
            Prepared,
            Some((0, 1, Estimated, Monthly)),
        ),
        claim("E10", "B6", "RSA", Identified, None),
        // Notified but not open yet: in neither sum.
        claim("E11", "B6", "C2S", Filed, Some((77, 0, Notified, Annual))),
        session_with("S1", |session| session.persons_met = 8),
        session_with("S2", |session| session.persons_met = 0),
        session_with("S3", |session| session.persons_met = 5),
    ];
    let answer = suite.push(records).await;
    assert_eq!((answer.stored, answer.rejected), (20, 0));
    // What falls under another convention of the operator, or under another operator, counts elsewhere.
    for other in [convention_name(1, 2), convention_name(2, 1)] {
        suite.learn(other, 1, true).await;
        let records = vec![person("C1"), right("C2", "C1"), session("C3")];
        suite.push_under(&other, vec![records]).await.unwrap();
    }

    let counted = indicators(&suite, suite.tokens.peer("conventions"), &suite.convention)
        .await
        .unwrap();
    let figures = |persons: [i64; 4], rights: [i64; 2], notified, estimated| {
        let [
            persons_spotted,
            persons_informed,
            persons_oriented,
            persons_supported,
        ] = persons;
        let [entitlements_followed, entitlements_opened] = rights;
        Some(Figures {
            persons_spotted,
            persons_informed,
            persons_oriented,
            persons_supported,
            entitlements_followed,
            entitlements_opened,
            yearly_amount_notified: notified,
            yearly_amount_estimated: estimated,
        })
    };
    let public = |public: &str, figures| PublicFigures {
        public: public.to_owned(),
        figures,
    };
    let right = |right: &str, followed, opened, yearly_amount_notified| RightFigures {
        right: right.to_owned(),
        followed,
        opened,
        yearly_amount_notified,
    };
    let b1 = || figures([1, 1, 0, 1], [3, 2], euros(8_958, 24), euros(600, 0));
    assert_eq!(
        counted,
        Indicators {
            convention: suite.convention.to_string(),
            total: figures([6, 5, 1, 4], [11, 4], euros(9_258, 34), euros(610, 12)),
            publics: vec![
                public("DEMANDEUR_EMPLOI", b1()),
                public("JEUNE_MOINS_25", b1()),
                public(
                    "HABITANT",
                    figures([2, 2, 1, 2], [3, 0], euros(0, 0), euros(0, 12))
                ),
                public(
                    "SENIOR",
                    figures([3, 2, 0, 1], [5, 2], euros(300, 10), euros(10, 0))
                ),
            ],
            rights: vec![
                right("RSA", 4, 1, euros(7_758, 24)),
                right("PRIME_ACTIVITE", 1, 0, euros(0, 0)),
                right("C2S", 2, 1, euros(300, 10)),
                right("ASPA", 1, 0, euros(0, 0)),
                right("CHEQUE_ENERGIE", 1, 0, euros(0, 0)),
                right("AIDE_PERMIS_DE", 1, 1, euros(1_200, 0)),
                right("TITRE_IDENTITE", 1, 1, euros(0, 0)),
            ],
            sessions_held: 3,
            persons_met: 13,
            targets: None,
        }
    );
}

#[tokio::test]
async fn a_convention_without_records_counts_nothing() {
    let suite = Suite::start().await;
    // Also one that is no longer in force: its figures are those of the report.
    suite.learn(suite.convention, 2, false).await;
    let zero = Figures {
        yearly_amount_notified: euros(0, 0),
        yearly_amount_estimated: euros(0, 0),
        ..Figures::default()
    };
    let expected = Indicators {
        convention: suite.convention.to_string(),
        total: Some(zero),
        ..Indicators::default()
    };
    let operator = suite.convention.operator;
    for token in [
        suite.tokens.peer("conventions"),
        suite.tokens.agent(operator),
        suite.tokens.manager(operator),
    ] {
        assert_eq!(
            indicators(&suite, token, &suite.convention).await.unwrap(),
            expected
        );
    }
}

#[tokio::test]
async fn figures_are_refused_to_other_operators_and_of_unknown_conventions() {
    let suite = Suite::start().await;
    let stranger = suite.tokens.manager(operator(2));
    let status = indicators(&suite, stranger, &suite.convention)
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::PermissionDenied, "OUT_OF_REACH".to_owned())
    );
    let unknown = convention_name(1, 9);
    let status = indicators(&suite, suite.tokens.peer("conventions"), &unknown)
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    // Those who run the programme are given controlled tables, never exact figures.
    for token in [
        suite.tokens.officer(),
        suite.tokens.auditor(),
        suite.tokens.accountant(),
    ] {
        let status = indicators(&suite, token, &suite.convention)
            .await
            .unwrap_err();
        assert_eq!(
            refusal(&status),
            (Code::PermissionDenied, "ROLE_MISSING".to_owned())
        );
    }
}
