//! Logs, spans and metrics of the three services as they leave the machine, during the whole journey and what goes wrong
//! beside it: no person, no account, no token.

use nonrecours_cli::{
    client::Client,
    journey::{Journey, Step},
};
use nonrecours_contracts::{
    followup::{
        AgeBand, BeneficiaryContent, GetBeneficiaryIdentityRequest, GetBeneficiaryRequest,
        Identity, JourneyState, ListBeneficiariesRequest, NoteContent, PushRecordsOnceRequest,
        Record, RecordOutcome, record::Content,
    },
    google::r#type::Date,
    payments::{AccountDetails, EnterBankAccountRequest, ListBankAccountsRequest},
};
use nonrecours_issuer::TokenSpec;
use nonrecours_kernel::{ConventionName, Role};
use nonrecours_rpc::auth::TokenSource;
use tonic::Code;

use crate::{
    collector,
    processes::{Processes, SERVICES, signal},
    scan::Scanner,
};

/// A social security number with its right key, which every text refuses.
const NIR: &str = "269054958815780";
/// An account that nobody has.
const IBAN: &str = "FR7630006000011234567890189";

fn identity() -> Identity {
    Identity {
        birth_name: "Quesnoy-Planté".to_owned(),
        first_names: "Zoé Ernestine".to_owned(),
        usual_name: "Vandermeersch".to_owned(),
        birth_date: Some(Date {
            year: 1980,
            month: 1,
            day: 31,
        }),
        birth_place: "Bapaume".to_owned(),
        phone: "+33639981234".to_owned(),
        email: "zoe.vandermeersch@example.org".to_owned(),
        postal_address: "7 rue des Trois-Visages, 62000 Arras".to_owned(),
    }
}

