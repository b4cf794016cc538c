//! Every fault a record can have, by its reason.

use std::collections::BTreeSet;

use nonrecours_contracts::{
    followup::{
        AmountKind, AmountUnit, ClosingReason, EntitlementState, ErrorReason, JourneyState, Record,
        RecordOutcome,
    },
    google::r#type::Money,
};

use crate::support::*;

const NIR: &str = "1 85 02 62 263 001 42";

/// Records with the faults that each must be told to have.
fn wrong() -> Vec<(Record, Vec<&'static str>)> {
    let closed = JourneyState::Closed.into();
    let opened = EntitlementState::Opened.into();
    vec![
        (person(""), vec!["external_reference REFERENCE_INVALID"]),
        (
            person(&"x".repeat(101)),
            vec!["external_reference REFERENCE_INVALID"],
        ),
        (
            right(NIR, "B0"),
            vec!["external_reference REFERENCE_INVALID"],
        ),
        (
            session("S\u{7}"),
            vec!["external_reference REFERENCE_INVALID"],
        ),
        (version(-1, session("S1")), vec!["version VERSION_NEGATIVE"]),
        (
            Record {
                content: None,
                ..person("X")
            },
            vec!["content CONTENT_MISSING"],
        ),
        (
            Record {
                content: None,
                version: -1,
                external_reference: String::new(),
            },
            vec![
                "external_reference REFERENCE_INVALID",
                "version VERSION_NEGATIVE",
                "content CONTENT_MISSING",
            ],
        ),
        (
            person_with("B1", |p| p.publics.clear()),
            vec!["beneficiary.publics REQUIRED"],
        ),
        (
            person_with("B1", |p| p.publics = vec!["SENIOR".into(); 11]),
            vec!["beneficiary.publics NUMBER_OUT_OF_RANGE"],
        ),
        (
            person_with("B1", |p| p.publics.push("RETRAITE".into())),
            vec!["beneficiary.publics[1] UNKNOWN_CODE"],
        ),
        (
            person_with("B1", |p| p.commune_code.clear()),
            vec!["beneficiary.commune_code REQUIRED"],
        ),
        (
            person_with("B1", |p| p.commune_code = "6226".into()),
            vec!["beneficiary.commune_code UNKNOWN_CODE"],
        ),
        (
            person_with("B1", |p| p.age_band = 99),
            vec!["beneficiary.age_band UNKNOWN_CODE"],
        ),
        (
            person_with("B1", |p| p.state = 0),
            vec!["beneficiary.state REQUIRED"],
        ),
        (
            person_with("B1", |p| p.state = 99),
            vec!["beneficiary.state UNKNOWN_CODE"],
        ),
        (
            person_with("B1", |p| p.state = closed),
            vec!["beneficiary.closing_reason CLOSING_REASON_MISMATCH"],
        ),
        (
            person_with("B1", |p| p.closing_reason = ClosingReason::Deceased.into()),
            vec!["beneficiary.closing_reason CLOSING_REASON_MISMATCH"],
        ),
        (
            person_with("B1", |p| p.closing_reason = 99),
            vec!["beneficiary.closing_reason UNKNOWN_CODE"],
        ),
        (
            person_with("B1", |p| p.spotted_date = None),
            vec!["beneficiary.spotted_date REQUIRED"],
        ),
        (
            person_with("B1", |p| p.spotted_date = date(2025, 2, 29)),
            vec!["beneficiary.spotted_date DATE_INVALID"],
        ),
        (
            person_with("B1", |p| p.spotted_date = date(2025, 10, 8)),
            vec!["beneficiary.spotted_date DATE_IN_FUTURE"],
        ),
        (
            person_with("B1", |p| p.spotted_date = date(2024, 12, 31)),
            vec!["beneficiary.publics[0] UNKNOWN_CODE"],
        ),
        (
            known("B1", |i| i.birth_name = "é".repeat(101)),
            vec!["beneficiary.identity.birth_name TEXT_TOO_LONG"],
        ),
        (
            known("B1", |i| i.first_names = "a\nb".into()),
            vec!["beneficiary.identity.first_names TEXT_INVALID"],
        ),
        (
            known("B1", |i| {
                for text in [
                    &mut i.birth_name,
                    &mut i.first_names,
                    &mut i.usual_name,
                    &mut i.birth_place,
                    &mut i.phone,
                    &mut i.email,
                    &mut i.postal_address,
                ] {
                    *text = format!("n° {NIR}");
                }
            }),
            vec![
                "beneficiary.identity.birth_name NIR_FORBIDDEN",
                "beneficiary.identity.first_names NIR_FORBIDDEN",
                "beneficiary.identity.usual_name NIR_FORBIDDEN",
                "beneficiary.identity.birth_place NIR_FORBIDDEN",
                "beneficiary.identity.postal_address NIR_FORBIDDEN",
                "beneficiary.identity.phone NIR_FORBIDDEN",
                "beneficiary.identity.email NIR_FORBIDDEN",
            ],
        ),
        (
            known("B1", |i| i.birth_date = date(2025, 10, 8)),
            vec!["beneficiary.identity.birth_date DATE_IN_FUTURE"],
        ),
        (
            known("B1", |i| i.birth_date = date(1980, 2, 30)),
            vec!["beneficiary.identity.birth_date DATE_INVALID"],
        ),
        (
            known("B1", |i| i.phone = "chez sa sœur".into()),
            vec!["beneficiary.identity.phone PHONE_INVALID"],
        ),
        (
            known("B1", |i| i.email = "zoe@".into()),
            vec!["beneficiary.identity.email EMAIL_INVALID"],
        ),
        (
            right("E1", ""),
            vec!["entitlement.beneficiary_reference REQUIRED"],
        ),
        (
            right("E1", "B404"),
            vec!["entitlement.beneficiary_reference BENEFICIARY_UNKNOWN"],
        ),
        (
            right_with("E1", "B0", |r| r.right.clear()),
            vec!["entitlement.right REQUIRED"],
        ),
        (
            right_with("E1", "B0", |r| r.right = "RMI".into()),
            vec!["entitlement.right UNKNOWN_CODE"],
        ),
        (
            right_with("E1", "B0", |r| r.right = "local:216202630:aide".into()),
            vec!["entitlement.right UNKNOWN_CODE"],
        ),
        (
            right_with("E1", "B0", |r| r.state = 0),
            vec!["entitlement.state REQUIRED"],
        ),
        (
            right_with("E1", "B0", |r| r.state = 99),
            vec!["entitlement.state UNKNOWN_CODE"],
        ),
        (
            right_with("E1", "B0", |r| r.amount = euros(-1, 0)),
            vec!["entitlement.amount AMOUNT_INVALID"],
        ),
        (
            right_with("E1", "B0", |r| {
                r.amount = Some(Money {
                    currency_code: "USD".into(),
                    units: 1,
                    nanos: 0,
                });
            }),
            vec!["entitlement.amount AMOUNT_INVALID"],
        ),
        (
            right_with("E1", "B0", |r| {
                r.amount = Some(Money {
                    currency_code: "EUR".into(),
                    units: 1,
                    nanos: 1,
                });
            }),
            vec!["entitlement.amount AMOUNT_INVALID"],
        ),
        (
            right_with("E1", "B0", |r| r.right = "TITRE_IDENTITE".into()),
            vec!["entitlement.amount AMOUNT_INVALID"],
        ),
        (
            right_with("E1", "B0", |r| r.amount = euros(1_000_000, 1)),
            vec!["entitlement.amount NUMBER_OUT_OF_RANGE"],
        ),
        (
            right_with("E1", "B0", |r| r.amount = None),
            vec!["entitlement.amount AMOUNT_INCOMPLETE"],
        ),
        (
            right_with("E1", "B0", |r| {
                r.amount_kind = AmountKind::Unspecified.into()
            }),
            vec!["entitlement.amount_kind AMOUNT_INCOMPLETE"],
        ),
        (
            right_with("E1", "B0", |r| {
                r.amount_unit = AmountUnit::Unspecified.into()
            }),
            vec!["entitlement.amount_unit AMOUNT_INCOMPLETE"],
        ),
        (
            right_with("E1", "B0", |r| r.amount_kind = 99),
            vec!["entitlement.amount_kind UNKNOWN_CODE"],
        ),
        (
            right_with("E1", "B0", |r| r.amount_unit = 99),
            vec!["entitlement.amount_unit UNKNOWN_CODE"],
        ),
        (
            right_with("E1", "B0", |r| r.state = opened),
            vec![
                "entitlement.amount_kind AMOUNT_INCOMPLETE",
                "entitlement.decided_date REQUIRED",
            ],
        ),
        (
            right_with("E1", "B0", |r| r.filed_date = None),
            vec!["entitlement.filed_date REQUIRED"],
        ),
        (
            right_with("E1", "B0", |r| r.filed_date = date(2025, 0, 1)),
            vec!["entitlement.filed_date DATE_INVALID"],
        ),
        (
            right_with("E1", "B0", |r| r.filed_date = date(2025, 10, 8)),
            vec!["entitlement.filed_date DATE_IN_FUTURE"],
        ),
        (
            right_with("E1", "B0", |r| r.decided_date = date(2025, 10, 1)),
            vec!["entitlement.decided_date DATES_OUT_OF_ORDER"],
        ),
        (
            right_with("E1", "B0", |r| {
                r.decided_date = date(2025, 10, 5);
                r.renewal_date = date(2025, 10, 4);
            }),
            vec!["entitlement.renewal_date DATES_OUT_OF_ORDER"],
        ),
        (
            right_with("E1", "B0", |r| r.renewal_date = date(0, 1, 1)),
            vec!["entitlement.renewal_date DATE_INVALID"],
        ),
        (
            right_with("E1", "B0", |r| r.support_mode = 99),
            vec!["entitlement.support_mode UNKNOWN_CODE"],
        ),
        (
            right_with("E1", "B0", |r| r.non_take_up_reason = "PARESSE".into()),
            vec!["entitlement.non_take_up_reason UNKNOWN_CODE"],
        ),
        (
            right_with("E1", "B0", |r| r.start_date = date(2025, 10, 1)),
            vec!["entitlement.start_date START_BEFORE_OPENING"],
        ),
        (
            right_with("E1", "B0", |r| {
                r.state = opened;
                r.amount_kind = AmountKind::Notified.into();
                r.decided_date = date(2025, 10, 5);
                r.start_date = date(2025, 11, 1);
                r.renewal_date = date(2025, 10, 31);
            }),
            vec!["entitlement.renewal_date DATES_OUT_OF_ORDER"],
        ),
        (step("P1", ""), vec!["step.beneficiary_reference REQUIRED"]),
        (
            step("P1", "B404"),
            vec!["step.beneficiary_reference BENEFICIARY_UNKNOWN"],
        ),
        (
            step_with("P1", "B0", |s| s.step_date = date(2025, 10, 8)),
            vec!["step.step_date DATE_IN_FUTURE"],
        ),
        (
            step_with("P1", "B0", |s| {
                s.step_date = None;
                s.mode = 0;
                s.channel = 99;
            }),
            vec![
                "step.step_date REQUIRED",
                "step.mode REQUIRED",
                "step.channel UNKNOWN_CODE",
            ],
        ),
        (
            step_with("P1", "B0", |s| s.partner = "ANPE".into()),
            vec!["step.partner UNKNOWN_CODE"],
        ),
        (
            step_with("P1", "B0", |s| s.minutes = 1_441),
            vec!["step.minutes NUMBER_OUT_OF_RANGE"],
        ),
        (
            step_with("P1", "B0", |s| s.renewal = true),
            vec!["step.entitlement_reference REQUIRED"],
        ),
        (
            step_with("P1", "B0", |s| s.entitlement_reference = "E404".into()),
            vec!["step.entitlement_reference ENTITLEMENT_UNKNOWN"],
        ),
        (
            step_with("P1", "B0", |s| s.entitlement_reference = format!("E{NIR}")),
            vec!["step.entitlement_reference ENTITLEMENT_UNKNOWN"],
        ),
        (
            note("N1", "", "Revient lundi."),
            vec!["note.beneficiary_reference REQUIRED"],
        ),
        (
            note("N1", "B404", "Revient lundi."),
            vec!["note.beneficiary_reference BENEFICIARY_UNKNOWN"],
        ),
        (
            note_with("N1", |n| {
                n.written_date = None;
                n.text = " ".into();
            }),
            vec!["note.written_date REQUIRED", "note.text REQUIRED"],
        ),
        (
            note_with("N1", |n| n.written_date = date(2025, 10, 8)),
            vec!["note.written_date DATE_IN_FUTURE"],
        ),
        (
            note_with("N1", |n| n.text = "é".repeat(2_001)),
            vec!["note.text TEXT_TOO_LONG"],
        ),
        (
            note_with("N1", |n| n.text = "a\u{7}b".into()),
            vec!["note.text TEXT_INVALID"],
        ),
        (
            note_with("N1", |n| n.text = format!("son numéro : {NIR}")),
            vec!["note.text NIR_FORBIDDEN"],
        ),
        (
            session_with("S1", |s| s.venue = " ".into()),
            vec!["session.venue REQUIRED"],
        ),
        (
            session_with("S1", |s| s.venue = "é".repeat(201)),
            vec!["session.venue TEXT_TOO_LONG"],
        ),
        (
            session_with("S1", |s| s.venue = "a\0b".into()),
            vec!["session.venue TEXT_INVALID"],
        ),
        (
            session_with("S1", |s| s.venue = format!("chez {NIR}")),
            vec!["session.venue NIR_FORBIDDEN"],
        ),
        (
            session_with("S1", |s| s.commune_code.clear()),
            vec!["session.commune_code REQUIRED"],
        ),
        (
            session_with("S1", |s| s.commune_code = "59350".into()),
            vec!["session.commune_code UNKNOWN_CODE"],
        ),
        (
            session_with("S1", |s| s.held_date = None),
            vec!["session.held_date REQUIRED"],
        ),
        (
            session_with("S1", |s| s.held_date = date(2025, 10, 8)),
            vec!["session.held_date DATE_IN_FUTURE"],
        ),
        (
            session_with("S1", |s| s.channel = 0),
            vec!["session.channel REQUIRED"],
        ),
        (
            session_with("S1", |s| s.channel = 99),
            vec!["session.channel UNKNOWN_CODE"],
        ),
        (
            session_with("S1", |s| s.persons_met = -1),
            vec!["session.persons_met NUMBER_OUT_OF_RANGE"],
        ),
        (
            session_with("S1", |s| s.persons_met = 10_001),
            vec!["session.persons_met NUMBER_OUT_OF_RANGE"],
        ),
    ]
}

