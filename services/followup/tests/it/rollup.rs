//! Roll-ups against plain SQL over the records, whatever is pushed, corrected, moved, and by how many at once.

use std::sync::atomic::{AtomicU32, Ordering};

use nonrecours_contracts::followup::{
    AmountKind, ClosingReason, EntitlementState, ErasureReason, Figures, GetIndicatorsRequest,
    JourneyState, Record, SupportMode, erasure_service_client::ErasureServiceClient,
    indicator_service_client::IndicatorServiceClient,
};
use nonrecours_followup::MIGRATOR;
use nonrecours_kernel::{ConventionName, Money};
use nonrecours_rpc::convert::to_money;
use nonrecours_testkit::{TestDb, clock};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rust_decimal::Decimal;
use sqlx::{PgPool, Row as _, migrate::Migrator};
use tonic::Code;

use crate::{erasure::erase_request, support::*};

const COMMUNES: [&str; 3] = ["62263", "62041", "75056"];
const PUBLICS: [&[&str]; 3] = [&["SENIOR"], &["SENIOR", "HABITANT"], &["DEMANDEUR_EMPLOI"]];
const JOURNEYS: [(JourneyState, i32); 4] = [
    (JourneyState::Spotted, 0),
    (JourneyState::Oriented, 0),
    (JourneyState::InSupport, 0),
    (JourneyState::Closed, ClosingReason::RightsOpened as i32),
];
const RIGHTS: [&str; 2] = ["RSA", "C2S"];
const CLAIMS: [EntitlementState; 4] = [
    EntitlementState::Identified,
    EntitlementState::Filed,
    EntitlementState::Refused,
    EntitlementState::Appealed,
];

/// Every difference between the roll-ups and what the records count for, as the contract says it: none, unless something
/// is wrong.
const DIFFERENCES: &str = include_str!("rollup_differences.sql");

pub async fn differences(owner: &PgPool) -> i64 {
    sqlx::query_scalar(DIFFERENCES)
        .fetch_one(owner)
        .await
        .unwrap()
}

/// Figures of all persons of a convention, by plain SQL over its records and what erased ones have left.
async fn plain(owner: &PgPool, convention: &ConventionName) -> Figures {
    let row = sqlx::query(
        "WITH left_over AS (
             SELECT coalesce(sum(persons_spotted), 0)::bigint AS spotted,
                    coalesce(sum(persons_informed), 0)::bigint AS informed,
                    coalesce(sum(persons_oriented), 0)::bigint AS oriented,
                    coalesce(sum(persons_supported), 0)::bigint AS supported,
                    coalesce(sum(entitlements_followed), 0)::bigint AS followed,
                    coalesce(sum(amount_estimated), 0) AS estimated
             FROM indicator_residue WHERE convention_id = $1 AND dimension = 'TOTAL'
         ), there AS (
         SELECT count(*) AS spotted, count(*) FILTER (WHERE state <> 'SPOTTED') AS informed,
                count(*) FILTER (WHERE state = 'ORIENTED') AS oriented,
                count(*) FILTER (WHERE state = 'IN_SUPPORT' OR closing_reason = 'RIGHTS_OPENED' OR EXISTS (
                    SELECT FROM entitlement WHERE entitlement.beneficiary_id = beneficiary.beneficiary_id)) AS supported,
                (SELECT count(*) FROM entitlement WHERE convention_id = $1) AS followed,
                (SELECT coalesce(sum(amount * CASE amount_unit WHEN 'MONTHLY' THEN 12 ELSE 1 END), 0) FROM entitlement
                 WHERE convention_id = $1 AND amount_kind = 'ESTIMATED'
                   AND state NOT IN ('OPENED', 'REFUSED', 'CONFIRMED_REFUSAL')) AS estimated
         FROM beneficiary WHERE convention_id = $1
         )
         SELECT there.spotted + left_over.spotted AS spotted, there.informed + left_over.informed AS informed,
                there.oriented + left_over.oriented AS oriented, there.supported + left_over.supported AS supported,
                there.followed + left_over.followed AS followed, there.estimated + left_over.estimated AS estimated
         FROM there, left_over",
    )
    .bind(convention.convention.uuid())
    .fetch_one(owner)
    .await
    .unwrap();
    Figures {
        persons_spotted: row.get("spotted"),
        persons_informed: row.get("informed"),
        persons_oriented: row.get("oriented"),
        persons_supported: row.get("supported"),
        entitlements_followed: row.get("followed"),
        entitlements_opened: 0,
        yearly_amount_notified: euros(0, 0),
        yearly_amount_estimated: Some(to_money(
            Money::try_from(row.get::<Decimal, _>("estimated")).unwrap(),
        )),
    }
}

#[derive(Clone, Debug)]
enum Op {
    Person {
        reference: u8,
        commune: usize,
        publics: usize,
        journey: usize,
        month: i32,
    },
    Right {
        reference: u8,
        of: u8,
        right: usize,
        state: usize,
        cents: i32,
        reason: bool,
    },
    Session {
        reference: u8,
        commune: usize,
        met: i32,
    },
    /// Not pushed: the person of that reference is erased, if there is one, after the batch.
    Erase { reference: u8, mistake: bool },
}

