//! Programmes and their envelopes.

use nonrecours_contracts::conventions::{
    CreateProgrammeRequest, Envelope, GetProgrammeRequest, ListProgrammesRequest, Programme,
};
use nonrecours_testkit::request_id;
use tonic::Code;

use crate::{
    requests::{NIR, euros, pairs, programme, reason, refused, violations},
    world::World,
};

#[tokio::test]
async fn a_programme_is_opened_read_and_listed() {
    let world = World::start().await;
    let mut officer = world.programmes(world.tokens.officer());
    let request = programme(50_000_000);
    let opened = officer
        .create_programme(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(opened.authority_siret, "20003357900018");
    assert_eq!(opened.etag, "1");
    let envelope = &opened.envelopes[0];
    assert_eq!(envelope.voted_amount, Some(euros(50_000_000)));
    assert_eq!(envelope.engaged_amount, Some(euros(0)));
    assert_eq!(envelope.paid_amount, Some(euros(0)));
    assert_eq!(world.programme(&opened.name).await, opened);

    let changes = world.changes_until("programme.created", &opened.name).await;
    let snapshot: Programme = changes[0].snapshot.as_ref().unwrap().to_msg().unwrap();
    assert_eq!((changes[0].revision, snapshot), (1, opened.clone()));

    // The same request again: the same answer, and no second programme.
    let again = officer
        .create_programme(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, opened);
    let other = CreateProgrammeRequest {
        request_id: request.request_id.clone(),
        ..programme(1)
    };
    assert_eq!(
        reason(officer.create_programme(other).await),
        "REQUEST_ID_REUSED"
    );
    let second = officer
        .create_programme(programme(7))
        .await
        .unwrap()
        .into_inner();

    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListProgrammesRequest {
            page_size: 1,
            page_token,
        };
        let page = officer.list_programmes(request).await.unwrap().into_inner();
        assert_eq!(page.programmes.len(), 1);
        listed.extend(page.programmes);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, [opened, second]);
}

#[tokio::test]
async fn a_second_programme_of_the_same_name_is_refused() {
    let world = World::start().await;
    let mut officer = world.programmes(world.tokens.officer());
    let first = programme(1);
    officer.create_programme(first.clone()).await.unwrap();
    let second = CreateProgrammeRequest {
        request_id: request_id(),
        ..first
    };
    let (code, details) = refused(officer.create_programme(second).await);
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::AlreadyExists, "ALREADY_EXISTS")
    );
}

#[tokio::test]
async fn everything_wrong_comes_at_once() {
    let world = World::start().await;
    let mut officer = world.programmes(world.tokens.officer());
    let envelope = |budget_year, cents| Envelope {
        budget_year,
        voted_amount: Some(euros(cents)),
        ..Envelope::default()
    };
    let request = CreateProgrammeRequest {
        programme: Some(Programme {
            display_name: format!("Programme {NIR}"),
            authority_name: "  ".to_owned(),
            authority_siret: "200 033 579 00017".to_owned(),
            commune_codes: vec!["62041".to_owned(), "62 041".to_owned(), "x".to_owned()],
            envelopes: vec![envelope(2025, 1), envelope(2025, 2), envelope(1999, 0)],
            ..Programme::default()
        }),
        request_id: "x".to_owned(),
    };
    let mut found = violations(officer.create_programme(request).await);
    let mut expected = pairs(&[
        ("programme.display_name", "NIR_FORBIDDEN"),
        ("programme.authority_name", "REQUIRED"),
        ("programme.authority_siret", "SIRET_CHECKSUM"),
        ("programme.commune_codes[1]", "DUPLICATE"),
        ("programme.commune_codes[2]", "INSEE_FORMAT"),
        ("programme.envelopes[1].budget_year", "DUPLICATE"),
        ("programme.envelopes[2].budget_year", "TOO_SMALL"),
        ("programme.envelopes[2].voted_amount", "AMOUNT_NOT_POSITIVE"),
        ("request_id", "UUID_INVALID"),
    ]);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_and_a_foreign_token_is_refused() {
    let world = World::start().await;
    let mut auditor = world.programmes(world.tokens.auditor());
    let name = format!("programmes/{}", request_id());
    let outcome = auditor.get_programme(GetProgrammeRequest { name }).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let request = ListProgrammesRequest {
        page_size: 1,
        page_token: "bm90IG91cnM".to_owned(),
    };
    assert_eq!(
        reason(auditor.list_programmes(request).await),
        "PAGE_TOKEN_INVALID"
    );
    assert_eq!(
        reason(auditor.create_programme(programme(1)).await),
        "ROLE_MISSING"
    );
}
