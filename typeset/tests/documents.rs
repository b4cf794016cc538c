//! The program, as it is run: a job on its standard input, a PDF on its standard output.
#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use lopdf::Document;
use serde_json::{Value, json};

/// What each job becomes: words that must stand in the document.
const DOCUMENTS: [(&str, &str, &[&str]); 6] = [
    (
        "convention",
        include_str!("jobs/convention.json"),
        &[
            "Convention de partenariat 2025",
            "La Communauté Urbaine d’Arras, SIRET n° 200 033 579 00010",
            "que la décision en date du 29 septembre 2025 habilite à signer",
            "exécutoire depuis le 6 octobre 2025",
            "sur le territoire de 46 communes",
            "Article 1 – Objet",
            "Article 2 – Objectifs",
            "Familles monoparentales",
            "s’établit à 11 500,00 € (onze mille cinq cents euros)",
            "Article 4 – Engagements",
            "versée en deux fois",
            "un acompte de 80 %, soit 9 200,00 € (neuf mille deux cents euros)",
            "le solde de 20 %, soit 2 300,00 €",
            "un délai de 15 jours suivant l’envoi",
            "supérieur à 10 %",
            "Article 9 – Litige",
            "Fait en trois exemplaires originaux",
            "Pour la Commune de Dainville",
            "Signé le 7 octobre 2025",
        ],
    ),
    (
        "amendment",
        include_str!("jobs/amendment.json"),
        &[
            "Avenant n° 1",
            "Deux permanences sont ajoutées",
            "Public cible – Séniors",
            "31 janvier 2026",
            "13 000,00 € (treize mille euros)",
        ],
    ),
    (
        "statement_of_payments",
        include_str!("jobs/statement_of_payments.json"),
        &[
            "État des sommes versées",
            "Situation au 3 novembre 2025",
            "La somme de 9 200,00 € (neuf mille deux cents euros) a été versée",
            "Il reste à verser 2 300,00 €",
        ],
    ),
    (
        "formal_notice",
        include_str!("jobs/formal_notice.json"),
        &[
            "Mise en demeure",
            "demande d’avis de réception n° 1A 204 567 8901 2",
            "de respecter les engagements inscrits dans la convention, pour les motifs",
            "Les outils de suivi ne sont pas remplis.",
            "jusqu’au 30 octobre 2025 inclus",
            "à compter du 31 octobre 2025",
        ],
    ),
    (
        "decision",
        include_str!("jobs/decision.json"),
        &[
            "Réduction de la participation financière",
            "Vu l’audition de l’Opérateur, tenue le 7 novembre 2025",
            "est ramenée à 10 000,00 € (dix mille euros)",
            "dans un délai de deux mois",
        ],
    ),
    (
        "activity_report",
        include_str!("jobs/activity_report.json"),
        &[
            "Bilan accepté le 20 janvier 2026",
            "Douze permanences à la Cité des Métiers",
            "11 300,00 €",
            "Permanences tenues : 12",
            "Charges de personnel",
        ],
    ),
];

fn run(job: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nonrecours-typeset"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(job.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn pdf(job: &str) -> Vec<u8> {
    let output = run(job);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert_eq!(told, "");
    output.stdout
}

/// Words of a document without what its lines put between them: blanks, hyphens, places to break.
fn words(text: &str) -> String {
    text.chars()
        .filter(|it| !it.is_whitespace() && !['-', '\u{200b}', '\u{ad}', '\u{2010}'].contains(it))
        .collect()
}

fn text(pdf: &[u8]) -> String {
    let document = Document::load_mem(pdf).unwrap();
    let pages: Vec<u32> = document.get_pages().into_keys().collect();
    words(&document.extract_text(&pages).unwrap())
}

fn assert_tells(pdf: &[u8], sentences: &[&str]) {
    let text = text(pdf);
    for sentence in sentences {
        assert!(text.contains(&words(sentence)), "{sentence:?} in {text}");
    }
}

/// The job's data, changed.
fn changed(job: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut job: Value = serde_json::from_str(job).unwrap();
    change(&mut job["data"]);
    job.to_string()
}

