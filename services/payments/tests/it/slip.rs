//! Slips: issued with their file, numbered without gaps, refused with everything that stands in the way.

use std::collections::BTreeSet;

use nonrecours_contracts::payments::{
    IssueSlipRequest, ListSlipsRequest, Slip, SlipOrderState,
    slip_service_client::SlipServiceClient,
};
use nonrecours_kernel::{ConventionName, InstalmentName};
use nonrecours_pes::validate;
use nonrecours_rpc::{client::PeerChannel, details::Details};
use nonrecours_testkit::request_id;
use time::macros::datetime;
use tonic::Status;

use crate::{
    treasury::{Treasury, states},
    world::{World, euros, reason},
};

/// Clients that issue a slip at once.
const CLIENTS: usize = 50;
/// How often a client sends again what met another transaction.
const ATTEMPTS: usize = 50;

fn blockers(outcome: Result<Slip, Status>) -> Vec<String> {
    let details = Details::of(&outcome.unwrap_err());
    assert_eq!(details.reason, "SLIP_BLOCKED");
    details.blockers.into_iter().map(|one| one.r#type).collect()
}

#[tokio::test]
async fn ordered_instalments_go_into_a_slip_with_its_file() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (first, second) = (treasury.ordered().await, treasury.ordered().await);
    let request = treasury.request(&[&first, &second]);
    let slip = treasury.issue(request.clone()).await.unwrap();
    assert_eq!((slip.number, slip.budget_year), (1, 2025));
    assert_eq!(slip.amount, Some(euros(1_840_000)));
    assert_eq!(slip.posting_codes_version, 1);
    let orders: Vec<_> = slip
        .orders
        .iter()
        .map(|order| (&order.instalment, order.piece, order.state()))
        .collect();
    assert_eq!(
        orders,
        [
            (&first, 1, SlipOrderState::Transmitted),
            (&second, 2, SlipOrderState::Transmitted),
        ]
    );
    assert_eq!(treasury.issue(request).await.unwrap(), slip);
    assert_eq!(treasury.slip(&slip.name).await, slip);
    world.changes_until("slip.issued", &slip.name).await;

    let file = treasury.file(&slip).await;
    assert_eq!(file.file_name, slip.file_name);
    assert_eq!(validate(&file.content), []);
    let text: String = file.content.iter().map(|byte| char::from(*byte)).collect();
    for element in [
        "<IdPost V=\"062007\"/>",
        "<IdBord V=\"1\"/>",
        "<NbrPce V=\"2\"/>",
        "<MtBordHT V=\"18400.00\"/>",
        "<Obj V=\"Convention de partenariat 2025 - acompte\"/>",
        "<Nature V=\"657341\"/>",
        "<IdTiers V=\"21620263000010\"/>",
        "<IBAN V=\"FR903000100152D620000000041\"/>",
    ] {
        assert!(text.contains(element), "{element} is not in {text}");
    }
    // The codes change, the file does not.
    let mut codes = treasury.codes();
    codes.codes.as_mut().unwrap().payees[0].nature = "6573".to_owned();
    treasury.set(codes).await.unwrap();
    assert_eq!(treasury.file(&slip).await, file);
}

#[tokio::test]
async fn what_stands_in_the_way_of_each_order_is_told_at_once() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let in_slip = treasury.ordered().await;
    treasury.issue(treasury.request(&[&in_slip])).await.unwrap();
    let not_ordered = treasury.agreed().await.advance.name;
    let elsewhere = Treasury::bare(&world);
    let other = elsewhere.ordered().await;
    let outcome = treasury
        .issue(treasury.request(&[&in_slip, &not_ordered, &other]))
        .await;
    assert_eq!(
        blockers(outcome),
        [
            "ORDER_IN_SLIP",
            "INSTALMENT_NOT_ORDERED",
            "ORDER_OTHER_PROGRAMME"
        ]
    );
    let mut request = treasury.request(&[&in_slip]);
    request.budget_year = 2026;
    assert_eq!(
        blockers(treasury.issue(request).await),
        ["ORDER_OTHER_YEAR", "ORDER_IN_SLIP"]
    );
    let outcome = elsewhere.issue(elsewhere.request(&[&other])).await;
    assert_eq!(blockers(outcome), ["POSTING_CODES_MISSING"]);
    // Nothing of all that was given a number.
    let next = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&next])).await.unwrap();
    assert_eq!((slip.number, slip.orders[0].piece), (2, 2));
}