impl Op {
    fn record(&self) -> Option<Record> {
        let record = match self.clone() {
            Self::Person {
                reference,
                commune,
                publics,
                journey,
                month,
            } => person_with(&format!("B{reference}"), |person| {
                person.commune_code = COMMUNES[commune].to_owned();
                person.publics = PUBLICS[publics].iter().map(ToString::to_string).collect();
                person.state = JOURNEYS[journey].0.into();
                person.closing_reason = JOURNEYS[journey].1;
                person.spotted_date = date(2025, month, 1);
            }),
            Self::Right {
                reference,
                of,
                right,
                state,
                cents,
                reason,
            } => right_with(&format!("E{reference}"), &format!("B{of}"), |claim| {
                claim.right = RIGHTS[right].to_owned();
                claim.state = CLAIMS[state].into();
                claim.amount = euros(100, cents);
                claim.amount_kind = AmountKind::Estimated.into();
                claim.filed_date = if state == 0 {
                    None
                } else {
                    date(2025, 9, 1 + cents % 20)
                };
                claim.decided_date = if state < 2 { None } else { date(2025, 10, 1) };
                claim.support_mode = if reason {
                    SupportMode::OnBehalf
                } else {
                    SupportMode::Autonomy
                }
                .into();
                claim.non_take_up_reason = if reason {
                    "COMPLEXITE".to_owned()
                } else {
                    String::new()
                };
            }),
            Self::Session {
                reference,
                commune,
                met,
            } => session_with(&format!("S{reference}"), |session| {
                session.commune_code = COMMUNES[commune].to_owned();
                session.persons_met = met;
            }),
            Self::Erase { .. } => return None,
        };
        Some(record)
    }
}

fn ops() -> impl Strategy<Value = Op> {
    let person = (0..5_u8, 0..3_usize, 0..3_usize, 0..4_usize, 8..=9_i32).prop_map(
        |(reference, commune, publics, journey, month)| Op::Person {
            reference,
            commune,
            publics,
            journey,
            month,
        },
    );
    let right = (
        0..6_u8,
        0..5_u8,
        0..2_usize,
        0..4_usize,
        0..100_i32,
        any::<bool>(),
    )
        .prop_map(|(reference, of, right, state, cents, reason)| Op::Right {
            reference,
            of,
            right,
            state,
            cents,
            reason,
        });
    let session =
        (0..2_u8, 0..2_usize, 0..20_i32).prop_map(|(reference, commune, met)| Op::Session {
            reference,
            commune,
            met,
        });
    let erase =
        (0..5_u8, any::<bool>()).prop_map(|(reference, mistake)| Op::Erase { reference, mistake });
    prop_oneof![6 => person, 8 => right, 2 => session, 1 => erase]
}

/// Pushes batches, again while other streams are in the way.
async fn push(suite: &Suite, convention: &ConventionName, batches: &[Vec<Op>]) {
    for batch in batches {
        let records = || -> Vec<Record> { batch.iter().filter_map(Op::record).collect() };
        while !records().is_empty() {
            match suite.push_under(convention, vec![records()]).await {
                Ok(_) => break,
                Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
            }
        }
        for op in batch {
            if let Op::Erase { reference, mistake } = op {
                let reason = match mistake {
                    true => ErasureReason::Mistake,
                    false => ErasureReason::Retention,
                };
                erase(suite, convention, &format!("B{reference}"), reason).await;
            }
        }
    }
}

/// Erases the person of a reference, unless there is none; again while streams are in the way.
async fn erase(suite: &Suite, convention: &ConventionName, reference: &str, reason: ErasureReason) {
    let person: Option<uuid::Uuid> = sqlx::query_scalar(
        "SELECT beneficiary_id FROM beneficiary WHERE operator_id = $1 AND external_reference = $2",
    )
    .bind(convention.operator.uuid())
    .bind(reference)
    .fetch_optional(&suite.owner)
    .await
    .unwrap();
    let Some(person) = person else { return };
    let name = format!("{}/beneficiaries/{person}", convention.parent());
    let token = suite.tokens.manager(convention.operator);
    let mut client = ErasureServiceClient::new(suite.serving.channel(token));
    loop {
        let request = erase_request(&name, reason);
        match client.erase_beneficiary(request).await {
            Ok(_) => return,
            // The other stream has erased the same person.
            Err(status) if status.code() == Code::NotFound => return,
            Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
        }
    }
}

async fn indicators(suite: &Suite, convention: &ConventionName) -> Figures {
    let mut client = IndicatorServiceClient::new(suite.agent_of(convention.operator));
    let request = GetIndicatorsRequest {
        convention: convention.to_string(),
    };
    let indicators = client.get_indicators(request).await.unwrap().into_inner();
    indicators.total.unwrap()
}

