//! The service, those who call it, and the steps that lead to each state.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use nonrecours_contracts::{
    conventions::{
        AcceptActivityReportRequest, Act, ActivityReport, CompleteActionsRequest, Convention,
        CreateOperatorRequest, GetActivityReportRequest, GetConventionRequest, GetProgrammeRequest,
        OperatorCategory, Party, Programme, RecordActPublicationRequest, SignConventionRequest,
        SubmitActivityReportRequest, act_service_client::ActServiceClient,
        activity_report_service_client::ActivityReportServiceClient,
        agenda_service_client::AgendaServiceClient,
        amendment_service_client::AmendmentServiceClient,
        attachment_service_client::AttachmentServiceClient,
        budget_service_client::BudgetServiceClient,
        commitment_service_client::CommitmentServiceClient,
        convention_service_client::ConventionServiceClient,
        convention_version_service_client::ConventionVersionServiceClient,
        decision_service_client::DecisionServiceClient,
        dispute_service_client::DisputeServiceClient,
        document_service_client::DocumentServiceClient,
        formal_notice_service_client::FormalNoticeServiceClient,
        framework_convention_service_client::FrameworkConventionServiceClient,
        hearing_service_client::HearingServiceClient,
        identifier_service_client::IdentifierServiceClient,
        inspection_service_client::InspectionServiceClient,
        open_data_service_client::OpenDataServiceClient,
        operator_service_client::OperatorServiceClient,
        programme_report_service_client::ProgrammeReportServiceClient,
        programme_service_client::ProgrammeServiceClient,
        state_funding_service_client::StateFundingServiceClient,
    },
    feed::{Change, PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient},
    payments::{PaymentPlan, PaymentPlanState},
};
use nonrecours_conventions::{Config, MIGRATOR, SERVICE, serve};
use nonrecours_files::FilesConfig;
use nonrecours_host::{DatabaseConfig, Environment, HostSettings};
use nonrecours_kernel::{Clock as _, ConventionName, OperatorId, OperatorName, paris_date};
use nonrecours_rpc::{ServerConfig, client::PeerChannel, convert::to_date, tls::TlsConfig};
use nonrecours_testkit::{
    ManualClock, ScriptedFeed, Serving, TestDb, Tokens, clock, ids, request_id,
};
use prost_types::Duration;
use tempfile::TempDir;
use tonic::Status;

use crate::{followup::FakeFollowup, requests};

/// Longest wait for a change, seconds, of one pull; and how many pulls.
const WAIT: i64 = 5;
const PULLS: usize = 20;

/// One test's service.
pub struct World {
    pub db: TestDb,
    pub clock: ManualClock,
    pub tokens: Tokens,
    pub payments: ScriptedFeed,
    pub followup: FakeFollowup,
    /// Where the service keeps its files.
    pub files: TempDir,
    typeset_program: Option<PathBuf>,
    payments_served: Serving,
    followup_served: Serving,
    pub service: Serving,
    seed: AtomicU64,
}

/// A programme, its framework convention and an operator.
pub struct Setting {
    pub programme: String,
    pub framework: String,
    pub operator: OperatorId,
}

impl Setting {
    pub fn parent(&self) -> String {
        OperatorName {
            operator: self.operator,
        }
        .to_string()
    }
}

impl World {
    pub async fn start() -> Self {
        Self::typesetting(None).await
    }

    /// With this typesetting program.
    pub async fn typesetting(typeset_program: Option<PathBuf>) -> Self {
        let clock = clock();
        let db = TestDb::create(SERVICE, &MIGRATOR).await;
        let tokens = Tokens::new(clock.clone());
        let payments = ScriptedFeed::default();
        let followup = FakeFollowup::default();
        followup.spotted(5);
        let payments_served = payments.serve().await;
        let followup_served = followup.serve().await;
        let urls = [payments_served.url(), followup_served.url()];
        let files = tempfile::tempdir().unwrap();
        let kept = (&files, typeset_program.clone());
        let service = run(&db, &tokens, urls, kept, &clock, 1).await;
        Self {
            db,
            clock,
            tokens,
            payments,
            followup,
            files,
            typeset_program,
            payments_served,
            followup_served,
            service,
            seed: AtomicU64::new(2),
        }
    }

