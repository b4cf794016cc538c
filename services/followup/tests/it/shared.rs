//! Persons of several operators in the programme's tables: one each, also when some of their records are erased.

use nonrecours_contracts::followup::{
    AmountKind, Audience, Breakdown, EntitlementState, ErasureReason, Grain,
    QueryIndicatorsResponse, Record, record::Content,
};
use nonrecours_kernel::ConventionName;
use time::macros::datetime;

use crate::{
    erasure,
    support::*,
    tables::{RELEASED, ask, persons, programme, release, request, told},
};

/// A person spotted in a month of 2025, known by name.
fn named(reference: &str, name: &str, month: i32) -> Record {
    let mut record = known(reference, |identity| identity.birth_name = name.to_owned());
    if let Some(Content::Beneficiary(person)) = &mut record.content {
        person.spotted_date = date(2025, month, 5);
    }
    record
}

#[tokio::test]
async fn a_person_of_two_operators_counts_once_in_the_programme_and_once_in_each() {
    let suite = Suite::start().await;
    let other = convention_name(2, 1);
    suite.learn(other, 1, true).await;
    let push_other = async |records: Vec<Record>| {
        let answers = suite.push_under(&other, vec![records]).await.unwrap();
        assert_eq!(answers[0].rejected, 0, "{:?}", answers[0].results);
    };
    let names = ["Alix", "Bose", "Cau", "Denis", "Evrard", "Flament"];
    let both = |prefix: &str, month| -> Vec<Record> {
        let names = names.into_iter();
        names
            .map(|name| named(&format!("{prefix}{name}"), name, month))
            .collect()
    };
    let opened = |reference: &str, of: &str| {
        right_with(reference, of, |right| {
            right.state = EntitlementState::Opened.into();
            right.amount_kind = AmountKind::Notified.into();
            right.decided_date = date(2025, 10, 3);
        })
    };
    // Six persons of both, and one more, in the same month; the others of one alone, and of unknown name.
    let mut records = persons("A", "62263", 8, 30);
    records.extend(persons("A", "62263", 9, 15));
    records.extend(both("A", 8));
    records.extend([named("AG", "Gense", 8), opened("EG", "AG")]);
    assert_eq!(suite.push(records).await.rejected, 0);
    let mut records = persons("B", "62263", 9, 20);
    records.extend(persons("B", "62263", 8, 10));
    records.extend(both("B", 9));
    records.extend([named("BG", "GENSE", 8), opened("EG", "BG")]);
    push_other(records).await;
    suite.clock.set(RELEASED);
    // The service's own pass may have come first for the quarters before.
    assert!(release(&suite).await > 0);

    let spotted = |table: &QueryIndicatorsResponse, code: &str, quarter| {
        let mut rows = table.rows.iter();
        let row = rows.find(|row| row.code == code && row.quarter == quarter);
        told(&row.unwrap().persons_spotted)
    };
    let table =
        async |breakdown| programme(&suite, breakdown, Grain::Quarter, Audience::Internal).await;
    let total = table(Breakdown::Total).await;
    assert_eq!(spotted(&total, "", 3), Some(Some(82)));
    let operators = table(Breakdown::Operator).await;
    for (convention, number) in [(suite.convention, 52), (other, 37)] {
        let parent = convention.parent().to_string();
        assert_eq!(spotted(&operators, &parent, 3), Some(Some(number)));
        let own = ask(
            &suite,
            suite.tokens.agent(convention.operator),
            request(&parent, Breakdown::Total, Grain::Quarter),
        );
        assert_eq!(spotted(&own.await.unwrap(), "", 3), Some(Some(number)));
    }
    // In the first month, once behind the rights of a month, and their amounts are one person's.
    let months: Vec<(time::Date, i64, i64, i64, bool)> = sqlx::query_as(
        "SELECT month, sum(persons_spotted)::bigint, sum(persons_opened)::bigint, sum(entitlements_opened)::bigint,
                sum(notified_squares) = sum(amount_notified) * sum(amount_notified)
         FROM indicator_programme WHERE dimension = 'TOTAL' AND month < '2025-10-01' GROUP BY month ORDER BY month",
    )
    .fetch_all(&suite.owner)
    .await
    .unwrap();
    assert_eq!(
        months,
        [
            (time::macros::date!(2025 - 08 - 01), 47, 1, 2, true),
            (time::macros::date!(2025 - 09 - 01), 35, 0, 0, true)
        ]
    );

    // Who came too late for the summer's release counts with what comes next; who was in it does not count again.
    suite.clock.set(datetime!(2025-10-16 06:01 +2));
    suite.push(vec![named("AH", "Hecquet", 8)]).await;
    let mut records = persons("C", "62263", 10, 10);
    records.extend([named("BH", "Hecquet", 10), named("BA2", "Alix", 10)]);
    push_other(records).await;
    suite.clock.set(datetime!(2026-01-16 06:00 +1));
    assert_eq!(release(&suite).await, 4);
    let total = table(Breakdown::Total).await;
    assert_eq!(spotted(&total, "", 3), Some(Some(82)));
    assert_eq!(spotted(&total, "", 4), Some(Some(11)));
}

