//! The books over gRPC.

use nonrecours_contracts::payments::{
    Account as WireAccount, LedgerEntry as Wire, ListLedgerEntriesRequest,
    ListLedgerEntriesResponse,
    ledger_service_server::{LedgerService, LedgerServiceServer},
};
use nonrecours_kernel::ConventionName;
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Page,
    convert::{to_money, to_timestamp},
    field, open,
};
use tonic::{Request, Response, Status};

use super::{Account, LedgerEntry, store};
use crate::error::Error;

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
}

impl From<LedgerEntry> for Wire {
    fn from(entry: LedgerEntry) -> Self {
        Self {
            name: entry.name(),
            instalment: entry.instalment.to_string(),
            debit: WireAccount::from(entry.movement.debit()).into(),
            credit: WireAccount::from(entry.movement.credit()).into(),
            amount: Some(to_money(entry.amount)),
            label: entry.label,
            actor: entry.actor,
            book_time: Some(to_timestamp(entry.book_time)),
            instalment_revision: entry.instalment_revision,
        }
    }
}

impl From<Account> for WireAccount {
    fn from(account: Account) -> Self {
        match account {
            Account::GrantExpense => Self::GrantExpense,
            Account::OperatorPayable => Self::OperatorPayable,
            Account::Treasury => Self::Treasury,
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
}