fn contains(bytes: &[u8], wanted: &str) -> bool {
    bytes
        .windows(wanted.len())
        .any(|window| window == wanted.as_bytes())
}

#[test]
fn every_kind_of_document_says_what_its_data_say() {
    for (kind, job, sentences) in DOCUMENTS {
        let pdf = pdf(job);
        assert!(pdf.starts_with(b"%PDF-1.7"), "{kind}");
        assert_tells(&pdf, sentences);
        assert_tells(
            &pdf,
            &[
                "Action financée par la Communauté Urbaine d’Arras dans le cadre du programme « Territoire Zéro Non-Recours »",
            ],
        );
    }
}

#[test]
fn the_same_job_gives_the_same_bytes_and_other_data_another_digest() {
    for (kind, job, _) in DOCUMENTS {
        let first = pdf(job);
        assert!(first == pdf(job), "{kind} is not reproducible");
        let other = changed(job, |data| data["date"] = json!("2024-02-29"));
        assert!(first != pdf(&other), "{kind}");
    }
}

#[test]
fn a_document_is_for_the_archives_and_for_everybody_to_read() {
    for (kind, job, _) in DOCUMENTS {
        let pdf = pdf(job);
        for mark in [
            "<pdfaid:part>2</pdfaid:part>",
            "<pdfaid:conformance>A</pdfaid:conformance>",
            "<pdfuaid:part>1</pdfuaid:part>",
        ] {
            assert!(contains(&pdf, mark), "{mark} in {kind}");
        }
        let document = Document::load_mem(&pdf).unwrap();
        let catalog = document.catalog().unwrap();
        let lang = catalog.get(b"Lang").unwrap().as_str().unwrap();
        assert_eq!(lang, b"fr-FR");
        assert!(catalog.get(b"StructTreeRoot").is_ok(), "{kind} is tagged");
    }
}

#[test]
fn the_version_and_the_digest_of_the_data_stand_on_the_page() {
    use sha2::{Digest as _, Sha256};
    let data = r#"{"date": "2025-11-03", "given": "as it is"}"#;
    let (_, job, _) = DOCUMENTS[2];
    let mut job: Value = serde_json::from_str(job).unwrap();
    job["version"] = json!(7);
    let bytes = job["data"].to_string();
    let digest: String = Sha256::digest(bytes.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_tells(
        &pdf(&job.to_string()),
        &[
            "Version 7",
            &format!("empreinte SHA-256 des données : {digest}"),
        ],
    );
    // Data that lack something are told on the standard error, and nothing is written.
    let output = run(&format!(
        r#"{{"kind": "DECISION", "version": 1, "data": {data}}}"#
    ));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    assert!(contains(&output.stderr, "authority"));
}

#[test]
fn a_draft_says_so_and_leaves_its_blanks_open() {
    let job = changed(DOCUMENTS[0].1, |data| {
        data["draft"] = json!(true);
        data["acts"] = json!([]);
        data["convention"]["signed"] = json!(null);
        data["signatories"]["authority"] = json!(null);
        data["signatories"]["operator"]["decision"] = json!(null);
        data["signatories"]["operator"]["signed"] = json!(null);
        data["objectives"] = json!([]);
        data["publics"] = json!([]);
        data["commitments"] = json!([]);
        data["operator"]["address"] = json!("");
    });
    assert_tells(
        &pdf(&job),
        &[
            "Document de travail",
            "en date du ……………………",
            "est attachée à l’objet défini à l’article 1",
            "s’engage à remplir les missions",
        ],
    );
    assert!(!text(&pdf(DOCUMENTS[0].1)).contains(&words("Document de travail")));
}

#[test]
fn the_text_of_an_amended_convention_names_the_amendment() {
    let mention = "Version consolidée après l’avenant n° 2, en vigueur depuis le 20 novembre 2025";
    let (_, job, _) = DOCUMENTS[0];
    assert!(!text(&pdf(job)).contains(&words("Version consolidée")));
    let job = changed(job, |data| {
        data["consolidated"] = json!({"amendment": 2, "since": "20 novembre 2025"});
    });
    assert_tells(&pdf(&job), &[mention]);
}

#[test]
fn an_amendment_that_is_not_in_force_says_so() {
    let (_, job, _) = DOCUMENTS[1];
    let plain = text(&pdf(job));
    for absent in ["Document de travail", "Projet retiré"] {
        assert!(!plain.contains(&words(absent)), "{absent}");
    }
    let job = changed(job, |data| {
        data["draft"] = json!(true);
        data["withdrawn"] = json!("14 novembre 2025");
        data["changes"] = json!([]);
        data["grant"] = json!(null);
    });
    assert_tells(
        &pdf(&job),
        &[
            "Document de travail",
            "Projet retiré le 14 novembre 2025",
            "Aucun terme de la convention n’est encore modifié.",
        ],
    );
}

/// Every text of a value becomes this one.
fn fill(value: &mut Value, with: &str) {
    match value {
        Value::String(text) => *text = with.to_owned(),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, with)),
        Value::Object(values) => values.values_mut().for_each(|value| fill(value, with)),
        _ => {}
    }
}