#[tokio::test]
async fn each_fault_is_told_by_field_and_reason() {
    let suite = Suite::start().await;
    suite.push(vec![person("B0")]).await;
    let before = suite.changes().await;
    // In batches of one, since the same references come again and again.
    let (records, expected): (Vec<Record>, Vec<Vec<&str>>) = wrong().into_iter().unzip();
    let batches = records.iter().map(|record| vec![record.clone()]).collect();
    let answers = suite.push_under(&suite.convention, batches).await.unwrap();
    for ((answer, record), expected) in answers.iter().zip(&records).zip(&expected) {
        assert_eq!(outcomes(answer), [RecordOutcome::Rejected], "{record:?}");
        assert_eq!(faults(&answer.results[0]), *expected, "{record:?}");
        // A refused text is not repeated: it may be about a person.
        let texts = answer.results[0]
            .violations
            .iter()
            .flat_map(|fault| [&fault.message_fr, &fault.message_en]);
        assert!(texts.into_iter().all(|text| !text.contains(NIR)));
    }
    assert_eq!(answers.len(), records.len());
    assert_eq!(suite.changes().await, before);

    // Those that need a stored record or a stream are shown to be given elsewhere.
    let elsewhere = [
        "CONVENTION_NOT_IN_FORCE",
        "BENEFICIARY_ERASED",
        "LEGAL_HOLD",
        "LEGAL_HOLD_LIFTED",
        "MERGE_WITH_ITSELF",
        "MERGE_ACROSS_CONVENTIONS",
        "MERGE_UNDO_BLOCKED",
        "MERGE_UNDONE",
        "MERGE_USED",
        "MERGE_SURVIVOR_MERGED",
        "MERGE_RECORDS_MOVED",
        "MERGE_IDENTITY_CHANGED",
        "TRANSITION_ILLEGAL",
        "OTHER_CONVENTION",
        "ENTITLEMENT_OF_ANOTHER",
        "RECIPIENT_INVALID",
        "LOCAL_CODE_INVALID",
        "REFERRAL_NOT_PROPOSED",
        "REFERRAL_ENDED",
        "ANSWERED_BY_RECIPIENT",
        "TABLE_NOT_SERVED",
        "TABLE_TOO_LARGE",
        "BATCH_DIFFERS",
        "STREAM_ID_INVALID",
        "STREAM_OF_DRY_RUN",
        "SUBJECT_REQUEST_DECIDED",
        "SUBJECT_REQUEST_EXTENDED",
        "SUBJECT_REQUEST_OVERDUE",
        "EXPORT_MISSING",
        "RECTIFICATION_MISSING",
        "LIMIT_NOT_IN_EFFECT",
        "NOT_AN_ACCESS_REQUEST",
        "PROCESSING_LIMITED",
        "REFUSAL_BASIS_UNFIT",
    ];
    let given: BTreeSet<&str> = expected
        .iter()
        .flatten()
        .filter_map(|fault| fault.split_once(' '))
        .map(|(_, reason)| reason)
        .chain(elsewhere)
        .collect();
    let declared: BTreeSet<&str> = (1..1000)
        .filter_map(|number| ErrorReason::try_from(number).ok())
        .filter_map(|reason| reason.as_str_name().strip_prefix("ERROR_REASON_"))
        .collect();
    assert_eq!(given, declared);
}

