//! What every test here starts from: the service, a convention in force, and records in short form.

use std::{path::PathBuf, sync::Arc, time::Duration};

use nonrecours_contracts::{
    followup::{
        AgeBand, AmountKind, AmountUnit, BeneficiaryContent, Channel, EntitlementContent,
        EntitlementState, Identity, JourneyState, NoteContent, PushBatch, PushOpening,
        PushRecordsRequest, PushRecordsResponse, Record, RecordOutcome, RecordResult,
        SessionContent, StepContent, SupportMode, push_records_request::Message,
        push_service_client::PushServiceClient, record::Content,
    },
    google::r#type::{Date, Money},
};
use nonrecours_followup::{
    Config, MIGRATOR, SERVICE,
    convention::{Convention, Terms, store},
    indicator::thresholds::Thresholds,
    journal::keep::DEFAULT_RETENTION_MONTHS,
    serve,
    vault::Vault,
};
use nonrecours_host::{DatabaseConfig, Environment, HostSettings};
use nonrecours_kernel::{ConventionId, ConventionName, IdSource, OperatorId, Scope};
use nonrecours_pg::Db;
use nonrecours_rpc::{ServerConfig, client::PeerChannel, tls::TlsConfig};
use nonrecours_testkit::{ManualClock, ScriptedFeed, Serving, TestDb, Tokens, clock, ids};
use sqlx::{AssertSqlSafe, PgPool};
use tonic::{Code, Status};
use uuid::Uuid;

/// Longest wait for what runs elsewhere on the server to let entries be sealed, or changes be served.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running service that knows one convention in force.
pub struct Suite {
    pub database: TestDb,
    /// The database as the service opens it.
    pub db: Db,
    /// The same under the owner role, which sees everything.
    pub owner: PgPool,
    pub clock: ManualClock,
    pub ids: IdSource,
    pub tokens: Tokens,
    pub conventions: ScriptedFeed,
    pub serving: Serving,
    pub convention: ConventionName,
    _source: Serving,
    /// Where the service reads its keys.
    pub keys_file: PathBuf,
    /// From how many persons on it tells of indicators.
    pub thresholds: Thresholds,
    /// The same ring as another instance would hold it.
    pub vault: Vault,
    _keys: tempfile::TempDir,
}

impl Suite {
    pub async fn start() -> Self {
        let clock = clock();
        let ids = ids(&clock, 1);
        let database = TestDb::create(SERVICE, &MIGRATOR).await;
        let suite =
            Self::serving(database, clock, ids, &ring(&[1], &[1]), Thresholds::DEFAULT).await;
        suite.learn(suite.convention, 1, true).await;
        suite
    }

    /// The same database served anew, with another key ring.
    pub async fn restarted(self, ring: &str) -> Self {
        self.serving.stop().await;
        Self::serving(self.database, self.clock, self.ids, ring, self.thresholds).await
    }

    /// The same database served anew, under other thresholds of indicators.
    pub async fn restarted_under(self, thresholds: Thresholds) -> Self {
        self.serving.stop().await;
        let ring = ring(&[1], &[1]);
        Self::serving(self.database, self.clock, self.ids, &ring, thresholds).await
    }

    async fn serving(
        database: TestDb,
        clock: ManualClock,
        ids: IdSource,
        ring: &str,
        thresholds: Thresholds,
    ) -> Self {
        let db = database.db(clock.clone()).await;
        let owner = database.owner().await;
        let tokens = Tokens::new(clock.clone());
        let conventions = ScriptedFeed::default();
        let source = conventions.serve().await;
        let folder = tempfile::tempdir().unwrap();
        let keys_file = folder.path().join("keys.json");
        std::fs::write(&keys_file, ring).unwrap();
        let vault = Vault::load(&keys_file).unwrap();
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database_url: database.app_url().to_owned(),
            keys_file: keys_file.clone(),
            journal_retention_months: DEFAULT_RETENTION_MONTHS,
            thresholds,
            conventions_url: source.url(),
            host: HostSettings {
                database: DatabaseConfig { max_connections: 8 },
                server: ServerConfig::default(),
                auth: tokens.auth(),
                peer_token: tokens.peer_token(SERVICE),
                tls: TlsConfig::default(),
            },
        };
        let environment = Environment {
            clock: Arc::new(clock.clone()),
            ids: ids.clone(),
        };
        let serving =
            Serving::start(|listener, shutdown| serve(config, environment, listener, shutdown))
                .await;
        Self {
            database,
            db,
            owner,
            clock,
            ids,
            tokens,
            conventions,
            serving,
            convention: convention_name(1, 1),
            _source: source,
            keys_file,
            thresholds,
            vault,
            _keys: folder,
        }
    }

    /// Tells the service about a convention without the feed.
    pub async fn learn(&self, name: ConventionName, revision: i64, in_force: bool) {
        let mut tx = self.db.begin(&Scope::of_service("test")).await.unwrap();
        let convention = Convention {
            name,
            revision,
            in_force,
            terms: Terms::default(),
        };
        store::learn(&mut tx, &convention).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A connection of the convention's operator's software.
    pub fn agent(&self) -> PeerChannel {
        self.serving
            .channel(self.tokens.agent(self.convention.operator))
    }

    /// A connection of an operator's software.
    pub fn agent_of(&self, operator: OperatorId) -> PeerChannel {
        self.serving.channel(self.tokens.agent(operator))
    }

    /// Pushes one batch under the convention.
    pub async fn push(&self, records: Vec<Record>) -> PushRecordsResponse {
        let mut answers = self
            .push_under(&self.convention, vec![records])
            .await
            .unwrap();
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    /// Pushes batches under a convention, as its operator's agent.
    pub async fn push_under(
        &self,
        convention: &ConventionName,
        batches: Vec<Vec<Record>>,
    ) -> Result<Vec<PushRecordsResponse>, Status> {
        let batches = (1..)
            .zip(batches)
            .map(|(sequence, records)| batch(sequence, records));
        let messages = std::iter::once(opening(convention))
            .chain(batches)
            .collect();
        let channel = self.serving.channel(self.tokens.agent(convention.operator));
        send(channel, messages).await
    }

    /// Every change announced for the convention's operator, as the outbox holds it: the feed itself tells of a change
    /// only once no transaction on the whole server can come before it.
    pub async fn changes(&self) -> Vec<Announced> {
        sqlx::query_as(
            "SELECT resource, kind, revision, actor FROM outbox WHERE operator_id = $1 ORDER BY position",
        )
        .bind(self.convention.operator.uuid())
        .fetch_all(&self.owner)
        .await
        .unwrap()
    }
}

/// A change in the outbox.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Announced {
    #[sqlx(rename = "resource")]
    pub name: String,
    pub kind: String,
    pub revision: i64,
    pub actor: String,
}

