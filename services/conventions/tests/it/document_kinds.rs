//! What each kind of document says of what is recorded.

use nonrecours_contracts::conventions::{
    AttachmentOpening, DecisionKind, DocumentKind, Party, SubmitActivityReportRequest,
};
use nonrecours_kernel::{long_french_date, paris_date};
use nonrecours_testkit::request_id;
use time::{OffsetDateTime, macros::datetime};

use crate::{
    amending::{CUA_AMENDING, draft, grant, sign as sign_amending, withdraw},
    attachment::{opening, pdf, upload},
    budget::planned_as_the_document,
    document::{downloaded, generate, read, typeset, words, written},
    ending::{decision, held, notice},
    requests::{euros, report, sign},
    world::World,
};

async fn assert_tells(
    world: &World,
    parent: &str,
    kind: DocumentKind,
    subject: &str,
    sentences: &[&str],
) -> i32 {
    let document = written(world, generate(parent, kind, subject)).await;
    let (_, pdf) = downloaded(world, world.tokens.officer(), &document.name)
        .await
        .unwrap();
    let text = read(&pdf);
    for sentence in sentences {
        assert!(text.contains(&words(sentence)), "{sentence} in {text}");
    }
    document.version
}

#[tokio::test]
async fn the_sums_paid_as_of_the_day() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let kind = DocumentKind::StatementOfPayments;
    let nothing = [
        "Situation au 7 octobre 2025",
        "La somme de 0,00 € (zéro euro) a été versée",
        "Il reste à verser 11 500,00 €",
    ];
    let version = assert_tells(&world, &parent, kind, &parent, &nothing).await;
    assert_eq!(version, 1);
    world.report_plan(&parent, 5, 920_000, "payment_plan.paid");
    world.changes_until("convention.paid", &parent).await;
    let paid = [
        "Situation au 7 octobre 2025",
        "La somme de 9 200,00 € (neuf mille deux cents euros) a été versée",
        "Il reste à verser 2 300,00 € (deux mille trois cents euros)",
    ];
    let version = assert_tells(&world, &parent, kind, &parent, &paid).await;
    assert_eq!(version, 2);
    // It states a day: another day, another statement.
    world.clock.set(datetime!(2025-11-03 10:00 UTC));
    let later = ["Situation au 3 novembre 2025"];
    let version = assert_tells(&world, &parent, kind, &parent, &later).await;
    assert_eq!(version, 3);
    // A decision leaves less than was paid.
    let heard = held(&world, &parent).await;
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    for (kind, cents) in [
        (DecisionKind::Reduce, 800_000),
        (DecisionKind::Recover, 120_000),
    ] {
        let mut request = decision(&parent, kind, &heard);
        request.decision.as_mut().unwrap().amount = Some(euros(cents));
        decisions.create_decision(request).await.unwrap();
    }
    let request = decision(&parent, DecisionKind::Suspend, &heard);
    decisions.create_decision(request).await.unwrap();
    let reduced = [
        "ramenée par décision de l’Autorité à 8 000,00 €",
        "Trop-versé 1 200,00 €",
        "Sommes à reverser par l’Opérateur 1 200,00 €",
        "Il reste à verser 0,00 €",
        "les paiements sont suspendus",
    ];
    assert_tells(&world, &parent, kind, &parent, &reduced).await;
}

#[tokio::test]
async fn the_letters_of_articles_7_and_8() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    world.clock.set(datetime!(2025-10-16 10:00 UTC));
    let mut officer = world.formal_notices(world.tokens.officer());
    let sent = officer.create_formal_notice(notice(&parent, Party::Authority));
    let sent = sent.await.unwrap().into_inner().name;
    let kind = DocumentKind::FormalNotice;
    let letter = [
        "Mise en demeure",
        "n° 1A 204 567 8901 2",
        "La Communauté Urbaine d’Arras vous met en demeure",
        "Aucune permanence n’a été tenue.",
        "un délai de 15 jours",
        "jusqu’au 30 octobre 2025 inclus",
        "à compter du 31 octobre 2025",
    ];
    assert_tells(&world, &parent, kind, &sent, &letter).await;
    let mut manager = world.formal_notices(world.tokens.manager(setting.operator));
    let given = manager.create_formal_notice(notice(&parent, Party::Operator));
    let given = given.await.unwrap().into_inner().name;
    let letter = ["La Commune de Dainville vous met en demeure"];
    let version = assert_tells(&world, &parent, kind, &given, &letter).await;
    assert_eq!(version, 1, "each notice has its own");

    let heard = held(&world, &parent).await;
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    let mut reduce = decision(&parent, DecisionKind::Reduce, &heard);
    reduce.decision.as_mut().unwrap().amount = Some(euros(1_000_000));
    let mut ends = Vec::new();
    for (request, article) in [
        (reduce, "est ramenée à 10 000,00 € (dix mille euros)"),
        (
            decision(&parent, DecisionKind::Suspend, &heard),
            "sont suspendus jusqu’à nouvelle décision",
        ),
        (
            decision(&parent, DecisionKind::Resume, &heard),
            "Les paiements prévus par la convention reprennent",
        ),
        (
            decision(&parent, DecisionKind::Terminate, &heard),
            "La convention est résiliée",
        ),
    ] {
        let taken = decisions.create_decision(request).await.unwrap();
        ends.push((taken.into_inner().name, article));
    }
    for (name, article) in ends {
        let letter = [
            "tenue le 7 octobre 2025",
            "Actions réalisées au quart.",
            article,
            "dans un délai de deux mois",
        ];
        assert_tells(&world, &parent, DocumentKind::Decision, &name, &letter).await;
    }
}

