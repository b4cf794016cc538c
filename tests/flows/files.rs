//! Files brought and fetched by the command, over the running suite.

use std::{collections::BTreeMap, fs, sync::Arc};

use nonrecours_cli::{
    attachments::{self, Kind},
    journey::{Cast, Journey, Step},
    state::State,
    suite::{Databases, Suite, SuiteOptions},
};
use nonrecours_issuer::TokenSpec;
use nonrecours_kernel::{Clock, Role, SystemClock};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_command_brings_it_fetches() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let suite = Suite::start(SuiteOptions {
        databases: Databases::Private,
        clock: Arc::clone(&clock),
        data: None,
        postgres_programs: None,
        ports: [0; 3],
        certificates: false,
    })
    .await
    .unwrap();
    let cast = Cast {
        addresses: suite.addresses.clone(),
        issuer: Arc::clone(&suite.issuer),
        clock,
    };
    let mut journey = Journey::new(cast, None).unwrap();
    for step in Step::ALL {
        journey.play(step).await.unwrap();
        if !journey.facts.convention.is_empty() {
            break;
        }
    }
    let convention = journey.facts.convention.clone();
    let officer = TokenSpec::new("officer@test", [Role::ProgrammeOfficer]);
    let token = suite.issuer.token(&officer).unwrap();
    let state = State {
        addresses: suite.addresses.clone(),
        convention: convention.clone(),
        tokens: BTreeMap::from([(Role::ProgrammeOfficer.as_str().to_owned(), token)]),
        client: None,
    };

    let folder = tempfile::tempdir().unwrap();
    let scan = folder.path().join("original signé.pdf");
    let bytes: Vec<u8> = b"%PDF-1.7\n"
        .iter()
        .copied()
        .cycle()
        .take(150_000)
        .collect();
    fs::write(&scan, &bytes).unwrap();
    let brought = attachments::upload(&state, &scan, &convention, Kind::Scan).await;
    let brought = brought.unwrap();
    assert_eq!(brought.file_name, "original signé.pdf");
    attachments::list(&state, &convention).await.unwrap();

    let out = folder.path().join("copie.pdf");
    let fetched = attachments::fetch(&state, &brought.name, Some(&out)).await;
    assert_eq!(fetched.unwrap(), out);
    assert!(fs::read(&out).unwrap() == bytes);
    // Nothing is overwritten, and nothing half written is left.
    let again = attachments::fetch(&state, &brought.name, Some(&out)).await;
    assert!(again.unwrap_err().to_string().contains("existe déjà"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

    let program = folder.path().join("outil.exe");
    fs::write(&program, "MZ").unwrap();
    let refused = attachments::upload(&state, &program, &convention, Kind::Other).await;
    assert!(refused.unwrap_err().to_string().contains("ni PDF"));
    let disguised = folder.path().join("outil.pdf");
    fs::copy(&program, &disguised).unwrap();
    let refused = attachments::upload(&state, &disguised, &convention, Kind::Other).await;
    assert!(refused.unwrap_err().to_string().contains("INVALID_REQUEST"));
    suite.stop().await.unwrap();
}
