//! Calling the suite as its users do: with a token, and again when a part of it was away.

use std::{future::Future, sync::Arc, time::Duration};

use nonrecours_contracts::{
    conventions::{
        act_service_client::ActServiceClient,
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
        inspection_service_client::InspectionServiceClient,
        open_data_service_client::OpenDataServiceClient,
        operator_service_client::OperatorServiceClient,
        programme_report_service_client::ProgrammeReportServiceClient,
        programme_service_client::ProgrammeServiceClient,
        state_funding_service_client::StateFundingServiceClient,
    },
    feed::change_feed_service_client::ChangeFeedServiceClient,
    followup::{
        access_service_client::AccessServiceClient,
        beneficiary_identity_service_client::BeneficiaryIdentityServiceClient,
        beneficiary_merge_service_client::BeneficiaryMergeServiceClient,
        beneficiary_service_client::BeneficiaryServiceClient,
        entitlement_service_client::EntitlementServiceClient,
        erasure_service_client::ErasureServiceClient,
        indicator_service_client::IndicatorServiceClient,
        legal_hold_service_client::LegalHoldServiceClient,
        local_aid_service_client::LocalAidServiceClient, note_service_client::NoteServiceClient,
        push_service_client::PushServiceClient,
        received_referral_service_client::ReceivedReferralServiceClient,
        referral_service_client::ReferralServiceClient,
        renewal_service_client::RenewalServiceClient,
        retention_service_client::RetentionServiceClient,
        session_service_client::SessionServiceClient, step_service_client::StepServiceClient,
        subject_request_service_client::SubjectRequestServiceClient,
    },
    payments::{
        bank_account_service_client::BankAccountServiceClient,
        budget_year_service_client::BudgetYearServiceClient,
        cash_position_service_client::CashPositionServiceClient,
        explanation_service_client::ExplanationServiceClient,
        instalment_service_client::InstalmentServiceClient,
        ledger_export_service_client::LedgerExportServiceClient,
        ledger_service_client::LedgerServiceClient,
        payment_difference_service_client::PaymentDifferenceServiceClient,
        payment_plan_service_client::PaymentPlanServiceClient,
        posting_codes_service_client::PostingCodesServiceClient,
        recovery_service_client::RecoveryServiceClient,
        return_file_service_client::ReturnFileServiceClient,
        slip_service_client::SlipServiceClient,
        state_receivable_service_client::StateReceivableServiceClient,
    },
};
use nonrecours_rpc::{
    auth::TokenSource,
    client::{self, PeerChannel},
    details::Details,
    tls::ClientTls,
};
use tonic::{Code, Response, Status};

use crate::suite::Addresses;

/// Attempts of one call before giving up: a fault that lasts a minute is outlasted.
const ATTEMPTS: u32 = 240;
/// Pause after a first failure; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The three services as one caller sees them.
#[derive(Clone)]
pub struct Client {
    conventions: PeerChannel,
    followup: PeerChannel,
    payments: PeerChannel,
}

impl Client {
    /// Connects, lazily, with the tokens of a source.
    pub fn with_source(addresses: &Addresses, token: TokenSource) -> anyhow::Result<Self> {
        let tls = ClientTls::trusting(addresses.authorities.clone());
        let connect = |url| client::connect(url, token.clone(), tls.clone());
        Ok(Self {
            conventions: connect(&addresses.conventions)?,
            followup: connect(&addresses.followup)?,
            payments: connect(&addresses.payments)?,
        })
    }

    /// The same services with a token made for each call.
    pub fn signing<F, E>(addresses: &Addresses, make: F) -> anyhow::Result<Self>
    where
        F: Fn() -> Result<String, E> + Send + Sync + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::with_source(addresses, TokenSource::from_fn(make))
    }
}

macro_rules! clients {
    ($($method:ident: $client:ident on $channel:ident;)+) => {
        impl Client {
            $(
                /// Client of this gRPC service.
                pub fn $method(&self) -> $client<PeerChannel> {
                    $client::new(self.$channel.clone())
                }
            )+
        }
    };
}

