//! The books over gRPC.

use nonrecours_contracts::payments::{
    Account as WireAccount, AccountBalance, Discrepancy as WireDiscrepancy, DiscrepancyKind,
    LedgerEntry as Wire, ListLedgerEntriesRequest, ListLedgerEntriesResponse, PlanVerification,
    VerifyLedgerRequest, VerifyLedgerResponse,
    ledger_service_server::{LedgerService, LedgerServiceServer},
};
use nonrecours_kernel::{Caller, ConventionName, Money, OperatorName, Scope};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Page,
    convert::{to_money, to_timestamp},
    field, open,
};
use tonic::{Request, Response, Status};

use super::{
    Account, LedgerEntry, Subject, store,
    verify::{Booked, Discrepancy, Figure, Sent, Verification},
};
use crate::{
    error::Error,
    instalment::{self, Schedule},
    payment_plan::{self, Mismatch},
    recovery::{self, Recovery},
};

/// Parent of a verification over every operator that the caller may see.
const EVERY_OPERATOR: &str = "operators/-";

/// The rpcs about the books.
pub struct Ledger {
    db: Db,
}

impl Ledger {
    /// Serves them over the service's database.
    pub fn server(db: Db) -> LedgerServiceServer<Self> {
        LedgerServiceServer::new(Self { db })
    }

    async fn list(
        &self,
        request: Request<ListLedgerEntriesRequest>,
    ) -> Result<ListLedgerEntriesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator())?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListLedgerEntries", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let entries = store::list(&mut tx, &parent, page.after()?, page.limit()).await?;
        let (entries, next_page_token) = page.cut(entries, |entry| entry.id.to_string());
        Ok(ListLedgerEntriesResponse {
            ledger_entries: entries.into_iter().map(Wire::from).collect(),
            next_page_token,
        })
    }

    async fn verify(
        &self,
        request: Request<VerifyLedgerRequest>,
    ) -> Result<VerifyLedgerResponse, Error> {
        let (caller, request) = open(request)?;
        let (convention, scope) = reach(&caller, &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["VerifyLedger", &request.parent],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let (operator, after) = (scope.operator(), page.after()?);
        let conventions =
            payment_plan::store::names(&mut tx, operator, convention, after, page.limit()).await?;
        let (conventions, next_page_token) =
            page.cut(conventions, |name| name.convention.to_string());
        let schedules = instalment::store::schedules(&mut tx, &conventions).await?;
        let mut booked = store::booked(&mut tx, &conventions).await?;
        let recoveries = recovery::store::of(&mut tx, &conventions).await?;
        let mut orders = store::orders(&mut tx, &conventions).await?;
        let verifications = schedules.iter().map(|schedule| {
            let convention = schedule.plan.convention;
            let own = |recovery: &&Recovery| recovery.name.parent() == convention;
            let recoveries: Vec<_> = recoveries.iter().filter(own).collect();
            let booked = booked.remove(&convention);
            let orders = orders.remove(&convention).unwrap_or_default();
            verified(schedule, &recoveries, &orders, &booked.unwrap_or_default())
        });
        Ok(VerifyLedgerResponse {
            verifications: verifications.collect::<Result<_, Mismatch>>()?,
            next_page_token,
        })
    }
}

/// What is to be verified, once it is known that the caller may see it: one convention, or all in scope.
fn reach(caller: &Caller, parent: &str) -> Result<(Option<ConventionName>, Scope), Error> {
    if parent == EVERY_OPERATOR {
        return Ok((None, caller.scope()));
    }
    if let Ok(name) = parent.parse::<ConventionName>() {
        return Ok((Some(name), caller.reach(name.operator())?));
    }
    let name: OperatorName = field("parent", parent)?;
    Ok((None, caller.reach(name.operator())?))
}