/// Texts in which the templates look for a word of their own.
const CODES: [&str; 7] = [
    "date", "kind", "party", "ground", "measure", "outcome", "state",
];

fn filled(job: &str, with: &str) -> String {
    fn keep(value: &mut Value, with: &str) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| keep(value, with)),
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    match value {
                        Value::String(_) if CODES.contains(&name.as_str()) => {}
                        Value::String(_) => fill(value, with),
                        _ => keep(value, with),
                    }
                }
            }
            _ => {}
        }
    }
    changed(job, |data| keep(data, with))
}

#[test]
fn what_people_write_is_never_read_as_markup() {
    let evil = "#panic(\"lu\") *gras* _it_ $x^2$ <etiquette> @renvoi `code` = titre - liste \\ // fin #read(\"/etc/passwd\")";
    for (kind, job, _) in DOCUMENTS {
        let text = text(&pdf(&filled(job, evil)));
        let whole = words(evil).replace('\'', "’");
        assert!(text.contains(&whole), "{kind}: {whole} in {text}");
    }
}

#[test]
fn empty_long_and_odd_texts_are_typeset_all_the_same() {
    let long = "Une phrase que personne ne relit. ".repeat(20);
    let word = "x".repeat(300);
    let odd = "住所 🙂 \u{202e}לא\u{202c} e\u{301} \u{0}\u{1}\u{feff}\u{fffe}\u{e000}\u{10ffff} ﷽ Ω ﬁ \u{ad}\u{2028}\t\r\n « n° 5 » ?!";
    for (kind, job, _) in DOCUMENTS {
        for text in ["", " ", "\n\n", &long, &word, odd] {
            let pdf = pdf(&filled(job, text));
            assert!(pdf.starts_with(b"%PDF"), "{kind}");
        }
    }
}

#[test]
fn a_long_report_goes_on_for_pages() {
    let (_, report, _) = DOCUMENTS[5];
    let narrative = "Une phrase que personne ne relit, mais que la commune a écrite. ".repeat(300);
    let pdf = pdf(&changed(report, |data| {
        data["narrative"] = json!(narrative)
    }));
    let pages = Document::load_mem(&pdf).unwrap().get_pages().len();
    assert!(pages > 4, "{pages} pages");
    assert_tells(
        &pdf,
        &[
            "que la commune a écrite",
            &format!("Page {pages} / {pages}"),
        ],
    );
}

#[test]
fn a_job_that_cannot_be_read_is_refused() {
    let (_, decision, _) = DOCUMENTS[4];
    let undated = changed(decision, |data| data["date"] = json!("le 12 novembre"));
    for job in [
        "",
        "{}",
        r#"{"kind": "POEM", "version": 1, "data": {"date": "2025-01-01"}}"#,
        &undated,
    ] {
        let output = run(job);
        assert_eq!(output.status.code(), Some(2), "{job}");
        assert_eq!(output.stdout, b"");
        assert!(!output.stderr.is_empty());
    }
}
