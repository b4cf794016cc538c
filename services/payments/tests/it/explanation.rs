//! What each instalment waits for, and what happened to it.

use nonrecours_contracts::{
    common::Role,
    payments::{
        ExplainInstalmentsRequest, ExplainInstalmentsResponse, InstalmentExplanation,
        InstalmentState, NextStep, explanation_service_client::ExplanationServiceClient,
    },
};
use time::macros::datetime;
use tonic::Status;

use crate::world::{World, reason};

async fn page(
    world: &World,
    token: String,
    request: ExplainInstalmentsRequest,
) -> Result<ExplainInstalmentsResponse, Status> {
    let mut client = ExplanationServiceClient::new(world.service.channel(token));
    Ok(client.explain_instalments(request).await?.into_inner())
}

fn of(parent: &str) -> ExplainInstalmentsRequest {
    ExplainInstalmentsRequest {
        parent: parent.to_owned(),
        ..Default::default()
    }
}

async fn explained(world: &World, parent: &str) -> Vec<InstalmentExplanation> {
    let page = page(world, world.tokens.auditor(), of(parent)).await;
    page.unwrap().explanations
}

async fn one(world: &World, name: &str) -> InstalmentExplanation {
    let [one] = explained(world, name).await.try_into().unwrap();
    one
}

/// Reason, rule, and roles that can lift it, of every obstacle.
fn obstacles(explanation: &InstalmentExplanation) -> Vec<(String, String, Vec<Role>)> {
    let shown = |it: &nonrecours_contracts::payments::Obstacle| {
        let blocker = it.blocker.clone().unwrap();
        assert!(!blocker.message_fr.is_empty() && !blocker.message_en.is_empty());
        (
            blocker.reason,
            it.basis_fr.clone(),
            it.lifted_by().collect(),
        )
    };
    explanation.obstacles.iter().map(shown).collect()
}

fn obstacle(reason: &str, basis: &str, roles: &[Role]) -> (String, String, Vec<Role>) {
    (reason.to_owned(), basis.to_owned(), roles.to_vec())
}

#[tokio::test]
async fn each_step_says_who_is_awaited_by_which_rule_and_who_may_not_make_it() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let (advance, balance) = (&agreed.advance.name, &agreed.balance.name);
    let manager = format!("manager-{}", agreed.operator);
    let actors = [manager.as_str(), "officer", "authorising-officer"];
    let steps = [
        (NextStep::Call, Role::OperatorManager, "appel de fonds"),
        (NextStep::Certify, Role::ProgrammeOfficer, "certification"),
        (NextStep::Order, Role::AuthorisingOfficer, "mandat"),
        (NextStep::Confirm, Role::Accountant, "virement"),
    ];
    for (made, (step, role, words)) in steps.into_iter().enumerate() {
        let it = one(&world, advance).await;
        assert_eq!((it.next_step(), it.made_by()), (step, role));
        assert!(it.message_fr.contains(words), "{}", it.message_fr);
        assert!(!it.basis_fr.is_empty());
        assert_eq!(it.excluded_actors, actors[..made]);
        assert_eq!(it.obstacles, []);
        assert_eq!(
            obstacles(&one(&world, balance).await),
            [
                obstacle(
                    "ACTIONS_NOT_COMPLETED",
                    "convention, art. 6 et 8",
                    &[Role::OperatorManager, Role::ProgrammeOfficer]
                ),
                obstacle("EARLIER_INSTALMENT_UNPAID", "convention, art. 6", &[role]),
            ]
        );
        match made {
            0 => world.call(crate::world::call(advance)).await,
            1 => world.certify(crate::world::certify(advance)).await,
            2 => world.order(crate::world::order(advance)).await,
            _ => {
                let request = crate::world::confirm(advance, &world.clock);
                world.confirm(request).await
            }
        }
        .unwrap();
    }
    let paid = one(&world, advance).await;
    assert_eq!(paid.state(), InstalmentState::Paid);
    assert_eq!(
        (paid.next_step(), paid.made_by()),
        (NextStep::Unspecified, Role::Unspecified)
    );
    assert_eq!(
        paid.message_fr,
        "Cette échéance est payée : virement du 07/10/2025."
    );
    assert_eq!(paid.excluded_actors, [""; 0]);
    let history: Vec<_> = paid
        .history
        .iter()
        .map(|it| (it.revision, it.label_fr.as_str(), it.actor.as_str()))
        .collect();
    assert_eq!(
        history,
        [
            (1, "échéance prévue", "service:payments"),
            (2, "échéance appelée", manager.as_str()),
            (3, "service fait certifié", "officer"),
            (4, "paiement ordonné", "authorising-officer"),
            (5, "virement confirmé", "accountant"),
        ]
    );
}

