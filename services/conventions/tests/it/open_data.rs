//! The file of grants and its publications.

use nonrecours_contracts::conventions::{
    CreateGrantPublicationRequest, ExportGrantsRequest, GetGrantPublicationRequest,
    GrantPublication, ListGrantPublicationsRequest,
};
use nonrecours_testkit::request_id;

use crate::{
    requests::{date, pairs, precondition, reason, violations},
    world::World,
};

pub fn publication(parent: &str, day: i32) -> CreateGrantPublicationRequest {
    CreateGrantPublicationRequest {
        parent: parent.to_owned(),
        grant_publication: Some(GrantPublication {
            budget_year: 2025,
            publication_date: Some(date(2025, 10, day)),
            location: "https://www.data.gouv.fr/fr/datasets/subventions".to_owned(),
            ..GrantPublication::default()
        }),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn each_signed_convention_is_a_row_of_the_file() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let request = ExportGrantsRequest {
        programme: setting.programme.clone(),
        budget_year: 2025,
    };
    let mut auditor = world.open_data(world.tokens.auditor());
    world.draft(&setting).await;
    let empty = auditor
        .export_grants(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(empty.row_count, 0);
    world.in_force(&setting).await;
    let file = auditor
        .export_grants(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(file.file_name, "subventions_20003357900018_2025.csv");
    assert_eq!(file.content_type, "text/csv; charset=utf-8");
    assert_eq!(file.row_count, 1);
    let text = String::from_utf8(file.content.clone()).unwrap();
    let mut lines = text.split("\r\n");
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("nomAttribuant,idAttribuant,dateConvention,")
    );
    assert_eq!(
        lines.next().unwrap(),
        "Communauté Urbaine d'Arras,20003357900018,2025-10-07,062-200033579-20250925-25C120-DE,Commune de Dainville,\
         21620263000010,Convention de partenariat 2025,11500.00,aide en numéraire,échelonné,2025-10-07_2025-12-31,,non,1"
    );
    // The same data give the same bytes.
    assert_eq!(
        auditor
            .export_grants(request.clone())
            .await
            .unwrap()
            .into_inner(),
        file
    );
    let wrong = ExportGrantsRequest {
        budget_year: 2101,
        ..request.clone()
    };
    assert_eq!(
        violations(auditor.export_grants(wrong).await),
        pairs(&[("budget_year", "TOO_LARGE")])
    );
    let nowhere = ExportGrantsRequest {
        programme: format!("programmes/{}", request_id()),
        ..request
    };
    assert_eq!(reason(auditor.export_grants(nowhere).await), "NOT_FOUND");
}

#[tokio::test]
async fn a_publication_covers_what_was_signed_by_its_day() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let mut officer = world.open_data(world.tokens.officer());
    let request = publication(&setting.programme, 7);
    let outcome = officer.create_grant_publication(request.clone()).await;
    assert_eq!(precondition(outcome), "NOTHING_TO_PUBLISH");
    world.in_force(&setting).await;
    let outcome = officer
        .create_grant_publication(publication(&setting.programme, 6))
        .await;
    assert_eq!(precondition(outcome), "NOTHING_TO_PUBLISH");
    // A refused request leaves no trace: the same one may succeed later.
    let created = officer
        .create_grant_publication(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(created.row_count, 1);
    let again = officer
        .create_grant_publication(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, created);
    let future = officer
        .create_grant_publication(publication(&setting.programme, 8))
        .await;
    assert_eq!(
        violations(future),
        pairs(&[("grant_publication.publication_date", "DATE_IN_FUTURE")])
    );
    let mut auditor = world.open_data(world.tokens.auditor());
    let get = GetGrantPublicationRequest {
        name: created.name.clone(),
    };
    assert_eq!(
        auditor
            .get_grant_publication(get)
            .await
            .unwrap()
            .into_inner(),
        created
    );
    let list = ListGrantPublicationsRequest {
        parent: setting.programme.clone(),
        ..ListGrantPublicationsRequest::default()
    };
    let listed = auditor
        .list_grant_publications(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.grant_publications, std::slice::from_ref(&created));
    world
        .changes_until("grant_publication.recorded", &created.name)
        .await;
}