/// The file of a key ring: keys made of these bytes, and called `k1` and `p1` after them, newest first.
pub fn ring(identity: &[u8], pseudonym: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let list = |prefix: &str, bytes: &[u8]| {
        let line = |byte: &u8| {
            let key = STANDARD.encode([*byte; 32]);
            format!(r#"{{"id": "{prefix}{byte}", "key": "{key}"}}"#)
        };
        bytes.iter().map(line).collect::<Vec<_>>().join(", ")
    };
    format!(
        r#"{{"identity": [{}], "pseudonym": [{}]}}"#,
        list("k", identity),
        list("p", pseudonym)
    )
}

/// Sends messages, ends the stream, and collects the answers; the refusal if there is one.
pub async fn send(
    channel: PeerChannel,
    messages: Vec<PushRecordsRequest>,
) -> Result<Vec<PushRecordsResponse>, Status> {
    let mut client = PushServiceClient::new(channel);
    let mut answers = client
        .push_records(tokio_stream::iter(messages))
        .await?
        .into_inner();
    let mut collected = Vec::new();
    while let Some(answer) = answers.message().await? {
        collected.push(answer);
    }
    Ok(collected)
}

pub fn opening(convention: &ConventionName) -> PushRecordsRequest {
    PushRecordsRequest {
        message: Some(Message::Opening(PushOpening {
            convention: convention.to_string(),
            ..PushOpening::default()
        })),
    }
}

pub fn batch(sequence: i64, records: Vec<Record>) -> PushRecordsRequest {
    PushRecordsRequest {
        message: Some(Message::Batch(PushBatch { sequence, records })),
    }
}

pub fn operator(number: u128) -> OperatorId {
    OperatorId::from_uuid(Uuid::from_u128(number << 64 | 1))
}

pub fn convention_name(operator_number: u128, number: u128) -> ConventionName {
    ConventionName {
        operator: operator(operator_number),
        convention: ConventionId::from_uuid(Uuid::from_u128(
            operator_number << 64 | number << 32 | 2,
        )),
    }
}

pub fn date(year: i32, month: i32, day: i32) -> Option<Date> {
    Some(Date { year, month, day })
}

pub fn euros(units: i64, cents: i32) -> Option<Money> {
    Some(Money {
        currency_code: "EUR".to_owned(),
        units,
        nanos: cents * 10_000_000,
    })
}

/// A person in support, spotted on 1 October 2025.
pub fn person(reference: &str) -> Record {
    person_with(reference, |_| {})
}

pub fn person_with(reference: &str, change: impl FnOnce(&mut BeneficiaryContent)) -> Record {
    let mut content = BeneficiaryContent {
        publics: vec!["DEMANDEUR_EMPLOI".to_owned()],
        commune_code: "62263".to_owned(),
        age_band: AgeBand::From25To59.into(),
        state: JourneyState::InSupport.into(),
        closing_reason: 0,
        spotted_date: date(2025, 10, 1),
        identity: None,
    };
    change(&mut content);
    record(reference, Content::Beneficiary(content))
}

/// A person in support of whom everything is known.
pub fn known(reference: &str, change: impl FnOnce(&mut Identity)) -> Record {
    let mut identity = Identity {
        birth_name: "Lefèvre-Planté".to_owned(),
        first_names: "Zoé Ernestine".to_owned(),
        usual_name: "Quillacq".to_owned(),
        birth_date: date(1980, 1, 31),
        birth_place: "Bapaume".to_owned(),
        phone: "06 39 98 12 34".to_owned(),
        email: "zoe.quillacq@example.org".to_owned(),
        postal_address: "7 rue des Trois-Visages, 62000 Arras".to_owned(),
    };
    change(&mut identity);
    person_with(reference, |person| person.identity = Some(identity))
}

/// A claim to RSA, filed on 2 October 2025.
pub fn right(reference: &str, beneficiary: &str) -> Record {
    right_with(reference, beneficiary, |_| {})
}

pub fn right_with(
    reference: &str,
    beneficiary: &str,
    change: impl FnOnce(&mut EntitlementContent),
) -> Record {
    let mut content = EntitlementContent {
        beneficiary_reference: beneficiary.to_owned(),
        right: "RSA".to_owned(),
        state: EntitlementState::Filed.into(),
        amount: euros(600, 0),
        amount_kind: AmountKind::Estimated.into(),
        amount_unit: AmountUnit::Monthly.into(),
        filed_date: date(2025, 10, 2),
        decided_date: None,
        renewal_date: None,
        support_mode: SupportMode::OnBehalf.into(),
        non_take_up_reason: "COMPLEXITE".to_owned(),
        start_date: None,
    };
    change(&mut content);
    record(reference, Content::Entitlement(content))
}

/// A step of 3 October 2025 for a person, at a partner's place.
pub fn step(reference: &str, beneficiary: &str) -> Record {
    step_with(reference, beneficiary, |_| {})
}

pub fn step_with(
    reference: &str,
    beneficiary: &str,
    change: impl FnOnce(&mut StepContent),
) -> Record {
    let mut content = StepContent {
        beneficiary_reference: beneficiary.to_owned(),
        entitlement_reference: String::new(),
        step_date: date(2025, 10, 3),
        mode: SupportMode::OnBehalf.into(),
        channel: Channel::PartnerSession.into(),
        partner: "CAF".to_owned(),
        renewal: false,
        minutes: 45,
    };
    change(&mut content);
    record(reference, Content::Step(content))
}

/// A note of 3 October 2025 on a person.
pub fn note(reference: &str, beneficiary: &str, text: &str) -> Record {
    let content = NoteContent {
        beneficiary_reference: beneficiary.to_owned(),
        written_date: date(2025, 10, 3),
        text: text.to_owned(),
    };
    record(reference, Content::Note(content))
}

pub fn note_with(reference: &str, change: impl FnOnce(&mut NoteContent)) -> Record {
    let mut record = note(reference, "B0", "Revient lundi.");
    if let Some(Content::Note(content)) = &mut record.content {
        change(content);
    }
    record
}

/// A session at the Cité des Métiers on 6 October 2025.
pub fn session(reference: &str) -> Record {
    session_with(reference, |_| {})
}

pub fn session_with(reference: &str, change: impl FnOnce(&mut SessionContent)) -> Record {
    let mut content = SessionContent {
        venue: "Cité des Métiers d'Arras".to_owned(),
        commune_code: "62041".to_owned(),
        held_date: date(2025, 10, 6),
        channel: Channel::PartnerSession.into(),
        persons_met: 8,
    };
    change(&mut content);
    record(reference, Content::Session(content))
}

pub fn record(reference: &str, content: Content) -> Record {
    Record {
        external_reference: reference.to_owned(),
        version: 0,
        content: Some(content),
    }
}

pub fn version(version: i64, record: Record) -> Record {
    Record { version, ..record }
}

pub fn outcomes(answer: &PushRecordsResponse) -> Vec<RecordOutcome> {
    let counts = [
        (RecordOutcome::Stored, answer.stored),
        (RecordOutcome::Unchanged, answer.unchanged),
        (RecordOutcome::Stale, answer.stale),
        (RecordOutcome::Superseded, answer.superseded),
        (RecordOutcome::Rejected, answer.rejected),
        (RecordOutcome::HeldBack, answer.held_back),
    ];
    let outcomes: Vec<RecordOutcome> = answer.results.iter().map(RecordResult::outcome).collect();
    for (outcome, count) in counts {
        let found = outcomes.iter().filter(|other| **other == outcome).count();
        assert_eq!(usize::try_from(count).unwrap(), found, "{outcome:?}");
    }
    outcomes
}

/// The faults of a result as `field REASON`; each says in two languages what is wrong.
pub fn faults(result: &RecordResult) -> Vec<String> {
    let faults = result.violations.iter().map(|violation| {
        assert!(!violation.message_fr.is_empty() && !violation.message_en.is_empty());
        format!("{} {}", violation.field, violation.reason)
    });
    faults.collect()
}

/// Code and machine reason of a refusal.
pub fn refusal(status: &Status) -> (Code, String) {
    (
        status.code(),
        nonrecours_rpc::details::Details::of(status).reason,
    )
}

/// Runs a statement as the owner of the database.
pub async fn execute(owner: &PgPool, statement: &str) {
    sqlx::query(AssertSqlSafe(statement))
        .execute(owner)
        .await
        .unwrap();
}
