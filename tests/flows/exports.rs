//! `nonrecours export` as a program, beside a running suite.

use std::{fmt::Write as _, path::Path, time::Duration};

use nonrecours_cli::{journey::Step, state::State};
use tokio::{process::Command, time::timeout};

use crate::{
    commands::{played_on, started, state_of},
    imports::{import, sheet, until_in_force},
    processes::program,
};

/// Communes by code and name, and how many persons are met in each, each quarter: in the last fewer than may be told of.
const MET: [(&str, &str, usize); 4] = [
    ("62041", "Arras", 60),
    ("62004", "Achicourt", 40),
    ("62099", "Beaurains", 20),
    ("62263", "Dainville", 2),
];
/// A month of each quarter.
const MONTHS: [usize; 4] = [2, 5, 8, 10];
/// Columns, in another order than that of the mapping that comes with the program.
const COLUMNS: &str =
    "column,source\ncode,code\ncommune,label\nrepérées,persons_spotted\npublic,audience\n";

/// Rows of what the programme is told: the 46 communes, be there anybody or not, and what lies outside.
const TOLD: usize = 47;
/// Longest wait for what is due to be released.
const RELEASE_LIMIT: Duration = Duration::from_secs(30);

/// What a program that has ended wrote, and whether it succeeded.
struct Ended {
    success: bool,
    out: String,
    err: String,
}

async fn export(state: &Path, arguments: &[&str]) -> Ended {
    let ended = Command::new(program("followup").with_file_name("nonrecours"))
        .args(["export", "2025", "--rows", "commune", "--periods", "year"])
        .args(arguments)
        .env_clear()
        .env("NONRECOURS_STATE", state)
        .output()
        .await
        .unwrap();
    Ended {
        success: ended.status.success(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// Stores the persons that are met, by an import.
async fn meet(state: &State, folder: &Path) {
    let mut text = "Référence;Commune;Public cible;Date de repérage;Étape du parcours\n".to_owned();
    for (code, name, persons) in MET {
        for (month, number) in MONTHS
            .iter()
            .flat_map(|month| (0..persons).map(move |it| (month, it)))
        {
            let reference = format!("P-{code}-{month}-{number}");
            writeln!(
                text,
                "{reference};{name};Séniors;06/{month:02}/2025;Repérée"
            )
            .unwrap();
        }
    }
    let path = folder.join("personnes.csv");
    std::fs::write(&path, text).unwrap();
    let stored = import(state, &path).await.total().stored;
    let met: usize = MET.iter().map(|met| met.2 * MONTHS.len()).sum();
    assert_eq!(stored, met);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_exported_for_the_operator_and_for_the_programme() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let suite = started(Some(data.clone())).await;
    let (cast, state, facts) = played_on(&suite, Step::OpenPlan).await;
    until_in_force(&state, &cast).await;
    meet(&state, folder.path()).await;
    suite.stop().await.unwrap();
    // What is due is released as the service starts.
    let suite = started(Some(data)).await;
    let state = state_of(&suite, &facts.convention);
    let described = folder.path().join("state.json");
    let _described = state.write(&described).unwrap();
    let mapping = folder.path().join("colonnes.csv");
    std::fs::write(&mapping, COLUMNS).unwrap();
    let mapping = mapping.display().to_string();

    let own = export(&described, &["--own", "--mapping", &mapping]).await;
    assert!(own.success, "{}", own.err);
    let mut lines: Vec<&str> = own.out.lines().collect();
    assert_eq!(lines.remove(0), "code,commune,repérées,public");
    let mut exact =
        MET.map(|(code, name, persons)| format!("{code},{name},{},", persons * MONTHS.len()));
    exact.sort();
    assert_eq!(lines, exact);

    // Of the territory, the few of Dainville are withheld, and another commune with them: no total gives them back.
    let workbook = folder.path().join("tableau.xlsx");
    let path = workbook.display().to_string();
    let public = ["--public", "--mapping", &mapping, "--to", &path];
    let released = async {
        loop {
            let public = export(&described, &public).await;
            assert!(public.success, "{}", public.err);
            if public.out == format!("{path} : {TOLD} ligne(s)\n") {
                break;
            }
            assert_eq!(public.out, format!("{path} : 0 ligne(s)\n"));
        }
    };
    timeout(RELEASE_LIMIT, released).await.unwrap();
    let cells = sheet(&workbook, "Indicateurs");
    assert_eq!(cells[0], ["code", "commune", "repérées", "public"]);
    assert!(cells[1..].iter().all(|row| row[3] == "PUBLIC"), "{cells:?}");
    let of = |code: &str| {
        let row = cells.iter().find(|row| row[0] == code).unwrap();
        row[2].as_str()
    };
    assert_eq!(MET.map(|met| of(met.0)), ["240", "160", "s", "s"]);

    let wrong = folder.path().join("autres.csv");
    std::fs::write(&wrong, "column,source\ncode,codes\nrepérées,spotted\n").unwrap();
    let kept = folder.path().join("rien.csv");
    let (wrong, path) = (wrong.display().to_string(), kept.display().to_string());
    let refused = export(&described, &["--mapping", &wrong, "--out", &path]).await;
    assert!(!refused.success);
    for line in ["« codes »", "« spotted »"] {
        assert!(refused.err.contains(line), "{}", refused.err);
    }
    assert!(!kept.exists());

    let nowhere = export(&folder.path().join("none.json"), &[]).await;
    assert!(!nowhere.success);
    assert!(nowhere.err.contains("`nonrecours up`"), "{}", nowhere.err);
    suite.stop().await.unwrap();
}
