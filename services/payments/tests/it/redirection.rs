//! An account that changes between the call and the payment stops it, until it is said where to pay.

use nonrecours_contracts::payments::{
    Instalment, InstalmentState, RedirectInstalmentRequest, RevokeBankAccountRequest,
    SlipOrderState, SupportingDocumentKind as Kind,
};
use nonrecours_rpc::details::Details;
use nonrecours_testkit::request_id;
use tonic::Status;

use crate::{
    bank_account::elsewhere,
    papers::{approve, documents, enter},
    treasury::{Treasury, of_piece, retour, states},
    world::{IBAN, World, call, certify, confirm, order, reason},
};

const ELSEWHERE: &str = "FR1420041010050500013M02606";

fn redirect(name: &str, account: &str) -> RedirectInstalmentRequest {
    RedirectInstalmentRequest {
        name: name.to_owned(),
        bank_account_name: account.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

async fn redirected(
    world: &World,
    request: RedirectInstalmentRequest,
) -> Result<Instalment, Status> {
    let mut client = world.instalments(world.tokens.officer());
    Ok(client.redirect_instalment(request).await?.into_inner())
}

fn blocked(outcome: Result<Instalment, Status>) -> Vec<String> {
    let details = Details::of(&outcome.unwrap_err());
    assert_eq!(details.reason, "PAYMENT_BLOCKED");
    details.blockers.into_iter().map(|one| one.r#type).collect()
}

#[tokio::test]
async fn a_call_on_a_new_account_waits_for_its_approval() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    let mut request = call(name);
    request.bank_account = Some(elsewhere());
    request.documents.extend(documents(name, &[Kind::Rib]));
    let called = world.call(request.clone()).await.unwrap();
    assert_eq!(world.call(request).await.unwrap(), called);
    let reasons: Vec<_> = called.blockers.iter().map(|one| &one.reason).collect();
    assert_eq!(reasons, ["ACCOUNT_NOT_APPROVED"]);
    assert_eq!(called.blockers[0].subject, called.bank_account_name);
    assert_eq!(
        blocked(world.certify(certify(name)).await),
        ["ACCOUNT_NOT_APPROVED"]
    );
    // Not in a state to be paid on yet.
    let own = redirected(&world, redirect(name, &called.bank_account_name)).await;
    assert_eq!(reason(own), "BANK_ACCOUNT_NOT_APPROVED");
    world
        .approve(approve(&called.bank_account_name))
        .await
        .unwrap();
    assert_eq!(world.instalment(name).await.blockers, []);
    world.certify(certify(name)).await.unwrap();
    let paid = world.advance_from(name, 2).await;
    assert_eq!(paid.bank_account.unwrap().iban, ELSEWHERE);
}

#[tokio::test]
async fn a_call_may_name_an_account() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    let account = world.account(&agreed.convention).await;
    let mut request = call(name);
    request.bank_account = None;
    request.bank_account_name = format!("{}f", &account.name[..account.name.len() - 1]);
    assert_eq!(reason(world.call(request.clone()).await), "NOT_FOUND");
    request.bank_account_name.clone_from(&account.name);
    let called = world.call(request).await.unwrap();
    assert_eq!(called.bank_account_name, account.name);
    assert_eq!(called.bank_account.unwrap().iban, IBAN);
}

#[tokio::test]
async fn a_change_of_account_between_call_and_order_stops_the_order() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    let certified = world.advance(name, 2).await;
    let next = world.paid_on(&agreed.convention, elsewhere()).await;
    assert_eq!(blocked(world.order(order(name)).await), ["ACCOUNT_CHANGED"]);
    let mut stale = redirect(name, &next.name);
    stale.etag = "\"1\"".to_owned();
    assert_eq!(reason(redirected(&world, stale).await), "ETAG_MISMATCH");
    let former = redirect(name, &certified.bank_account_name);
    assert_eq!(
        reason(redirected(&world, former).await),
        "BANK_ACCOUNT_NOT_APPROVED"
    );
    let request = redirect(name, &next.name);
    let moved = redirected(&world, request.clone()).await.unwrap();
    assert_eq!(moved.state(), InstalmentState::Certified);
    assert_eq!(moved.bank_account.as_ref().unwrap().iban, ELSEWHERE);
    assert_eq!(moved.blockers, []);
    assert_eq!(redirected(&world, request).await.unwrap(), moved);
    let changes = world.changes_until("instalment.redirected", name).await;
    let told = changes.last().unwrap();
    let shown = String::from_utf8_lossy(&told.snapshot.as_ref().unwrap().value);
    assert!(!shown.contains(ELSEWHERE));
    // Booked once, whatever the account.
    assert_eq!(world.entries(&agreed.convention).await.len(), 1);
    world.order(order(name)).await.unwrap();
    world.confirm(confirm(name, &world.clock)).await.unwrap();
    let late = redirected(&world, redirect(name, &next.name)).await;
    assert_eq!(reason(late), "INSTALMENT_NOT_ORDERED");
    let early = redirected(&world, redirect(&agreed.balance.name, &next.name)).await;
    assert_eq!(reason(early), "INSTALMENT_NOT_CALLED");
}

