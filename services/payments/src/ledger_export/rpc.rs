//! The export over gRPC.

use nonrecours_contracts::payments::{
    ExportLedgerRequest, ExportLedgerResponse,
    ledger_export_service_server::{LedgerExportService, LedgerExportServiceServer},
};
use nonrecours_kernel::{Invalid, Money, ProgrammeName, paris_midnight};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{self, to_money},
    field, open,
};
use tonic::{Request, Response, Status};

use super::{Chart, HEADER, store, write};
use crate::error::Error;

/// Entries of a page when the request gives no number.
const DEFAULT_ENTRIES: i32 = 500;
/// Most entries of a page.
const MAX_ENTRIES: i32 = 2_000;

/// The rpc about the file.
pub struct LedgerExports {
    db: Db,
    chart: Chart,
}

impl LedgerExports {
    /// Serves it over the service's database, with the numbers of the accounts.
    pub fn server(db: Db, chart: Chart) -> LedgerExportServiceServer<Self> {
        LedgerExportServiceServer::new(Self { db, chart })
    }

    async fn export(
        &self,
        request: Request<ExportLedgerRequest>,
    ) -> Result<ExportLedgerResponse, Error> {
        let (caller, request) = open(request)?;
        let programme: ProgrammeName = field("parent", &request.parent)?;
        let mut check = Check::of(&request);
        let first = check.take("first_date", convert::date(request.first_date.as_ref()));
        let last = check.take("last_date", convert::date(request.last_date.as_ref()));
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            check.refuse("last_date", reversed());
        }
        let (first, last) = check.finish(|| first.zip(last))?;
        let after_last = last.next_day().unwrap_or(last);
        let period = (paris_midnight(first), paris_midnight(after_last));
        let query = [
            "ExportLedger",
            &request.parent,
            &first.to_string(),
            &last.to_string(),
        ];
        let (size, token) = (request.page_size, &request.page_token);
        let page = Page::sized(&query, size, token, DEFAULT_ENTRIES, MAX_ENTRIES)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let rows = store::list(&mut tx, &programme, period, page.after()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |(id, _)| id.to_string());
        let mut content = match page.after {
            None => HEADER.to_owned(),
            Some(_) => String::new(),
        };
        for (_, entry) in &rows {
            write(&mut content, entry, &self.chart);
        }
        let total = Money::sum(rows.iter().map(|(_, entry)| entry.amount));
        let total = total.ok_or_else(|| Failure::bug("a page of entries beyond all amounts"))?;
        Ok(ExportLedgerResponse {
            content: content.into_bytes(),
            entry_count: i32::try_from(rows.len()).unwrap_or(i32::MAX),
            total_amount: Some(to_money(total)),
            next_page_token,
        })
    }
}

fn reversed() -> Invalid {
    Invalid::new(
        "PERIOD_REVERSED",
        "the last day comes before the first",
        "Le dernier jour précède le premier.",
    )
}

#[tonic::async_trait]
impl LedgerExportService for LedgerExports {
    async fn export_ledger(
        &self,
        request: Request<ExportLedgerRequest>,
    ) -> Result<Response<ExportLedgerResponse>, Status> {
        Ok(Response::new(self.export(request).await?))
    }
}