/// The books of a plan, verified.
fn verified(
    schedule: &Schedule,
    recoveries: &[&Recovery],
    orders: &[Sent],
    booked: &[Booked],
) -> Result<PlanVerification, Mismatch> {
    let verification = Verification::of(schedule, recoveries, orders, booked)?;
    let discrepancies = verification.discrepancies.into_iter();
    Ok(PlanVerification {
        payment_plan: schedule.plan.name().to_string(),
        entry_count: verification.entries,
        balances: verification.balances.into_iter().map(balance).collect(),
        discrepancies: discrepancies.map(WireDiscrepancy::from).collect(),
    })
}

/// The balance of an account.
pub fn balance((account, amount): (Account, Money)) -> AccountBalance {
    AccountBalance {
        account: WireAccount::from(account).into(),
        amount: Some(to_money(amount)),
    }
}

impl From<Discrepancy> for WireDiscrepancy {
    fn from(discrepancy: Discrepancy) -> Self {
        let text = discrepancy.text();
        let kind = match discrepancy.figure {
            Figure::CertifiedAmount => DiscrepancyKind::CertifiedAmount,
            Figure::PaidAmount => DiscrepancyKind::PaidAmount,
            Figure::CertifiedBy => DiscrepancyKind::CertifiedBy,
            Figure::PaidBy => DiscrepancyKind::PaidBy,
            Figure::PlanPaidAmount => DiscrepancyKind::PlanPaidAmount,
            Figure::PlannedAmount => DiscrepancyKind::PlannedAmount,
            Figure::ClaimedAmount => DiscrepancyKind::ClaimedAmount,
            Figure::RecoveredAmount => DiscrepancyKind::RecoveredAmount,
            Figure::WrittenOffAmount => DiscrepancyKind::WrittenOffAmount,
            Figure::PlanRecoveredAmount => DiscrepancyKind::PlanRecoveredAmount,
            Figure::StateDueAmount => DiscrepancyKind::StateDueAmount,
            Figure::StateReceivedAmount => DiscrepancyKind::StateReceivedAmount,
            Figure::OrderAmount => DiscrepancyKind::OrderAmount,
        };
        Self {
            kind: kind.into(),
            subject: discrepancy.subject,
            expected: discrepancy.expected,
            found: discrepancy.found,
            message_fr: text.fr.into_owned(),
            message_en: text.en.into_owned(),
        }
    }
}

impl From<LedgerEntry> for Wire {
    fn from(entry: LedgerEntry) -> Self {
        let (instalment, recovery) = match &entry.subject {
            Subject::Instalment(name) => (Some(name), None),
            Subject::Recovery(name) => (None, Some(name)),
        };
        Self {
            name: entry.name(),
            instalment: instalment.map(ToString::to_string).unwrap_or_default(),
            recovery: recovery.map(ToString::to_string).unwrap_or_default(),
            recovery_revision: recovery.map_or(0, |_| entry.revision),
            debit: WireAccount::from(entry.movement.debit()).into(),
            credit: WireAccount::from(entry.movement.credit()).into(),
            amount: Some(to_money(entry.amount)),
            label: entry.label,
            actor: entry.actor,
            book_time: Some(to_timestamp(entry.book_time)),
            instalment_revision: instalment.map_or(0, |_| entry.revision),
        }
    }
}

impl From<Account> for WireAccount {
    fn from(account: Account) -> Self {
        match account {
            Account::GrantExpense => Self::GrantExpense,
            Account::OperatorPayable => Self::OperatorPayable,
            Account::Treasury => Self::Treasury,
            Account::OperatorReceivable => Self::OperatorReceivable,
            Account::GrantRecovery => Self::GrantRecovery,
            Account::Uncollectible => Self::Uncollectible,
            Account::StateReceivable => Self::StateReceivable,
            Account::StateGrant => Self::StateGrant,
        }
    }
}

#[tonic::async_trait]
impl LedgerService for Ledger {
    async fn list_ledger_entries(
        &self,
        request: Request<ListLedgerEntriesRequest>,
    ) -> Result<Response<ListLedgerEntriesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn verify_ledger(
        &self,
        request: Request<VerifyLedgerRequest>,
    ) -> Result<Response<VerifyLedgerResponse>, Status> {
        Ok(Response::new(self.verify(request).await?))
    }
}