#[tokio::test]
async fn nothing_is_called_on_an_account_that_has_ended() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let account = world.account(&agreed.convention).await;
    let revoke = RevokeBankAccountRequest {
        name: account.name.clone(),
        reason: "Compte clos.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut client = world.bank_accounts(world.tokens.authorising_officer());
    client.revoke_bank_account(revoke).await.unwrap();
    let mut request = call(&agreed.advance.name);
    request.bank_account = None;
    request.bank_account_name = account.name;
    assert_eq!(reason(world.call(request).await), "BANK_ACCOUNT_ENDED");
}

#[tokio::test]
async fn a_bad_rib_is_replaced_and_the_order_sent_again_under_its_number() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    // Rejected before it is taken in charge, then after: the number stays, then is new.
    for (number, taken, piece) in [(1, false, 1), (3, true, 3)] {
        let agreed = treasury.agreed().await;
        let name = &agreed.advance.name;
        world.advance(name, 3).await;
        let first = treasury.issue(treasury.request(&[name])).await.unwrap();
        assert_eq!(first.number, number);
        let given = first.orders[0].piece;
        let next = world.paid_on(&agreed.convention, elsewhere()).await;
        let own = world.tokens.manager(agreed.operator);
        let mut manager = world.instalments(own);
        let late = manager
            .redirect_instalment(redirect(name, &next.name))
            .await;
        assert_eq!(reason(late), "REDIRECTION_TOO_LATE");

        if taken {
            let charged = retour(number, &of_piece(given, "02", "", &[]));
            treasury.import(&charged).await.unwrap();
            let rejected = of_piece(given, "04", "<MotifRejet V=\"RIB clos\"/>", &[]);
            treasury.import(&retour(number, &rejected)).await.unwrap();
        } else {
            let refused = format!(
                "<DetailPiece><NumPiece V=\"{given}\"/><Erreur><NumAnoAck V=\"5301\"/><LibelleAnoAck V=\"RIB inconnu\"/>\
                 </Erreur></DetailPiece>"
            );
            let refused = crate::treasury::of_slip(number, 0, &refused);
            let acquit = crate::treasury::acquit(&first.file_name, &refused);
            treasury.import(&acquit).await.unwrap();
        }
        // Not sent again to the account that has ended.
        let outcome = treasury.issue(treasury.request(&[name])).await;
        let details = Details::of(&outcome.unwrap_err());
        assert_eq!(details.blocker_reasons(), ["ACCOUNT_CHANGED"]);
        let moved = manager
            .redirect_instalment(redirect(name, &next.name))
            .await;
        let moved = moved.unwrap().into_inner();
        assert_eq!(moved.state(), InstalmentState::Ordered);
        let second = treasury.issue(treasury.request(&[name])).await.unwrap();
        assert_eq!(states(&second), [SlipOrderState::Transmitted]);
        assert_eq!(second.orders[0].piece, if taken { piece } else { given });
        let file = treasury.file(&second).await;
        let text: String = file.content.iter().map(|byte| char::from(*byte)).collect();
        assert!(
            text.contains(&format!("<IBAN V=\"{ELSEWHERE}\"/>")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_account_of_another_operator_is_not_paid_on() {
    let world = World::start().await;
    let (agreed, other) = (world.agreed().await, world.agreed().await);
    let name = &agreed.advance.name;
    world.advance(name, 1).await;
    let theirs = world.account(&other.convention).await;
    let outcome = redirected(&world, redirect(name, &theirs.name)).await;
    let details = Details::of(&outcome.unwrap_err());
    assert_eq!(details.fields(), ["bank_account_name"]);
    let entered = world.enter(enter(&agreed.convention, elsewhere())).await;
    let stranger = world.instalments(world.tokens.manager(other.operator));
    let mut stranger = stranger;
    let request = redirect(name, &entered.unwrap().name);
    assert_eq!(
        reason(stranger.redirect_instalment(request).await),
        "OUT_OF_REACH"
    );
}
