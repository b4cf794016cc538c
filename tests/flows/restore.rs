//! A backup made while the suite works, restored into another cluster by the scripts of `deploy`: the services agree with each
//! other, and who was erased since stays erased.

use std::process::ExitCode;

use nonrecours_cli::{
    client::{Client, answered},
    journey::{Cast, Journey, Step},
    payments,
    state::State,
};
use nonrecours_contracts::{
    followup::{
        AgeBand, BeneficiaryContent, EraseBeneficiaryRequest, ErasureReason,
        GetBeneficiaryIdentityRequest, GetBeneficiaryRequest, GetErasureRequest, Identity,
        JourneyState, ListErasuresRequest, PushRecordsOnceRequest, PushRecordsResponse, Record,
        RecordOutcome, record::Content,
    },
    google::r#type::Date,
};
use nonrecours_issuer::TokenSpec;
use nonrecours_kernel::{OperatorId, Role};
use nonrecours_pg::Cursor;
use sqlx::{Connection as _, PgConnection};
use tonic::Code;

use crate::processes::{Processes, SERVICES};

/// Conventions begun while the backup is made.
const CONCURRENT: usize = 2;

/// Who follows whom.
const FOLLOWS: [(&str, &str); 3] = [
    ("conventions", "payments"),
    ("followup", "conventions"),
    ("payments", "conventions"),
];

/// An operator's people, and the convention that they push under.
struct Operator {
    cast: Cast,
    id: OperatorId,
    convention: String,
}

impl Operator {
    fn manager(&self) -> Client {
        self.cast.manager(self.id).unwrap()
    }

    async fn push(&self, reference: &str, family: &str) -> PushRecordsResponse {
        let identity = Identity {
            birth_name: family.to_owned(),
            first_names: "Zoé".to_owned(),
            birth_date: Some(day(1980, 1)),
            birth_place: "Bapaume".to_owned(),
            ..Identity::default()
        };
        let content = BeneficiaryContent {
            publics: vec!["DEMANDEUR_EMPLOI".to_owned()],
            commune_code: "62263".to_owned(),
            age_band: AgeBand::From25To59.into(),
            state: JourneyState::InSupport.into(),
            closing_reason: 0,
            spotted_date: Some(day(2025, 10)),
            identity: Some(identity),
        };
        let request = PushRecordsOnceRequest {
            convention: self.convention.clone(),
            records: vec![Record {
                external_reference: reference.to_owned(),
                version: 0,
                content: Some(Content::Beneficiary(content)),
            }],
            ..PushRecordsOnceRequest::default()
        };
        let push = self.cast.software(self.id).unwrap().push();
        answered(|| {
            let (mut push, request) = (push.clone(), request.clone());
            async move { push.push_records_once(request).await }
        })
        .await
        .unwrap()
    }

    /// Pushes a person that must be taken; gives its name.
    async fn person(&self, reference: &str, family: &str) -> String {
        let answer = self.push(reference, family).await;
        assert_eq!(answer.stored, 1, "{answer:?}");
        answer.results[0].name.clone()
    }

    /// Erases a person; gives the name of the erasure.
    async fn erase(&self, beneficiary: &str, reason: ErasureReason) -> String {
        let request = EraseBeneficiaryRequest {
            name: beneficiary.to_owned(),
            reason: reason.into(),
            etag: String::new(),
            request_id: nonrecours_testkit::request_id(),
        };
        let mut erasures = self.manager().erasures();
        erasures
            .erase_beneficiary(request)
            .await
            .unwrap()
            .into_inner()
            .name
    }