fn person(reference: &str, identity: Identity) -> Record {
    Record {
        external_reference: reference.to_owned(),
        version: 1,
        content: Some(Content::Beneficiary(BeneficiaryContent {
            publics: vec!["DEMANDEUR_EMPLOI".to_owned()],
            commune_code: "62263".to_owned(),
            age_band: AgeBand::From25To59.into(),
            state: JourneyState::InSupport.into(),
            closing_reason: 0,
            spotted_date: Some(Date {
                year: 2025,
                month: 10,
                day: 1,
            }),
            identity: Some(identity),
        })),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_span_or_measure_tells_of_a_person_an_account_or_a_token() {
    let (collector, received) = collector::start().await;
    let mut processes = Processes::prepare().await;
    processes.set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
    // What is hidden from the logs by default may be asked for by whoever looks for a fault.
    processes.set("RUST_LOG", "info,nonrecours=debug");
    for service in SERVICES {
        processes.run(service);
    }
    let mut scanner = Scanner::default();
    // Of the journey: its account, and who its file of returns is from.
    for private in [
        "FR90 3000 1001 52D6 2000 0000 041",
        "30001 00152",
        "Rossignol",
    ] {
        scanner.plant(private);
    }
    let mut journey = Journey::new(processes.cast.clone(), None).unwrap();
    for step in Step::ALL {
        journey.play(step).await.unwrap();
        // The convention is in force still.
        if step == Step::Report {
            tell_secrets(&processes, &journey.facts.convention, &mut scanner).await;
        }
    }

    // Drained and gone: all that it had to tell has left.
    for service in SERVICES {
        let child = processes.child(service);
        signal(child, "TERM").await;
        assert!(child.wait().await.unwrap().success(), "{service}");
    }
    let sent = received.all();
    for signal in ["TraceService", "MetricsService", "LogsService"] {
        for service in SERVICES {
            let came = sent.iter().any(|(path, bytes)| {
                path.contains(signal) && String::from_utf8_lossy(bytes).contains(service)
            });
            assert!(came, "{signal} of {service}");
        }
    }
    let logged = processes.logged();
    assert!(
        logged
            .iter()
            .any(|line| line.contains("GetBeneficiaryIdentity"))
    );
    let mut found: Vec<String> = Vec::new();
    for line in &logged {
        for what in scanner.find(line.as_bytes()) {
            found.push(format!("{what} in the log: {line}"));
        }
    }
    for (path, bytes) in &sent {
        for what in scanner.find(bytes) {
            found.push(format!("{what} in {path}"));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Sends what is secret where it belongs and where it does not, and plants all of it.
async fn tell_secrets(processes: &Processes, convention: &str, scanner: &mut Scanner) {
    let name: ConventionName = convention.parse().unwrap();
    let operator = name.parent().to_string();
    let token = |role, bound| {
        let spec = TokenSpec {
            operator: bound,
            ..TokenSpec::new(format!("{role}@test"), [role])
        };
        processes.cast.issuer.token(&spec).unwrap()
    };
    let agent = token(Role::OperatorAgent, Some(name.operator));
    let officer = token(Role::ProgrammeOfficer, None);
    let who = identity();
    for text in [
        &who.birth_name,
        &who.first_names,
        &who.usual_name,
        &who.birth_place,
        &who.phone,
        &who.email,
        &who.postal_address,
        "REF-SECRETE",
        "confidence de la personne",
        NIR,
        IBAN,
        &agent,
        &officer,
        "jeton-mal-forme",
    ] {
        scanner.plant(text);
    }
    let as_bearer = |token: &str| {
        Client::with_source(&processes.cast.addresses, TokenSource::fixed(token)).unwrap()
    };

    // A person, a note of a confidence, and one with a number that is refused.
    let client = as_bearer(&agent);
    let note = |reference: &str, text: &str| Record {
        external_reference: reference.to_owned(),
        version: 1,
        content: Some(Content::Note(NoteContent {
            beneficiary_reference: "REF-SECRETE-1".to_owned(),
            text: text.to_owned(),
            written_date: Some(Date {
                year: 2025,
                month: 10,
                day: 2,
            }),
        })),
    };
    let pushed = client
        .push()
        .push_records_once(PushRecordsOnceRequest {
            convention: convention.to_owned(),
            records: vec![
                person("REF-SECRETE-1", identity()),
                note("REF-SECRETE-2", "Une confidence de la personne."),
                note("REF-SECRETE-3", &format!("Son numéro est {NIR}.")),
            ],
            ..PushRecordsOnceRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let outcomes: Vec<_> = pushed
        .results
        .iter()
        .map(|result| result.outcome())
        .collect();
    assert_eq!(outcomes[0], RecordOutcome::Stored, "{pushed:?}");
    assert_eq!(outcomes[2], RecordOutcome::Rejected, "{pushed:?}");

    // Read again, by who may and by who may not.
    let beneficiary = pushed.results[0].name.clone();
    let read = GetBeneficiaryIdentityRequest {
        name: format!("{beneficiary}/identity"),
    };
    let mut identities = client.beneficiary_identities();
    let known = identities.get_beneficiary_identity(read.clone()).await;
    assert_eq!(
        known.unwrap().into_inner().identity.unwrap().birth_name,
        who.birth_name
    );
    let mut identities = as_bearer(&officer).beneficiary_identities();
    let denied = identities.get_beneficiary_identity(read).await;
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);

    // Secrets where a name, a page or a filter should be.
    let misplaced = GetBeneficiaryRequest {
        name: format!("{operator}/beneficiaries/{}", who.email),
    };
    let refused = client
        .beneficiaries()
        .get_beneficiary(misplaced)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let misplaced = ListBeneficiariesRequest {
        parent: operator.clone(),
        page_token: NIR.to_owned(),
        ..Default::default()
    };
    let refused = client
        .beneficiaries()
        .list_beneficiaries(misplaced)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    // An account, and accounts read.
    let manager = token(Role::OperatorManager, Some(name.operator));
    scanner.plant(&manager);
    let accounts = as_bearer(&manager);
    let entered = accounts
        .bank_accounts()
        .enter_bank_account(EnterBankAccountRequest {
            parent: operator.clone(),
            details: Some(AccountDetails {
                iban: IBAN.to_owned(),
                ..AccountDetails::default()
            }),
            ..Default::default()
        })
        .await;
    assert!(
        entered.is_err(),
        "an account without its holder is refused, with its number in hand"
    );
    let listed = ListBankAccountsRequest {
        parent: operator,
        ..Default::default()
    };
    accounts
        .bank_accounts()
        .list_bank_accounts(listed)
        .await
        .unwrap();

    // Tokens that are none, and that are nobody's.
    for bad in ["jeton-mal-forme", &format!("{agent}x")] {
        let refused = as_bearer(bad)
            .beneficiaries()
            .get_beneficiary(GetBeneficiaryRequest::default())
            .await;
        assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    }
}
