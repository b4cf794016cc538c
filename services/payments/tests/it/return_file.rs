//! Files from the accountant: orders move, are rejected, issued again and paid; whatever comes twice, late or wrong.

use nonrecours_contracts::payments::{
    GetReturnFileRequest, InstalmentState, ListReturnFilesRequest, PushReturnFileRequest,
    ReturnFileKind, SlipOrderState,
};
use nonrecours_rpc::details::Details;

use crate::{
    treasury::{Treasury, acquit, chunk, of_piece, of_slip, retour, states},
    world::{World, euros, order, reason},
};

#[tokio::test]
async fn an_order_goes_from_transmitted_to_paid_on_files_only() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();

    let file = acquit(&slip.file_name, &of_slip(1, 1, ""));
    let taken = treasury.import(&file).await.unwrap();
    assert_eq!(taken.kind(), ReturnFileKind::Acknowledgement);
    assert_eq!(taken.flow_name, slip.file_name);
    assert_eq!((taken.changed_count, taken.unchanged_count), (1, 0));
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::Acknowledged]);
    assert_eq!(stored.revision, 2);

    let waits = retour(
        1,
        &of_piece(1, "01", "<CodObs V=\"17\"/><Obs V=\"RIB illisible\"/>", &[]),
    );
    treasury.import(&waits).await.unwrap();
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::Pending]);
    let waiting = &stored.orders[0];
    assert_eq!(
        (waiting.reason_code.as_str(), waiting.reason_text.as_str()),
        ("17", "Obs : RIB illisible")
    );

    let charged = retour(1, &of_piece(1, "02", "", &[]));
    treasury.import(&charged).await.unwrap();
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::TakenInCharge]);
    assert_eq!(stored.orders[0].reason_text, "");

    let paid = retour(1, &of_piece(1, "05", "", &[("2025-10-07", "9200.00")]));
    let taken = treasury.import(&paid).await.unwrap();
    assert_eq!(taken.difference_count, 0);
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::Paid]);
    assert!(stored.orders[0].payment_date.is_some());
    let instalment = world.instalment(&name).await;
    assert_eq!(instalment.state(), InstalmentState::Paid);
    assert_eq!(instalment.transfer_date, stored.orders[0].payment_date);
    world.changes_until("instalment.paid", &name).await;
    world.changes_until("slip.returned", &slip.name).await;
    world
        .changes_until("return_file.imported", &taken.name)
        .await;
}

#[tokio::test]
async fn the_same_file_again_and_older_news_change_nothing() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let paid = retour(1, &of_piece(1, "05", "", &[("2025-10-07", "9200.00")]));
    let first = treasury.import(&paid).await.unwrap();
    assert_eq!(treasury.import(&paid).await.unwrap(), first);
    // Out of order: what came before arrives after, and the payment once more among other words.
    for late in [
        acquit(&slip.file_name, &of_slip(1, 1, "")),
        retour(1, &of_piece(1, "01", "", &[])),
        retour(1, &of_piece(1, "02", "", &[])),
        retour(
            1,
            &of_piece(1, "05", "<Obs V=\"rappel\"/>", &[("2025-10-07", "9200.00")]),
        ),
    ] {
        let taken = treasury.import(&late).await.unwrap();
        assert_eq!(
            (taken.changed_count, taken.unchanged_count),
            (0, 1),
            "{late}"
        );
        assert_eq!(taken.difference_count, 0);
    }
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(
        (states(&stored), stored.revision),
        (vec![SlipOrderState::Paid], 2)
    );
}

