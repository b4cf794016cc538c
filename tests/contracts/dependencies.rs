//! Which package of the suite may depend on which.

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{contract::assert_kept, sources::root};

/// A package and what it may depend on: always, and in its own tests besides.
struct Package {
    name: &'static str,
    uses: &'static [&'static str],
    tests_use: &'static [&'static str],
}

/// What a service is made of; conventions keep files.
const KEEPING: &[&str] = &["contracts", "feed", "files", "host", "kernel", "pg", "rpc"];
/// Payments write and read the files of accountants and banks.
const PAYING: &[&str] = &[
    "contracts",
    "feed",
    "host",
    "kernel",
    "pes",
    "pg",
    "rpc",
    "sepa",
    "xmlflow",
];
/// Follow-up counts, and decides what of the counts may be told.
const COUNTING: &[&str] = &[
    "contracts",
    "disclosure",
    "feed",
    "host",
    "kernel",
    "pg",
    "rpc",
];
/// What any test may use besides.
const TESTING: &[&str] = &["issuer", "localpg", "testkit"];

/// The whole suite. Nothing depends on a service but what assembles them; the kit of the tests and the private
/// PostgreSQL stay out of what a territory deploys.
const PACKAGES: [Package; 20] = [
    package("kernel", &[]),
    // A program of its own, which a service runs: nobody waits for its engine to be built.
    package("typeset", &[]),
    package("disclosure", &[]),
    package("contracts", &[]),
    package("localpg", &[]),
    package("issuer", &["kernel"]),
    package("files", &["kernel"]),
    package("xmlflow", &["kernel"]),
    package("pes", &["kernel", "xmlflow"]),
    package("sepa", &["kernel", "xmlflow"]),
    package("rpc", &["contracts", "kernel"]),
    package("pg", &["contracts", "kernel", "rpc"]),
    package("feed", &["contracts", "kernel", "pg", "rpc"]),
    package("host", &["feed", "kernel", "pg", "rpc"]),
    package("conventions", KEEPING),
    package("followup", COUNTING),
    package("payments", PAYING),
    package(
        "testkit",
        &[
            "contracts",
            "feed",
            "issuer",
            "kernel",
            "localpg",
            "pg",
            "rpc",
        ],
    ),
    // The whole suite in one process, on a private PostgreSQL.
    package("cli", SUITE),
    Package {
        name: "tests",
        uses: SUITE,
        tests_use: &["cli", "pes", "sepa", "testkit"],
    },
];

const SUITE: &[&str] = &[
    "contracts",
    "conventions",
    "feed",
    "files",
    "files",
    "followup",
    "host",
    "issuer",
    "kernel",
    "localpg",
    "payments",
    "pg",
    "rpc",
];

const fn package(name: &'static str, uses: &'static [&'static str]) -> Package {
    Package {
        name,
        uses,
        tests_use: TESTING,
    }
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let mut broken = Vec::new();
    let mut found = BTreeSet::new();
    for package in packages {
        let name = ours(package).unwrap_or_else(|| panic!("a package of another name: {package}"));
        found.insert(name);
        let Some(rule) = PACKAGES.iter().find(|rule| rule.name == name) else {
            broken.push(format!("{name} is new: say here what it may depend on"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(to) = ours(dependency) else { continue };
            let in_tests = dependency["kind"] == "dev";
            let allowed = rule.uses.contains(&to) || (in_tests && rule.tests_use.contains(&to));
            if !allowed {
                let kind = if in_tests { " (in its tests)" } else { "" };
                broken.push(format!("{name} -> {to}{kind}"));
            }
        }
    }
    let gone = PACKAGES.iter().filter(|rule| !found.contains(rule.name));
    broken.extend(gone.map(|rule| format!("{} is not in the workspace any more", rule.name)));
    assert_kept("A package depends only on those below it", broken);
}

#[test]
fn no_service_depends_on_another() {
    let services = ["conventions", "followup", "payments"];
    for rule in PACKAGES.iter().filter(|rule| services.contains(&rule.name)) {
        for uses in [rule.uses, rule.tests_use] {
            assert!(
                !uses.iter().any(|to| services.contains(to)),
                "{}",
                rule.name
            );
        }
        assert!(!rule.uses.iter().any(|to| TESTING.contains(to)));
    }
}

/// The name of one of our packages, without what all of them begin with.
fn ours(package: &Value) -> Option<&str> {
    package["name"].as_str()?.strip_prefix("nonrecours-")
}

/// What cargo says of the workspace, without resolving anything.
fn metadata() -> Value {
    let manifest: PathBuf = root().join("Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--no-deps",
            "--format-version",
            "1",
        ])
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
