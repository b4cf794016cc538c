//! The service, those who call it, and the convention of the demonstration.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use nonrecours_contracts::{
    conventions as source,
    feed::{Change, PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient},
    google::r#type as wire,
    payments::{
        AccountDetails, CallInstalmentRequest, CertifyInstalmentRequest, ConfirmInstalmentRequest,
        GetInstalmentRequest, GetPaymentPlanRequest, Instalment, LedgerEntry,
        ListInstalmentsRequest, ListLedgerEntriesRequest, OrderInstalmentRequest, PaymentPlan,
        instalment_service_client::InstalmentServiceClient,
        ledger_service_client::LedgerServiceClient,
        payment_plan_service_client::PaymentPlanServiceClient,
        recovery_service_client::RecoveryServiceClient,
    },
};
use nonrecours_host::{DatabaseConfig, Environment, HostSettings};
use nonrecours_kernel::{
    ConventionName, IdSource, InstalmentName, Money, OperatorId, OperatorName, paris_date,
};
use nonrecours_payments::{Config, DEFAULT_ACCOUNTS, MIGRATOR, SERVICE, serve};
use nonrecours_rpc::{
    ServerConfig,
    client::PeerChannel,
    convert::{to_date, to_money},
    details::Details,
    tls::TlsConfig,
};
use nonrecours_testkit::{
    ManualClock, ScriptedFeed, Serving, TestDb, Tokens, clock, ids, request_id,
};
use prost_types::Duration;
use tonic::Status;

use crate::papers::{FILES, NEEDED, documents};

/// An account of the commune at the Treasury.
pub const IBAN: &str = "FR903000100152D620000000041";
/// Longest wait for a change, seconds, of one pull; and how many pulls.
const WAIT: i64 = 5;
const PULLS: usize = 20;

/// One test's service.
pub struct World {
    pub db: TestDb,
    pub clock: ManualClock,
    pub tokens: Tokens,
    pub feed: ScriptedFeed,
    pub ids: IdSource,
    source: Serving,
    pub service: Serving,
    seed: AtomicU64,
}

/// A convention of which `payments` has learned.
pub struct Agreed {
    pub operator: OperatorId,
    pub convention: ConventionName,
    pub advance: Instalment,
    pub balance: Instalment,
}

impl World {
    pub async fn start() -> Self {
        let clock = clock();
        let db = TestDb::create(SERVICE, &MIGRATOR).await;
        let tokens = Tokens::new(clock.clone());
        let feed = ScriptedFeed::default();
        let source = feed.serve().await;
        let service = run(db.app_url(), &tokens, &source, &clock, 1).await;
        Self {
            ids: ids(&clock, 1_000),
            seed: AtomicU64::new(2),
            db,
            clock,
            tokens,
            feed,
            source,
            service,
        }
    }

    /// Another instance of the service on the same database, with other ids.
    pub async fn instance(&self) -> Serving {
        let seed = self.seed.fetch_add(1, Ordering::Relaxed);
        run(
            self.db.app_url(),
            &self.tokens,
            &self.source,
            &self.clock,
            seed,
        )
        .await
    }

    /// The same over another way to the database.
    pub async fn instance_on(&self, database_url: &str) -> Serving {
        let seed = self.seed.fetch_add(1, Ordering::Relaxed);
        run(database_url, &self.tokens, &self.source, &self.clock, seed).await
    }

    /// Stops the service and starts it again.
    pub async fn restart(&mut self) {
        let next = self.instance().await;
        std::mem::replace(&mut self.service, next).stop().await;
    }

    pub fn plans(&self, token: String) -> PaymentPlanServiceClient<PeerChannel> {
        PaymentPlanServiceClient::new(self.service.channel(token))
    }

    pub fn instalments(&self, token: String) -> InstalmentServiceClient<PeerChannel> {
        InstalmentServiceClient::new(self.service.channel(token))
    }

    pub fn ledger(&self, token: String) -> LedgerServiceClient<PeerChannel> {
        LedgerServiceClient::new(self.service.channel(token))
    }

    pub fn recoveries(&self, token: String) -> RecoveryServiceClient<PeerChannel> {
        RecoveryServiceClient::new(self.service.channel(token))
    }

    pub fn changes(&self, token: String) -> ChangeFeedServiceClient<PeerChannel> {
        ChangeFeedServiceClient::new(self.service.channel(token))
    }

    /// The changes of the service up to the first of this kind about this resource.
    pub async fn changes_until(&self, kind: &str, name: &str) -> Vec<Change> {
        self.changes_to(|change| change.kind == kind && change.name == name)
            .await
    }

