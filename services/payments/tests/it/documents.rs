//! Supporting documents: what a payment needs, what is missing, what comes late or is withdrawn.

use nonrecours_contracts::conventions as source;
use nonrecours_contracts::payments::{
    AttachSupportingDocumentsRequest, DocumentReference, ExplainInstalmentsRequest, Instalment,
    InstalmentState, SupportingDocumentKind as Kind,
    explanation_service_client::ExplanationServiceClient,
};
use nonrecours_kernel::Digest;
use nonrecours_rpc::details::Details;
use nonrecours_testkit::request_id;
use tonic::Status;

use crate::{
    papers::{documents, file},
    treasury::Treasury,
    world::{World, call, certify, order, reason},
};

fn attach(name: &str, kinds: &[Kind]) -> AttachSupportingDocumentsRequest {
    AttachSupportingDocumentsRequest {
        name: name.to_owned(),
        documents: documents(name, kinds),
        etag: String::new(),
        request_id: request_id(),
    }
}

async fn attached(
    world: &World,
    request: AttachSupportingDocumentsRequest,
) -> Result<Instalment, Status> {
    let mut client = world.instalments(world.tokens.officer());
    let answer = client.attach_supporting_documents(request).await?;
    Ok(answer.into_inner())
}

fn blockers(outcome: Result<Instalment, Status>) -> Vec<String> {
    let details = Details::of(&outcome.unwrap_err());
    assert_eq!(details.reason, "PAYMENT_BLOCKED");
    let blockers = details.blockers.into_iter();
    blockers
        .map(|one| format!("{} {}", one.r#type, one.description))
        .collect()
}

fn kinds(instalment: &Instalment) -> Vec<Kind> {
    instalment.documents.iter().map(|one| one.kind()).collect()
}

#[tokio::test]
async fn a_first_payment_waits_for_each_of_its_documents() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    let mut request = call(name);
    request.documents = documents(name, &[Kind::Call]);
    let called = world.call(request).await.unwrap();
    assert_eq!(kinds(&called), [Kind::Call, Kind::Rib]);
    let missing = blockers(world.certify(certify(name)).await);
    assert_eq!(missing.len(), 2);
    assert!(
        missing[0]
            .starts_with("DOCUMENT_MISSING Il manque une pièce justificative : la délibération.")
    );
    assert!(missing[1].contains("la convention signée"), "{missing:?}");

    // The explanation says the same, by which rule, and who brings it.
    let mut client = ExplanationServiceClient::new(world.service.channel(world.tokens.officer()));
    let explained = ExplainInstalmentsRequest {
        parent: name.clone(),
        ..Default::default()
    };
    let explained = client.explain_instalments(explained).await.unwrap();
    let obstacles = &explained.into_inner().explanations[0].obstacles;
    assert_eq!(obstacles.len(), 2);
    assert!(obstacles[0].basis_fr.contains("2016-33"));
    assert_eq!(obstacles[0].lifted_by.len(), 2);

    let request = attach(name, &[Kind::Act, Kind::Convention, Kind::Call]);
    let mut stale = request.clone();
    stale.etag = "\"1\"".to_owned();
    assert_eq!(reason(attached(&world, stale).await), "ETAG_MISMATCH");
    let whole = attached(&world, request.clone()).await.unwrap();
    assert_eq!(whole.state(), InstalmentState::Called);
    assert_eq!(whole.revision, called.revision + 1);
    // The call was there already.
    assert_eq!(whole.documents.len(), 4);
    assert_eq!(whole.blockers, []);
    assert_eq!(attached(&world, request).await.unwrap(), whole);
    let act = &whole.documents[0];
    assert_eq!(act.kind(), Kind::Act);
    assert_eq!(act.file, file(&agreed.convention, Kind::Act));
    assert_eq!(act.sha256, Digest::of(act.file.as_bytes()).to_string());
    assert_eq!(act.reference.len(), 32);
    world.changes_until("instalment.documented", name).await;
    let certified = world.certify(certify(name)).await.unwrap();
    assert_eq!(certified.documents, whole.documents);
    let late = attached(&world, attach(name, &[Kind::Other])).await;
    assert_eq!(reason(late), "INSTALMENT_NOT_CALLED");
}

#[tokio::test]
async fn a_later_payment_has_its_statement_drawn_from_the_books() {
    let world = World::start().await;
    let convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    world.advance(&agreed.advance.name, 4).await;
    world.completed(convention).await;
    let name = &agreed.balance.name;
    let mut request = call(name);
    request.documents = documents(name, &[Kind::Call]);
    world.call(request).await.unwrap();
    let missing = blockers(world.certify(certify(name)).await);
    assert_eq!(missing.len(), 1);
    assert!(missing[0].contains("le bilan"), "{missing:?}");
    let mut request = certify(name);
    request.documents = documents(name, &[Kind::Report]);
    let certified = world.certify(request).await.unwrap();
    let statement = certified.documents.last().unwrap();
    assert_eq!(statement.kind(), Kind::Statement);
    assert_eq!(statement.file, format!("{}/paymentPlan", agreed.convention));
    assert_eq!(statement.file_name, "etat-des-sommes-versees-2025-10-07");
    assert!(kinds(&certified).contains(&Kind::Report));
    // A first payment has none.
    let first = world.instalment(&agreed.advance.name).await;
    assert!(!kinds(&first).contains(&Kind::Statement));
}

#[tokio::test]
async fn a_file_that_is_withdrawn_counts_no_more() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    let name = &agreed.advance.name;
    world.advance(name, 1).await;
    world.tell_file(&agreed.convention, Kind::Act, true);
    // What comes later in the feed is there, so that came too.
    world.agreed().await;
    let seen = world.instalment(name).await;
    assert!(seen.documents[0].withdrawn);
    assert_eq!(seen.blockers.len(), 1);
    assert!(blockers(world.certify(certify(name)).await)[0].starts_with("DOCUMENT_MISSING"));
    let again = attached(&world, attach(name, &[Kind::Act])).await;
    let details = Details::of(&again.unwrap_err());
    assert_eq!(details.fields(), ["documents[0].file"]);
    assert_eq!(details.violations[0].reason, "FILE_WITHDRAWN");
    // Another file of the same kind does.
    let mut request = attach(name, &[Kind::Other]);
    request.documents[0].kind = Kind::Act.into();
    let whole = attached(&world, request).await.unwrap();
    assert_eq!(whole.blockers, []);
    world.certify(certify(name)).await.unwrap();
}

