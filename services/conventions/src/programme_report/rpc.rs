//! Roll-ups over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, GetProgrammeReportRequest,
    programme_report_service_server::{ProgrammeReportService, ProgrammeReportServiceServer},
};
use nonrecours_kernel::{BudgetYear, ProgrammeName, paris_date};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Failure,
    convert::{to_money, to_warning},
    field, open,
};
use tonic::{Request, Response, Status};

use super::{
    domain::{Figures, total, warnings},
    store,
};
use crate::{error::Error, programme};

/// The service of roll-ups.
pub struct ProgrammeReports {
    db: Db,
}

impl ProgrammeReports {
    /// Over the service's database.
    pub fn server(db: Db) -> ProgrammeReportServiceServer<Self> {
        ProgrammeReportServiceServer::new(Self { db })
    }

    async fn get(
        &self,
        request: Request<GetProgrammeReportRequest>,
    ) -> Result<wire::ProgrammeReport, Error> {
        let (caller, request) = open(request)?;
        let name: ProgrammeName = field("programme", &request.programme)?;
        let mut check = Check::of(&request);
        let year = check.take("budget_year", BudgetYear::new(request.budget_year));
        let year = check.finish(|| year)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        programme::store::get(&mut tx, &name).await?;
        let mut operators = store::roll_up(&mut tx, &name, year).await?;
        let today = paris_date(tx.now());
        for (operator, overdue) in store::overdue(&mut tx, &name, year, today).await? {
            if let Some(found) = operators.iter_mut().find(|it| it.name == operator) {
                found.figures.overdue_commitments = overdue;
            }
        }
        let total = total(&operators).ok_or_else(|| Failure::bug("a sum out of its range"))?;
        Ok(wire::ProgrammeReport {
            programme: name.to_string(),
            budget_year: i32::from(year.get()),
            warnings: warnings(&operators, &total)
                .iter()
                .map(to_warning)
                .collect(),
            operators: operators
                .into_iter()
                .map(|operator| wire::OperatorRollUp {
                    operator: operator.name.to_string(),
                    legal_name: operator.legal_name,
                    figures: Some(message(&operator.figures)),
                })
                .collect(),
            total: Some(message(&total)),
        })
    }
}

#[tonic::async_trait]
impl ProgrammeReportService for ProgrammeReports {
    async fn get_programme_report(
        &self,
        request: Request<GetProgrammeReportRequest>,
    ) -> Result<Response<wire::ProgrammeReport>, Status> {
        Ok(Response::new(self.get(request).await?))
    }
}

fn message(figures: &Figures) -> wire::RollUpFigures {
    wire::RollUpFigures {
        conventions: figures.conventions,
        accepted_reports: figures.accepted_reports,
        grant_amount: Some(to_money(figures.grant)),
        paid_amount: Some(to_money(figures.paid)),
        spent_amount: Some(to_money(figures.spent)),
        persons_spotted: figures.persons_spotted,
        persons_supported: figures.persons_supported,
        entitlements_opened: figures.entitlements_opened,
        yearly_amount_opened: Some(to_money(figures.yearly_amount_opened)),
        sessions_held: figures.sessions_held,
        overdue_commitments: figures.overdue_commitments,
        targets: Some(targets(figures.targets)),
        reported_targets: Some(targets(figures.reported_targets)),
    }
}

fn targets(
    [persons_spotted, persons_supported, entitlements_opened]: [i64; 3],
) -> wire::RollUpTargets {
    wire::RollUpTargets {
        persons_spotted,
        persons_supported,
        entitlements_opened,
    }
}