    /// The changes of the service up to the first that is wanted.
    pub async fn changes_to(&self, wanted: impl Fn(&Change) -> bool) -> Vec<Change> {
        let mut client = self.changes(self.tokens.auditor());
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        for _ in 0..PULLS {
            let request = PullChangesRequest {
                cursor,
                page_size: 500,
                wait: Some(Duration {
                    seconds: WAIT,
                    nanos: 0,
                }),
            };
            let page = client.pull_changes(request).await.unwrap().into_inner();
            cursor = page.next_cursor;
            for change in page.changes {
                let found = wanted(&change);
                seen.push(change);
                if found {
                    return seen;
                }
            }
        }
        panic!("the change does not come; {} came", seen.len());
    }

    /// Says in the feed of `conventions` that there is a new operator.
    pub fn operator(&self) -> OperatorName {
        let name = OperatorName {
            operator: self.ids.next(),
        };
        self.tell_operator(name, 1, "Commune de Dainville");
        name
    }

    pub fn tell_operator(&self, name: OperatorName, revision: i64, legal_name: &str) {
        self.tell_operator_of(
            source::OperatorCategory::Commune,
            name,
            revision,
            legal_name,
        );
    }

    pub fn tell_operator_of(
        &self,
        category: source::OperatorCategory,
        name: OperatorName,
        revision: i64,
        legal_name: &str,
    ) {
        let snapshot = source::Operator {
            name: name.to_string(),
            legal_name: legal_name.to_owned(),
            siret: "21620263000010".to_owned(),
            category: category.into(),
            address: "Place de la Mairie – 62217 Dainville".to_owned(),
            ..Default::default()
        };
        self.feed
            .push(&snapshot.name, revision, "operator.updated", &snapshot);
    }

    /// A convention of 11 500 € in 80 % and 20 %, in force, at revision 7.
    pub fn convention(&self, operator: OperatorName) -> source::Convention {
        let name = ConventionName {
            operator: operator.operator,
            convention: self.ids.next(),
        };
        let term = |kind: source::InstalmentKind, share: &str, cents| source::InstalmentTerm {
            kind: kind.into(),
            share: share.to_owned(),
            amount: Some(euros(cents)),
            ..Default::default()
        };
        source::Convention {
            name: name.to_string(),
            title: "Convention de partenariat 2025".to_owned(),
            budget_year: 2025,
            grant_amount: Some(euros(1_150_000)),
            instalment_terms: vec![
                term(source::InstalmentKind::Advance, "0.8", 920_000),
                term(source::InstalmentKind::Balance, "0.2", 230_000),
            ],
            state: source::ConventionState::InForce.into(),
            revision: 7,
            ..Default::default()
        }
    }

    /// Says that there is a convention, after the files that may justify its payments.
    pub fn tell(&self, convention: &source::Convention) {
        let name: ConventionName = convention.name.parse().unwrap();
        for kind in FILES {
            self.tell_file(&name, kind, false);
        }
        self.feed.push(
            &convention.name,
            convention.revision,
            "convention.updated",
            convention,
        );
    }

    /// An operator with its convention in force, learned by the service.
    pub async fn agreed(&self) -> Agreed {
        let operator = self.operator();
        self.learned(&self.convention(operator)).await
    }

    /// Tells of the convention and waits until its plan is there; the operator's account is approved.
    pub async fn learned(&self, convention: &source::Convention) -> Agreed {
        self.tell(convention);
        let name: ConventionName = convention.name.parse().unwrap();
        self.changes_until("payment_plan.opened", &format!("{name}/paymentPlan"))
            .await;
        self.account(&name).await;
        let [advance, balance] = self.schedule(&name).await.try_into().unwrap();
        Agreed {
            operator: name.operator,
            convention: name,
            advance,
            balance,
        }
    }

    /// Tells that the actions are completed and waits until it is known.
    pub async fn completed(&self, mut convention: source::Convention) {
        convention.state = source::ConventionState::Completed.into();
        convention.revision += 1;
        self.tell(&convention);
        let plan = format!("{}/paymentPlan", convention.name);
        self.changes_until("payment_plan.updated", &plan).await;
    }

    pub async fn plan(&self, convention: &ConventionName) -> PaymentPlan {
        let name = format!("{convention}/paymentPlan");
        let request = GetPaymentPlanRequest { name };
        let mut client = self.plans(self.tokens.auditor());
        client.get_payment_plan(request).await.unwrap().into_inner()
    }

    pub async fn schedule(&self, convention: &ConventionName) -> Vec<Instalment> {
        let request = ListInstalmentsRequest {
            parent: convention.to_string(),
            ..Default::default()
        };
        let mut client = self.instalments(self.tokens.auditor());
        let page = client.list_instalments(request).await.unwrap();
        page.into_inner().instalments
    }

