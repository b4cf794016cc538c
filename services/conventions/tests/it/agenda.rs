//! What is due.

use nonrecours_contracts::conventions::{
    DueKind, ListDueRequest, OperatorCategory, Party, Programme, ReportDueDate,
    UpdateProgrammeRequest,
};
use nonrecours_testkit::request_id;
use prost_types::FieldMask;
use time::Duration;

use crate::{
    open_data::publication,
    requests::{DAINVILLE_ACT, date, operator, pairs, reason, violations},
    state_funding::funding,
    world::World,
};

fn until(parent: &str, year: i32, month: i32, day: i32) -> ListDueRequest {
    ListDueRequest {
        parent: parent.to_owned(),
        until_date: Some(date(year, month, day)),
        ..ListDueRequest::default()
    }
}

/// Kind, day and whether it is overdue, of each thing due.
async fn listed(
    world: &World,
    token: String,
    request: ListDueRequest,
) -> Vec<(DueKind, String, bool)> {
    let mut client = world.agenda(token);
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        // One at a time: pages neither skip nor repeat.
        let request = ListDueRequest {
            page_size: 1,
            page_token,
            ..request.clone()
        };
        let page = client.list_due(request).await.unwrap().into_inner();
        for due in page.due {
            assert!(!due.message_fr.is_empty() && !due.legal_basis.is_empty());
            let day = due.due_date.unwrap();
            let day = format!("{}-{:02}-{:02}", day.year, day.month, day.day);
            found.push((due.kind(), day, due.overdue));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

#[tokio::test]
async fn the_agenda_of_a_programme_and_of_an_operator() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    world.in_force(&setting).await;
    let request = funding(&setting.programme);
    let mut fundings = world.state_fundings(world.tokens.officer());
    fundings.create_state_funding(request).await.unwrap();
    let due = |kind, day: &str, overdue| (kind, day.to_owned(), overdue);
    let officer = world.tokens.officer();
    let all = until(&setting.programme, 2026, 12, 31);
    assert_eq!(
        listed(&world, officer.clone(), all.clone()).await,
        [
            due(DueKind::StateInstalment, "2025-09-30", true),
            due(DueKind::CommitmentReminder, "2025-12-01", false),
            due(DueKind::ActivityReport, "2025-12-31", false),
            due(DueKind::BudgetYearEnd, "2025-12-31", false),
            due(DueKind::Commitment, "2025-12-31", false),
            due(DueKind::IndicativeEnd, "2025-12-31", false),
            due(DueKind::GrantPublication, "2026-01-07", false),
            due(DueKind::LastPaymentOrder, "2026-01-31", false),
            due(DueKind::StateReport, "2026-03-31", false),
            due(DueKind::StateInstalment, "2026-06-30", false),
        ]
    );
    // The calendar of the programme goes before the indicative end; a publication settles the grant's.
    let update = UpdateProgrammeRequest {
        programme: Some(Programme {
            name: setting.programme.clone(),
            report_calendar: vec![ReportDueDate {
                budget_year: 2025,
                due_date: Some(date(2026, 2, 15)),
            }],
            ..Programme::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["report_calendar".to_owned()],
        }),
        request_id: request_id(),
    };
    let mut programmes = world.programmes(officer.clone());
    programmes.update_programme(update).await.unwrap();
    let mut open_data = world.open_data(officer.clone());
    let request = publication(&setting.programme, 7);
    open_data.create_grant_publication(request).await.unwrap();
    // A second past midnight of 1 January in Paris, an hour before in UTC.
    world
        .clock
        .advance(Duration::hours(15) + Duration::days(85) + Duration::hours(1));
    let operators_own = [
        due(DueKind::BudgetYearEnd, "2025-12-31", true),
        due(DueKind::Commitment, "2025-12-31", true),
        due(DueKind::IndicativeEnd, "2025-12-31", true),
        due(DueKind::LastPaymentOrder, "2026-01-31", false),
        due(DueKind::ActivityReport, "2026-02-15", false),
    ];
    let manager = world.tokens.manager(setting.operator);
    for parent in [setting.parent(), setting.programme.clone()] {
        let request = until(&parent, 2026, 12, 31);
        assert_eq!(
            listed(&world, manager.clone(), request).await,
            operators_own
        );
    }
    let programmes = listed(&world, officer, all).await;
    assert!(
        programmes
            .iter()
            .all(|it| it.0 != DueKind::GrantPublication)
    );
    assert_eq!(programmes.len(), 8);
}

#[tokio::test]
async fn an_act_without_publication_is_called_to_mind_and_strangers_see_nothing() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let draft = world.draft(&setting).await.name;
    let act = world.act(&draft, Party::Operator, DAINVILLE_ACT).await;
    let request = until(&setting.parent(), 2025, 12, 31);
    let manager = world.tokens.manager(setting.operator);
    assert_eq!(
        listed(&world, manager.clone(), request.clone()).await,
        [(DueKind::ActPublication, "2025-10-14".to_owned(), false)]
    );
    let short = until(&setting.parent(), 2025, 10, 13);
    assert_eq!(listed(&world, manager.clone(), short).await, []);
    world.publish(&act.name).await;
    assert_eq!(listed(&world, manager.clone(), request.clone()).await, []);

    let arras = operator("21620041000019", OperatorCategory::Ccas);
    let stranger = world
        .tokens
        .manager(world.setting_of(1, arras).await.operator);
    assert_eq!(
        reason(world.agenda(stranger).list_due(request.clone()).await),
        "OUT_OF_REACH"
    );
    let mut client = world.agenda(world.tokens.officer());
    for parent in ["operators", "programmes"] {
        let nowhere = until(&format!("{parent}/{}", request_id()), 2025, 12, 31);
        assert_eq!(reason(client.list_due(nowhere).await), "NOT_FOUND");
    }
    let no_day = ListDueRequest {
        until_date: None,
        ..request.clone()
    };
    assert_eq!(
        violations(client.list_due(no_day).await),
        pairs(&[("until_date", "REQUIRED")])
    );
    let other = ListDueRequest {
        page_token: "bm90IG91cnM".to_owned(),
        ..request
    };
    assert_eq!(reason(client.list_due(other).await), "PAGE_TOKEN_INVALID");
}