#[tokio::test]
async fn measures_and_amendments_are_explained() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    convention.advance_without_call = true;
    let agreed = world.learned(&convention).await;
    let it = one(&world, &agreed.advance.name).await;
    assert_eq!(it.next_step(), NextStep::Certify);

    let plan = format!("{}/paymentPlan", convention.name);
    let told = async |convention: &nonrecours_contracts::conventions::Convention| {
        world.tell(convention);
        let wanted = convention.revision;
        world
            .changes_to(|change| {
                let known = || {
                    let any = change.snapshot.as_ref()?;
                    any.to_msg::<nonrecours_contracts::payments::PaymentPlan>()
                        .ok()
                };
                change.name == plan && known().is_some_and(|it| it.convention_revision == wanted)
            })
            .await;
    };
    convention.suspended = true;
    convention.revision += 1;
    told(&convention).await;
    let suspended = obstacle(
        "CONVENTION_SUSPENDED",
        "convention, art. 8",
        &[Role::AuthorisingOfficer],
    );
    let missing = obstacle(
        "DOCUMENT_MISSING",
        "CGCT, art. D. 1617-19 et annexe I (décret n° 2016-33)",
        &[Role::OperatorManager, Role::ProgrammeOfficer],
    );
    // Act, convention and RIB: there is no call.
    let expected = [suspended, missing.clone(), missing.clone(), missing];
    assert_eq!(
        obstacles(&one(&world, &agreed.advance.name).await),
        expected
    );
    convention.suspended = false;
    convention.instalment_terms.truncate(1);
    convention.instalment_terms[0].amount = convention.grant_amount.clone();
    convention.revision += 1;
    told(&convention).await;
    let it = one(&world, &agreed.balance.name).await;
    assert_eq!(it.state(), InstalmentState::Cancelled);
    assert_eq!(it.message_fr, "Cette échéance est annulée.");
    assert_eq!(
        obstacles(&it),
        [obstacle("TERMS_AMENDED", "avenant à la convention", &[])]
    );
    let last = it.history.last().unwrap();
    assert_eq!(last.kind, "instalment.cancelled");
    assert!(
        last.why.starts_with("Avenant : les modalités"),
        "{}",
        last.why
    );

    convention.state = nonrecours_contracts::conventions::ConventionState::Terminated.into();
    convention.revision += 1;
    told(&convention).await;
    assert_eq!(
        obstacles(&one(&world, &agreed.advance.name).await),
        [obstacle(
            "CONVENTION_TERMINATED",
            "convention, art. 7 et 8",
            &[]
        )]
    );
}