    /// Stops the service and starts it again.
    pub async fn restart(&mut self) {
        let seed = self.seed.fetch_add(1, Ordering::Relaxed);
        let urls = [self.payments_served.url(), self.followup_served.url()];
        let kept = (&self.files, self.typeset_program.clone());
        let next = run(&self.db, &self.tokens, urls, kept, &self.clock, seed).await;
        std::mem::replace(&mut self.service, next).stop().await;
    }

    pub fn programmes(&self, token: String) -> ProgrammeServiceClient<PeerChannel> {
        ProgrammeServiceClient::new(self.service.channel(token))
    }

    pub fn frameworks(&self, token: String) -> FrameworkConventionServiceClient<PeerChannel> {
        FrameworkConventionServiceClient::new(self.service.channel(token))
    }

    pub fn state_fundings(&self, token: String) -> StateFundingServiceClient<PeerChannel> {
        StateFundingServiceClient::new(self.service.channel(token))
    }

    pub fn roll_ups(&self, token: String) -> ProgrammeReportServiceClient<PeerChannel> {
        ProgrammeReportServiceClient::new(self.service.channel(token))
    }

    pub fn open_data(&self, token: String) -> OpenDataServiceClient<PeerChannel> {
        OpenDataServiceClient::new(self.service.channel(token))
    }

    pub fn agenda(&self, token: String) -> AgendaServiceClient<PeerChannel> {
        AgendaServiceClient::new(self.service.channel(token))
    }

    pub fn feed(&self, token: String) -> ChangeFeedServiceClient<PeerChannel> {
        ChangeFeedServiceClient::new(self.service.channel(token))
    }

    pub fn operators(&self, token: String) -> OperatorServiceClient<PeerChannel> {
        OperatorServiceClient::new(self.service.channel(token))
    }

    pub fn conventions(&self, token: String) -> ConventionServiceClient<PeerChannel> {
        ConventionServiceClient::new(self.service.channel(token))
    }

    pub fn acts(&self, token: String) -> ActServiceClient<PeerChannel> {
        ActServiceClient::new(self.service.channel(token))
    }

    pub fn reports(&self, token: String) -> ActivityReportServiceClient<PeerChannel> {
        ActivityReportServiceClient::new(self.service.channel(token))
    }

    pub fn formal_notices(&self, token: String) -> FormalNoticeServiceClient<PeerChannel> {
        FormalNoticeServiceClient::new(self.service.channel(token))
    }

    pub fn inspections(&self, token: String) -> InspectionServiceClient<PeerChannel> {
        InspectionServiceClient::new(self.service.channel(token))
    }

    pub fn hearings(&self, token: String) -> HearingServiceClient<PeerChannel> {
        HearingServiceClient::new(self.service.channel(token))
    }

    pub fn decisions(&self, token: String) -> DecisionServiceClient<PeerChannel> {
        DecisionServiceClient::new(self.service.channel(token))
    }

    pub fn disputes(&self, token: String) -> DisputeServiceClient<PeerChannel> {
        DisputeServiceClient::new(self.service.channel(token))
    }

    pub fn amendments(&self, token: String) -> AmendmentServiceClient<PeerChannel> {
        AmendmentServiceClient::new(self.service.channel(token))
    }

    pub fn versions(&self, token: String) -> ConventionVersionServiceClient<PeerChannel> {
        ConventionVersionServiceClient::new(self.service.channel(token))
    }

    pub fn documents(&self, token: String) -> DocumentServiceClient<PeerChannel> {
        DocumentServiceClient::new(self.service.channel(token))
    }

    pub fn identifiers(&self, token: String) -> IdentifierServiceClient<PeerChannel> {
        IdentifierServiceClient::new(self.service.channel(token))
    }

    pub fn attachments(&self, token: String) -> AttachmentServiceClient<PeerChannel> {
        AttachmentServiceClient::new(self.service.channel(token))
    }

