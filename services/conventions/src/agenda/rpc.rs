//! The agenda over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, ListDueRequest, ListDueResponse,
    agenda_service_server::{AgendaService, AgendaServiceServer},
};
use nonrecours_kernel::{OperatorName, ProgrammeName, paris_date};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Page,
    convert::{date, to_date},
    field, open,
};
use tonic::{Request, Response, Status};

use super::{
    domain::{Due, due},
    kind::Kind,
    store::{self, Whose},
};
use crate::{error::Error, operator, programme};

/// What an operator's name begins with.
const OPERATORS: &str = "operators/";

/// The service of the agenda.
pub struct Agenda {
    db: Db,
}

impl Agenda {
    /// Over the service's database.
    pub fn server(db: Db) -> AgendaServiceServer<Self> {
        AgendaServiceServer::new(Self { db })
    }

    async fn list(&self, request: Request<ListDueRequest>) -> Result<ListDueResponse, Error> {
        let (caller, request) = open(request)?;
        let (operator, programme) = if request.parent.starts_with(OPERATORS) {
            (
                Some(field::<OperatorName>("parent", &request.parent)?),
                None,
            )
        } else {
            (
                None,
                Some(field::<ProgrammeName>("parent", &request.parent)?),
            )
        };
        let scope = match operator {
            Some(operator) => caller.reach(operator.operator)?,
            None => caller.scope(),
        };
        let mut check = Check::of(&request);
        let until = check.take("until_date", date(request.until_date.as_ref()));
        let until = check.finish(|| until)?;
        let page = Page::read(
            &["ListDue", &request.parent, &until.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        if let Some(name) = &operator {
            operator::store::get(&mut tx, name).await?;
        }
        if let Some(name) = &programme {
            programme::store::get(&mut tx, name).await?;
        }
        let whose = Whose {
            programme: programme.map(|name| name.programme),
            operator: scope.operator(),
        };
        let facts = store::facts(&mut tx, &whose).await?;
        let after = page.after::<String>()?;
        let rows = due(&facts, paris_date(tx.now()), until)
            .into_iter()
            .filter(|it| after.as_ref().is_none_or(|after| *after < key(it)))
            .collect();
        let (rows, next_page_token) = page.cut(rows, key);
        Ok(ListDueResponse {
            due: rows.into_iter().map(message).collect(),
            next_page_token,
        })
    }
}

#[tonic::async_trait]
impl AgendaService for Agenda {
    async fn list_due(
        &self,
        request: Request<ListDueRequest>,
    ) -> Result<Response<ListDueResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}

/// A text that sorts as the agenda does: one resource has one thing due of a kind and day, but for the State's two
/// instalments, which the text tells apart.
fn key(due: &Due) -> String {
    format!(
        "{} {:02} {} {}",
        due.date,
        i32::from(to_kind(due.kind)),
        due.subject,
        due.text.fr
    )
}

fn to_kind(kind: Kind) -> wire::DueKind {
    match kind {
        Kind::ActivityReport => wire::DueKind::ActivityReport,
        Kind::GrantPublication => wire::DueKind::GrantPublication,
        Kind::ActTransmission => wire::DueKind::ActTransmission,
        Kind::ActPublication => wire::DueKind::ActPublication,
        Kind::BudgetYearEnd => wire::DueKind::BudgetYearEnd,
        Kind::LastPaymentOrder => wire::DueKind::LastPaymentOrder,
        Kind::StateReport => wire::DueKind::StateReport,
        Kind::StateInstalment => wire::DueKind::StateInstalment,
        Kind::FormalNotice => wire::DueKind::FormalNotice,
        Kind::CommitmentReminder => wire::DueKind::CommitmentReminder,
        Kind::Commitment => wire::DueKind::Commitment,
        Kind::Hearing => wire::DueKind::Hearing,
        Kind::DeviationCase => wire::DueKind::DeviationCase,
        Kind::FinancialReport => wire::DueKind::FinancialReport,
        Kind::RepublicanCommitment => wire::DueKind::RepublicanCommitment,
        Kind::IndicativeEnd => wire::DueKind::IndicativeEnd,
    }
}

fn message(due: Due) -> wire::Due {
    wire::Due {
        due_date: Some(to_date(due.date)),
        kind: to_kind(due.kind).into(),
        subject: due.subject,
        message_fr: due.text.fr.to_string(),
        message_en: due.text.en.to_string(),
        legal_basis: due.kind.legal_basis().to_owned(),
        overdue: due.overdue,
    }
}
