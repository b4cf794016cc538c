//! What is due while a convention is called into question, and what is left of it once it has ended.

use nonrecours_contracts::conventions::{DueKind, ListDueRequest, OperatorCategory};

use nonrecours_contracts::conventions::Party;
use time::macros::datetime;

use crate::{
    amending::{DAINVILLE_AMENDING, draft, grant, withdraw},
    budget::deviated,
    ending::{hearing, notice, terminate},
    requests::{DAINVILLE, act, date, operator},
    world::World,
};

/// What is due for a programme up to the end of 2026, in its order.
async fn due(world: &World, parent: &str) -> Vec<(DueKind, String)> {
    let request = ListDueRequest {
        parent: parent.to_owned(),
        until_date: Some(date(2026, 12, 31)),
        ..ListDueRequest::default()
    };
    let mut officer = world.agenda(world.tokens.officer());
    let page = officer.list_due(request).await.unwrap().into_inner();
    let day = |due: &nonrecours_contracts::conventions::Due| {
        let day = due.due_date.unwrap();
        format!("{}-{:02}-{:02}", day.year, day.month, day.day)
    };
    page.due
        .iter()
        .map(|due| {
            assert!(!due.legal_basis.is_empty() && !due.message_fr.is_empty());
            (due.kind(), day(due))
        })
        .collect()
}

fn on(expected: &[(DueKind, &str)]) -> Vec<(DueKind, String)> {
    let own = |(kind, day): &(DueKind, &str)| (*kind, (*day).to_owned());
    expected.iter().map(own).collect()
}

#[tokio::test]
async fn a_terminated_convention_leaves_its_report_its_publication_and_its_hearing() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    world.clock.set(datetime!(2025-10-16 10:00 UTC));
    deviated(&world, &convention).await;
    let mut hearings = world.hearings(world.tokens.officer());
    hearings
        .create_hearing(hearing(&convention, ""))
        .await
        .unwrap();
    let mut notices = world.formal_notices(world.tokens.officer());
    let given = notices
        .create_formal_notice(notice(&convention, Party::Authority))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        due(&world, &setting.programme).await,
        on(&[
            (DueKind::Hearing, "2025-10-20"),
            (DueKind::FormalNotice, "2025-10-30"),
            (DueKind::DeviationCase, "2025-11-15"),
            (DueKind::CommitmentReminder, "2025-12-01"),
            (DueKind::ActivityReport, "2025-12-31"),
            (DueKind::BudgetYearEnd, "2025-12-31"),
            (DueKind::Commitment, "2025-12-31"),
            (DueKind::IndicativeEnd, "2025-12-31"),
            (DueKind::GrantPublication, "2026-01-07"),
            (DueKind::LastPaymentOrder, "2026-01-31"),
        ])
    );
    world.clock.set(datetime!(2025-10-31 10:00 UTC));
    terminate(&world, &given.name).await;
    // Nothing is due to the operator while no report says what it spent: nothing is left to be paid in the year.
    assert_eq!(
        due(&world, &setting.programme).await,
        on(&[
            (DueKind::Hearing, "2025-10-20"),
            (DueKind::ActivityReport, "2025-12-31"),
            (DueKind::GrantPublication, "2026-01-07"),
        ])
    );
    let report = world.submitted(&convention).await;
    world.accept(&report.name).await;
    assert_eq!(
        due(&world, &setting.programme).await,
        on(&[
            (DueKind::Hearing, "2025-10-20"),
            (DueKind::BudgetYearEnd, "2025-12-31"),
            (DueKind::GrantPublication, "2026-01-07"),
            (DueKind::LastPaymentOrder, "2026-01-31"),
        ])
    );
}

#[tokio::test]
async fn a_settled_convention_leaves_its_publication_only() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let report = world.submitted(&convention).await;
    world.accept(&report.name).await;
    world.complete(&convention).await.unwrap();
    world.report_plan(&convention, 9, 1_150_000, "payment_plan.paid");
    world.changes_until("convention.settled", &convention).await;
    assert_eq!(
        due(&world, &setting.programme).await,
        on(&[(DueKind::GrantPublication, "2026-01-07")])
    );
}

#[tokio::test]
async fn an_association_is_asked_for_the_republican_commitment_and_its_accounts() {
    let world = World::start().await;
    let mut association = operator(DAINVILLE, OperatorCategory::Association);
    let setting = world.setting_of(50_000_000, association.clone()).await;
    world.draft(&setting).await;
    let asked = (DueKind::RepublicanCommitment, "2025-10-22");
    assert_eq!(due(&world, &setting.parent()).await, on(&[asked]));

    association.request_id = nonrecours_testkit::request_id();
    if let Some(signed) = &mut association.operator {
        signed.siret = "732 829 320 00074".to_owned();
        signed.republican_commitment_date = Some(date(2025, 9, 1));
    }
    let setting = world.setting_of(50_000_000, association).await;
    let convention = world.signed_by_association(&setting).await.name;
    let accounts = (DueKind::FinancialReport, "2026-06-30".to_owned());
    let found = due(&world, &setting.parent()).await;
    assert!(found.contains(&accounts), "{found:?}");
    assert!(found.iter().all(|it| it.0 != DueKind::RepublicanCommitment));
    crate::budget::accounted(&world, &convention).await;
    world.submitted(&convention).await;
    let found = due(&world, &setting.parent()).await;
    assert!(!found.contains(&accounts), "{found:?}");
}

#[tokio::test]
async fn the_act_of_an_amendment_is_to_publish_until_the_amendment_is_given_up() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let drafted = world
        .amend(draft(&convention, grant(1_300_000)))
        .await
        .unwrap();
    let mut request = act(&convention, Party::Operator, DAINVILLE_AMENDING);
    drafted
        .name
        .clone_into(&mut request.act.as_mut().unwrap().amendment);
    let mut acts = world.acts(world.tokens.officer());
    acts.create_act(request).await.unwrap();
    let to_publish = |due: &[(DueKind, String)]| {
        due.iter()
            .filter(|(kind, _)| *kind == DueKind::ActPublication)
            .count()
    };
    assert_eq!(to_publish(&due(&world, &setting.programme).await), 1);
    let mut officer = world.amendments(world.tokens.officer());
    officer
        .withdraw_amendment(withdraw(&drafted.name))
        .await
        .unwrap();
    assert_eq!(to_publish(&due(&world, &setting.programme).await), 0);
}