    /// Whether the person's record, and who they are, can still be read.
    async fn is_there(&self, beneficiary: &str) -> bool {
        let name = beneficiary.to_owned();
        let records = self.manager().beneficiaries();
        let found = answered(|| {
            let (mut records, name) = (records.clone(), name.clone());
            async move {
                records
                    .get_beneficiary(GetBeneficiaryRequest { name })
                    .await
            }
        })
        .await;
        let name = format!("{beneficiary}/identity");
        let mut identities = self.manager().beneficiary_identities();
        let known = identities
            .get_beneficiary_identity(GetBeneficiaryIdentityRequest { name })
            .await;
        match (found, known) {
            (Ok(_), Ok(_)) => true,
            (Err(record), Err(identity)) => {
                assert_eq!(record.code(), Code::NotFound, "{record}");
                assert_eq!(identity.code(), Code::NotFound, "{identity}");
                false
            }
            differ => panic!("{differ:?}"),
        }
    }

    /// Whether a push of this reference is refused because its person was erased.
    async fn is_barred(&self, reference: &str) -> bool {
        let answer = self.push(reference, "Revenant").await;
        let result = &answer.results[0];
        let reasons: Vec<_> = result
            .violations
            .iter()
            .map(|violation| violation.reason.as_str())
            .collect();
        result.outcome() == RecordOutcome::Rejected && reasons == ["BENEFICIARY_ERASED"]
    }
}

fn day(year: i32, month: i32) -> Date {
    Date {
        year,
        month,
        day: 1,
    }
}

async fn played(cast: &Cast, until: Step) -> Journey {
    let mut journey = Journey::new(cast.clone(), None).unwrap();
    for step in Step::ALL {
        journey.play(step).await.unwrap();
        if step == until {
            break;
        }
    }
    journey
}

