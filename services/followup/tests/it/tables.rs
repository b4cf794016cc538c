//! Tables of indicators: exact for the operator, released and controlled for those who run the programme.

#[allow(dead_code, reason = "shared with the tests of disclosure control")]
#[path = "../../../../crates/disclosure/tests/attacker/mod.rs"]
mod attacker;

use std::collections::BTreeMap;

use attacker::Field;
use nonrecours_contracts::followup::{
    AmountKind, Audience, Breakdown, Count, EntitlementState, Grain, IndicatorRow, JourneyState,
    QueryIndicatorsRequest, QueryIndicatorsResponse, Record, SupportMode, amount, count,
    indicator_service_client::IndicatorServiceClient,
};
use nonrecours_followup::indicator::{release::release_due, thresholds::Thresholds};
use nonrecours_kernel::ConventionName;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use time::macros::datetime;
use tonic::{Code, Status};

use crate::support::*;

/// After the lag of the third quarter of 2025.
pub const RELEASED: time::OffsetDateTime = datetime!(2025-10-16 06:00 +2);

pub fn request(parent: &str, breakdown: Breakdown, grain: Grain) -> QueryIndicatorsRequest {
    QueryIndicatorsRequest {
        parent: parent.to_owned(),
        year: 2025,
        breakdown: breakdown.into(),
        grain: grain.into(),
        audience: 0,
    }
}

pub async fn ask(
    suite: &Suite,
    token: String,
    request: QueryIndicatorsRequest,
) -> Result<QueryIndicatorsResponse, Status> {
    let mut client = IndicatorServiceClient::new(suite.serving.channel(token));
    Ok(client.query_indicators(request).await?.into_inner())
}

pub async fn programme(
    suite: &Suite,
    breakdown: Breakdown,
    grain: Grain,
    audience: Audience,
) -> QueryIndicatorsResponse {
    let request = QueryIndicatorsRequest {
        audience: audience.into(),
        ..request("operators/-", breakdown, grain)
    };
    ask(suite, suite.tokens.officer(), request).await.unwrap()
}

/// Persons of a commune, spotted in one month of 2025.
pub fn persons(prefix: &str, commune: &str, month: i32, number: usize) -> Vec<Record> {
    (0..number)
        .map(|index| {
            person_with(&format!("{prefix}{commune}-{month}-{index}"), |person| {
                person.commune_code = commune.to_owned();
                person.spotted_date = date(2025, month, 1 + index as i32 % 28);
            })
        })
        .collect()
}

/// `Some(None)`: withheld.
pub fn told(count: &Option<Count>) -> Option<Option<i64>> {
    match count.as_ref()?.figure.as_ref()? {
        count::Figure::Value(value) => Some(Some(*value)),
        count::Figure::Withheld(_) => Some(None),
    }
}

fn by_code(table: &QueryIndicatorsResponse) -> BTreeMap<&str, &IndicatorRow> {
    let rows = table.rows.iter().map(|row| (row.code.as_str(), row));
    rows.collect()
}