#[tokio::test]
async fn every_fault_of_a_record_is_told_at_once() {
    let suite = Suite::start().await;
    let everything = right_with("E1", "B404", |right| {
        right.right = "RMI".into();
        right.state = EntitlementState::Opened.into();
        right.amount = euros(-1, 0);
        right.amount_kind = 99;
        right.amount_unit = 0;
        right.filed_date = date(2025, 13, 1);
        right.decided_date = date(2030, 1, 1);
        right.renewal_date = date(2029, 1, 1);
        right.support_mode = 99;
        right.non_take_up_reason = "PARESSE".into();
    });
    let answer = suite.push(vec![version(-1, everything)]).await;
    let mut told = faults(&answer.results[0]);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "entitlement.amount AMOUNT_INVALID",
            "entitlement.amount_kind UNKNOWN_CODE",
            "entitlement.amount_unit AMOUNT_INCOMPLETE",
            "entitlement.beneficiary_reference BENEFICIARY_UNKNOWN",
            "entitlement.decided_date DATE_IN_FUTURE",
            "entitlement.filed_date DATE_INVALID",
            "entitlement.non_take_up_reason UNKNOWN_CODE",
            "entitlement.renewal_date DATES_OUT_OF_ORDER",
            "entitlement.right UNKNOWN_CODE",
            "entitlement.support_mode UNKNOWN_CODE",
            "version VERSION_NEGATIVE",
        ]
    );
}

#[tokio::test]
async fn a_day_is_one_of_paris() {
    let suite = Suite::start().await;
    // 23:30 in London on 7 October is 00:30 on the 8th in Paris.
    suite
        .clock
        .set(time::macros::datetime!(2025-10-07 22:30 UTC));
    let answer = suite
        .push(vec![session_with("S1", |session| {
            session.held_date = date(2025, 10, 8)
        })])
        .await;
    assert_eq!(outcomes(&answer), [RecordOutcome::Stored]);
    let answer = suite
        .push(vec![session_with("S2", |session| {
            session.held_date = date(2025, 10, 9)
        })])
        .await;
    assert_eq!(
        faults(&answer.results[0]),
        ["session.held_date DATE_IN_FUTURE"]
    );
}
