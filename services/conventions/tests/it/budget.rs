//! Budgets (art. 8): planned, realised, and the deviations that somebody decides on.

use nonrecours_contracts::conventions::{
    Budget, BudgetDeviation, BudgetLine, CloseDeviationCaseRequest, GetBudgetRequest,
    OperatorCategory, Party, PlanBudgetRequest, RecordRealisedBudgetRequest,
};
use nonrecours_kernel::ConventionName;
use nonrecours_testkit::request_id;
use tonic::{Response, Status};

use crate::{
    ending::terminated,
    requests::{NIR, euros, operator, pairs, precondition, reason, sign, violations},
    world::World,
};

/// Planned for the convention of the document: the grant of 11 500 € pays an agent and some travel; a room is lent.
const PLANNED: [(i32, i64); 5] = [
    (62, 150_000),
    (64, 1_000_000),
    (74, 1_150_000),
    (86, 50_000),
    (87, 50_000),
];
/// A little less in travel, as much in all.
const AS_PLANNED: [(i32, i64); 5] = [
    (62, 135_000),
    (64, 1_015_000),
    (74, 1_150_000),
    (86, 50_000),
    (87, 50_000),
];
/// Ten euros and a cent more than a tenth below in travel, and an expense that nobody planned.
const DEVIATED: [(i32, i64); 6] = [
    (61, 15_001),
    (62, 134_999),
    (64, 1_000_000),
    (74, 1_150_000),
    (86, 50_000),
    (87, 50_000),
];

fn lines(amounts: &[(i32, i64)]) -> Vec<BudgetLine> {
    amounts
        .iter()
        .map(|(account_class, cents)| BudgetLine {
            account_class: *account_class,
            amount: Some(euros(*cents)),
            ..BudgetLine::default()
        })
        .collect()
}

fn plan(convention: &str, amounts: &[(i32, i64)]) -> PlanBudgetRequest {
    PlanBudgetRequest {
        name: format!("{convention}/budget"),
        planned_lines: lines(amounts),
        etag: String::new(),
        request_id: request_id(),
    }
}