    pub async fn instalment(&self, name: &str) -> Instalment {
        let request = GetInstalmentRequest {
            name: name.to_owned(),
        };
        let mut client = self.instalments(self.tokens.auditor());
        client.get_instalment(request).await.unwrap().into_inner()
    }

    pub async fn entries(&self, convention: &ConventionName) -> Vec<LedgerEntry> {
        let request = ListLedgerEntriesRequest {
            parent: convention.to_string(),
            ..Default::default()
        };
        let mut client = self.ledger(self.tokens.auditor());
        let page = client.list_ledger_entries(request).await.unwrap();
        page.into_inner().ledger_entries
    }

    /// Calls as the operator's manager.
    pub async fn call(&self, request: CallInstalmentRequest) -> Result<Instalment, Status> {
        let operator: OperatorId = request.name.split('/').nth(1).unwrap().parse().unwrap();
        let mut client = self.instalments(self.tokens.manager(operator));
        Ok(client.call_instalment(request).await?.into_inner())
    }

    /// Certifies as a programme officer.
    pub async fn certify(&self, request: CertifyInstalmentRequest) -> Result<Instalment, Status> {
        let mut client = self.instalments(self.tokens.officer());
        Ok(client.certify_instalment(request).await?.into_inner())
    }

    /// Orders as the authorising officer.
    pub async fn order(&self, request: OrderInstalmentRequest) -> Result<Instalment, Status> {
        let mut client = self.instalments(self.tokens.authorising_officer());
        Ok(client.order_instalment(request).await?.into_inner())
    }

    /// Confirms as the accountant.
    pub async fn confirm(&self, request: ConfirmInstalmentRequest) -> Result<Instalment, Status> {
        let mut client = self.instalments(self.tokens.accountant());
        Ok(client.confirm_instalment(request).await?.into_inner())
    }

    /// Takes an instalment from PLANNED through this many of its four steps, each by its own person.
    pub async fn advance(&self, name: &str, steps: usize) -> Instalment {
        self.advance_between(name, 0, steps).await
    }

    /// The same from after the first steps to the end.
    pub async fn advance_from(&self, name: &str, made: usize) -> Instalment {
        self.advance_between(name, made, 4).await
    }

    async fn advance_between(&self, name: &str, made: usize, steps: usize) -> Instalment {
        for step in made..steps {
            match step {
                0 => {
                    let instalment: InstalmentName = name.parse().unwrap();
                    self.account(&instalment.parent()).await;
                    self.call(call(name)).await.unwrap()
                }
                1 => self.certify(certify(name)).await.unwrap(),
                2 => self.order(order(name)).await.unwrap(),
                _ => self.confirm(confirm(name, &self.clock)).await.unwrap(),
            };
        }
        self.instalment(name).await
    }
}

async fn run(
    database_url: &str,
    tokens: &Tokens,
    source: &Serving,
    clock: &ManualClock,
    seed: u64,
) -> Serving {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database_url: database_url.to_owned(),
        accounts: DEFAULT_ACCOUNTS.parse().unwrap(),
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
        ids: ids(clock, seed),
    };
    Serving::start(|listener, shutdown| serve(config, environment, listener, shutdown)).await
}

pub fn euros(cents: i64) -> wire::Money {
    to_money(Money::from_cents(cents))
}

pub fn rib() -> AccountDetails {
    AccountDetails {
        iban: "fr90 3000 1001 52d6 2000 0000 041".to_owned(),
        bic: "BDFEFRPPCCT".to_owned(),
        holder: "Commune de Dainville".to_owned(),
        warnings: Vec::new(),
    }
}

pub fn call(name: &str) -> CallInstalmentRequest {
    CallInstalmentRequest {
        name: name.to_owned(),
        reference: "2025-114".to_owned(),
        bank_account: Some(rib()),
        documents: documents(name, &NEEDED),
        request_id: request_id(),
        ..Default::default()
    }
}

pub fn certify(name: &str) -> CertifyInstalmentRequest {
    CertifyInstalmentRequest {
        name: name.to_owned(),
        request_id: request_id(),
        ..Default::default()
    }
}

pub fn order(name: &str) -> OrderInstalmentRequest {
    OrderInstalmentRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

/// The transfer was made today.
pub fn confirm(name: &str, clock: &ManualClock) -> ConfirmInstalmentRequest {
    use nonrecours_kernel::Clock as _;
    ConfirmInstalmentRequest {
        name: name.to_owned(),
        transfer_date: Some(to_date(paris_date(clock.now()))),
        etag: String::new(),
        request_id: request_id(),
    }
}

/// The reason of a refusal.
pub fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    let details = Details::of(&outcome.unwrap_err());
    assert!(!details.french.is_empty());
    details.reason
}