/// Runs a script of `deploy` with the settings of the suite; gives what it printed, none when it failed.
async fn script(processes: &Processes, name: &str, arguments: &[&str]) -> Option<String> {
    let output = processes
        .script(name)
        .args(arguments)
        .output()
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{name}: {error}");
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

async fn as_superuser(processes: &Processes, service: &str) -> PgConnection {
    PgConnection::connect(&processes.postgres().superuser_url(service))
        .await
        .unwrap()
}

/// No follower has seen more of its source than the source itself has.
async fn assert_coherent(processes: &Processes) {
    for (follower, source) in FOLLOWS {
        let mut database = as_superuser(processes, follower).await;
        let cursor: Option<String> =
            sqlx::query_scalar("SELECT cursor FROM feed_cursor WHERE source = $1")
                .bind(source)
                .fetch_optional(&mut database)
                .await
                .unwrap();
        let cursor = cursor.unwrap_or_else(|| panic!("{follower} had begun"));
        let mut origin = as_superuser(processes, source).await;
        let last: String = sqlx::query_scalar(
            "SELECT era || '.' || xid || '.' || position FROM outbox ORDER BY era DESC, xid DESC, position DESC LIMIT 1",
        )
        .fetch_one(&mut origin)
        .await
        .unwrap();
        let (reached, last): (Cursor, Cursor) = (cursor.parse().unwrap(), last.parse().unwrap());
        assert!(
            reached <= last,
            "{follower} is at {reached}, {source} at {last}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_the_running_suite_is_restored_without_anybody_erased_since() {
    let mut processes = Processes::start().await;
    let kept = tempfile::tempdir().unwrap();
    let path = |name: &str| kept.path().join(name).display().to_string();
    let (data, keys, erasures) = (path("data"), path("keys"), path("erasures.jsonl"));
    let cast = processes.cast.clone();
    let mut journey = played(&cast, Step::OpenPlan).await;
    let operator = Operator {
        cast: cast.clone(),
        id: journey.operator().unwrap(),
        convention: journey.facts.convention.clone(),
    };
    let stays = operator.person("RESTE-1", "Demeurant").await;
    let mistaken = operator.person("ERREUR-1", "Méprise").await;
    let gone = operator.person("AVANT-1", "Partante").await;
    let before = operator.person("DEJA-1", "Lointain").await;
    operator.erase(&before, ErasureReason::Objection).await;

    // While all three work, and follow each other.
    let arguments = ["all", data.as_str(), keys.as_str()];
    let (backup, ()) = tokio::join!(script(&processes, "backup", &arguments), async {
        for _ in 0..CONCURRENT {
            played(&cast, Step::OpenPlan).await;
        }
    });
    let backup = backup.expect("a backup");

    // Since then: two of the backup are erased, and one that it never knew.
    let erasure = operator.erase(&gone, ErasureReason::SubjectRequest).await;
    operator.erase(&mistaken, ErasureReason::Mistake).await;
    let unknown = operator.person("APRES-1", "Tardive").await;
    let late = operator
        .erase(&unknown, ErasureReason::SubjectRequest)
        .await;
    script(&processes, "backup", &["erasures", &erasures])
        .await
        .expect("a journal");

    let stamp = backup.rsplit('/').next().unwrap().to_owned();
    let person_keys = format!("{keys}/{stamp}.person_key.dump");
    let full = script(&processes, "restore", &[&backup, &erasures, &person_keys]).await;
    assert_eq!(full, None, "not over databases that hold something");

    processes.move_to_another_cluster().await;
    let cut = path("cut.jsonl");
    let whole = std::fs::read_to_string(&erasures).unwrap();
    std::fs::write(&cut, whole.lines().next().unwrap()).unwrap();
    let restored = script(&processes, "restore", &[&backup, &cut, &person_keys]).await;
    assert_eq!(restored, None, "not with half a journal");
    script(&processes, "restore", &[&backup, &erasures, &person_keys])
        .await
        .expect("a restore");
    let again = processes
        .command("followup", "replay-erasures")
        .args(["--from", &erasures])
        .status()
        .await
        .unwrap();
    assert!(again.success(), "again, without effect");
    assert_coherent(&processes).await;

    for service in SERVICES {
        processes.run(service);
    }
    assert!(operator.is_there(&stays).await);
    for erased in [&gone, &mistaken, &before, &unknown] {
        assert!(!operator.is_there(erased).await, "{erased}");
    }
    for reference in ["AVANT-1", "ERREUR-1", "DEJA-1", "APRES-1"] {
        assert!(operator.is_barred(reference).await, "{reference}");
    }
    let listed = ListErasuresRequest {
        parent: format!("operators/{}", operator.id),
        ..ListErasuresRequest::default()
    };
    let mut register = operator.manager().erasures();
    let listed = register.list_erasures(listed).await.unwrap().into_inner();
    assert_eq!(listed.erasures.len(), 4);
    for name in [erasure, late] {
        let asked = GetErasureRequest { name };
        register
            .get_erasure(asked)
            .await
            .expect("an erasure keeps its name");
    }
    for erased in [&gone, &mistaken] {
        let mut database = as_superuser(&processes, "followup").await;
        let snapshots: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM outbox WHERE resource = $1 AND kind <> 'beneficiary.erased' AND snapshot <> ''",
        )
        .bind(erased)
        .fetch_one(&mut database)
        .await
        .unwrap();
        assert_eq!(snapshots, 0, "the history of {erased} is emptied");
    }

    // The journey goes on from where the backup has it: feeds in their new era, books that agree.
    let rest = Step::ALL
        .into_iter()
        .skip_while(|step| *step != Step::OpenPlan);
    for step in rest.skip(1) {
        let played = journey.play(step).await;
        if let Err(error) = played {
            panic!("{step:?}: {error:#}\n{}", processes.faults());
        }
    }
    for service in SERVICES {
        let mut database = as_superuser(&processes, service).await;
        let eras: i64 = sqlx::query_scalar("SELECT count(*) FROM feed_era")
            .fetch_one(&mut database)
            .await
            .unwrap();
        assert_eq!(eras, 2, "{service}");
    }
    let auditor = TokenSpec::new("audit@test.example", [Role::Auditor]);
    let state = State {
        addresses: cast.addresses.clone(),
        convention: journey.facts.convention.clone(),
        tokens: [(
            Role::Auditor.as_str().to_owned(),
            cast.issuer.token(&auditor).unwrap(),
        )]
        .into(),
        client: None,
    };
    let verdict = payments::verify(&state, "operators/-").await.unwrap();
    assert_eq!(format!("{verdict:?}"), format!("{:?}", ExitCode::SUCCESS));
    assert_eq!(processes.faults(), "");
}
