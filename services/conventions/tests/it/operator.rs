//! Operators.

use nonrecours_contracts::conventions::{
    CreateOperatorRequest, GetOperatorRequest, ListOperatorsRequest, Operator, OperatorCategory,
};
use nonrecours_kernel::OperatorName;
use nonrecours_testkit::request_id;

use crate::{
    requests::{DAINVILLE, operator, pairs, reason, violations},
    world::World,
};

#[tokio::test]
async fn an_operator_is_registered_once_and_read() {
    let world = World::start().await;
    let mut officer = world.operators(world.tokens.officer());
    let request = operator(DAINVILLE, OperatorCategory::Commune);
    let registered = officer
        .create_operator(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(registered.siret, "21620263000010");
    assert_eq!(registered.warnings, []);
    let again = officer
        .create_operator(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, registered);
    let other = CreateOperatorRequest {
        request_id: request.request_id.clone(),
        ..operator("21620041000019", OperatorCategory::Commune)
    };
    assert_eq!(
        reason(officer.create_operator(other).await),
        "REQUEST_ID_REUSED"
    );
    let twin = operator("21620263000010", OperatorCategory::Ccas);
    assert_eq!(
        reason(officer.create_operator(twin).await),
        "ALREADY_EXISTS"
    );
    let get = GetOperatorRequest {
        name: registered.name.clone(),
    };
    assert_eq!(
        officer.get_operator(get).await.unwrap().into_inner(),
        registered
    );
    world
        .changes_until("operator.registered", &registered.name)
        .await;
}

#[tokio::test]
async fn a_commune_with_the_siren_of_another_is_registered_with_a_warning() {
    let world = World::start().await;
    let mut officer = world.operators(world.tokens.officer());
    let request = operator("21620041000019", OperatorCategory::Commune);
    let registered = officer.create_operator(request).await.unwrap().into_inner();
    let [warning] = registered.warnings.as_slice() else {
        panic!("{:?}", registered.warnings);
    };
    assert_eq!(warning.reason, "SIREN_INSEE_MISMATCH");
    assert_eq!(warning.field, "operator.insee_code");
}

#[tokio::test]
async fn everything_wrong_comes_at_once() {
    let world = World::start().await;
    let mut officer = world.operators(world.tokens.officer());
    let request = CreateOperatorRequest {
        operator: Some(Operator {
            siret: "21620263000011".to_owned(),
            category: 99,
            insee_code: "6226".to_owned(),
            ..Operator::default()
        }),
        request_id: request_id(),
    };
    assert_eq!(
        violations(officer.create_operator(request).await),
        pairs(&[
            ("operator.legal_name", "REQUIRED"),
            ("operator.category", "VALUE_UNKNOWN"),
            ("operator.address", "REQUIRED"),
            ("operator.siret", "SIRET_CHECKSUM"),
            ("operator.insee_code", "INSEE_FORMAT"),
        ])
    );
    let nothing = CreateOperatorRequest {
        operator: None,
        request_id: request_id(),
    };
    let outcome = officer.create_operator(nothing).await;
    assert_eq!(violations(outcome), pairs(&[("operator", "REQUIRED")]));
}

#[tokio::test]
async fn an_operator_sees_itself_only() {
    let world = World::start().await;
    let mut officer = world.operators(world.tokens.officer());
    let mut names: Vec<OperatorName> = Vec::new();
    for siret in [DAINVILLE, "21620041000019"] {
        let request = operator(siret, OperatorCategory::Ccas);
        let registered = officer.create_operator(request).await.unwrap().into_inner();
        names.push(registered.name.parse().unwrap());
    }
    let list = ListOperatorsRequest::default();
    let all = officer
        .list_operators(list.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(all.operators.len(), 2);
    let mut own = world.operators(world.tokens.agent(names[0].operator));
    let listed = own.list_operators(list).await.unwrap().into_inner();
    assert_eq!(listed.operators, all.operators[..1]);
    let get = |name: OperatorName| GetOperatorRequest {
        name: name.to_string(),
    };
    assert!(own.get_operator(get(names[0])).await.is_ok());
    assert_eq!(
        reason(own.get_operator(get(names[1])).await),
        "OUT_OF_REACH"
    );
    let missing = GetOperatorRequest {
        name: format!("operators/{}", request_id()),
    };
    assert_eq!(reason(officer.get_operator(missing).await), "NOT_FOUND");
}