#[tokio::test]
async fn a_hundred_instalments_are_explained_on_one_page() {
    let world = World::start().await;
    let (first, second) = (world.operator(), world.operator());
    let mut names = Vec::new();
    for operator in [first, second] {
        for _ in 0..26 {
            let convention = world.convention(operator);
            world.tell(&convention);
            names.push(convention.name);
        }
    }
    let last = format!("{}/paymentPlan", names[51]);
    world.changes_until("payment_plan.opened", &last).await;
    let paid = explained(&world, &names[0]).await[0].instalment.clone();
    world.advance(&paid, 4).await;

    let auditor = || world.tokens.auditor();
    let request = ExplainInstalmentsRequest {
        page_size: 1_000,
        ..of("operators/-")
    };
    let all = page(&world, auditor(), request.clone()).await.unwrap();
    assert_eq!(all.explanations.len(), 100);
    let next = ExplainInstalmentsRequest {
        page_token: all.next_page_token,
        ..request
    };
    let rest = page(&world, auditor(), next.clone()).await.unwrap();
    assert_eq!(rest.next_page_token, "");
    let seen = [all.explanations, rest.explanations].concat();
    let places: Vec<_> = seen
        .iter()
        .map(|it| {
            let (convention, _) = it.instalment.split_once("/instalments/").unwrap();
            (convention.to_owned(), it.position)
        })
        .collect();
    let wanted: Vec<_> = names
        .iter()
        .flat_map(|name| [(name.clone(), 1), (name.clone(), 2)])
        .collect();
    assert_eq!(places, wanted);
    // Each with its own history.
    assert_eq!(seen[0].history.len(), 5);
    assert!(seen[1..].iter().all(|it| it.history.len() == 1));

    // The token is for that list, and for that caller's operators.
    let pending = ExplainInstalmentsRequest {
        pending_only: true,
        ..next.clone()
    };
    for (token, request) in [
        (auditor(), pending),
        (world.tokens.manager(first.operator), next),
    ] {
        let outcome = page(&world, token, request).await;
        assert_eq!(reason(outcome), "PAGE_TOKEN_INVALID");
    }
    let pending = ExplainInstalmentsRequest {
        pending_only: true,
        page_size: 100,
        ..of(&first.to_string())
    };
    let pending = page(&world, auditor(), pending).await.unwrap().explanations;
    assert_eq!(pending.len(), 51);
    assert!(pending.iter().all(|it| it.instalment != paid));
    let own = page(
        &world,
        world.tokens.manager(second.operator),
        of("operators/-"),
    );
    let own = own.await.unwrap().explanations;
    assert_eq!(own.len(), 50);
    let prefix = format!("{second}/");
    assert!(own.iter().all(|it| it.instalment.starts_with(&prefix)));
}

#[tokio::test]
async fn what_is_not_there_explains_nothing_and_what_is_foreign_is_out_of_reach() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let stranger = world.tokens.manager(world.operator().operator);
    for parent in [
        format!("operators/{}", agreed.operator),
        agreed.convention.to_string(),
        agreed.advance.name.clone(),
    ] {
        let outcome = page(&world, stranger.clone(), of(&parent)).await;
        assert_eq!(reason(outcome), "OUT_OF_REACH");
    }
    let unknown = format!(
        "operators/{}/conventions/{}",
        agreed.operator, agreed.operator
    );
    assert_eq!(explained(&world, &unknown).await, []);
    let outcome = page(&world, world.tokens.auditor(), of("conventions/1")).await;
    assert_eq!(reason(outcome), "INVALID_REQUEST");
}

#[tokio::test]
async fn an_order_is_charged_to_the_year_until_the_end_of_january_and_carried_over_after() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let shown = async || {
        let it = one(&world, &agreed.advance.name).await;
        let day = it.last_order_date;
        let day = day.map(|date| (date.year, date.month, date.day));
        (it.charged_budget_year, day)
    };
    assert_eq!(shown().await, (2025, Some((2026, 1, 31))));
    world.clock.set(datetime!(2026-01-31 22:59:59 UTC));
    assert_eq!(shown().await, (2025, Some((2026, 1, 31))));
    // Midnight in Paris.
    world.clock.set(datetime!(2026-01-31 23:00 UTC));
    assert_eq!(shown().await, (2025, Some((2026, 1, 31))));
    world.advance(&agreed.advance.name, 2).await;
    let late = one(&world, &agreed.advance.name).await.obstacles;
    let late = late[0].blocker.as_ref().map(|it| it.reason.as_str());
    assert_eq!(late, Some("BUDGET_YEAR_CLOSED"));
}
