//! Bank accounts: entered by one person, approved by another, ended once.

use nonrecours_contracts::payments::{
    AccountDetails, BankAccountState as State, GetBankAccountRequest, ListBankAccountsRequest,
    RevokeBankAccountRequest, SupportingDocumentKind as Kind,
};
use nonrecours_kernel::Role;
use nonrecours_rpc::details::Details;
use nonrecours_testkit::request_id;
use sqlx::AssertSqlSafe;
use tonic::Code;

use crate::{
    papers::{approve, enter, file},
    world::{IBAN, World, reason, rib},
};

/// An account elsewhere than at the Treasury.
pub fn elsewhere() -> AccountDetails {
    AccountDetails {
        iban: "FR14 2004 1010 0505 0001 3M02 606".to_owned(),
        bic: "PSSTFRPPLIL".to_owned(),
        holder: "Trésorerie de Dainville".to_owned(),
        warnings: Vec::new(),
    }
}

fn revoke(name: &str) -> RevokeBankAccountRequest {
    RevokeBankAccountRequest {
        name: name.to_owned(),
        reason: "Compte clos par la commune.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn an_account_is_entered_by_one_person_and_approved_by_another() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let request = enter(&agreed.convention, elsewhere());
    let entered = world.enter(request.clone()).await.unwrap();
    assert_eq!(entered.state(), State::Entered);
    assert_eq!(entered.rib, file(&agreed.convention, Kind::Rib));
    let details = entered.details.clone().unwrap();
    assert_eq!(details.iban, "FR1420041010050500013M02606");
    let warned: Vec<_> = details
        .warnings
        .iter()
        .map(|warning| (warning.field.as_str(), warning.reason.as_str()))
        .collect();
    assert_eq!(
        warned,
        [
            ("details.iban", "IBAN_NOT_AT_TREASURY"),
            ("details.holder", "IBAN_HOLDER_DIFFERS"),
        ]
    );
    let manager = format!("manager-{}", agreed.operator);
    assert_eq!(entered.entry.as_ref().unwrap().actor, manager);
    // The same request, and the same account by another one.
    assert_eq!(world.enter(request.clone()).await.unwrap(), entered);
    let mut again = request;
    again.request_id = request_id();
    assert_eq!(world.enter(again).await.unwrap(), entered);

    // Who entered it does not approve it, whatever their roles.
    let both = world
        .tokens
        .token(&manager, &[Role::ProgrammeOfficer], None);
    let own = world
        .bank_accounts(both)
        .approve_bank_account(approve(&entered.name))
        .await;
    assert_eq!(reason(own), "SEPARATION_OF_DUTIES");
    let mut stale = approve(&entered.name);
    stale.etag = "\"9\"".to_owned();
    assert_eq!(reason(world.approve(stale).await), "ETAG_MISMATCH");

    let request = approve(&entered.name);
    let approved = world.approve(request.clone()).await.unwrap();
    assert_eq!(approved.state(), State::Approved);
    assert_eq!(approved.approval.as_ref().unwrap().actor, "officer");
    assert_eq!(world.approve(request).await.unwrap(), approved);
    let again = world.approve(approve(&entered.name)).await;
    assert_eq!(reason(again), "BANK_ACCOUNT_NOT_ENTERED");

    // The account of before is superseded by that; no change tells an IBAN or a holder.
    let list = ListBankAccountsRequest {
        parent: agreed.convention.parent().to_string(),
        ..Default::default()
    };
    let mut client = world.bank_accounts(world.tokens.accountant());
    let page = client.list_bank_accounts(list).await.unwrap().into_inner();
    let states: Vec<_> = page.bank_accounts.iter().map(|one| one.state()).collect();
    assert_eq!(states, [State::Superseded, State::Approved]);
    let ending = page.bank_accounts[0].ending.as_ref().unwrap();
    assert_eq!(ending.actor, "officer");
    let changes = world
        .changes_until("bank_account.approved", &approved.name)
        .await;
    let kinds: Vec<_> = changes
        .iter()
        .filter(|change| change.kind.starts_with("bank_account."))
        .map(|change| {
            let shown = String::from_utf8_lossy(&change.snapshot.as_ref().unwrap().value);
            for secret in [
                IBAN,
                "FR14",
                "PSSTFRPP",
                "Trésorerie",
                "Commune de Dainville",
            ] {
                assert!(!shown.contains(secret), "{}", change.kind);
            }
            change.kind.as_str()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "bank_account.entered",
            "bank_account.approved",
            "bank_account.entered",
            "bank_account.superseded",
            "bank_account.approved"
        ]
    );
}

#[tokio::test]
async fn an_account_is_revoked_with_a_reason_and_once() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let account = world.account(&agreed.convention).await;
    let mut client = world.bank_accounts(world.tokens.manager(agreed.operator));
    let mut nir = revoke(&account.name);
    nir.reason = "Celui de 1 85 02 62 263 001 42".to_owned();
    let refused = client.revoke_bank_account(nir).await.unwrap_err();
    assert_eq!(Details::of(&refused).fields(), ["reason"]);
    let mut stale = revoke(&account.name);
    stale.etag = "\"1\"".to_owned();
    assert_eq!(
        reason(client.revoke_bank_account(stale).await),
        "ETAG_MISMATCH"
    );
    let request = revoke(&account.name);
    let revoked = client.revoke_bank_account(request.clone()).await.unwrap();
    let revoked = revoked.into_inner();
    assert_eq!(revoked.state(), State::Revoked);
    assert_eq!(revoked.revoke_reason, "Compte clos par la commune.");
    let again = client.revoke_bank_account(request).await.unwrap();
    assert_eq!(again.into_inner(), revoked);
    let other = client.revoke_bank_account(revoke(&account.name)).await;
    assert_eq!(reason(other), "BANK_ACCOUNT_ENDED");
    let changes = world
        .changes_until("bank_account.revoked", &account.name)
        .await;
    assert!(!changes.is_empty());
    // Entered again, it is another one, that waits for its approval.
    let next = world.enter(enter(&agreed.convention, rib())).await.unwrap();
    assert_ne!(next.name, account.name);
    assert_eq!(next.state(), State::Entered);
}