/// Gives how many quarters are released by then: the service itself may have come first.
pub async fn release(suite: &Suite) -> i64 {
    let ring = suite.vault.ring();
    release_due(&suite.db, suite.thresholds, ring.counts_with(), "followup")
        .await
        .unwrap();
    sqlx::query_scalar("SELECT count(*) FROM indicator_release_quarter")
        .fetch_one(&suite.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_operator_is_given_its_own_figures_exact_at_once() {
    let suite = Suite::start().await;
    let mut records = persons("A", "62041", 8, 2);
    records.push(person_with("B", |person| {
        person.state = JourneyState::Oriented.into();
        person.publics = vec!["SENIOR".to_owned(), "HABITANT".to_owned()];
        person.spotted_date = date(2025, 9, 30);
    }));
    for (reference, day, state) in [
        ("E1", 3, EntitlementState::Opened),
        ("E2", 6, EntitlementState::Refused),
    ] {
        records.push(right_with(reference, "B", |right| {
            right.state = state.into();
            right.decided_date = date(2025, 10, day);
            if state == EntitlementState::Opened {
                right.amount_kind = AmountKind::Notified.into();
            } else {
                right.support_mode = SupportMode::Autonomy.into();
                right.right = "C2S".to_owned();
            }
        }));
    }
    records.push(session("S"));
    assert_eq!(suite.push(records).await.rejected, 0);
    // Another operator's are not among them.
    let other = convention_name(2, 1);
    suite.learn(other, 1, true).await;
    suite
        .push_under(&other, vec![persons("X", "62041", 8, 9)])
        .await
        .unwrap();

    let operator = suite.convention.operator;
    let own = suite.convention.parent().to_string();
    let query = async |breakdown, grain| {
        let request = request(&own, breakdown, grain);
        ask(&suite, suite.tokens.agent(operator), request)
            .await
            .unwrap()
    };
    let table = query(Breakdown::Commune, Grain::Month).await;
    assert_eq!((table.audience, table.released_quarters), (0, 0));
    let row = |code: &str, month| {
        let mut rows = table.rows.iter();
        rows.find(|row| row.code == code && row.month == month)
            .unwrap()
    };
    assert_eq!(told(&row("62041", 8).persons_spotted), Some(Some(2)));
    assert_eq!(told(&row("62041", 9).persons_spotted), Some(Some(0)));
    let oriented = row("62263", 9);
    assert_eq!(told(&oriented.persons_oriented), Some(Some(1)));
    assert_eq!(told(&oriented.persons_supported), Some(Some(1)));
    // Decided on after one day and after four: two and a half, to the nearest day.
    assert_eq!(told(&oriented.entitlements_decided), Some(Some(2)));
    assert_eq!(told(&oriented.mean_decision_days), Some(Some(3)));
    assert_eq!(told(&oriented.in_autonomy), Some(Some(1)));
    assert_eq!(told(&oriented.on_behalf), Some(Some(1)));
    assert_eq!(
        oriented.amount_notified.as_ref().unwrap().figure,
        Some(amount::Figure::Value(euros(7_200, 0).unwrap()))
    );
    assert_eq!(row("62041", 8).mean_decision_days, None);
    // The session was in October, at Arras.
    assert_eq!(told(&row("62041", 10).sessions_held), Some(Some(1)));

    let year = query(Breakdown::Total, Grain::Year).await;
    assert_eq!(year.rows.len(), 1);
    assert_eq!(told(&year.rows[0].persons_spotted), Some(Some(3)));
    assert_eq!(told(&year.rows[0].persons_met), Some(Some(8)));
    let conventions = query(Breakdown::Convention, Grain::Year).await;
    assert_eq!(conventions.rows[0].code, suite.convention.to_string());
    let publics = query(Breakdown::Public, Grain::Quarter).await;
    let senior = publics
        .rows
        .iter()
        .find(|row| row.code == "SENIOR" && row.quarter == 3);
    let senior = senior.unwrap();
    assert_eq!(told(&senior.persons_spotted), Some(Some(1)));
    assert_eq!(senior.sessions_held, None);
    let rights = query(Breakdown::Right, Grain::Year).await;
    let rsa = by_code(&rights)["RSA"];
    assert_eq!(told(&rsa.entitlements_opened), Some(Some(1)));
    assert_eq!(rsa.persons_spotted, None);
    let reasons = query(Breakdown::Reason, Grain::Year).await;
    assert_eq!(
        told(&by_code(&reasons)["COMPLEXITE"].entitlements_followed),
        Some(Some(2))
    );
    let channels = query(Breakdown::Channel, Grain::Year).await;
    assert_eq!(
        told(&by_code(&channels)["PARTNER_SESSION"].persons_met),
        Some(Some(8))
    );
}

#[tokio::test]
async fn what_an_operator_does_under_several_conventions_is_one_row() {
    let suite = Suite::start().await;
    let second = convention_name(1, 2);
    suite.learn(second, 1, true).await;
    suite.push(persons("A", "62041", 8, 3)).await;
    let more = vec![[persons("B", "62041", 8, 2), persons("C", "62041", 9, 4)].concat()];
    suite.push_under(&second, more).await.unwrap();
    let token = || suite.tokens.agent(suite.convention.operator);
    let parent = suite.convention.parent().to_string();
    let table = |breakdown, grain| request(&parent, breakdown, grain);
    let by_month = ask(&suite, token(), table(Breakdown::Commune, Grain::Month))
        .await
        .unwrap();
    let of = |month: i32| {
        let mut rows = by_month.rows.iter().filter(|row| row.month == month);
        let row = rows.find(|row| row.code == "62041").unwrap();
        told(&row.persons_spotted)
    };
    assert_eq!((of(8), of(9)), (Some(Some(5)), Some(Some(4))));
    let by_year = ask(&suite, token(), table(Breakdown::Convention, Grain::Year))
        .await
        .unwrap();
    let rows = by_code(&by_year);
    let spotted =
        |name: &nonrecours_kernel::ConventionName| told(&rows[&*name.to_string()].persons_spotted);
    assert_eq!(spotted(&suite.convention), Some(Some(3)));
    assert_eq!(spotted(&second), Some(Some(6)));
}

#[tokio::test]
async fn small_cells_are_withheld_from_those_who_run_the_programme() {
    let suite = Suite::start().await;
    for (commune, number) in [
        ("62263", 40),
        ("62041", 12),
        ("62004", 6),
        ("62007", 2),
        ("75056", 1),
    ] {
        suite.push(persons("A", commune, 8, number)).await;
    }
    suite.clock.set(RELEASED);
    assert_eq!(release(&suite).await, 3);

    let internal = programme(
        &suite,
        Breakdown::Commune,
        Grain::Quarter,
        Audience::Internal,
    )
    .await;
    assert_eq!(
        (internal.audience(), internal.released_quarters),
        (Audience::Internal, 3)
    );
    // Every commune of the territory and the outside, for each quarter released, whether anybody lives there or not.
    assert_eq!(internal.rows.len(), 47 * 3);
    let summer = |table: &QueryIndicatorsResponse, code: &str| {
        let mut rows = table.rows.iter();
        told(
            &rows
                .find(|row| row.code == code && row.quarter == 3)
                .unwrap()
                .persons_spotted,
        )
        .unwrap()
    };
    assert_eq!(summer(&internal, "62263"), Some(40));
    assert_eq!(summer(&internal, "62041"), Some(12));
    // 2 and 1 would be the 3 that the total lacks: with them goes the smallest that can be told.
    assert_eq!(summer(&internal, "62004"), None);
    for small in ["62007", "", "62013"] {
        assert_eq!(summer(&internal, small), None, "{small}");
    }
    let public = programme(&suite, Breakdown::Commune, Grain::Quarter, Audience::Public).await;
    assert_eq!(public.audience(), Audience::Public);
    assert_eq!(summer(&public, "62263"), Some(40));
    // 9 lack: enough for 5, not for 11.
    assert_eq!(summer(&public, "62041"), None);
    let total = programme(&suite, Breakdown::Total, Grain::Quarter, Audience::Public).await;
    assert_eq!(summer(&total, ""), Some(61));
    // Nobody was met at a session: that is as little told as that few were.
    let row = total.rows.iter().find(|row| row.quarter == 3).unwrap();
    assert_eq!(told(&row.persons_met), Some(None));
    assert_eq!(told(&row.sessions_held), Some(Some(0)));
    let operators = programme(
        &suite,
        Breakdown::Operator,
        Grain::Quarter,
        Audience::Internal,
    )
    .await;
    let own = suite.convention.parent().to_string();
    let row = operators
        .rows
        .iter()
        .find(|row| row.code == own && row.quarter == 3);
    assert_eq!(told(&row.unwrap().persons_spotted), Some(Some(61)));
}

#[tokio::test]
async fn an_amount_that_is_nearly_one_persons_is_withheld() {
    let suite = Suite::start().await;
    let mut records = persons("A", "62263", 8, 30);
    let opened = |reference: &str, of: usize, right: &str, euros_a_month| {
        right_with(reference, &format!("A62263-8-{of}"), |claim| {
            claim.right = right.to_owned();
            claim.state = EntitlementState::Opened.into();
            claim.amount = euros(euros_a_month, 0);
            claim.amount_kind = AmountKind::Notified.into();
            claim.decided_date = date(2025, 10, 3);
        })
    };
    for of in 0..30 {
        records.push(opened(&format!("E{of}"), of, "RSA", 600));
        records.push(opened(
            &format!("F{of}"),
            of,
            "AAH",
            if of == 0 { 90_000 } else { 10 },
        ));
        records.push(opened(&format!("G{of}"), of, "AF", 100));
        // The smallest: withheld, to hide the rights that nobody has.
        if of < 12 {
            records.push(opened(&format!("H{of}"), of, "ASPA", 200));
        }
    }
    assert_eq!(suite.push(records).await.rejected, 0);
    suite.clock.set(RELEASED);
    release(&suite).await;
    let table = programme(&suite, Breakdown::Right, Grain::Quarter, Audience::Internal).await;
    let of = |code: &str| {
        let row = table
            .rows
            .iter()
            .find(|row| row.code == code && row.quarter == 3)
            .unwrap();
        let told = matches!(
            row.amount_notified.as_ref().unwrap().figure,
            Some(amount::Figure::Value(_))
        );
        (self::told(&row.entitlements_opened), told)
    };
    // Of how many is told; of how much not, since AAH would be one person's.
    assert_eq!(of("RSA"), (Some(Some(30)), true));
    assert_eq!(of("AAH"), (Some(Some(30)), false));
    assert_eq!(of("ASPA"), (Some(None), false));
}

#[tokio::test]
async fn a_quarter_is_released_once_and_never_moves() {
    let suite = Suite::start().await;
    suite.push(persons("A", "62263", 9, 30)).await;
    suite.clock.set(datetime!(2025-10-15 23:59 +2));
    assert_eq!(release(&suite).await, 2);
    let early = programme(&suite, Breakdown::Commune, Grain::Month, Audience::Internal).await;
    assert_eq!(early.released_quarters, 2);
    assert!(early.rows.iter().all(|row| row.month <= 6));

    suite.clock.set(RELEASED);
    // Two instances at once: it is done once.
    let (one, other) = tokio::join!(release(&suite), release(&suite));
    assert_eq!((one, other), (3, 3));
    let released = programme(&suite, Breakdown::Commune, Grain::Month, Audience::Internal).await;
    // One more person, late, and one who moved on: the operator sees them, the released figures do not move.
    suite.push(persons("B", "62263", 9, 1)).await;
    assert_eq!(release(&suite).await, 3);
    let later = programme(&suite, Breakdown::Commune, Grain::Month, Audience::Internal).await;
    assert_eq!(later, released);
    let own = ask(
        &suite,
        suite.tokens.manager(suite.convention.operator),
        request("operators/-", Breakdown::Total, Grain::Year),
    )
    .await
    .unwrap();
    assert_eq!(told(&own.rows[0].persons_spotted), Some(Some(31)));
    // The database lets nobody change what was released.
    let app = sqlx::PgPool::connect(suite.database.app_url())
        .await
        .unwrap();
    for statement in [
        "UPDATE indicator_release SET persons_spotted = 0",
        "DELETE FROM indicator_release_quarter",
    ] {
        let refused = sqlx::query(statement).execute(&app).await.unwrap_err();
        let refused = refused.into_database_error().unwrap();
        assert_eq!(refused.code().as_deref(), Some("42501"), "{statement}");
    }
}

#[tokio::test]
async fn tables_that_are_not_for_the_caller_are_refused() {
    let suite = Suite::start().await;
    let operator = suite.convention.operator;
    let own = suite.convention.parent().to_string();
    let refused = async |token, request| {
        let status = ask(&suite, token, request).await.unwrap_err();
        let details = nonrecours_rpc::details::Details::of(&status);
        let fields = details.violations.iter();
        let fields: Vec<String> = fields
            .map(|violation| format!("{} {}", violation.field, violation.reason))
            .collect();
        (status.code(), details.reason.clone(), fields)
    };
    let invalid = |fields: &[&str]| {
        let fields = fields.iter().map(ToString::to_string).collect();
        (Code::InvalidArgument, "INVALID_REQUEST".to_owned(), fields)
    };
    let denied = |reason: &str| (Code::PermissionDenied, reason.to_owned(), vec![]);
    // One operator's table by commune would be two breakdowns.
    assert_eq!(
        refused(
            suite.tokens.auditor(),
            request(&own, Breakdown::Convention, Grain::Year)
        )
        .await,
        invalid(&["parent TABLE_NOT_SERVED", "breakdown TABLE_NOT_SERVED"])
    );
    let asked = QueryIndicatorsRequest {
        audience: Audience::Public.into(),
        ..request("operators/-", Breakdown::Operator, Grain::Year)
    };
    assert_eq!(
        refused(suite.tokens.agent(operator), asked).await,
        invalid(&["breakdown TABLE_NOT_SERVED", "audience TABLE_NOT_SERVED"])
    );
    assert_eq!(
        refused(
            suite.tokens.agent(operator_of(2)),
            request(&own, Breakdown::Total, Grain::Year)
        )
        .await,
        denied("OUT_OF_REACH")
    );
    assert_eq!(
        refused(
            suite.tokens.accountant(),
            request("operators/-", Breakdown::Total, Grain::Year)
        )
        .await,
        denied("ROLE_MISSING")
    );
    let empty = QueryIndicatorsRequest {
        parent: "operators/-".to_owned(),
        ..QueryIndicatorsRequest::default()
    };
    let (code, reason, fields) = refused(suite.tokens.officer(), empty).await;
    assert_eq!(
        (code, reason.as_str()),
        (Code::InvalidArgument, "INVALID_REQUEST")
    );
    assert_eq!(fields.len(), 3, "{fields:?}");

    for number in 10..311 {
        suite.learn(convention_name(number, 1), 1, true).await;
    }
    assert_eq!(
        refused(
            suite.tokens.officer(),
            request("operators/-", Breakdown::Operator, Grain::Year)
        )
        .await,
        (
            Code::FailedPrecondition,
            "TABLE_TOO_LARGE".to_owned(),
            vec![]
        )
    );
}

fn operator_of(number: u128) -> nonrecours_kernel::OperatorId {
    operator(number)
}

/// Asks every table of the family, of every grain, for both audiences, and solves the equations: no figure that is withheld
/// for being small follows from the others, whatever the thresholds.
#[test]
fn an_officer_who_asks_everything_learns_no_small_figure() {
    // One of them stands for all those where nobody was met: the attacker does not know that.
    const COMMUNES: [&str; 5] = ["62263", "62041", "62004", "62013", "75056"];
    const EMPTY: usize = 3;
    const OPERATORS: usize = 3;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 2,
        failure_persistence: None,
        ..Config::default()
    });
    // Persons of each commune, operator and month from July to September.
    let cells = prop::collection::vec(0..6_usize, COMMUNES.len() * OPERATORS * 3);
    let other = Thresholds {
        internal: 3,
        public: 8,
    };
    let mut thresholds = [Thresholds::DEFAULT, other].into_iter().cycle();
    let thresholds = std::cell::RefCell::new(move || thresholds.next().unwrap());
    let result = runner.run(&cells, |mut cells| {
        let first = EMPTY * OPERATORS * 3;
        cells[first..first + OPERATORS * 3].fill(0);
        let cell = |commune: usize, operator: usize, month: usize| {
            (commune * OPERATORS + operator) * 3 + month
        };
        runtime.block_on(async {
            let thresholds = thresholds.borrow_mut()();
            let suite = Suite::start().await.restarted_under(thresholds).await;
            let mut conventions: Vec<ConventionName> = vec![];
            for operator in 0..OPERATORS {
                let convention = convention_name(operator as u128 + 1, 1);
                suite.learn(convention, 1, true).await;
                let mut records = vec![];
                for (commune, code) in COMMUNES.iter().enumerate() {
                    for month in 0..3 {
                        let number = cells[cell(commune, operator, month)];
                        records.extend(persons("A", code, 7 + month as i32, number));
                    }
                }
                if !records.is_empty() {
                    suite.push_under(&convention, vec![records]).await.unwrap();
                }
                conventions.push(convention);
            }
            suite.clock.set(RELEASED);
            release(&suite).await;

            let mut answers = 0;
            for (audience, threshold) in [
                (Audience::Internal, thresholds.internal as usize),
                (Audience::Public, thresholds.public as usize),
            ] {
                let mut equations = Field::new(cells.len());
                let mut secrets = vec![];
                for breakdown in [Breakdown::Total, Breakdown::Commune, Breakdown::Operator] {
                    for grain in [Grain::Month, Grain::Quarter, Grain::Year] {
                        let table = programme(&suite, breakdown, grain, audience).await;
                        for row in table
                            .rows
                            .iter()
                            .filter(|row| row.month > 6 || row.quarter == 3)
                        {
                            let commune = match row.code.as_str() {
                                "" if breakdown == Breakdown::Commune => Some(4),
                                code => COMMUNES.iter().position(|own| *own == code),
                            };
                            let operator = conventions
                                .iter()
                                .position(|own| own.parent().to_string() == row.code);
                            if breakdown != Breakdown::Total
                                && commune.is_none()
                                && operator.is_none()
                            {
                                continue;
                            }
                            let mut sum = vec![];
                            for month in 0..3 {
                                for c in 0..COMMUNES.len() {
                                    for o in 0..OPERATORS {
                                        let month_is =
                                            row.quarter == 3 || row.month == 7 + month as i32;
                                        if month_is
                                            && commune.is_none_or(|own| own == c)
                                            && operator.is_none_or(|own| own == o)
                                        {
                                            sum.push(cell(c, o, month));
                                        }
                                    }
                                }
                            }
                            let truth: usize = sum.iter().map(|cell| cells[*cell]).sum();
                            match told(&row.persons_spotted).unwrap() {
                                Some(value) => {
                                    answers += 1;
                                    prop_assert_eq!(value, truth as i64);
                                    equations.learn(&sum);
                                }
                                None if truth < threshold => secrets.push(sum),
                                None => {}
                            }
                        }
                    }
                }
                for secret in secrets {
                    prop_assert!(!equations.determines(&secret), "{:?}", secret);
                }
            }
            prop_assert!(answers > 0);
            Ok(())
        })
    });
    result.unwrap();
}
