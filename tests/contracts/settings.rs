//! The settings of the services and the table that documents them.

use std::collections::BTreeSet;

use crate::{
    contract::assert_kept,
    sources::{self, root},
};

/// Read by libraries, not by our code.
const OF_LIBRARIES: [&str; 2] = ["RUST_LOG", "OTEL_EXPORTER_OTLP_ENDPOINT"];

#[test]
fn every_setting_of_a_service_is_documented() {
    let read: BTreeSet<String> = [
        "crates/files/src",
        "crates/host/src",
        "crates/pg/src",
        "crates/rpc/src",
        "services",
    ]
    .iter()
    .flat_map(|folder| variables(&sources::code(&root().join(folder))))
    .chain(OF_LIBRARIES.map(str::to_owned))
    .collect();
    let documented = documented(&std::fs::read_to_string(root().join("deploy/README.md")).unwrap());
    let undocumented = read.difference(&documented);
    let unread = documented.difference(&read);
    assert_kept(
        "The settings table of deploy/README.md has every environment variable of the services, and no other",
        undocumented
            .map(|name| format!("{name} is read and not documented"))
            .chain(unread.map(|name| format!("{name} is documented and not read"))),
    );
}

/// The variables that clap reads: `env = "NAME"`.
fn variables(code: &str) -> Vec<String> {
    let declared = code.split("env = \"").skip(1);
    declared
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// The names between backquotes in the first column of the table of settings.
fn documented(readme: &str) -> BTreeSet<String> {
    let (_, section) = readme.split_once("\n## Settings\n").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split(" | ").next())
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}