#[tokio::test]
async fn every_fault_of_an_account_is_told_at_once() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let other = world.agreed().await;
    let mut request = enter(&agreed.convention, rib());
    let details = request.details.as_mut().unwrap();
    details.iban = "FR90 3000 1001 52D6 2000 0000 042".to_owned();
    details.bic = "BDF".to_owned();
    details.holder = " ".to_owned();
    request.rib = file(&other.convention, Kind::Rib);
    let status = world.enter(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = Details::of(&status);
    let told: Vec<_> = details
        .violations
        .iter()
        .map(|one| (one.field.as_str(), one.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("details.iban", "IBAN_CHECKSUM"),
            ("details.bic", "BIC_FORMAT"),
            ("details.holder", "REQUIRED"),
            ("rib", "FILE_ELSEWHERE"),
        ]
    );
    let mut request = enter(&agreed.convention, elsewhere());
    request.rib = file(&agreed.convention, Kind::Statement);
    assert_eq!(reason(world.enter(request).await), "NOT_FOUND");
    // Withdrawn before it was cited.
    world.tell_file(&agreed.convention, Kind::Rib, true);
    world.agreed().await;
    let status = world.enter(enter(&agreed.convention, elsewhere())).await;
    let details = Details::of(&status.unwrap_err());
    assert_eq!(details.violations[0].reason, "FILE_WITHDRAWN");
}