pub fn realise(convention: &str, amounts: &[(i32, i64)]) -> RecordRealisedBudgetRequest {
    RecordRealisedBudgetRequest {
        name: format!("{convention}/budget"),
        realised_lines: lines(amounts),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn close(convention: &str) -> CloseDeviationCaseRequest {
    CloseDeviationCaseRequest {
        name: format!("{convention}/budget"),
        reason: "Écart admis après audition du 15 décembre.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

async fn planned(world: &World, request: PlanBudgetRequest) -> Result<Budget, Status> {
    let mut client = world.budgets(world.tokens.officer());
    client.plan_budget(request).await.map(Response::into_inner)
}

/// The budget of the document, planned for a draft.
pub async fn planned_as_the_document(world: &World, convention: &str) -> Budget {
    planned(world, plan(convention, &PLANNED)).await.unwrap()
}

async fn realised(
    world: &World,
    convention: &str,
    request: RecordRealisedBudgetRequest,
) -> Result<Budget, Status> {
    let name: ConventionName = convention.parse().unwrap();
    let mut client = world.budgets(world.tokens.manager(name.operator));
    client
        .record_realised_budget(request)
        .await
        .map(Response::into_inner)
}

async fn closed(world: &World, request: CloseDeviationCaseRequest) -> Result<Budget, Status> {
    let mut client = world.budgets(world.tokens.officer());
    client
        .close_deviation_case(request)
        .await
        .map(Response::into_inner)
}

/// The budget of the document, planned and spent as planned but for a tenth in travel.
pub async fn accounted(world: &World, convention: &str) -> Budget {
    planned(world, plan(convention, &PLANNED)).await.unwrap();
    realised(world, convention, realise(convention, &AS_PLANNED))
        .await
        .unwrap()
}

/// A budget of a convention in force with a deviation case open.
pub async fn deviated(world: &World, convention: &str) -> Budget {
    planned(world, plan(convention, &PLANNED)).await.unwrap();
    realised(world, convention, realise(convention, &DEVIATED))
        .await
        .unwrap()
}

pub fn deviation(
    account_class: i32,
    label: &str,
    planned: i64,
    realised: i64,
    rate: &str,
    significant: bool,
) -> BudgetDeviation {
    BudgetDeviation {
        account_class,
        planned_amount: Some(euros(planned)),
        realised_amount: Some(euros(realised)),
        deviation_amount: Some(euros(realised - planned)),
        deviation_rate: rate.to_owned(),
        significant,
        label: label.to_owned(),
    }
}

#[tokio::test]
async fn a_budget_is_planned_with_the_draft_and_fixed_by_the_signature() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.ready(&setting).await.name;
    let get = GetBudgetRequest {
        name: format!("{convention}/budget"),
    };
    let mut auditor = world.budgets(world.tokens.auditor());
    assert_eq!(reason(auditor.get_budget(get.clone()).await), "NOT_FOUND");
    let first = plan(&convention, &[(64, 100), (74, 100)]);
    let answer = planned(&world, first.clone()).await.unwrap();
    assert_eq!(planned(&world, first.clone()).await.unwrap(), answer);
    assert_eq!(answer.planned_lines[0].label, "Charges de personnel");
    assert_eq!(answer.deviation_threshold, "0.1");
    assert_eq!((answer.deviations, answer.expenses), (vec![], None));
    let reused = PlanBudgetRequest {
        request_id: first.request_id,
        ..plan(&convention, &PLANNED)
    };
    assert_eq!(reason(planned(&world, reused).await), "REQUEST_ID_REUSED");
    let stale = PlanBudgetRequest {
        etag: "7".to_owned(),
        ..plan(&convention, &PLANNED)
    };
    assert_eq!(reason(planned(&world, stale).await), "ETAG_MISMATCH");
    let too_early = realise(&convention, &AS_PLANNED);
    assert_eq!(
        precondition(realised(&world, &convention, too_early).await),
        "CONVENTION_NOT_IN_FORCE"
    );
    let mut manager = world.budgets(world.tokens.manager(setting.operator));
    let replaced = manager.plan_budget(plan(&convention, &PLANNED)).await;
    let replaced = replaced.unwrap().into_inner();
    assert_eq!(replaced.planned_lines.len(), 5);
    let got = auditor.get_budget(get).await.unwrap().into_inner();
    assert_eq!(got, replaced);

    world
        .sign(sign(&convention, Party::Operator))
        .await
        .unwrap();
    let outcome = planned(&world, plan(&convention, &PLANNED)).await;
    assert_eq!(precondition(outcome), "BUDGET_FIXED");
}

#[tokio::test]
async fn deviations_are_exact_by_class_and_in_all() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    let unplanned = realise(&convention, &AS_PLANNED);
    assert_eq!(
        reason(realised(&world, &convention, unplanned).await),
        "NOT_FOUND"
    );
    // One that was never planned may still be, once.
    planned(&world, plan(&convention, &PLANNED)).await.unwrap();
    let again = planned(&world, plan(&convention, &PLANNED)).await;
    assert_eq!(precondition(again), "BUDGET_FIXED");

    let request = realise(&convention, &AS_PLANNED);
    let quiet = realised(&world, &convention, request.clone())
        .await
        .unwrap();
    assert_eq!(realised(&world, &convention, request).await.unwrap(), quiet);
    // A tenth exactly is not above a tenth.
    assert_eq!(
        quiet.deviations[0],
        deviation(
            62,
            "Autres services extérieurs",
            150_000,
            135_000,
            "-0.1",
            false
        )
    );
    assert_eq!(quiet.deviation_cases, []);
    assert_eq!(world.convention(&convention).await.open_cases, []);

    let budget = realised(&world, &convention, realise(&convention, &DEVIATED))
        .await
        .unwrap();
    assert_eq!(
        budget.deviations,
        [
            deviation(61, "Services extérieurs", 0, 15_001, "", true),
            deviation(
                62,
                "Autres services extérieurs",
                150_000,
                134_999,
                "-0.1",
                true
            ),
            deviation(64, "Charges de personnel", 1_000_000, 1_000_000, "0", false),
            deviation(
                74,
                "Subventions d'exploitation",
                1_150_000,
                1_150_000,
                "0",
                false
            ),
            deviation(
                86,
                "Emplois des contributions volontaires en nature",
                50_000,
                50_000,
                "0",
                false
            ),
            deviation(
                87,
                "Contributions volontaires en nature",
                50_000,
                50_000,
                "0",
                false
            ),
        ]
    );
    assert_eq!(
        budget.expenses,
        Some(deviation(
            0,
            "Total des charges",
            1_200_000,
            1_200_000,
            "0",
            false
        ))
    );
    assert_eq!(
        budget.income,
        Some(deviation(
            0,
            "Total des produits",
            1_200_000,
            1_200_000,
            "0",
            false
        ))
    );
    let [case] = budget.deviation_cases.as_slice() else {
        panic!("{budget:?}");
    };
    assert_eq!(
        (case.number, case.subjects.as_slice()),
        (1, &["61".to_owned(), "62".to_owned()][..])
    );
    world
        .changes_until("budget.deviation_opened", &budget.name)
        .await;
}

#[tokio::test]
async fn a_case_is_open_on_the_convention_until_the_officer_closes_it() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    planned(&world, plan(&convention, &PLANNED)).await.unwrap();
    let nothing = closed(&world, close(&convention)).await;
    assert_eq!(precondition(nothing), "DEVIATION_CASE_NOT_OPEN");
    realised(&world, &convention, realise(&convention, &DEVIATED))
        .await
        .unwrap();
    let shown = world.convention(&convention).await;
    let [case] = shown.open_cases.as_slice() else {
        panic!("{shown:?}");
    };
    assert_eq!(case.reason, "BUDGET_DEVIATION");
    assert_eq!(case.subject, format!("{convention}/budget"));
    assert!(case.message_fr.contains("61, 62"), "{}", case.message_fr);

    // While it is open no other opens; it does not close by itself either.
    let worse = [(64, 2_000_000), (74, 1_150_000)];
    let budget = realised(&world, &convention, realise(&convention, &worse))
        .await
        .unwrap();
    assert_eq!(budget.deviation_cases.len(), 1);
    let back = realised(&world, &convention, realise(&convention, &AS_PLANNED))
        .await
        .unwrap();
    assert_eq!(back.deviation_cases.len(), 1);

    let bad = CloseDeviationCaseRequest {
        reason: format!("Voir {NIR}"),
        ..close(&convention)
    };
    assert_eq!(
        violations(closed(&world, bad).await),
        pairs(&[("reason", "NIR_FORBIDDEN")])
    );
    let request = close(&convention);
    let decided = closed(&world, request.clone()).await.unwrap();
    assert_eq!(closed(&world, request).await.unwrap(), decided);
    assert_eq!(
        decided.deviation_cases[0].close_reason,
        "Écart admis après audition du 15 décembre."
    );
    assert!(!decided.deviation_cases[0].closed_by.is_empty());
    assert_eq!(world.convention(&convention).await.open_cases, []);

    // What was decided on is not opened again by saying the same, but is by another deviation.
    for (amounts, cases) in [(&DEVIATED[..], 2), (&DEVIATED[..], 2)] {
        let budget = realised(&world, &convention, realise(&convention, amounts))
            .await
            .unwrap();
        assert_eq!(budget.deviation_cases.len(), cases);
        assert_eq!(budget.deviation_cases[0].number, 2);
    }
    closed(&world, close(&convention)).await.unwrap();
    let same = realised(&world, &convention, realise(&convention, &DEVIATED))
        .await
        .unwrap();
    assert!(
        same.deviation_cases
            .iter()
            .all(|case| case.close_time.is_some())
    );
    // The same class, further away.
    let further = [(61, 20_000), (62, 134_999), (64, 1_000_000)];
    let further = [&further[..], &DEVIATED[3..]].concat();
    let budget = realised(&world, &convention, realise(&convention, &further))
        .await
        .unwrap();
    assert_eq!(budget.deviation_cases[0].number, 3);
    closed(&world, close(&convention)).await.unwrap();
    let other = realised(&world, &convention, realise(&convention, &worse))
        .await
        .unwrap();
    assert_eq!(other.deviation_cases[0].number, 4);
    assert_eq!(
        other.deviation_cases[0].subjects,
        ["62", "64", "86", "87", "EXPENSES"]
    );
}

#[tokio::test]
async fn a_terminated_convention_is_accounted_for_without_a_case() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.in_force(&setting).await.name;
    terminated(&world, &convention).await;
    // One that was never planned may still be: what was done until then has its budget.
    planned(&world, plan(&convention, &PLANNED)).await.unwrap();
    let budget = realised(&world, &convention, realise(&convention, &DEVIATED))
        .await
        .unwrap();
    assert_eq!(budget.realised_lines.len(), 6);
    assert!(budget.deviations.iter().any(|it| it.significant));
    assert_eq!(budget.deviation_cases, []);
    assert_eq!(world.convention(&convention).await.open_cases, []);
}