#[tokio::test]
async fn what_was_rejected_before_it_was_taken_in_charge_keeps_its_number() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (first, second) = (treasury.ordered().await, treasury.ordered().await);
    let slip = treasury
        .issue(treasury.request(&[&first, &second]))
        .await
        .unwrap();
    let anomaly = "<DetailPiece><NumPiece V=\"2\"/><Erreur><NumAnoAck V=\"5301\"/><LibelleAnoAck V=\"Compte inconnu\"/>\
                   </Erreur></DetailPiece>";
    let file = acquit(&slip.file_name, &of_slip(1, 0, anomaly));
    treasury.import(&file).await.unwrap();
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::FlowRejected; 2]);
    let told = &stored.orders[1];
    assert_eq!(
        (told.reason_code.as_str(), told.reason_text.as_str()),
        ("5301", "Compte inconnu")
    );

    let again = treasury
        .issue(treasury.request(&[&second, &first]))
        .await
        .unwrap();
    let numbers: Vec<_> = again.orders.iter().map(|order| order.piece).collect();
    assert_eq!((again.number, numbers), (2, vec![2, 1]));

    // Taken in charge, then rejected: a new number.
    let both = of_piece(1, "02", "", &[]) + &of_piece(2, "02", "", &[]);
    treasury.import(&retour(2, &both)).await.unwrap();
    let rejected = of_piece(1, "04", "<MotifRejet V=\"Delib absente\"/>", &[]);
    treasury.import(&retour(2, &rejected)).await.unwrap();
    let stored = treasury.slip(&again.name).await;
    assert_eq!(
        states(&stored),
        [SlipOrderState::TakenInCharge, SlipOrderState::Rejected]
    );
    assert_eq!(stored.orders[1].reason_text, "MotifRejet : Delib absente");
    let third = treasury.issue(treasury.request(&[&first])).await.unwrap();
    assert_eq!((third.number, third.orders[0].piece), (3, 3));
    // The instalment is ordered still: only its order was rejected.
    assert_eq!(
        reason(world.order(order(&first)).await),
        "INSTALMENT_NOT_CERTIFIED"
    );
}

#[tokio::test]
async fn a_flow_refused_as_a_whole_rejects_all_its_orders() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let refused = "<ElementACQUIT><DomaineAck V=\"01\"/><EtatAck V=\"0\"/><Erreur><NumAnoAck V=\"0012\"/>\
                   <LibelleAnoAck V=\"Schema invalide\"/></Erreur></ElementACQUIT>";
    let flow = slip.file_name.trim_end_matches(".xml");
    treasury.import(&acquit(flow, refused)).await.unwrap();
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(states(&stored), [SlipOrderState::FlowRejected]);
    assert_eq!(stored.orders[0].reason_code, "0012");
}

#[tokio::test]
async fn partial_files_and_unknown_orders_are_no_refusal() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (first, second) = (treasury.ordered().await, treasury.ordered().await);
    let slip = treasury
        .issue(treasury.request(&[&first, &second]))
        .await
        .unwrap();
    let pieces = of_piece(2, "02", "", &[]) + &of_piece(77, "02", "", &[]);
    let taken = treasury.import(&retour(1, &pieces)).await.unwrap();
    assert_eq!((taken.changed_count, taken.unknown_count), (1, 1));
    let stored = treasury.slip(&slip.name).await;
    assert_eq!(
        states(&stored),
        [SlipOrderState::Transmitted, SlipOrderState::TakenInCharge]
    );
    let nothing = treasury
        .import(&retour(9, &of_piece(1, "05", "", &[])))
        .await;
    assert_eq!(nothing.unwrap().unknown_count, 1);
}

#[tokio::test]
async fn a_file_is_taken_whole_or_refused_with_its_line() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let good = of_piece(1, "02", "", &[]);
    let wrong = retour(1, &format!("{good}\n{}", of_piece(1, "03", "", &[])));
    let details = Details::of(&treasury.import(&wrong).await.unwrap_err());
    assert_eq!(details.reason, "INVALID_REQUEST");
    let fault = &details.violations[0];
    assert_eq!(
        (fault.field.as_str(), fault.reason.as_str()),
        ("file", "FLOW_VALUE")
    );
    assert!(
        details.french.contains("Ligne 6, PES_Retour/"),
        "{}",
        details.french
    );
    let cut = &wrong[..wrong.len() / 2];
    for (file, expected) in [
        (cut, "XML_TRUNCATED"),
        ("<PES_Aller/>", "FLOW_UNKNOWN"),
        ("<!DOCTYPE a><PES_Retour/>", "XML_DOCTYPE"),
    ] {
        let details = Details::of(&treasury.import(file).await.unwrap_err());
        assert_eq!(details.violations[0].reason, expected);
    }
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::Transmitted]
    );
    let other = retour(1, &good).replace("<CodBud V=\"00\"/>", "<CodBud V=\"01\"/>");
    assert_eq!(reason(treasury.import(&other).await), "RETURN_OTHER_BUDGET");
}