#[test]
fn roll_ups_equal_plain_sql_over_the_records_at_all_times() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let suite = runtime.block_on(Suite::start());
    let case = AtomicU32::new(200);
    let batch = || prop::collection::vec(ops(), 1..10);
    let batches = prop::collection::vec(batch(), 1..6);
    let together = (
        prop::collection::vec(batch(), 1..3),
        prop::collection::vec(batch(), 1..3),
    );
    let mut runner = TestRunner::new(Config {
        cases: 20,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&(batches, together), |(batches, (one, other))| {
        // An operator of its own for each case.
        let number = case.fetch_add(1, Ordering::Relaxed);
        let convention = convention_name(number.into(), 1);
        runtime.block_on(async {
            suite.learn(convention, 1, true).await;
            for batch in batches {
                push(&suite, &convention, &[batch]).await;
                prop_assert_eq!(differences(&suite.owner).await, 0);
                prop_assert_eq!(
                    indicators(&suite, &convention).await,
                    plain(&suite.owner, &convention).await
                );
            }
            // Two streams of the same operator on the same persons.
            tokio::join!(
                push(&suite, &convention, &one),
                push(&suite, &convention, &other)
            );
            prop_assert_eq!(differences(&suite.owner).await, 0);
            Ok(())
        })
    });
    result.unwrap();
}

#[tokio::test]
async fn a_person_whose_rights_arrive_by_two_streams_counts_once() {
    let suite = Suite::start().await;
    let alone = person_with("B", |person| person.state = JourneyState::Informed.into());
    suite.push(vec![alone]).await;
    let rights = |stream: &str| -> Vec<Record> {
        (0..50)
            .map(|number| right(&format!("{stream}{number}"), "B"))
            .collect()
    };
    let streams = ["W", "X", "Y", "Z"].map(|stream| {
        let (suite, rights) = (&suite, rights(stream));
        async move { suite.push_under(&suite.convention, vec![rights]).await }
    });
    for pushed in futures_util::future::join_all(streams).await {
        assert_eq!(pushed.unwrap()[0].stored, 50);
    }
    let figures = indicators(&suite, &suite.convention).await;
    assert_eq!(
        (figures.persons_supported, figures.entitlements_followed),
        (1, 200)
    );
    assert_eq!(differences(&suite.owner).await, 0);
}

#[tokio::test]
async fn records_of_before_the_roll_ups_are_counted_when_they_come() {
    let before = MIGRATOR.iter().filter(|migration| migration.version < 4);
    let mut before = Migrator::with_migrations(before.cloned().collect());
    before.dangerous_set_table_name("_migrations");
    let db = TestDb::create("counted_later", &before).await;
    let owner = db.owner().await;
    let (operator, person) = (operator(1).uuid(), ids(1));
    for statement in [
        "INSERT INTO beneficiary (operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code,
                                  state, spotted_date, version, revision, create_time, update_time)
         VALUES ($1, $2, $1, 'B', '{SENIOR,HABITANT}', '62263', 'INFORMED', '2025-09-30', 0, 1, '2025-10-01T00:00Z',
                 '2025-10-01T00:00Z')",
        "INSERT INTO entitlement (operator_id, entitlement_id, convention_id, beneficiary_id, external_reference,
                                  right_code, state, amount, amount_kind, amount_unit, version, revision, create_time,
                                  update_time)
         VALUES ($1, $2, $1, $2, 'E', 'RSA', 'IDENTIFIED', 10.10, 'ESTIMATED', 'MONTHLY', 0, 1, '2025-09-30T22:30Z',
                 '2025-10-01T00:00Z')",
        "INSERT INTO session (operator_id, session_id, convention_id, external_reference, venue, commune_code, held_date,
                              channel, persons_met, version, revision, create_time, update_time)
         VALUES ($1, $2, $1, 'S', 'Mairie', '62263', '2025-10-01', 'DESK', 7, 0, 1, '2025-10-01T00:00Z',
                 '2025-10-01T00:00Z')",
    ] {
        sqlx::query(statement)
            .bind(operator)
            .bind(person)
            .execute(&owner)
            .await
            .unwrap();
    }
    nonrecours_pg::migrate(db.owner_url(), &MIGRATOR, &clock())
        .await
        .unwrap();
    assert_eq!(differences(&owner).await, 0);
    let row = sqlx::query(
        "SELECT sum(persons_supported)::bigint AS supported, sum(persons_met)::bigint AS met,
                sum(amount_estimated) AS estimated,
                max(month) FILTER (WHERE entitlements_followed > 0) = '2025-09-01' AS with_the_person
         FROM indicator_rollup WHERE dimension = 'TOTAL'",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!((row.get("supported"), row.get("met")), (1_i64, 7_i64));
    assert_eq!(row.get::<Decimal, _>("estimated"), Decimal::new(12_120, 2));
    assert!(row.get::<bool, _>("with_the_person"));
}

fn ids(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}
