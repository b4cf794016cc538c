//! Workbooks and CSV files imported into a running suite, and what comes back of what was wrong.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use calamine::{Data, Range, Reader as _, Xlsx, open_workbook};
use nonrecours_cli::{
    import::{self, Import, Outcome, Tally, template},
    journey::Cast,
    state::State,
};
use nonrecours_contracts::followup::{
    Entitlement, GetIndicatorsRequest, ListEntitlementsRequest, PushMode, PushRecordsOnceRequest,
    Record,
};
use nonrecours_kernel::{ConventionName, Money};
use nonrecours_rpc::convert::money;
use rust_xlsxwriter::Workbook;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::commands::running;

/// Looks for what comes as a consequence, then looks away.
const CONSEQUENCE_LIMIT: Duration = Duration::from_secs(30);

fn asked<'a>(state: &'a State, file: &'a Path) -> Import<'a> {
    Import {
        file,
        convention: &state.convention,
        mapping: None,
        dry_run: false,
        sheet: None,
        errors: None,
    }
}

pub(crate) async fn import(state: &State, file: &Path) -> Outcome {
    import::run(state, asked(state, file)).await.unwrap()
}

/// Persons and rights that are counted under the convention.
async fn counted(state: &State, cast: &Cast) -> (i64, i64) {
    let name: ConventionName = state.convention.parse().unwrap();
    let request = GetIndicatorsRequest {
        convention: state.convention.clone(),
    };
    let mut indicators = cast.manager(name.operator).unwrap().indicators();
    let total = indicators
        .get_indicators(request)
        .await
        .unwrap()
        .into_inner()
        .total
        .unwrap();
    (total.persons_spotted, total.entitlements_followed)
}

/// The signature reaches the follow-up a moment after it.
pub(crate) async fn until_in_force(state: &State, cast: &Cast) {
    let name: ConventionName = state.convention.parse().unwrap();
    let push = cast.software(name.operator).unwrap().push();
    let looking = async {
        loop {
            let request = PushRecordsOnceRequest {
                convention: state.convention.clone(),
                records: vec![Record::default()],
                mode: PushMode::Validate.into(),
                ..Default::default()
            };
            if push.clone().push_records_once(request).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(CONSEQUENCE_LIMIT, looking)
        .await
        .unwrap();
}

fn stored(outcome: &Outcome) -> Vec<(&str, usize)> {
    let sheets = outcome.sheets.iter();
    sheets
        .map(|(title, tally)| (title.as_str(), tally.stored))
        .collect()
}

/// The cells of a sheet of a workbook, as text.
pub(crate) fn sheet(path: &Path, name: &str) -> Vec<Vec<String>> {
    let mut workbook: Xlsx<_> = open_workbook(path).unwrap();
    let range: Range<Data> = workbook.worksheet_range(name).unwrap();
    range
        .rows()
        .map(|row| row.iter().map(ToString::to_string).collect())
        .collect()
}

/// Writes a workbook of texts.
fn workbook(path: &Path, sheets: &[(&str, Vec<Vec<String>>)]) {
    let mut workbook = Workbook::new();
    for (name, rows) in sheets {
        let page = workbook.add_worksheet();
        page.set_name(*name).unwrap();
        for (line, row) in (0..).zip(rows) {
            for (column, cell) in (0..).zip(row) {
                page.write_string(line, column, cell).unwrap();
            }
        }
    }
    workbook.save(path).unwrap();
}

fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text
        .lines()
        .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect());
    lines.collect()
}

const PERSONS: &str =
    "Référence | Nom d'usage | Commune | Public cible | Date de repérage | Étape du parcours
    P-1 | Lefèvre | Dainville | Séniors | 06/10/2025 | En accompagnement
    P-2 | Martin | Dainville | Retraités dorés | 06/10/2025 | Informée
    P-3 | Petit | Dainville | Salariés | 31/02/2025 | pas commencé
    P-4 | 1 85 02 62 263 001 26 | Arras | Habitants | 06/10/2025 | Repérée";
