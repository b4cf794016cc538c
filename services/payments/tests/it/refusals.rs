//! Every reason for which a step is refused; none changes anything.

use nonrecours_contracts::{google::r#type::Date, payments::Instalment};
use nonrecours_kernel::{InstalmentName, Role};
use nonrecours_rpc::details::Details;
use time::Duration;
use tonic::{Code, Status};

use crate::world::{World, call, certify, confirm, order, reason, rib};

/// The details of a refusal of this service's own rules.
fn refused(outcome: Result<Instalment, Status>) -> Details {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let details = Details::of(&status);
    assert_eq!(details.domain, "payments.nonrecours");
    assert!(!details.french.is_empty());
    details
}

#[tokio::test]
async fn a_step_out_of_turn_is_refused() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    for steps in 0..=4 {
        let before = match steps {
            0 => world.instalment(name).await,
            1 => world.call(call(name)).await.unwrap(),
            2 => world.certify(certify(name)).await.unwrap(),
            3 => world.order(order(name)).await.unwrap(),
            _ => world.confirm(confirm(name, &world.clock)).await.unwrap(),
        };
        if steps != 0 {
            assert_eq!(
                refused(world.call(call(name)).await).reason,
                "INSTALMENT_NOT_PLANNED"
            );
        }
        if steps != 1 {
            let outcome = world.certify(certify(name)).await;
            assert_eq!(refused(outcome).reason, "INSTALMENT_NOT_CALLED");
        }
        if steps != 2 {
            let outcome = world.order(order(name)).await;
            assert_eq!(refused(outcome).reason, "INSTALMENT_NOT_CERTIFIED");
        }
        if steps != 3 {
            let outcome = world.confirm(confirm(name, &world.clock)).await;
            assert_eq!(refused(outcome).reason, "INSTALMENT_NOT_ORDERED");
        }
        assert_eq!(world.instalment(name).await, before);
    }
}

#[tokio::test]
async fn a_balance_called_too_early_is_refused_with_every_blocker() {
    let world = World::start().await;
    let convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    let details = refused(world.call(call(&agreed.balance.name)).await);
    assert_eq!(details.reason, "CALL_BLOCKED");
    assert_eq!(
        details.blocker_reasons(),
        ["ACTIONS_NOT_COMPLETED", "EARLIER_INSTALMENT_UNPAID"]
    );
    let subjects: Vec<_> = details
        .blockers
        .iter()
        .map(|blocker| &blocker.subject)
        .collect();
    assert_eq!(
        subjects,
        [&agreed.convention.to_string(), &agreed.advance.name]
    );
    // The instalment itself says the same before anybody calls.
    let shown: Vec<_> = agreed
        .balance
        .blockers
        .iter()
        .map(|blocker| &blocker.message_fr)
        .collect();
    let told: Vec<_> = details
        .blockers
        .iter()
        .map(|blocker| &blocker.description)
        .collect();
    assert_eq!(shown, told);

    world.completed(convention).await;
    let details = refused(world.call(call(&agreed.balance.name)).await);
    assert_eq!(details.blocker_reasons(), ["EARLIER_INSTALMENT_UNPAID"]);
    world.advance(&agreed.advance.name, 4).await;
    assert_eq!(world.instalment(&agreed.balance.name).await.blockers, []);
    world.call(call(&agreed.balance.name)).await.unwrap();
}