#[tokio::test]
async fn documents_are_of_the_convention_known_and_not_too_many() {
    let world = World::start().await;
    let (agreed, other) = (world.agreed().await, world.agreed().await);
    let name = &agreed.advance.name;
    world.advance(name, 1).await;
    let mut request = attach(name, &[Kind::Other]);
    request.documents[0].file = file(&other.convention, Kind::Other);
    let details = Details::of(&attached(&world, request).await.unwrap_err());
    assert_eq!(details.violations[0].reason, "FILE_ELSEWHERE");
    let unknown = attached(&world, attach(name, &[Kind::Statement])).await;
    assert_eq!(reason(unknown), "NOT_FOUND");
    let stranger = world
        .instalments(world.tokens.manager(other.operator))
        .attach_supporting_documents(attach(name, &[Kind::Other]))
        .await;
    assert_eq!(reason(stranger), "OUT_OF_REACH");
    // Each file may be cited as each kind: more than an instalment has place for.
    let every = [
        Kind::Act,
        Kind::Convention,
        Kind::Call,
        Kind::Rib,
        Kind::Report,
        Kind::Other,
    ];
    let mut outcome = Ok(world.instalment(name).await);
    for as_kind in every.into_iter().chain([Kind::Statement]) {
        let mut request = attach(name, &every);
        for document in &mut request.documents {
            document.kind = as_kind.into();
        }
        outcome = attached(&world, request).await;
    }
    assert_eq!(reason(outcome), "TOO_MANY_DOCUMENTS");
    assert_eq!(world.instalment(name).await.documents.len(), 36);
    let planned = attached(&world, attach(&agreed.balance.name, &[Kind::Other])).await;
    assert_eq!(reason(planned), "INSTALMENT_NOT_CALLED");
}

