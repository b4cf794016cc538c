//! What every test here starts from: the service, a convention in force, and records in short form.

use std::sync::Arc;

use nonrecours_contracts::{
    followup::{
        AgeBand, AmountKind, AmountUnit, BeneficiaryContent, Channel, EntitlementContent,
        EntitlementState, JourneyState, PushBatch, PushOpening, PushRecordsRequest,
        PushRecordsResponse, Record, RecordOutcome, RecordResult, SessionContent, SupportMode,
        push_records_request::Message, push_service_client::PushServiceClient, record::Content,
    },
    google::r#type::{Date, Money},
};
use nonrecours_followup::{
    Config, MIGRATOR, SERVICE,
    convention::{Convention, store},
    serve,
};
use nonrecours_host::{DatabaseConfig, Environment};
use nonrecours_kernel::{ConventionId, ConventionName, IdSource, OperatorId, Scope};
use nonrecours_pg::Db;
use nonrecours_rpc::{ServerConfig, client::PeerChannel};
use nonrecours_testkit::{ManualClock, ScriptedFeed, Serving, TestDb, Tokens, clock, ids};
use tonic::{Code, Status};
use uuid::Uuid;

/// A running service that knows one convention in force.
pub struct Suite {
    pub database: TestDb,
    /// The database as the service opens it.
    pub db: Db,
    /// The same under the owner role, which sees everything.
    pub owner: sqlx::PgPool,
    pub clock: ManualClock,
    pub ids: IdSource,
    pub tokens: Tokens,
    pub conventions: ScriptedFeed,
    pub serving: Serving,
    pub convention: ConventionName,
    _source: Serving,
}

impl Suite {
    pub async fn start() -> Self {
        let clock = clock();
        let ids = ids(&clock, 1);
        let database = TestDb::create(SERVICE, &MIGRATOR).await;
        let db = database.db(clock.clone()).await;
        let owner = database.owner().await;
        let tokens = Tokens::new(clock.clone());
        let conventions = ScriptedFeed::default();
        let source = conventions.serve().await;
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database_url: database.app_url().to_owned(),
            conventions_url: source.url(),
            database: DatabaseConfig { max_connections: 8 },
            server: ServerConfig::default(),
            auth: tokens.auth(),
            peer_token: tokens.peer_token(SERVICE),
        };
        let environment = Environment {
            clock: Arc::new(clock.clone()),
            ids: ids.clone(),
        };
        let serving =
            Serving::start(|listener, shutdown| serve(config, environment, listener, shutdown))
                .await;
        let suite = Self {
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
        };
        suite.learn(suite.convention, 1, true).await;
        suite
    }

    /// Tells the service about a convention without the feed.
    pub async fn learn(&self, name: ConventionName, revision: i64, in_force: bool) {
        let mut tx = self.db.begin(&Scope::of_service("test")).await.unwrap();
        let convention = Convention {
            name,
            revision,
            in_force,
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
    };
    change(&mut content);
    record(reference, Content::Beneficiary(content))
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
    };
    change(&mut content);
    record(reference, Content::Entitlement(content))
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