#[tokio::test]
async fn what_is_not_known_of_before_is_learned_from_the_next_word() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (convention, name) = treasury.ordered_under().await;
    let owner = world.db.owner().await;
    for forget in [
        "UPDATE operator SET siret = NULL, category = NULL",
        "UPDATE payment_plan SET programme_id = NULL",
    ] {
        sqlx::query(forget).execute(&owner).await.unwrap();
    }
    let outcome = treasury.issue(treasury.request(&[&name])).await;
    assert_eq!(
        blockers(outcome),
        ["ORDER_OTHER_PROGRAMME", "PAYEE_UNIDENTIFIED"]
    );
    let operator = convention.name.parse::<ConventionName>().unwrap().parent();
    world.tell_operator(operator, 2, "Commune de Dainville");
    world.completed(convention).await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    assert_eq!(slip.number, 1);
}

#[tokio::test]
async fn a_request_is_checked_whole() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let mut request = treasury.request(&[&name, &name]);
    request.instalments.push("instalments/1".to_owned());
    let details = Details::of(&treasury.issue(request).await.unwrap_err());
    assert_eq!(details.reason, "INVALID_REQUEST");
    let told: Vec<_> = details
        .violations
        .iter()
        .map(|violation| (violation.field.as_str(), violation.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("instalments[1]", "DUPLICATE"),
            ("instalments[2]", "RESOURCE_NAME_INVALID")
        ]
    );
    let mut unknown: InstalmentName = name.parse().unwrap();
    unknown.instalment = world.ids.next();
    let unknown = unknown.to_string();
    let outcome = treasury.issue(treasury.request(&[&unknown])).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
}

#[tokio::test]
async fn a_text_that_no_file_holds_refuses_the_slip_and_says_where() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let owner = world.db.owner().await;
    sqlx::query("UPDATE payment_plan SET convention_title = 'Convention 漢'")
        .execute(&owner)
        .await
        .unwrap();
    let outcome = treasury.issue(treasury.request(&[&name])).await;
    let details = Details::of(&outcome.unwrap_err());
    assert_eq!(details.reason, "INVALID_REQUEST");
    assert_eq!(details.violations[0].reason, "UNREPRESENTABLE");
    assert!(details.violations[0].field.ends_with("/InfoPce/Obj"));
    sqlx::query("UPDATE payment_plan SET convention_title = repeat('Convention ', 12)")
        .execute(&owner)
        .await
        .unwrap();
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let warnings: Vec<_> = slip
        .warnings
        .iter()
        .map(|warning| warning.reason.as_str())
        .collect();
    assert_eq!(warnings, ["TRUNCATED", "TRUNCATED"]);
    assert_eq!(treasury.slip(&slip.name).await, slip);
}

#[tokio::test]
async fn orders_go_on_their_budget_year_until_the_end_of_january() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (first, second) = (treasury.ordered().await, treasury.ordered().await);
    world.clock.set(datetime!(2026-01-31 23:59 +1));
    let slip = treasury.issue(treasury.request(&[&first])).await.unwrap();
    assert_eq!((slip.budget_year, slip.number), (2025, 1));
    world.clock.set(datetime!(2026-02-01 00:00 +1));
    let outcome = treasury.issue(treasury.request(&[&second])).await;
    assert_eq!(blockers(outcome), ["BUDGET_YEAR_CLOSED"]);
    treasury.close(2025).await.unwrap();
    let outcome = treasury.issue(treasury.request(&[&second])).await;
    assert_eq!(blockers(outcome), ["ORDER_OTHER_YEAR"]);
    let mut request = treasury.request(&[&second]);
    request.budget_year = 2026;
    let slip = treasury.issue(request).await.unwrap();
    // Each budget year has its own numbers.
    assert_eq!((slip.number, slip.orders[0].piece), (1, 1));
}