#[tokio::test]
async fn everything_wrong_with_the_lines_comes_at_once() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let convention = world.draft(&setting).await.name;
    let wrong = [(59, 1), (64, -1), (69, 1), (74, 1), (74, 1)];
    assert_eq!(
        violations(planned(&world, plan(&convention, &wrong)).await),
        pairs(&[
            ("planned_lines[0].account_class", "TOO_SMALL"),
            ("planned_lines[1].amount", "AMOUNT_NEGATIVE"),
            ("planned_lines[2].account_class", "ACCOUNT_CLASS_UNKNOWN"),
            ("planned_lines[4].account_class", "DUPLICATE"),
        ])
    );
    for unbalanced in [&[(64, 100), (74, 99)][..], &[(64, 100), (87, 100)][..]] {
        assert_eq!(
            violations(planned(&world, plan(&convention, unbalanced)).await),
            pairs(&[("planned_lines", "BUDGET_UNBALANCED")])
        );
    }
    assert_eq!(
        violations(planned(&world, plan(&convention, &[])).await),
        pairs(&[("planned_lines", "TOO_FEW_ITEMS")])
    );
    let arras = operator("21620041000019", OperatorCategory::Ccas);
    let stranger = world.setting_of(1, arras).await.operator;
    let mut client = world.budgets(world.tokens.manager(stranger));
    assert_eq!(
        reason(client.plan_budget(plan(&convention, &PLANNED)).await),
        "OUT_OF_REACH"
    );
    let get = GetBudgetRequest {
        name: format!("{convention}/budget"),
    };
    assert_eq!(reason(client.get_budget(get).await), "OUT_OF_REACH");
}