clients! {
    programmes: ProgrammeServiceClient on conventions;
    framework_conventions: FrameworkConventionServiceClient on conventions;
    operators: OperatorServiceClient on conventions;
    conventions: ConventionServiceClient on conventions;
    acts: ActServiceClient on conventions;
    activity_reports: ActivityReportServiceClient on conventions;
    agenda: AgendaServiceClient on conventions;
    attachments: AttachmentServiceClient on conventions;
    open_data: OpenDataServiceClient on conventions;
    programme_reports: ProgrammeReportServiceClient on conventions;
    state_fundings: StateFundingServiceClient on conventions;
    formal_notices: FormalNoticeServiceClient on conventions;
    inspections: InspectionServiceClient on conventions;
    hearings: HearingServiceClient on conventions;
    decisions: DecisionServiceClient on conventions;
    disputes: DisputeServiceClient on conventions;
    commitments: CommitmentServiceClient on conventions;
    budgets: BudgetServiceClient on conventions;
    amendments: AmendmentServiceClient on conventions;
    convention_versions: ConventionVersionServiceClient on conventions;
    documents: DocumentServiceClient on conventions;
    conventions_feed: ChangeFeedServiceClient on conventions;
    beneficiaries: BeneficiaryServiceClient on followup;
    beneficiary_identities: BeneficiaryIdentityServiceClient on followup;
    entitlements: EntitlementServiceClient on followup;
    steps: StepServiceClient on followup;
    notes: NoteServiceClient on followup;
    referrals: ReferralServiceClient on followup;
    local_aids: LocalAidServiceClient on followup;
    received_referrals: ReceivedReferralServiceClient on followup;
    sessions: SessionServiceClient on followup;
    push: PushServiceClient on followup;
    indicators: IndicatorServiceClient on followup;
    renewals: RenewalServiceClient on followup;
    erasures: ErasureServiceClient on followup;
    accesses: AccessServiceClient on followup;
    subject_requests: SubjectRequestServiceClient on followup;
    beneficiary_merges: BeneficiaryMergeServiceClient on followup;
    legal_holds: LegalHoldServiceClient on followup;
    retention: RetentionServiceClient on followup;
    payment_plans: PaymentPlanServiceClient on payments;
    bank_accounts: BankAccountServiceClient on payments;
    instalments: InstalmentServiceClient on payments;
    explanations: ExplanationServiceClient on payments;
    ledger: LedgerServiceClient on payments;
    posting_codes: PostingCodesServiceClient on payments;
    slips: SlipServiceClient on payments;
    return_files: ReturnFileServiceClient on payments;
    payment_differences: PaymentDifferenceServiceClient on payments;
    recoveries: RecoveryServiceClient on payments;
    budget_years: BudgetYearServiceClient on payments;
    state_receivables: StateReceivableServiceClient on payments;
    ledger_exports: LedgerExportServiceClient on payments;
    cash_positions: CashPositionServiceClient on payments;
    payments_feed: ChangeFeedServiceClient on payments;
}

/// Sends a request until it is answered or refused: again, with the same request id, when a part of the suite was away
/// or another change in the way.
pub async fn answered<R, F>(mut send: impl FnMut() -> F) -> Result<R, Status>
where
    F: Future<Output = Result<Response<R>, Status>>,
{
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        match send().await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) if attempt < ATTEMPTS && may_be_sent_again(&status) => {
                tracing::debug!(code = ?status.code(), attempt, "sending again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                attempt += 1;
            }
            Err(status) => return Err(status),
        }
    }
}

/// True when the same request may be sent again: the service says so, or it broke off without a word of its own.
pub fn may_be_sent_again(status: &Status) -> bool {
    let details = Details::of(status);
    if details.retry.is_some() || status.code() == Code::Unavailable {
        return true;
    }
    let broke_off = matches!(
        status.code(),
        Code::Unknown | Code::Internal | Code::Cancelled
    );
    broke_off && details.reason.is_empty()
}

/// Shared by those who need a token per role.
pub type Issuer = Arc<nonrecours_issuer::DevIssuer>;