#[tokio::test]
async fn one_person_makes_one_step() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    // Somebody who works for the operator and, under another account with the same subject, for the programme.
    let manager = format!("manager-{}", agreed.operator);
    let roles = [
        Role::ProgrammeOfficer,
        Role::AuthorisingOfficer,
        Role::Accountant,
    ];
    let everywhere = |subject: &str| world.instalments(world.tokens.token(subject, &roles, None));

    world.call(call(name)).await.unwrap();
    let outcome = everywhere(&manager).certify_instalment(certify(name)).await;
    let details = refused(outcome.map(tonic::Response::into_inner));
    assert_eq!(details.reason, "SEPARATION_OF_DUTIES");
    assert!(
        details.french.contains("appelé les fonds"),
        "{}",
        details.french
    );

    world.certify(certify(name)).await.unwrap();
    for (subject, step) in [(manager.as_str(), "appelé"), ("officer", "certifié")] {
        let outcome = everywhere(subject).order_instalment(order(name)).await;
        let details = refused(outcome.map(tonic::Response::into_inner));
        assert_eq!(details.reason, "SEPARATION_OF_DUTIES");
        assert!(details.french.contains(step), "{}", details.french);
    }

    let ordered = world.order(order(name)).await.unwrap();
    for (subject, step) in [
        (manager.as_str(), "appelé"),
        ("officer", "certifié"),
        ("authorising-officer", "ordonné"),
    ] {
        let request = confirm(name, &world.clock);
        let outcome = everywhere(subject).confirm_instalment(request).await;
        let details = refused(outcome.map(tonic::Response::into_inner));
        assert_eq!(details.reason, "SEPARATION_OF_DUTIES");
        assert!(details.french.contains(step), "{}", details.french);
    }
    assert_eq!(world.instalment(name).await, ordered);
    world.confirm(confirm(name, &world.clock)).await.unwrap();
}

#[tokio::test]
async fn a_transfer_date_lies_between_the_order_and_today() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    let ordered = world.advance(name, 3).await;
    // The order is of the 7th; today is the 9th.
    world.clock.advance(Duration::days(2));
    let on = |day| {
        let mut request = confirm(name, &world.clock);
        request.transfer_date = Some(Date {
            year: 2025,
            month: 10,
            day,
        });
        request
    };
    for day in [6, 10] {
        let details = refused(world.confirm(on(day)).await);
        assert_eq!(details.reason, "TRANSFER_DATE_OUT_OF_RANGE");
        for bound in ["07/10/2025", "09/10/2025"] {
            assert!(details.french.contains(bound), "{}", details.french);
        }
    }
    assert_eq!(world.instalment(name).await, ordered);
    assert_eq!(
        world
            .confirm(on(8))
            .await
            .unwrap()
            .transfer_date
            .unwrap()
            .day,
        8
    );
}

#[tokio::test]
async fn every_fault_of_a_request_is_told_at_once() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    let told = |outcome: Result<Instalment, Status>| -> Vec<(String, String)> {
        let status = outcome.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = Details::of(&status);
        assert_eq!(details.reason, "INVALID_REQUEST");
        let shown = |violation: &nonrecours_contracts::google::rpc::bad_request::FieldViolation| {
            assert!(
                !violation
                    .localized_message
                    .as_ref()
                    .unwrap()
                    .message
                    .is_empty()
            );
            (violation.field.clone(), violation.reason.clone())
        };
        let mut told: Vec<_> = details.violations.iter().map(shown).collect();
        told.sort();
        told
    };
    let faults = |faults: &[(&str, &str)]| -> Vec<(String, String)> {
        faults
            .iter()
            .map(|(field, reason)| ((*field).to_owned(), (*reason).to_owned()))
            .collect()
    };

    let mut request = call(name);
    request.reference = "  ".to_owned();
    request.request_id = "not a UUID".to_owned();
    request.documents[0].file = request.documents[0]
        .file
        .replace("/conventions/0", "/conventions/1");
    request.documents[1].file = agreed.balance.name.clone();
    request.documents[2].kind = 0;
    let account = request.bank_account.as_mut().unwrap();
    account.iban = "FR90 3000 1001 52D6 2000 0000 042".to_owned();
    account.bic = "BDF".to_owned();
    account.holder = "Mme Martin 1 85 02 62 263 001 42".to_owned();
    assert_eq!(
        told(world.call(request).await),
        faults(&[
            ("bank_account.bic", "BIC_FORMAT"),
            ("bank_account.holder", "NIR_FORBIDDEN"),
            ("bank_account.iban", "IBAN_CHECKSUM"),
            ("documents[0].file", "FILE_ELSEWHERE"),
            ("documents[1].file", "RESOURCE_NAME_INVALID"),
            ("documents[2].kind", "REQUIRED"),
            ("reference", "REQUIRED"),
            ("request_id", "UUID_INVALID"),
        ])
    );
    let mut request = call(name);
    request.bank_account = None;
    assert_eq!(
        told(world.call(request).await),
        faults(&[("bank_account", "REQUIRED")])
    );

    let mut request = call(name);
    request.bank_account_name = format!(
        "operators/{}/bankAccounts/{}",
        agreed.operator,
        uuid::Uuid::max()
    );
    assert_eq!(
        told(world.call(request).await),
        faults(&[("bank_account", "ACCOUNT_TWICE")])
    );
    let mut request = call(name);
    request.bank_account = None;
    let other = world.operator();
    request.bank_account_name = format!("{other}/bankAccounts/{}", uuid::Uuid::max());
    assert_eq!(
        told(world.call(request).await),
        faults(&[("bank_account_name", "ACCOUNT_ELSEWHERE")])
    );

    let mut request = certify(name);
    request.bank_account = Some(rib());
    request.bank_account.as_mut().unwrap().bic = "BDF".to_owned();
    request.etag = "x".repeat(65);
    assert_eq!(
        told(world.certify(request).await),
        faults(&[("bank_account.bic", "BIC_FORMAT"), ("etag", "TOO_LONG")])
    );
    let mut request = order(name);
    request.request_id = String::new();
    assert_eq!(
        told(world.order(request).await),
        faults(&[("request_id", "UUID_INVALID")])
    );

    let mut request = confirm(name, &world.clock);
    request.transfer_date = Some(Date {
        year: 2025,
        month: 2,
        day: 30,
    });
    request.request_id = String::new();
    assert_eq!(
        told(world.confirm(request).await),
        faults(&[
            ("request_id", "UUID_INVALID"),
            ("transfer_date", "DATE_INVALID")
        ])
    );

    // The RIB of the call holds.
    world.call(call(name)).await.unwrap();
    let mut request = certify(name);
    request.bank_account = Some(rib());
    assert_eq!(
        told(world.certify(request).await),
        faults(&[("bank_account", "BANK_ACCOUNT_UNEXPECTED")])
    );
}