#[tokio::test]
async fn a_programme_says_what_its_accountant_wants() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let mut codes = treasury.codes();
    let wanted = codes.codes.as_mut().unwrap();
    assert!(wanted.first_documents.is_empty());
    wanted.first_documents = vec![Kind::Other.into(), Kind::Call.into(), Kind::Other.into()];
    let set = treasury.set(codes).await.unwrap();
    let set = set.codes.unwrap();
    assert_eq!(
        set.first_documents().collect::<Vec<_>>(),
        [Kind::Call, Kind::Other]
    );
    assert_eq!(
        set.later_documents().collect::<Vec<_>>(),
        [Kind::Call, Kind::Report, Kind::Statement]
    );
    let agreed = treasury.agreed().await;
    let name = &agreed.advance.name;
    let mut request = call(name);
    request.documents = documents(name, &[Kind::Call]);
    let called = world.call(request).await.unwrap();
    // The operator sees what its call waits for.
    let mut client = world.instalments(world.tokens.manager(agreed.operator));
    let read = nonrecours_contracts::payments::GetInstalmentRequest { name: name.clone() };
    let own = client.get_instalment(read).await.unwrap().into_inner();
    assert_eq!(own.blockers, called.blockers);
    assert_eq!(own.blockers.len(), 1);
    let mut request = certify(name);
    request.documents = documents(name, &[Kind::Other]);
    world.certify(request).await.unwrap();
    world.order(order(name)).await.unwrap();

    // Their references, and the payee's address, go to the accountant.
    let slip = treasury.issue(treasury.request(&[name])).await.unwrap();
    let file = treasury.file(&slip).await;
    let text: String = file.content.iter().map(|byte| char::from(*byte)).collect();
    assert_eq!(text.matches("<PJRef>").count(), 3);
    let certified = world.instalment(name).await;
    for document in &certified.documents {
        let id = format!("<IdUnique V=\"{}\"/>", document.reference);
        assert!(text.contains(&id), "{id} is not in {text}");
    }
    for element in [
        "<NomPJ V=\"SUPPORTING_DOCUMENT_KIND_CALL.pdf\"/>",
        "<Adr2 V=\"Place de la Mairie\"/>",
        "<CP V=\"62217\"/>",
        "<Ville V=\"Dainville\"/>",
    ] {
        assert!(text.contains(element), "{element} is not in {text}");
    }
}

#[tokio::test]
async fn a_statement_that_the_suite_wrote_may_be_joined() {
    let world = World::start().await;
    let convention = world.convention(world.operator());
    let agreed = world.learned(&convention).await;
    world.advance(&agreed.advance.name, 4).await;
    let id = world.ids.next::<()>();
    let snapshot = source::Document {
        name: format!("{}/documents/{id}", agreed.convention),
        kind: source::DocumentKind::StatementOfPayments.into(),
        version: 2,
        content_sha256: Digest::of(b"statement").to_string(),
        ..Default::default()
    };
    world
        .feed
        .push(&snapshot.name, 1, "document.generated", &snapshot);
    world.completed(convention).await;
    let name = &agreed.balance.name;
    let mut request = call(name);
    request.documents.push(DocumentReference {
        kind: Kind::Statement.into(),
        file: snapshot.name.clone(),
    });
    world.call(request).await.unwrap();
    let certified = world.certify(certify(name)).await.unwrap();
    let statements: Vec<_> = certified
        .documents
        .iter()
        .filter(|one| one.kind() == Kind::Statement)
        .map(|one| (&one.file, one.file_name.as_str(), &one.sha256))
        .collect();
    // That one, and none from the books besides.
    assert_eq!(
        statements,
        [(
            &snapshot.name,
            "statement_of_payments-2.pdf",
            &snapshot.content_sha256
        )]
    );
}
