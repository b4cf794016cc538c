//! Reading records one by one and page by page.

use nonrecours_contracts::followup::{
    GetBeneficiaryRequest, GetEntitlementRequest, GetSessionRequest, ListBeneficiariesRequest,
    ListEntitlementsRequest, ListSessionsRequest,
    beneficiary_service_client::BeneficiaryServiceClient,
    entitlement_service_client::EntitlementServiceClient,
    session_service_client::SessionServiceClient,
};
use nonrecours_kernel::{BeneficiaryName, EntitlementName, SessionName};
use nonrecours_rpc::details::Details;
use tonic::Code;

use crate::support::*;

#[tokio::test]
async fn a_record_is_read_as_it_was_pushed() {
    let suite = Suite::start().await;
    let records = vec![person("B1"), right("E1", "B1"), version(4, session("S1"))];
    let answer = suite.push(records).await;
    let mut sessions = SessionServiceClient::new(suite.agent());
    let name = answer.results[2].name.clone();
    let stored = sessions
        .get_session(GetSessionRequest { name: name.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stored.name, name);
    assert_eq!(
        (
            stored.external_reference.as_str(),
            stored.version,
            stored.revision
        ),
        ("S1", 4, 1)
    );
    assert_eq!(
        (stored.venue.as_str(), stored.commune_code.as_str()),
        ("Cité des Métiers d'Arras", "62041")
    );
    assert_eq!(
        (stored.held_date, stored.persons_met),
        (date(2025, 10, 6), 8)
    );
    assert_eq!(
        (stored.create_time, stored.etag.as_str()),
        (stored.update_time, "1")
    );

    let mut beneficiaries = BeneficiaryServiceClient::new(suite.agent());
    let name = answer.results[0].name.clone();
    let stored = beneficiaries
        .get_beneficiary(GetBeneficiaryRequest { name })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (stored.publics, stored.commune_code.as_str()),
        (vec!["DEMANDEUR_EMPLOI".to_owned()], "62263")
    );
    assert_eq!(stored.spotted_date, date(2025, 10, 1));
}

#[tokio::test]
async fn lists_come_in_pages_in_the_order_sent() {
    let suite = Suite::start().await;
    let records = |kind: fn(usize) -> nonrecours_contracts::followup::Record| {
        (0..7).map(kind).collect::<Vec<_>>()
    };
    // References in the reverse order of the records.
    let persons = records(|number| person(&format!("B{}", 9 - number)));
    let rights = records(|number| right(&format!("E{}", 9 - number), "B9"));
    let sessions = records(|number| session(&format!("S{}", 9 - number)));
    suite
        .push_under(&suite.convention, vec![persons, rights, sessions])
        .await
        .unwrap();

    let parent = suite.convention.parent().to_string();
    let mut beneficiaries = BeneficiaryServiceClient::new(suite.agent());
    let mut entitlements = EntitlementServiceClient::new(suite.agent());
    let mut sessions = SessionServiceClient::new(suite.agent());
    let mut read = [Vec::new(), Vec::new(), Vec::new()];
    let mut tokens = [String::new(), String::new(), String::new()];
    for page in [3, 3, 1] {
        let request = ListBeneficiariesRequest {
            parent: parent.clone(),
            page_size: 3,
            page_token: tokens[0].clone(),
        };
        let answer = beneficiaries
            .list_beneficiaries(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.beneficiaries.len(), page);
        read[0].extend(
            answer
                .beneficiaries
                .into_iter()
                .map(|one| one.external_reference),
        );
        let request = ListEntitlementsRequest {
            parent: parent.clone(),
            page_size: 3,
            page_token: tokens[1].clone(),
        };
        let of_rights = entitlements
            .list_entitlements(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(of_rights.entitlements.len(), page);
        read[1].extend(
            of_rights
                .entitlements
                .into_iter()
                .map(|one| one.external_reference),
        );
        let request = ListSessionsRequest {
            parent: parent.clone(),
            page_size: 3,
            page_token: tokens[2].clone(),
        };
        let of_sessions = sessions.list_sessions(request).await.unwrap().into_inner();
        assert_eq!(of_sessions.sessions.len(), page);
        read[2].extend(
            of_sessions
                .sessions
                .into_iter()
                .map(|one| one.external_reference),
        );
        tokens = [
            answer.next_page_token,
            of_rights.next_page_token,
            of_sessions.next_page_token,
        ];
    }
    assert_eq!(tokens, ["", "", ""]);
    let expected = |kind: &str| {
        (3..=9)
            .rev()
            .map(|number| format!("{kind}{number}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(read, [expected("B"), expected("E"), expected("S")]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let suite = Suite::start().await;
    suite
        .push(vec![
            person("B1"),
            person("B2"),
            right("E1", "B1"),
            session("S1"),
        ])
        .await;
    let operator = suite.convention.operator;
    let mut beneficiaries = BeneficiaryServiceClient::new(suite.agent());
    let mut entitlements = EntitlementServiceClient::new(suite.agent());
    let mut sessions = SessionServiceClient::new(suite.agent());

    let not_found = (Code::NotFound, "NOT_FOUND".to_owned());
    let name = BeneficiaryName {
        operator,
        beneficiary: suite.ids.next(),
    }
    .to_string();
    let status = beneficiaries
        .get_beneficiary(GetBeneficiaryRequest { name })
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), not_found);
    let name = EntitlementName {
        operator,
        entitlement: suite.ids.next(),
    }
    .to_string();
    let status = entitlements
        .get_entitlement(GetEntitlementRequest { name })
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), not_found);
    let name = SessionName {
        operator,
        session: suite.ids.next(),
    }
    .to_string();
    let status = sessions
        .get_session(GetSessionRequest { name })
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), not_found);

    let name = "beneficiaries/1".to_owned();
    let status = beneficiaries
        .get_beneficiary(GetBeneficiaryRequest { name })
        .await
        .unwrap_err();
    assert_eq!(Details::of(&status).fields(), ["name"]);
    let parent = suite.convention.parent().to_string();
    let list = ListBeneficiariesRequest {
        parent: parent.clone(),
        page_size: -1,
        page_token: String::new(),
    };
    let status = beneficiaries
        .list_beneficiaries(list.clone())
        .await
        .unwrap_err();
    assert_eq!(Details::of(&status).fields(), ["page_size"]);

    let invalid = (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned());
    let first = beneficiaries
        .list_beneficiaries(ListBeneficiariesRequest {
            page_size: 1,
            ..list.clone()
        })
        .await;
    let page_token = first.unwrap().into_inner().next_page_token;
    assert_ne!(page_token, "");
    let garbled = ListBeneficiariesRequest {
        page_size: 1,
        page_token: "x".to_owned(),
        ..list
    };
    let status = beneficiaries.list_beneficiaries(garbled).await.unwrap_err();
    assert_eq!(refusal(&status), invalid);
    // A token serves only the list it was given for.
    let request = ListSessionsRequest {
        parent,
        page_size: 1,
        page_token,
    };
    assert_eq!(
        refusal(&sessions.list_sessions(request).await.unwrap_err()),
        invalid
    );
}
