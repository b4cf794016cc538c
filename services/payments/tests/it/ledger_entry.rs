//! Reading the books.

use nonrecours_contracts::payments::{Account, ListLedgerEntriesRequest};
use nonrecours_kernel::ConventionName;

use crate::world::{World, euros, reason};

#[tokio::test]
async fn the_books_follow_the_steps() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    world.advance(name, 1).await;
    assert_eq!(world.entries(&agreed.convention).await, []);
    world.certify(crate::world::certify(name)).await.unwrap();
    world.order(crate::world::order(name)).await.unwrap();
    let certified = world.entries(&agreed.convention).await;
    world
        .confirm(crate::world::confirm(name, &world.clock))
        .await
        .unwrap();
    let paid = world.entries(&agreed.convention).await;

    assert_eq!(certified, paid[..1]);
    let shown: Vec<_> = paid
        .iter()
        .map(|entry| {
            (
                entry.debit(),
                entry.credit(),
                entry.amount.clone().unwrap(),
                entry.actor.as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                Account::GrantExpense,
                Account::OperatorPayable,
                euros(920_000),
                "officer"
            ),
            (
                Account::OperatorPayable,
                Account::Treasury,
                euros(920_000),
                "accountant"
            ),
        ]
    );
    for entry in &paid {
        assert_eq!(&entry.instalment, name);
        assert!(
            entry
                .name
                .starts_with(&format!("{}/ledgerEntries/", agreed.convention))
        );
        assert!(entry.label.contains("acompte"), "{}", entry.label);
        assert!(entry.book_time.is_some());
    }
}

#[tokio::test]
async fn the_books_are_listed_by_page() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    world.advance(&agreed.advance.name, 4).await;
    let all = world.entries(&agreed.convention).await;
    let mut client = world.ledger(world.tokens.manager(agreed.operator));
    let mut page = async |parent: ConventionName, page_token: &str| {
        client
            .list_ledger_entries(ListLedgerEntriesRequest {
                parent: parent.to_string(),
                page_size: 1,
                page_token: page_token.to_owned(),
            })
            .await
    };
    let first = page(agreed.convention, "").await.unwrap().into_inner();
    let second = page(agreed.convention, &first.next_page_token)
        .await
        .unwrap()
        .into_inner();
    assert_eq!([first.ledger_entries, second.ledger_entries].concat(), all);
    assert_eq!(second.next_page_token, "");
    let elsewhere = ConventionName {
        convention: world.ids.next(),
        ..agreed.convention
    };
    assert_eq!(
        page(elsewhere, "")
            .await
            .unwrap()
            .into_inner()
            .ledger_entries,
        []
    );
    assert_eq!(
        reason(page(elsewhere, &first.next_page_token).await),
        "PAGE_TOKEN_INVALID"
    );
}