/// Two operators, each with persons of its own and ten of both: the first's in August, the second's from then on as
/// given. Gives the names of the first's records of those ten.
async fn ten_of_both(month: i32) -> (Suite, ConventionName, Vec<String>) {
    let suite = Suite::start().await;
    let other = convention_name(2, 1);
    suite.learn(other, 1, true).await;
    let both = |prefix: &str, month| -> Vec<Record> {
        (0..10)
            .map(|number| {
                named(
                    &format!("{prefix}{number}"),
                    &format!("Nom{}", LETTERS[number]),
                    month,
                )
            })
            .collect()
    };
    suite.push(persons("A", "62263", 8, 20)).await;
    let answer = suite.push(both("P", 8)).await;
    let mut records: Vec<Record> = (0..30)
        .map(|number| {
            person_with(&format!("B{number}"), |person| {
                person.spotted_date = date(2025, month, 1 + number % 7);
            })
        })
        .collect();
    records.extend(both("Q", month));
    let answers = suite.push_under(&other, vec![records]).await.unwrap();
    assert_eq!(answers[0].stored, 40);
    let names = answer.results.into_iter().map(|result| result.name);
    (suite, other, names.collect())
}

/// A name has letters only.
const LETTERS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// Persons spotted from a month of 2025 on, for three months, in the programme's eyes.
async fn total(suite: &Suite, first: u8) -> i64 {
    sqlx::query_scalar(
        "SELECT coalesce(sum(persons_spotted), 0)::bigint FROM indicator_programme
         WHERE dimension = 'TOTAL' AND extract(month FROM month) BETWEEN $1 AND $1 + 2",
    )
    .bind(i32::from(first))
    .fetch_one(&suite.owner)
    .await
    .unwrap()
}

async fn erase(suite: &Suite, name: &str, reason: ErasureReason) {
    erasure::ask(suite, erasure::erase_request(name, reason))
        .await
        .unwrap();
}

#[tokio::test]
async fn erased_before_the_release_a_person_of_two_operators_still_counts_once() {
    let (suite, _, names) = ten_of_both(8).await;
    for name in &names[..6] {
        erase(&suite, name, ErasureReason::SubjectRequest).await;
    }
    // This one was never there: the other operator's record is the person's only one.
    erase(&suite, &names[6], ErasureReason::Mistake).await;
    suite.clock.set(RELEASED);
    // The service's own pass may have come first for the quarters before.
    assert!(release(&suite).await > 0);
    // 20 and 30 of one operator each, ten of both.
    assert_eq!(total(&suite, 7).await, 60);
}

#[tokio::test]
async fn erased_after_a_release_nobody_counts_again_in_a_later_one() {
    let (suite, _, names) = ten_of_both(10).await;
    suite.clock.set(RELEASED);
    // The service's own pass may have come first for the quarters before.
    assert!(release(&suite).await > 0);
    assert_eq!(total(&suite, 7).await, 30);
    for name in &names {
        erase(&suite, name, ErasureReason::Retention).await;
    }
    // What was released does not move, and those who were in it are not new when autumn is released.
    suite.clock.set(datetime!(2026-01-16 06:00 +1));
    assert_eq!(release(&suite).await, 4);
    assert_eq!(total(&suite, 7).await, 30);
    assert_eq!(total(&suite, 10).await, 30);
}
