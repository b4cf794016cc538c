//! The cash position over gRPC.

use nonrecours_contracts::payments::{
    CashPosition as Wire, GetCashPositionRequest,
    cash_position_service_server::{CashPositionService, CashPositionServiceServer},
};
use nonrecours_kernel::{Invalid, ProgrammeName, paris_date, paris_midnight};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check,
    convert::{self, to_date, to_money},
    field, open,
};
use time::Date;
use tonic::{Request, Response, Status};

use super::{CashPosition, store};
use crate::error::Error;

/// The rpc about cash.
pub struct CashPositions {
    db: Db,
}

impl CashPositions {
    /// Serves it over the service's database.
    pub fn server(db: Db) -> CashPositionServiceServer<Self> {
        CashPositionServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetCashPositionRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let programme: ProgrammeName = field("parent", &request.parent)?;
        let today = paris_date(self.db.clock().now());
        let mut check = Check::of(&request);
        let asked = match request.date.as_ref() {
            None => Some((today, today.next_day().unwrap_or(Date::MAX))),
            Some(date) => {
                let date = convert::date(Some(date)).and_then(|date| ended(date, today));
                check.take("date", date)
            }
        };
        let (date, next) = check.finish(|| asked)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let end = paris_midnight(next);
        let position = store::before(&mut tx, &programme, end).await?;
        Ok(message(&programme, date, &position))
    }
}

/// A day that is not in the future, with the day after.
fn ended(date: Date, today: Date) -> Result<(Date, Date), Invalid> {
    let next = date.next_day().filter(|_| date <= today);
    next.map(|next| (date, next)).ok_or_else(|| {
        Invalid::new(
            "DATE_IN_FUTURE",
            "the day is in the future",
            "La date est dans le futur : la situation se lit à ce jour au plus tard.",
        )
    })
}

fn message(programme: &ProgrammeName, date: Date, position: &CashPosition) -> Wire {
    let euros = |amount| Some(to_money(amount));
    Wire {
        programme: programme.to_string(),
        date: Some(to_date(date)),
        state_granted_amount: euros(position.granted),
        state_received_amount: euros(position.received),
        state_receivable_amount: euros(position.receivable),
        paid_amount: euros(position.paid),
        ordered_amount: euros(position.ordered.ordered),
        engaged_amount: euros(position.ordered.engaged),
        payable_amount: euros(position.payable),
        recovered_amount: euros(position.recovered),
        recoverable_amount: euros(position.recoverable),
        cash_amount: euros(position.cash),
    }
}

#[tonic::async_trait]
impl CashPositionService for CashPositions {
    async fn get_cash_position(
        &self,
        request: Request<GetCashPositionRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }
}