#[tokio::test]
async fn an_advance_without_call_is_not_certified_without_rib() {
    let world = World::start().await;
    let mut convention = world.convention(world.operator());
    convention.advance_without_call = true;
    let agreed = world.learned(&convention).await;
    let status = world
        .certify(certify(&agreed.advance.name))
        .await
        .unwrap_err();
    let details = Details::of(&status);
    assert_eq!(details.reason, "INVALID_REQUEST");
    assert_eq!(details.fields(), ["bank_account"]);
}

#[tokio::test]
async fn an_instalment_that_is_not_there_is_not_found() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let known: InstalmentName = agreed.advance.name.parse().unwrap();
    let other_plan = InstalmentName {
        convention: world.ids.next(),
        ..known
    };
    let other_id = InstalmentName {
        instalment: world.ids.next(),
        ..known
    };
    for name in [other_plan, other_id].map(|name| name.to_string()) {
        assert_eq!(reason(world.call(call(&name)).await), "NOT_FOUND");
        assert_eq!(reason(world.certify(certify(&name)).await), "NOT_FOUND");
        assert_eq!(reason(world.order(order(&name)).await), "NOT_FOUND");
        let request = confirm(&name, &world.clock);
        assert_eq!(reason(world.confirm(request).await), "NOT_FOUND");
        let request = nonrecours_contracts::payments::GetInstalmentRequest { name };
        let mut client = world.instalments(world.tokens.auditor());
        assert_eq!(reason(client.get_instalment(request).await), "NOT_FOUND");
    }
}

#[tokio::test]
async fn each_step_is_for_its_own_role() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    let as_officer = world
        .instalments(world.tokens.officer())
        .call_instalment(call(name))
        .await;
    assert_eq!(reason(as_officer), "ROLE_MISSING");
    let manager = || world.instalments(world.tokens.manager(agreed.operator));
    assert_eq!(
        reason(manager().certify_instalment(certify(name)).await),
        "ROLE_MISSING"
    );
    let officer = || world.instalments(world.tokens.officer());
    assert_eq!(
        reason(officer().order_instalment(order(name)).await),
        "ROLE_MISSING"
    );
    let request = confirm(name, &world.clock);
    assert_eq!(
        reason(officer().confirm_instalment(request).await),
        "ROLE_MISSING"
    );
}