#[tokio::test]
async fn the_report_until_it_is_accepted() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.ready(&setting).await.name;
    planned_as_the_document(&world, &parent).await;
    for party in [Party::Operator, Party::Authority] {
        world.sign(sign(&parent, party)).await.unwrap();
    }
    let mut client = world.reports(world.tokens.manager(setting.operator));
    let created = client
        .create_activity_report(report(&parent))
        .await
        .unwrap();
    let name = created.into_inner().name;
    let kind = DocumentKind::ActivityReport;
    let told = [
        "Projet de bilan",
        "Document de travail",
        "Douze permanences à la Cité des Métiers.",
        "11 300,00 €",
        "Permanences tenues",
        "Charges de personnel",
    ];
    let version = assert_tells(&world, &parent, kind, &name, &told).await;
    assert_eq!(version, 1);
    let request = SubmitActivityReportRequest {
        name: name.clone(),
        etag: String::new(),
        request_id: request_id(),
    };
    client.submit_activity_report(request).await.unwrap();
    world.accept(&name).await;
    let accepted = ["Bilan accepté le 7 octobre 2025"];
    let version = assert_tells(&world, &parent, kind, &name, &accepted).await;
    assert_eq!(version, 2);
}

#[tokio::test]
async fn an_amendment_and_the_text_that_it_leaves() {
    let world = World::typesetting(Some(typeset())).await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let title = world.convention(&parent).await.title;
    let written_so = async |name: &str| {
        let document = written(&world, generate(&parent, DocumentKind::Amendment, name)).await;
        let token = world.tokens.auditor();
        let (_, pdf) = downloaded(&world, token, &document.name).await.unwrap();
        (document, read(&pdf))
    };
    let assert_all = |text: &str, sentences: &[&str]| {
        for sentence in sentences {
            assert!(text.contains(&words(sentence)), "{sentence} in {text}");
        }
    };
    let mut content = grant(1_300_000);
    content.title = "Permanences renforcées".to_owned();
    let amended = |content| world.amend(draft(&parent, content));
    let name = amended(content.clone()).await.unwrap().name;
    let terms = [
        "Avenant n° 1",
        &title
            .replace('\'', "’")
            .replace("« ", "“")
            .replace(" »", "”"),
        "Davantage de permanences.",
        "Montant de la subvention",
        "11 500,00 € (onze mille cinq cents euros)",
        "Permanences renforcées",
        "s’établit à 13 000,00 € (treize mille euros)",
        "Fait en trois exemplaires originaux",
    ];
    let (document, text) = written_so(&name).await;
    assert_eq!((document.subject.as_str(), document.version), (&*name, 1));
    assert_eq!(document.kind(), DocumentKind::Amendment);
    assert_all(&text, &terms);
    assert_all(&text, &["Document de travail"]);
    assert_eq!(written_so(&name).await.0, document, "of the same data");

    world.authorise(&parent, &name).await;
    for party in [Party::Operator, Party::Authority] {
        let signed = world.sign_amendment(sign_amending(&name, party)).await;
        signed.unwrap();
    }
    let (signed, text) = written_so(&name).await;
    assert_eq!(signed.version, 2);
    assert!(!text.contains(&words("Document de travail")));
    let since = world.amendment(&name).await.in_force_time.unwrap().seconds;
    let since = OffsetDateTime::from_unix_timestamp(since).unwrap();
    let since = long_french_date(paris_date(since));
    assert_all(&text, &terms);
    assert_all(&text, &[CUA_AMENDING, &format!("Signé le {since}")]);

    let consolidated = [
        &*format!("Version consolidée après l’avenant n° 1, en vigueur depuis le {since}"),
        "Permanences renforcées",
        "s’établit à 13 000,00 € (treize mille euros)",
    ];
    assert_tells(
        &world,
        &parent,
        DocumentKind::Convention,
        &parent,
        &consolidated,
    )
    .await;

    // The copies with the signatures are kept under the one or the other.
    for subject in [name.clone(), signed.name.clone()] {
        let bytes = pdf(10);
        let taken = AttachmentOpening {
            subject: subject.clone(),
            ..opening(&parent, &bytes)
        };
        let kept = upload(&world, taken, &bytes).await.unwrap();
        assert_eq!(kept.subject, subject);
        let missing = AttachmentOpening {
            subject: subject.replace(&subject[subject.len() - 4..], "0000"),
            ..opening(&parent, &bytes)
        };
        let refused = upload(&world, missing, &bytes).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::NotFound);
    }

    // Another one, given up: it stays a working document, and the first one stays as it was signed.
    content.title = "Permanences doublées".to_owned();
    let given_up = amended(content).await.unwrap().name;
    let mut officer = world.amendments(world.tokens.officer());
    let withdrawn = officer.withdraw_amendment(withdraw(&given_up)).await;
    withdrawn.unwrap();
    let (_, text) = written_so(&given_up).await;
    let told = [
        "Avenant n° 2",
        "Document de travail",
        "Projet retiré le",
        "Permanences doublées",
    ];
    assert_all(&text, &told);
    assert_eq!(written_so(&name).await.0, signed);
}
