//! A programme's votes, thresholds, calendar and territory.

use nonrecours_contracts::conventions::{
    ChangeTerritoryRequest, GetOperatorRequest, Programme, ReportDueDate, UpdateProgrammeRequest,
    VoteEnvelopeRequest,
};
use nonrecours_testkit::request_id;
use prost_types::FieldMask;
use time::Duration;

use crate::{
    requests::{NIR, date, euros, pairs, precondition, programme, reason, violations},
    world::World,
};

fn vote(name: &str, year: i32, cents: i64) -> VoteEnvelopeRequest {
    VoteEnvelopeRequest {
        name: name.to_owned(),
        budget_year: year,
        amount: Some(euros(cents)),
        vote_date: Some(date(2025, 10, 2)),
        act_reference: "25C133".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn the_voted_amount_is_the_sum_of_the_votes_and_never_below_what_is_engaged() {
    let world = World::start().await;
    let setting = world.setting(1_200_000).await;
    world.in_force(&setting).await;
    let mut officer = world.programmes(world.tokens.officer());
    let request = vote(&setting.programme, 2025, 300_000);
    let voted = officer
        .vote_envelope(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = officer
        .vote_envelope(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, voted);
    let other = VoteEnvelopeRequest {
        amount: Some(euros(1)),
        ..request.clone()
    };
    assert_eq!(
        reason(officer.vote_envelope(other).await),
        "REQUEST_ID_REUSED"
    );
    let stale = VoteEnvelopeRequest {
        etag: "1".to_owned(),
        ..vote(&setting.programme, 2025, 1)
    };
    assert_eq!(reason(officer.vote_envelope(stale).await), "ETAG_MISMATCH");

    // 15 000 € voted, 11 500 € engaged: down by 3 500 € at most.
    let outcome = officer
        .vote_envelope(vote(&setting.programme, 2025, -350_001))
        .await;
    assert_eq!(precondition(outcome), "ENVELOPE_BELOW_ENGAGED");
    officer
        .vote_envelope(vote(&setting.programme, 2025, -350_000))
        .await
        .unwrap();
    let outcome = officer
        .vote_envelope(vote(&setting.programme, 2026, -1))
        .await;
    assert_eq!(precondition(outcome), "ENVELOPE_BELOW_ENGAGED");
    officer
        .vote_envelope(vote(&setting.programme, 2026, 2_000_000))
        .await
        .unwrap();

    let read = world.programme(&setting.programme).await;
    let [first, second] = read.envelopes.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(first.voted_amount, Some(euros(1_150_000)));
    assert_eq!(first.engaged_amount, Some(euros(1_150_000)));
    assert_eq!(first.remaining_amount, Some(euros(0)));
    let amounts: Vec<_> = first.votes.iter().map(|vote| vote.amount.clone()).collect();
    assert_eq!(
        amounts,
        [1_200_000, 300_000, -350_000].map(|cents| Some(euros(cents)))
    );
    assert_eq!(first.votes[0].vote_date, None);
    assert_eq!(first.votes[1].act_reference, "25C133");
    assert!(!first.votes[1].recorded_by.is_empty());
    assert_eq!(second.remaining_amount, Some(euros(2_000_000)));
    assert_eq!(second.vote_date, Some(date(2025, 10, 2)));
    let changes = world
        .changes_until("programme.voted", &setting.programme)
        .await;
    assert_eq!(changes.last().unwrap().why, "25C133");

    let wrong = VoteEnvelopeRequest {
        budget_year: 1999,
        amount: Some(euros(0)),
        vote_date: Some(date(2025, 10, 8)),
        act_reference: NIR.to_owned(),
        ..vote(&setting.programme, 2025, 1)
    };
    let mut found = violations(officer.vote_envelope(wrong).await);
    found.sort();
    assert_eq!(
        found,
        pairs(&[
            ("act_reference", "NIR_FORBIDDEN"),
            ("amount", "AMOUNT_ZERO"),
            ("budget_year", "TOO_SMALL"),
            ("vote_date", "DATE_IN_FUTURE"),
        ])
    );
}

#[tokio::test]
async fn names_thresholds_and_calendar_are_updated_field_by_field() {
    let world = World::start().await;
    let mut officer = world.programmes(world.tokens.officer());
    let opened = officer
        .create_programme(programme(1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (opened.deviation_rate.as_str(), opened.notice_days),
        ("0.1", 15)
    );
    let update = |given: Programme, paths: &[&str]| UpdateProgrammeRequest {
        programme: Some(Programme {
            name: opened.name.clone(),
            ..given
        }),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        request_id: request_id(),
    };
    let due = |year, due_date| ReportDueDate {
        budget_year: year,
        due_date: Some(due_date),
    };
    let given = Programme {
        deviation_rate: "0.15".to_owned(),
        notice_days: 30,
        report_calendar: vec![due(2026, date(2027, 1, 31)), due(2025, date(2026, 1, 31))],
        etag: opened.etag.clone(),
        ..Programme::default()
    };
    let request = update(given, &["deviation_rate", "notice_days", "report_calendar"]);
    let updated = officer
        .update_programme(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(updated.display_name, opened.display_name);
    assert_eq!(
        (updated.deviation_rate.as_str(), updated.notice_days),
        ("0.15", 30)
    );
    assert_eq!(updated.report_calendar[0], due(2025, date(2026, 1, 31)));
    assert_eq!(updated.etag, "2");
    assert_eq!(world.programme(&opened.name).await, updated);
    let again = officer
        .update_programme(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, updated);
    let stale = Programme {
        etag: opened.etag.clone(),
        ..Programme::default()
    };
    let outcome = officer
        .update_programme(update(stale, &["notice_days"]))
        .await;
    assert_eq!(reason(outcome), "ETAG_MISMATCH");
    let twin = officer
        .create_programme(programme(1))
        .await
        .unwrap()
        .into_inner();
    let named = Programme {
        display_name: twin.display_name,
        ..Programme::default()
    };
    let outcome = officer
        .update_programme(update(named, &["display_name"]))
        .await;
    assert_eq!(reason(outcome), "ALREADY_EXISTS");

    let wrong = Programme {
        authority_name: " ".to_owned(),
        deviation_rate: "1.5".to_owned(),
        notice_days: 366,
        report_calendar: vec![due(2025, date(2024, 12, 31)), due(2025, date(2026, 1, 1))],
        ..Programme::default()
    };
    let paths = [
        "authority_name",
        "deviation_rate",
        "notice_days",
        "report_calendar",
        "etag",
    ];
    let mut found = violations(officer.update_programme(update(wrong, &paths)).await);
    found.sort();
    assert_eq!(
        found,
        pairs(&[
            ("programme.authority_name", "REQUIRED"),
            ("programme.deviation_rate", "RATE_RANGE"),
            ("programme.notice_days", "TOO_LARGE"),
            (
                "programme.report_calendar[0].due_date",
                "DATE_BEFORE_BUDGET_YEAR"
            ),
            ("programme.report_calendar[1].budget_year", "DUPLICATE"),
            ("update_mask.paths[4]", "FIELD_NOT_UPDATABLE"),
        ])
    );
}

#[tokio::test]
async fn the_territory_changes_from_a_day_on_and_an_operator_outside_it_is_remarked_upon() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let mut officer = world.programmes(world.tokens.officer());
    let change = |entering: &[&str], leaving: &[&str]| ChangeTerritoryRequest {
        name: setting.programme.clone(),
        effective_date: Some(date(2025, 10, 26)),
        entering: entering.iter().map(|code| (*code).to_owned()).collect(),
        leaving: leaving.iter().map(|code| (*code).to_owned()).collect(),
        etag: String::new(),
        request_id: request_id(),
    };
    let request = change(&["62004"], &["62263"]);
    let changed = officer
        .change_territory(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(changed.commune_codes, ["62041", "62263"]);
    assert_eq!(changed.territory.len(), 3);
    assert_eq!(changed.territory[2].valid_to, Some(date(2025, 10, 26)));
    let again = officer
        .change_territory(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, changed);
    for (entering, leaving) in [(["62004"].as_slice(), [].as_slice()), (&[], &["62119"])] {
        let outcome = officer.change_territory(change(entering, leaving)).await;
        assert_eq!(precondition(outcome), "TERRITORY_CONFLICT");
    }
    let stale = ChangeTerritoryRequest {
        etag: "1".to_owned(),
        ..change(&["62037"], &[])
    };
    assert_eq!(
        reason(officer.change_territory(stale).await),
        "ETAG_MISMATCH"
    );
    assert_eq!(
        violations(
            officer
                .change_territory(change(&["62037", "x"], &["62037"]))
                .await
        ),
        pairs(&[("entering[1]", "INSEE_FORMAT"), ("leaving[0]", "DUPLICATE")])
    );
    assert_eq!(
        violations(officer.change_territory(change(&[], &[])).await),
        pairs(&[("entering", "REQUIRED")])
    );

    // Dainville is of the territory until the night of the clock change, in Paris.
    let mut operators = world.operators(world.tokens.auditor());
    let get = GetOperatorRequest {
        name: setting.parent(),
    };
    let before = operators
        .get_operator(get.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(before.warnings, []);
    world.clock.advance(Duration::days(19));
    let after = operators.get_operator(get).await.unwrap().into_inner();
    assert_eq!(after.warnings[0].reason, "COMMUNE_OUTSIDE_TERRITORY");
    let today = world.programme(&setting.programme).await;
    assert_eq!(today.commune_codes, ["62004", "62041"]);
}
