//! Documents written by the command, over the programs as they are installed.

use std::{collections::BTreeMap, fs};

use nonrecours_cli::{
    documents::{self, Kind},
    journey::{Journey, Step},
    state::State,
};
use nonrecours_issuer::TokenSpec;
use nonrecours_kernel::Role;

use crate::processes::{Processes, program};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_finds_the_typesetting_program_beside_its_own() {
    // Says how to build it where it is missing.
    program("typeset");
    let processes = Processes::start().await;
    let mut journey = Journey::new(processes.cast.clone(), None).unwrap();
    for step in Step::ALL {
        journey.play(step).await.unwrap();
        if !journey.facts.convention.is_empty() {
            break;
        }
    }
    let convention = journey.facts.convention.clone();
    let officer = TokenSpec::new("officer@test", [Role::ProgrammeOfficer]);
    let token = processes.cast.issuer.token(&officer).unwrap();
    let state = State {
        addresses: processes.cast.addresses.clone(),
        convention: convention.clone(),
        tokens: BTreeMap::from([(Role::ProgrammeOfficer.as_str().to_owned(), token)]),
        client: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let files = [folder.path().join("a.pdf"), folder.path().join("b.pdf")];
    let mut written = Vec::new();
    for file in &files {
        let document = documents::write(&state, &convention, Kind::Convention, file).await;
        written.push(document.unwrap());
    }
    assert_eq!(written[0], written[1]);
    let bytes = fs::read(&files[0]).unwrap();
    assert!(bytes.starts_with(b"%PDF"));
    assert!(bytes == fs::read(&files[1]).unwrap());
    let refused = documents::write(&state, &convention, Kind::Statement, &files[0]).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("CONVENTION_NOT_SIGNED"), "{refused}");
}