const RIGHTS: &str = "Référence | Référence de la personne | Droit | État du droit | Montant | Montant estimé ou notifié | Le montant est versé | Date de dépôt | Date de décision
    D-1 | P-1 | Prime d'activité | Droit ouvert | 184,50 € | Notifié | Par mois | 08/10/2025 | 03/11/2025
    D-2 | P-1 | C2S | Demande déposée | | | | |
    D-3 | P-2 | RSA | Repéré | | | | |";

/// A workbook with what is wrong in five ways.
fn faulty(folder: &Path) -> PathBuf {
    let path = folder.join("suivi.xlsx");
    workbook(
        &path,
        &[
            ("Droits", rows(RIGHTS)),
            ("Personnes", rows(PERSONS)),
            ("Brouillon", rows("a | b")),
        ],
    );
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workbooks_are_tried_imported_corrected_and_imported_again() {
    let (suite, cast, state) = running().await;
    until_in_force(&state, &cast).await;
    let folder = tempfile::tempdir().unwrap();

    // The template as it is: a dry run writes nothing, the second import changes nothing.
    let path = folder.path().join("modele.xlsx");
    template::write(None, &path).unwrap();
    let dry = Import {
        dry_run: true,
        ..asked(&state, &path)
    };
    let every = [
        ("Personnes", 1),
        ("Droits", 1),
        ("Permanences", 1),
        ("Démarches", 1),
        ("Notes", 1),
    ];
    let tried = import::run(&state, dry).await.unwrap();
    assert_eq!(stored(&tried), every, "{tried}");
    assert!(tried.with_example && tried.to_string().contains("rien n'a été enregistré"));
    assert_eq!(counted(&state, &cast).await, (0, 0));
    assert_eq!(stored(&import(&state, &path).await), every);
    assert_eq!(counted(&state, &cast).await, (1, 1));
    let again = import(&state, &path).await;
    assert_eq!(
        again.total(),
        Tally {
            unchanged: 5,
            ..Tally::default()
        },
        "{again}"
    );

    // What is wrong is told, kept as it was, and left out.
    let path = faulty(folder.path());
    let errors = folder.path().join("erreurs.xlsx");
    let with_report = |file| Import {
        errors: Some(&errors),
        ..asked(&state, file)
    };
    let outcome = import::run(&state, with_report(&path)).await.unwrap();
    assert_eq!(
        stored(&outcome),
        [("Personnes", 1), ("Droits", 1)],
        "{outcome}"
    );
    assert_eq!(outcome.rejected(), 5);
    assert!(
        outcome.to_string().contains("feuille « Brouillon »"),
        "{outcome}"
    );
    assert_eq!(counted(&state, &cast).await, (2, 2));
    let told = sheet(&errors, "Personnes");
    assert_eq!(told[0][6..], ["Champ", "Motif", "Ce qu'il faut corriger"]);
    let of = |reference: &str, told: &[Vec<String>]| {
        told.iter()
            .find(|row| row[0] == reference)
            .unwrap_or_else(|| panic!("{reference}: {told:?}"))
            .clone()
    };
    let unknown_public = of("P-2", &told);
    assert_eq!(
        unknown_public[..5],
        [
            "P-2",
            "Martin",
            "Dainville",
            "Retraités dorés",
            "06/10/2025"
        ]
    );
    assert_eq!(unknown_public[6..8], ["Public cible", "UNKNOWN_CODE"]);
    assert_eq!(of("P-3", &told)[6], "Date de repérage\nÉtape du parcours");
    let with_number = of("P-4", &told);
    assert_eq!(
        (with_number[1].as_str(), with_number[7].as_str()),
        ("", "NIR_FORBIDDEN")
    );
    let everywhere = format!("{told:?}{outcome}");
    assert!(!everywhere.contains("263 001"), "{everywhere}");
    let told = sheet(&errors, "Droits");
    assert_eq!(of("D-2", &told)[9..11], ["Date de dépôt", "REQUIRED"]);
    assert_eq!(of("D-3", &told)[10], "BENEFICIARY_UNKNOWN");

    // The dry run says the same, although it stores no person.
    let dry = Import {
        dry_run: true,
        ..asked(&state, &path)
    };
    let tried = import::run(&state, dry).await.unwrap();
    assert_eq!(tried.rejected(), 5, "{tried}");
    assert!(
        tried
            .faults
            .iter()
            .any(|fault| fault.starts_with("Droits, ligne 4 : ")),
        "{tried}"
    );

    // Corrected in the report itself, which is imported.
    let mut persons = sheet(&errors, "Personnes");
    for (column, reference, value) in [
        (3, "P-2", "Demandeurs d'emploi"),
        (4, "P-3", "01/02/2025"),
        (5, "P-3", "Informée"),
        (1, "P-4", "Durand"),
    ] {
        persons.iter_mut().find(|row| row[0] == reference).unwrap()[column] = value.to_owned();
    }
    let mut rights = sheet(&errors, "Droits");
    rights.iter_mut().find(|row| row[0] == "D-2").unwrap()[7] = "10/10/2025".to_owned();
    workbook(&errors, &[("Personnes", persons), ("Droits", rights)]);
    let corrected = import(&state, &errors).await;
    assert_eq!(
        stored(&corrected),
        [("Personnes", 3), ("Droits", 2)],
        "{corrected}"
    );
    assert_eq!(
        (corrected.rejected(), corrected.ignored.len()),
        (0, 0),
        "{corrected}"
    );
    assert_eq!(counted(&state, &cast).await, (5, 4));

    // Another layout is another mapping; the amounts are those that were written.
    let own = folder.path().join("droits.csv");
    let text = "Dossier;Usager;Aide;Où en est-on;Euros;Base;Rythme;Déposé;Décidé\n\
                D-9;P-1;Revenu de solidarité active;OPENED;1 234,56;notifié;une fois;01/09/2025;02/10/2025\n";
    let (windows, ..) = encoding_rs::WINDOWS_1252.encode(text);
    std::fs::write(&own, windows).unwrap();
    let mapping = folder.path().join("logiciel.csv");
    let lines = "column,source\nMes droits,entitlement\nDossier,entitlement.external_reference\n\
                 Usager,entitlement.beneficiary_reference\nAide,entitlement.right\nOù en est-on,entitlement.state\n\
                 Euros,entitlement.amount\nBase,entitlement.amount_kind\nRythme,entitlement.amount_unit\n\
                 Déposé,entitlement.filed_date\nDécidé,entitlement.decided_date\n";
    std::fs::write(&mapping, lines).unwrap();
    let mapped = |file| Import {
        mapping: Some(&mapping),
        sheet: Some("mes droits"),
        ..asked(&state, file)
    };
    let refused = import::run(&state, mapped(&own)).await.unwrap();
    assert_eq!(refused.rejected(), 1);
    assert!(
        refused.faults[0].contains("« une fois » n'est pas dans la liste"),
        "{refused}"
    );
    let text = text.replace("une fois", "en une fois");
    std::fs::write(&own, encoding_rs::WINDOWS_1252.encode(&text).0).unwrap();
    let taken = import::run(&state, mapped(&own)).await.unwrap();
    assert_eq!(stored(&taken), [("Mes droits", 1)], "{taken}");
    let right = of_reference(&state, &cast, "D-9").await;
    assert_eq!(
        money(right.amount.as_ref()).unwrap(),
        Money::from_cents(123_456)
    );
    suite.stop().await.unwrap();
}

async fn of_reference(state: &State, cast: &Cast, reference: &str) -> Entitlement {
    let name: ConventionName = state.convention.parse().unwrap();
    let request = ListEntitlementsRequest {
        parent: name.parent().to_string(),
        page_size: 200,
        page_token: String::new(),
    };
    let mut rights = cast.manager(name.operator).unwrap().entitlements();
    let page = rights
        .list_entitlements(request)
        .await
        .unwrap()
        .into_inner();
    page.entitlements
        .into_iter()
        .find(|right| right.external_reference == reference)
        .unwrap()
}

/// Bytes after which the connections through [`cut_twice`] break off.
const BEFORE_CUT: usize = 150_000;

/// A way to a service that breaks off twice in the middle of what the client sends.
async fn cut_twice(to: &str) -> (String, Arc<AtomicUsize>) {
    let to = to.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let cuts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&cuts);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&to).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let back = tokio::spawn(async move {
                let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
            });
            let cuts = Arc::clone(&counted);
            tokio::spawn(async move {
                let (mut chunk, mut passed) = (vec![0; 4096], 0);
                while let Ok(read @ 1..) = from_client.read(&mut chunk).await {
                    passed += read;
                    if passed > BEFORE_CUT && cuts.load(Ordering::Relaxed) < 2 {
                        cuts.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    if to_server.write_all(&chunk[..read]).await.is_err() {
                        break;
                    }
                }
                back.abort();
            });
        }
    });
    (address, cuts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_rows_arrive_once_over_a_line_that_breaks() {
    let (suite, cast, mut state) = running().await;
    until_in_force(&state, &cast).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("personnes.csv");
    let mut text =
        "Référence;Commune;Public cible;Date de repérage;Étape du parcours\r\n".to_owned();
    for number in 1..=10_000 {
        writeln!(
            text,
            "P-{number:05};Écurie;Séniors, habitants;06/10/2025;Repérée\r"
        )
        .unwrap();
    }
    let text = text.replace("Séniors, habitants", "\"Séniors;Habitants\"");
    std::fs::write(&path, encoding_rs::WINDOWS_1252.encode(&text).0).unwrap();

    // A dry run of several batches knows what comes earlier in the file.
    let several = folder.path().join("suivi.xlsx");
    let table = |header: &str, line: fn(usize) -> String| {
        let lines: Vec<String> = (1..=700).map(line).collect();
        rows(&format!("{header}\n{}", lines.join("\n")))
    };
    let persons = table(
        "Référence | Commune | Public cible | Date de repérage | Étape du parcours",
        |it| format!("Q-{it} | Arras | Séniors | 06/10/2025 | Informée"),
    );
    let rights = table(
        "Référence | Référence de la personne | Droit | État du droit",
        |it| format!("R-{it} | Q-{} | RSA | Repéré", 701 - it),
    );
    let steps = table(
        "Référence | Référence de la personne | Référence du droit | Date | Mode d'accompagnement | Canal",
        |it| {
            format!(
                "A-{it} | Q-{} | R-{it} | 06/10/2025 | En autonomie | Guichet",
                701 - it
            )
        },
    );
    workbook(
        &several,
        &[
            ("Personnes", persons),
            ("Droits", rights),
            ("Démarches", steps),
        ],
    );
    let dry = Import {
        dry_run: true,
        ..asked(&state, &several)
    };
    let tried = import::run(&state, dry).await.unwrap();
    assert_eq!(
        stored(&tried),
        [("Personnes", 700), ("Droits", 700), ("Démarches", 700)],
        "{tried}"
    );
    assert_eq!(counted(&state, &cast).await, (0, 0));

    let (address, cuts) = cut_twice(&state.addresses.followup).await;
    state.addresses.followup = address;
    let outcome = import(&state, &path).await;
    assert_eq!(cuts.load(Ordering::Relaxed), 2);
    assert!(outcome.resumed >= 2, "{outcome}");
    let total = outcome.total();
    // A batch that was durable when its answer was lost is found unchanged.
    assert_eq!(total.stored + total.unchanged, 10_000, "{outcome}");
    assert_eq!(
        (total.rejected, total.stale, total.superseded),
        (0, 0, 0),
        "{outcome}"
    );
    assert_eq!(counted(&state, &cast).await, (10_000, 0));
    suite.stop().await.unwrap();
}