#[tokio::test]
async fn accounts_are_for_their_operator_and_the_authority() {
    let world = World::start().await;
    let (agreed, other) = (world.agreed().await, world.agreed().await);
    let account = world.account(&agreed.convention).await;
    let read = GetBankAccountRequest {
        name: account.name.clone(),
    };
    let stranger = || world.bank_accounts(world.tokens.manager(other.operator));
    let list = |parent: String| ListBankAccountsRequest {
        parent,
        ..Default::default()
    };
    assert_eq!(
        reason(stranger().get_bank_account(read.clone()).await),
        "OUT_OF_REACH"
    );
    let own = agreed.convention.parent().to_string();
    let refused = stranger().list_bank_accounts(list(own)).await;
    assert_eq!(reason(refused), "OUT_OF_REACH");
    let request = enter(&agreed.convention, rib());
    let refused = stranger().enter_bank_account(request).await;
    assert_eq!(reason(refused), "OUT_OF_REACH");
    let refused = stranger().revoke_bank_account(revoke(&account.name)).await;
    assert_eq!(reason(refused), "OUT_OF_REACH");
    let mut owner = world.bank_accounts(world.tokens.manager(agreed.operator));
    let seen = owner.get_bank_account(read).await.unwrap().into_inner();
    assert_eq!(seen, account);
    let refused = owner.approve_bank_account(approve(&account.name)).await;
    assert_eq!(reason(refused), "ROLE_MISSING");
    // Each sees its own of all.
    for (token, count) in [
        (world.tokens.manager(other.operator), 1),
        (world.tokens.auditor(), 2),
    ] {
        let everywhere = list("operators/-".to_owned());
        let mut client = world.bank_accounts(token);
        let page = client.list_bank_accounts(everywhere).await.unwrap();
        let page = page.into_inner();
        assert_eq!(page.bank_accounts.len(), count);
    }
    let unknown = GetBankAccountRequest {
        name: format!(
            "{}/bankAccounts/{}",
            agreed.convention.parent(),
            uuid::Uuid::max()
        ),
    };
    assert_eq!(reason(owner.get_bank_account(unknown).await), "NOT_FOUND");
}

#[tokio::test]
async fn one_account_is_approved_though_two_are_at_once() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let first = world.enter(enter(&agreed.convention, elsewhere()));
    let first = first.await.unwrap();
    let mut details = elsewhere();
    details.holder = "Commune de Dainville".to_owned();
    let second = world.enter(enter(&agreed.convention, details)).await;
    let second = second.unwrap();
    let (one, two) = tokio::join!(
        world.approve(approve(&first.name)),
        world.approve(approve(&second.name))
    );
    // The later one supersedes the earlier one, or met it and may be sent again.
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    let owner = world.db.owner().await;
    let approved = "SELECT count(*) FROM bank_account WHERE state = 'APPROVED'";
    let approved: i64 = sqlx::query_scalar(approved)
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(approved, 1);
}

#[tokio::test]
async fn the_rules_of_accounts_hold_in_the_database_too() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    world.advance(&agreed.advance.name, 1).await;
    let owner = world.db.owner().await;
    for (sql, constraint) in [
        (
            "UPDATE bank_account SET approval_actor = entry_actor",
            "bank_account_separation_of_duties",
        ),
        (
            "UPDATE bank_account SET state = 'ENTERED'",
            "bank_account_approval",
        ),
        (
            "UPDATE bank_account SET approval_time = NULL",
            "bank_account_approval",
        ),
        (
            "UPDATE bank_account SET state = 'SUPERSEDED'",
            "bank_account_ending",
        ),
        (
            "UPDATE bank_account SET revoke_reason = 'x'",
            "bank_account_revocation",
        ),
        (
            "UPDATE bank_account SET rib_attachment_id = NULL",
            "bank_account_rib",
        ),
        (
            "UPDATE bank_account SET state = 'LOST'",
            "bank_account_state_check",
        ),
        (
            "INSERT INTO bank_account SELECT (bank_account).* FROM (SELECT bank_account FROM bank_account) AS copy",
            "bank_account_pkey",
        ),
        (
            "UPDATE supporting_document SET file_convention_id = NULL",
            "supporting_document_file",
        ),
        (
            "UPDATE supporting_document SET kind = 'LETTER'",
            "supporting_document_kind_check",
        ),
    ] {
        let outcome = sqlx::query(AssertSqlSafe(sql)).execute(&owner).await;
        let error = outcome.expect_err(sql).into_database_error().unwrap();
        assert_eq!(error.constraint(), Some(constraint), "{sql}");
    }
    let app = world.db.app().await;
    for sql in [
        "UPDATE bank_account SET iban = 'x'",
        "UPDATE bank_account SET entry_actor = 'x'",
        "DELETE FROM bank_account",
        "UPDATE known_file SET sha256 = ''",
        "DELETE FROM known_file",
        "UPDATE supporting_document SET sha256 = ''",
        "DELETE FROM supporting_document",
        "UPDATE document_rules SET version = 2",
    ] {
        let outcome = sqlx::query(AssertSqlSafe(sql)).execute(&app).await;
        let error = outcome.expect_err(sql).into_database_error().unwrap();
        assert_eq!(error.code().as_deref(), Some("42501"), "{sql}");
    }
}
