//! Versions: written at each entry into force, read with what they change, and never changed.

use nonrecours_contracts::conventions::{
    Amendment, ConventionVersion, GetConventionVersionRequest, ListConventionVersionsRequest, Party,
};

use crate::{
    amending::{CUA_AMENDING, DAINVILLE_AMENDING, grant},
    requests::{CUA_ACT, DAINVILLE_ACT, date, euros, reason, sign},
    world::World,
};

fn list(parent: &str, page_size: i32, page_token: String) -> ListConventionVersionsRequest {
    ListConventionVersionsRequest {
        parent: parent.to_owned(),
        page_size,
        page_token,
    }
}

async fn versions(world: &World, parent: &str) -> Vec<ConventionVersion> {
    let mut client = world.versions(world.tokens.auditor());
    let page = client.list_convention_versions(list(parent, 0, String::new()));
    page.await.unwrap().into_inner().convention_versions
}

fn acts(version: &ConventionVersion) -> Vec<&str> {
    version.acts.iter().map(|act| act.act_id.as_str()).collect()
}

#[tokio::test]
async fn each_entry_into_force_is_a_version_that_says_what_it_changes() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.ready(&setting).await.name;
    world.sign(sign(&name, Party::Operator)).await.unwrap();
    assert_eq!(versions(&world, &name).await, []);
    let convention = world.sign(sign(&name, Party::Authority)).await.unwrap();
    let first = versions(&world, &name).await.remove(0);
    assert_eq!(first.name, format!("{name}/versions/1"));
    assert_eq!((first.number, first.amendment.as_str()), (1, ""));
    assert_eq!(first.changes, []);
    assert_eq!(first.title, convention.title);
    assert_eq!(first.grant_amount_in_words, "onze mille cinq cents euros");
    assert_eq!(first.instalment_terms, convention.instalment_terms);
    assert_eq!(first.commitments, convention.commitments);
    assert_eq!(first.signatories, convention.signatories);
    assert_eq!(first.signatures, convention.signatures);
    assert_eq!(first.create_time, convention.in_force_time);
    assert_eq!(acts(&first), [CUA_ACT, DAINVILLE_ACT]);
    for act in &first.acts {
        assert_eq!(act.enforceable_date, Some(world.today()));
        assert!(act.act.starts_with(&format!("{name}/acts/")));
    }

    world.amended(&name, grant(1_300_000)).await;
    let third = Amendment {
        indicative_end_date: Some(date(2026, 6, 30)),
        ..Amendment::default()
    };
    world.amended(&name, third).await;
    let all = versions(&world, &name).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0], first);
    let second = &all[1];
    assert_eq!(second.grant_amount, Some(euros(1_300_000)));
    assert_eq!(second.indicative_end_date, Some(date(2025, 12, 31)));
    assert_eq!(acts(second), [CUA_AMENDING, DAINVILLE_AMENDING]);
    assert_eq!(
        second.signatories[1].empowering_decision_date,
        Some(date(2025, 10, 2))
    );
    assert_eq!(second.signatures.len(), 2);
    assert!(second.amendment.starts_with(&format!("{name}/amendments/")));
    let change = &second.changes[0];
    assert_eq!(
        (change.field.as_str(), change.label_fr.as_str()),
        ("grant_amount", "Montant de la subvention")
    );
    assert!(change.before.contains("onze mille cinq cents euros"));
    assert!(change.after.contains("treize mille euros"));
    let fields: Vec<_> = all[2].changes.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["indicative_end_date"]);
    assert_eq!(all[2].grant_amount, Some(euros(1_300_000)));

    // One by one, and page by page: the same.
    let mut client = world.versions(world.tokens.auditor());
    for version in &all {
        let get = GetConventionVersionRequest {
            name: version.name.clone(),
        };
        let found = client.get_convention_version(get).await.unwrap();
        assert_eq!(found.into_inner(), *version);
    }
    let mut token = String::new();
    for version in &all {
        let page = client.list_convention_versions(list(&name, 1, token)).await;
        let page = page.unwrap().into_inner();
        assert_eq!(page.convention_versions, std::slice::from_ref(version));
        token = page.next_page_token;
    }
    assert_eq!(token, "");
    for number in ["4", "2147483647"] {
        let get = GetConventionVersionRequest {
            name: format!("{name}/versions/{number}"),
        };
        assert_eq!(
            reason(client.get_convention_version(get).await),
            "NOT_FOUND"
        );
    }
    let get = GetConventionVersionRequest {
        name: format!("{name}/versions/0"),
    };
    assert_eq!(
        reason(client.get_convention_version(get).await),
        "INVALID_REQUEST"
    );
}
