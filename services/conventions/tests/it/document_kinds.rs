//! What each kind of document says of what is recorded.

use nonrecours_contracts::conventions::{
    DecisionKind, DocumentKind, Party, SubmitActivityReportRequest,
};
use nonrecours_testkit::request_id;
use time::macros::datetime;

use crate::{
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
