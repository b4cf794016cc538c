//! Reasons of refusal: each is documented where it refuses, produced by the code, and provoked by a test.

use prost_reflect::{EnumDescriptor, EnumValueDescriptor};

use crate::{
    contract::{POOL, assert_kept, comment, files, has_word},
    sources::{self, root},
};

/// The reasons of a service and where they are produced and tested, under the root of the repository.
struct Family {
    name: &'static str,
    prefix: &'static str,
    code: &'static [&'static str],
    tests: &'static [&'static str],
}

const FAMILIES: [Family; 4] = [
    Family {
        name: "nonrecours.conventions.v1.ErrorReason",
        prefix: "ERROR_REASON_",
        code: &["services/conventions/src"],
        tests: &["services/conventions/tests", "tests"],
    },
    Family {
        name: "nonrecours.followup.v1.ErrorReason",
        prefix: "ERROR_REASON_",
        // What is wrong with a value of a record is often found by the vocabulary that every service shares.
        code: &[
            "services/followup/src",
            "crates/kernel/src",
            "crates/rpc/src",
        ],
        tests: &["services/followup/tests", "tests"],
    },
    Family {
        name: "nonrecours.payments.v1.ErrorReason",
        prefix: "ERROR_REASON_",
        code: &["services/payments/src"],
        tests: &["services/payments/tests", "tests"],
    },
    Family {
        name: "nonrecours.common.v1.CommonErrorReason",
        prefix: "COMMON_ERROR_REASON_",
        code: &["crates/rpc/src", "crates/pg/src", "crates/feed/src"],
        tests: &["crates", "services", "tests"],
    },
];

/// What the comment of a reason of a service begins with when no rpc refuses with it.
const RESULT_OF_A_RECORD: &str = "Record:";

#[test]
fn every_enum_of_reasons_is_looked_at() {
    let written = POOL
        .all_enums()
        .filter(|reasons| reasons.full_name().starts_with("nonrecours."))
        .filter(|reasons| reasons.name().ends_with("ErrorReason"));
    let missing = written.filter(|reasons| {
        !FAMILIES
            .iter()
            .any(|family| family.name == reasons.full_name())
    });
    assert_kept(
        "This test knows where the reasons of each enum are produced",
        missing.map(|reasons| reasons.full_name().to_owned()),
    );
}

#[test]
fn every_reason_is_documented_where_it_refuses() {
    let mut broken = Vec::new();
    for family in &FAMILIES {
        let reasons = family.reasons();
        let rpcs = rpc_comments(&reasons);
        for value in values(&reasons) {
            let own = comment(&reasons.parent_file(), value.path());
            let own = own.trim();
            let name = family.short(&value);
            // The reasons that any service can give come from layers before every rpc: their own comment says when.
            let common = reasons.package_name() == "nonrecours.common.v1";
            let documented = common || own.starts_with(RESULT_OF_A_RECORD) || has_word(&rpcs, name);
            if own.is_empty() || !documented {
                broken.push(format!("{}: {name}", reasons.package_name()));
            }
        }
    }
    assert_kept(
        "The comment of an rpc names every reason that it refuses with (a result of a record: the reason's own comment)",
        broken,
    );
}

#[test]
fn every_reason_is_produced_by_the_code() {
    let broken = FAMILIES.iter().flat_map(|family| {
        let code: String = family
            .code
            .iter()
            .map(|folder| sources::code(&root().join(folder)))
            .collect();
        family.missing(move |reason| code.contains(&format!("\"{reason}\"")))
    });
    assert_kept(
        "The code produces every reason of the contract, as a literal \"REASON\"",
        broken.collect::<Vec<_>>(),
    );
}

#[test]
fn every_reason_is_provoked_by_a_test() {
    let broken = FAMILIES.iter().flat_map(|family| {
        let tests: String = family
            .tests
            .iter()
            .flat_map(|folder| test_folders(folder))
            .map(|folder| sources::tests(&folder))
            .collect();
        family.missing(move |reason| has_word(&tests, reason))
    });
    assert_kept(
        "A test names every reason of the contract that it provokes",
        broken.collect::<Vec<_>>(),
    );
}

impl Family {
    fn reasons(&self) -> EnumDescriptor {
        POOL.get_enum_by_name(self.name)
            .unwrap_or_else(|| panic!("{} is not in the contracts", self.name))
    }

    /// The reason as it is sent: without the prefix.
    fn short<'a>(&self, value: &'a EnumValueDescriptor) -> &'a str {
        value
            .name()
            .strip_prefix(self.prefix)
            .unwrap_or_else(|| panic!("{} has another prefix", value.full_name()))
    }

    fn missing(&self, found: impl Fn(&str) -> bool) -> Vec<String> {
        let reasons = self.reasons();
        values(&reasons)
            .iter()
            .map(|value| self.short(value))
            .filter(|reason| !found(reason))
            .map(|reason| format!("{}: {reason}", reasons.package_name()))
            .collect()
    }
}

/// All but the first, which is never sent.
fn values(reasons: &EnumDescriptor) -> Vec<EnumValueDescriptor> {
    let values: Vec<_> = reasons
        .values()
        .filter(|value| value.number() != 0)
        .collect();
    assert!(!values.is_empty(), "{} has no value", reasons.full_name());
    values
}

/// The comments of every rpc of the package.
fn rpc_comments(reasons: &EnumDescriptor) -> String {
    files()
        .filter(|file| file.package_name() == reasons.package_name())
        .flat_map(|file| file.services().collect::<Vec<_>>())
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| comment(&method.parent_file(), method.path()))
        .collect()
}

/// `tests` itself, a package's own, or those of every package in a folder of packages.
fn test_folders(folder: &str) -> Vec<std::path::PathBuf> {
    let folder = root().join(folder);
    if folder.ends_with("tests") {
        return vec![folder];
    }
    let packages = std::fs::read_dir(folder).unwrap();
    packages
        .map(|package| package.unwrap().path().join("tests"))
        .collect()
}