#[tokio::test]
async fn slips_are_listed_in_pages() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    for _ in 0..3 {
        let name = treasury.ordered().await;
        treasury.issue(treasury.request(&[&name])).await.unwrap();
    }
    let mut client = treasury.slips(world.tokens.officer());
    let mut request = ListSlipsRequest {
        parent: treasury.programme.to_string(),
        page_size: 2,
        page_token: String::new(),
    };
    let first = client
        .list_slips(request.clone())
        .await
        .unwrap()
        .into_inner();
    request.page_token = first.next_page_token;
    let last = client
        .list_slips(request.clone())
        .await
        .unwrap()
        .into_inner();
    let slips = [first.slips, last.slips].concat();
    let numbers: Vec<_> = slips.iter().map(|slip| slip.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(
        slips
            .iter()
            .all(|slip| states(slip) == [SlipOrderState::Transmitted])
    );
    assert_eq!(last.next_page_token, "");
    request.parent = Treasury::bare(&world).programme.to_string();
    let outcome = client.list_slips(request).await;
    assert_eq!(reason(outcome), "PAGE_TOKEN_INVALID");
}

/// Issues, and sends again what met another transaction.
async fn persist(
    mut client: SlipServiceClient<PeerChannel>,
    request: IssueSlipRequest,
) -> Result<Slip, Status> {
    let mut outcome = client.issue_slip(request.clone()).await;
    for _ in 1..ATTEMPTS {
        let Err(status) = &outcome else { break };
        if Details::of(status).retry.is_none() {
            break;
        }
        outcome = client.issue_slip(request.clone()).await;
    }
    Ok(outcome?.into_inner())
}

#[tokio::test]
async fn fifty_clients_at_once_get_fifty_numbers_without_a_gap() {
    let world = World::start().await;
    let other = world.instance().await;
    let treasury = Treasury::open(&world).await;
    let mut names = Vec::new();
    for _ in 0..CLIENTS / 2 {
        names.push(treasury.ordered().await);
    }
    // Each order is asked for twice, by two clients of two instances: one of them is refused, and costs no number.
    let token = world.tokens.authorising_officer();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|index| {
            let service = if index % 2 == 0 {
                &world.service
            } else {
                &other
            };
            let client = SlipServiceClient::new(service.channel(token.clone()));
            let request = treasury.request(&[&names[index / 2]]);
            tokio::spawn(persist(client, request))
        })
        .collect();
    let (mut numbers, mut pieces, mut refused) = (BTreeSet::new(), BTreeSet::new(), 0);
    for client in clients {
        match client.await.unwrap() {
            Ok(slip) => {
                numbers.insert(slip.number);
                pieces.insert(slip.orders[0].piece);
            }
            outcome => {
                assert_eq!(blockers(outcome), ["ORDER_IN_SLIP"]);
                refused += 1;
            }
        }
    }
    let all: BTreeSet<_> = (1..=i32::try_from(CLIENTS / 2).unwrap()).collect();
    assert_eq!((numbers, pieces, refused), (all.clone(), all, CLIENTS / 2));
}

#[tokio::test]
async fn a_request_that_dies_half_way_costs_no_number() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (first, second) = (treasury.ordered().await, treasury.ordered().await);
    // The plan is held from outside: the request has its number and waits, until the database ends its wait.
    let owner = world.db.owner().await;
    let mut held = owner.begin().await.unwrap();
    sqlx::query("SELECT FROM payment_plan FOR UPDATE")
        .execute(&mut *held)
        .await
        .unwrap();
    let mut client = treasury.slips(world.tokens.authorising_officer());
    let given_up = client.issue_slip(treasury.request(&[&first])).await;
    assert_eq!(reason(given_up), "CONCURRENT_UPDATE");
    held.rollback().await.unwrap();
    let slip = treasury.issue(treasury.request(&[&second])).await.unwrap();
    assert_eq!((slip.number, slip.orders[0].piece), (1, 1));
    let mut again = treasury.request(&[&first]);
    again.request_id = request_id();
    let slip = treasury.issue(again).await.unwrap();
    assert_eq!((slip.number, slip.orders[0].piece), (2, 2));
}