#[tokio::test]
async fn a_stream_opens_once_and_first() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let mut client = treasury.returns(world.tokens.accountant());
    let mut refused = async |messages: Vec<PushReturnFileRequest>| {
        let outcome = client.push_return_file(tokio_stream::iter(messages)).await;
        let details = Details::of(&outcome.unwrap_err());
        details.violations[0].reason.clone()
    };
    assert_eq!(
        refused(vec![chunk(b"<a/>".to_vec())]).await,
        "OPENING_MISSING"
    );
    assert_eq!(refused(Vec::new()).await, "OPENING_MISSING");
    let twice = vec![treasury.opening(), treasury.opening()];
    assert_eq!(refused(twice).await, "OPENING_REPEATED");
    // Beyond the largest file: sixty-five chunks of a megabyte.
    let start = chunk(b"<PES_Retour>".to_vec());
    let padding = std::iter::repeat_n(chunk(vec![b' '; 1 << 20]), 65);
    let large = [treasury.opening(), start].into_iter().chain(padding);
    let details = refused(large.collect()).await;
    assert!(["FLOW_TOO_LONG", "XML_TOKEN_TOO_LONG"].contains(&details.as_str()));
}

#[tokio::test]
async fn a_file_larger_than_any_message_is_taken() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let whole = retour(1, &of_piece(1, "02", "", &[]));
    let (before, after) = whole.split_once("<Piece>").unwrap();
    let other = of_piece(5, "02", &format!("<Obs V=\"{}\"/>", "x".repeat(1_000)), &[]);
    let many = other.repeat((1 << 20) / other.len());
    let messages = [treasury.opening(), chunk(before.as_bytes().to_vec())]
        .into_iter()
        .chain(std::iter::repeat_n(chunk(many.clone().into_bytes()), 8))
        .chain([chunk(format!("<Piece>{after}").into_bytes())]);
    let mut client = treasury.returns(world.tokens.accountant());
    let taken = client
        .push_return_file(tokio_stream::iter(messages.collect::<Vec<_>>()))
        .await
        .unwrap()
        .into_inner();
    assert!(taken.size > 8_000_000, "{}", taken.size);
    assert_eq!(taken.changed_count, 1);
    assert_eq!(
        states(&treasury.slip(&slip.name).await),
        [SlipOrderState::TakenInCharge]
    );
}

#[tokio::test]
async fn files_are_read_and_listed() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    treasury.issue(treasury.request(&[&name])).await.unwrap();
    let mut taken = Vec::new();
    for state in ["01", "02"] {
        let file = retour(1, &of_piece(1, state, "", &[]));
        taken.push(treasury.import(&file).await.unwrap());
    }
    let mut client = treasury.returns(world.tokens.officer());
    let request = GetReturnFileRequest {
        name: taken[0].name.clone(),
    };
    let read = client.get_return_file(request).await.unwrap().into_inner();
    assert_eq!(read, taken[0]);
    let mut request = ListReturnFilesRequest {
        parent: treasury.programme.to_string(),
        page_size: 1,
        page_token: String::new(),
    };
    let first = client
        .list_return_files(request.clone())
        .await
        .unwrap()
        .into_inner();
    request.page_token = first.next_page_token;
    let last = client
        .list_return_files(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!([first.return_files, last.return_files].concat(), taken);
    assert_eq!(last.next_page_token, "");
    let unknown = GetReturnFileRequest {
        name: format!(
            "{}/returnFiles/{}",
            treasury.programme,
            world.ids.next::<()>()
        ),
    };
    assert_eq!(reason(client.get_return_file(unknown).await), "NOT_FOUND");
}

#[tokio::test]
async fn no_social_security_number_is_kept_of_the_accountants_words() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    let words = "<Obs V=\"voir 1 85 02 62 263 001 42\"/>";
    let file = retour(1, &of_piece(1, "01", words, &[]));
    treasury.import(&file).await.unwrap();
    let stored = treasury.slip(&slip.name).await;
    assert!(stored.orders[0].reason_text.starts_with("Texte masqué"));
    assert_eq!(stored.amount, Some(euros(920_000)));
}
