//! What dashboards and alerts ask for is what the programs measure.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a folder that end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// The words of a text that begin so, made of letters, digits and the given signs.
fn words(text: &str, start: &str, signs: &str) -> BTreeSet<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    text.split(|c| !part(c))
        .filter(|word| word.starts_with(start))
        .map(str::to_owned)
        .collect()
}

/// What the sources name so, with what stands before each name: whole string literals only.
fn named() -> Vec<(String, String)> {
    let mut names = Vec::new();
    for folder in ["crates", "services"] {
        for file in files(&root().join(folder), ".rs") {
            let text = fs::read_to_string(file).unwrap();
            let pieces: Vec<&str> = text.split('"').collect();
            for pair in pieces.windows(2) {
                if pair[1].starts_with("nonrecours.") {
                    names.push((pair[0].trim_end().to_owned(), pair[1].to_owned()));
                }
            }
        }
    }
    names
}

#[test]
fn dashboards_and_alerts_ask_for_what_is_measured() {
    let measured: BTreeSet<String> = named()
        .into_iter()
        .map(|(_, name)| name.replace('.', "_"))
        .collect();
    assert!(measured.contains("nonrecours_rpc_shed"), "{measured:?}");
    let mut asked = BTreeSet::new();
    let mut sources = files(&root().join("deploy/dashboards"), ".json");
    assert_eq!(sources.len(), 3);
    sources.push(root().join("deploy/prometheus/alerts.yaml"));
    for file in sources {
        asked.extend(words(
            &fs::read_to_string(file).unwrap(),
            "nonrecours_",
            "_",
        ));
    }
    assert!(asked.len() > 10, "{asked:?}");
    // Prometheus adds the unit of a gauge, and what a counter is.
    let known = |name: &str| {
        ["", "_total", "_seconds"].iter().any(|ending| {
            name.strip_suffix(ending)
                .is_some_and(|bare| measured.contains(bare))
        })
    };
    let unknown: Vec<_> = asked.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "nobody measures {unknown:?}");
}

#[test]
fn every_metric_of_ours_is_explained_to_who_runs_it() {
    let operations = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let told = words(&operations, "nonrecours.", "._");
    let metrics: BTreeSet<String> = named()
        .into_iter()
        .filter(|(before, _)| {
            ["_counter(", "_gauge(", "_histogram(", "name:"]
                .iter()
                .any(|maker| before.ends_with(maker))
        })
        .map(|(_, name)| name)
        .collect();
    assert!(metrics.len() > 10, "{metrics:?}");
    let untold: Vec<_> = metrics.difference(&told).collect();
    assert!(
        untold.is_empty(),
        "docs/operations.md says nothing of {untold:?}"
    );
}