    pub fn commitments(&self, token: String) -> CommitmentServiceClient<PeerChannel> {
        CommitmentServiceClient::new(self.service.channel(token))
    }

    pub fn budgets(&self, token: String) -> BudgetServiceClient<PeerChannel> {
        BudgetServiceClient::new(self.service.channel(token))
    }

    /// The changes of the service up to the first of this kind about this resource.
    pub async fn changes_until(&self, kind: &str, name: &str) -> Vec<Change> {
        self.changes_to(|change| change.kind == kind && change.name == name)
            .await
    }

    /// The changes of the service up to the first that is wanted.
    pub async fn changes_to(&self, wanted: impl Fn(&Change) -> bool) -> Vec<Change> {
        let mut client = ChangeFeedServiceClient::new(self.service.channel(self.tokens.auditor()));
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

    /// A programme with this envelope of 2025, and the commune of Dainville.
    pub async fn setting(&self, voted: i64) -> Setting {
        let request = requests::operator(requests::DAINVILLE, OperatorCategory::Commune);
        self.setting_of(voted, request).await
    }

    /// A programme with this envelope of 2025, and this operator.
    pub async fn setting_of(&self, voted: i64, operator: CreateOperatorRequest) -> Setting {
        let token = self.tokens.officer();
        let programme = requests::programme(voted);
        let mut programmes = self.programmes(token.clone());
        let programme = programmes.create_programme(programme).await.unwrap();
        let programme = programme.into_inner().name;
        let framework = requests::framework(&programme);
        let mut frameworks = self.frameworks(token.clone());
        let framework = frameworks.create_framework_convention(framework).await;
        let operator = self
            .operators(token)
            .create_operator(operator)
            .await
            .unwrap();
        let name: OperatorName = operator.into_inner().name.parse().unwrap();
        Setting {
            programme,
            framework: framework.unwrap().into_inner().name,
            operator: name.operator,
        }
    }

    /// The convention of the document, a draft.
    pub async fn draft(&self, setting: &Setting) -> Convention {
        let request = requests::convention(&setting.parent(), &setting.framework);
        let mut client = self.conventions(self.tokens.officer());
        client
            .create_convention(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Records an act as transmitted on 6 October.
    pub async fn act(&self, convention: &str, party: Party, act_id: &str) -> Act {
        let request = requests::act(convention, party, act_id);
        let mut client = self.acts(self.tokens.officer());
        client.create_act(request).await.unwrap().into_inner()
    }

    /// Records that an act was published today.
    pub async fn publish(&self, act: &str) -> Act {
        let request = RecordActPublicationRequest {
            name: act.to_owned(),
            publication_date: Some(self.today()),
            etag: String::new(),
            request_id: request_id(),
            ..RecordActPublicationRequest::default()
        };
        let mut client = self.acts(self.tokens.officer());
        client
            .record_act_publication(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// A draft with both acts transmitted and published.
    pub async fn ready(&self, setting: &Setting) -> Convention {
        let name = self.draft(setting).await.name;
        for (party, act_id) in [
            (Party::Authority, requests::CUA_ACT),
            (Party::Operator, requests::DAINVILLE_ACT),
        ] {
            let act = self.act(&name, party, act_id).await;
            self.publish(&act.name).await;
        }
        self.convention(&name).await
    }

    /// Signs, as the person who may.
    pub async fn sign(&self, request: SignConventionRequest) -> Result<Convention, Status> {
        let name: ConventionName = request.name.parse().unwrap();
        let token = match request.party() {
            Party::Authority => self.tokens.authorising_officer(),
            _ => self.tokens.manager(name.operator),
        };
        let mut client = self.conventions(token);
        Ok(client.sign_convention(request).await?.into_inner())
    }

    /// A convention in force with an operator of private law, which needs no act.
    pub async fn signed_by_association(&self, setting: &Setting) -> Convention {
        let mut request = requests::convention(&setting.parent(), &setting.framework);
        let terms = request.convention.as_mut().unwrap();
        terms.signatories[1].empowering_decision_date = Some(requests::date(2025, 9, 29));
        let mut client = self.conventions(self.tokens.officer());
        let name = client
            .create_convention(request)
            .await
            .unwrap()
            .into_inner()
            .name;
        let act = self.act(&name, Party::Authority, requests::CUA_ACT).await;
        self.publish(&act.name).await;
        self.sign(requests::sign(&name, Party::Operator))
            .await
            .unwrap();
        self.sign(requests::sign(&name, Party::Authority))
            .await
            .unwrap()
    }

    pub async fn in_force(&self, setting: &Setting) -> Convention {
        let name = self.ready(setting).await.name;
        self.sign(requests::sign(&name, Party::Operator))
            .await
            .unwrap();
        self.sign(requests::sign(&name, Party::Authority))
            .await
            .unwrap()
    }

    /// A report handed in under a convention in force.
    pub async fn submitted(&self, convention: &str) -> ActivityReport {
        let name: ConventionName = convention.parse().unwrap();
        let mut client = self.reports(self.tokens.manager(name.operator));
        let report = client
            .create_activity_report(requests::report(convention))
            .await;
        let request = SubmitActivityReportRequest {
            name: report.unwrap().into_inner().name,
            etag: String::new(),
            request_id: request_id(),
        };
        client
            .submit_activity_report(request)
            .await
            .unwrap()
            .into_inner()
    }

    pub async fn accept(&self, report: &str) -> ActivityReport {
        let request = AcceptActivityReportRequest {
            name: report.to_owned(),
            etag: String::new(),
            request_id: request_id(),
        };
        let mut client = self.reports(self.tokens.officer());
        client
            .accept_activity_report(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Records that the actions were done today.
    pub async fn complete(&self, convention: &str) -> Result<Convention, Status> {
        let request = CompleteActionsRequest {
            name: convention.to_owned(),
            completion_date: Some(self.today()),
            etag: String::new(),
            request_id: request_id(),
        };
        let mut client = self.conventions(self.tokens.officer());
        Ok(client.complete_actions(request).await?.into_inner())
    }

    /// Says in the feed of `payments` how a plan stands.
    pub fn report_plan(&self, convention: &str, revision: i64, paid: i64, kind: &str) {
        let state = match paid {
            1_150_000 => PaymentPlanState::Settled,
            _ => PaymentPlanState::Open,
        };
        let plan = PaymentPlan {
            name: format!("{convention}/paymentPlan"),
            convention: convention.to_owned(),
            grant_amount: Some(requests::euros(1_150_000)),
            paid_amount: Some(requests::euros(paid)),
            state: state.into(),
            revision,
            ..PaymentPlan::default()
        };
        self.payments.push(&plan.name, revision, kind, &plan);
    }

    pub async fn convention(&self, name: &str) -> Convention {
        let request = GetConventionRequest {
            name: name.to_owned(),
        };
        let mut client = self.conventions(self.tokens.auditor());
        client.get_convention(request).await.unwrap().into_inner()
    }

    pub async fn report(&self, name: &str) -> ActivityReport {
        let request = GetActivityReportRequest {
            name: name.to_owned(),
        };
        let mut client = self.reports(self.tokens.auditor());
        client
            .get_activity_report(request)
            .await
            .unwrap()
            .into_inner()
    }

    pub async fn programme(&self, name: &str) -> Programme {
        let request = GetProgrammeRequest {
            name: name.to_owned(),
        };
        let mut client = self.programmes(self.tokens.auditor());
        client.get_programme(request).await.unwrap().into_inner()
    }

    pub fn today(&self) -> nonrecours_contracts::google::r#type::Date {
        to_date(paris_date(self.clock.now()))
    }
}

async fn run(
    db: &TestDb,
    tokens: &Tokens,
    [payments_url, followup_url]: [String; 2],
    (files, typeset_program): (&TempDir, Option<PathBuf>),
    clock: &ManualClock,
    seed: u64,
) -> Serving {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database_url: db.app_url().to_owned(),
        followup_url,
        payments_url,
        typeset_program,
        files: FilesConfig::folder(files.path()),
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
