//! What a report shows beside its words and figures: how often it was handed in, overdue commitments, accounts.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::{BudgetName, ConventionName, paris_date};
use nonrecours_pg::Tx;
use nonrecours_rpc::convert::to_date;

use super::{domain::ActivityReport, version};
use crate::{
    budget::{self, financial::FinancialReport},
    commitment, convention,
    error::Error,
    operator::{
        self,
        duty::{REPORT_BASIS, financial_report_due},
    },
    stored::damaged,
};

/// Beside a report.
#[derive(Clone, Debug)]
pub struct Annex {
    /// How many times it was handed in.
    pub versions: i32,
    /// Commitments that are overdue.
    pub overdue: Vec<wire::OverdueCommitment>,
    /// Compte rendu financier.
    pub accounts: Option<wire::FinancialReport>,
}

impl Annex {
    /// Whether the operator owes its accounts, and nothing is recorded as spent or received.
    pub fn lacks_accounts(&self) -> bool {
        self.accounts
            .as_ref()
            .is_some_and(|accounts| accounts.required && !accounts.recorded)
    }

    /// That of the version which is handed in with it.
    pub fn handed_in(self) -> Self {
        Self {
            versions: self.versions + 1,
            ..self
        }
    }
}

/// That of a report: as of now while its words may change, as it was handed in from then on.
pub async fn of(tx: &mut Tx, report: &ActivityReport) -> Result<Annex, Error> {
    let latest = version::latest(tx, &report.name).await?;
    if report.editable().is_ok() {
        let versions = latest.map_or(0, |latest| latest.version_count);
        return current(tx, &report.name.parent(), versions).await;
    }
    let latest = latest.ok_or_else(|| {
        damaged(format_args!(
            "{} is handed in without a version",
            report.name
        ))
    })?;
    Ok(Annex {
        versions: latest.version_count,
        overdue: latest.overdue_commitments,
        accounts: latest.financial_report,
    })
}

async fn current(tx: &mut Tx, convention: &ConventionName, versions: i32) -> Result<Annex, Error> {
    let today = paris_date(tx.now());
    let overdue = commitment::store::overdue(tx, convention, today).await?;
    Ok(Annex {
        versions,
        overdue: overdue
            .into_iter()
            .map(|commitment| wire::OverdueCommitment {
                commitment: commitment.name.to_string(),
                code: commitment.code,
                text: commitment.text,
                due_date: Some(to_date(commitment.due)),
            })
            .collect(),
        accounts: accounts(tx, convention).await?,
    })
}

/// The accounts of a convention; nothing when no budget is planned and none are owed.
async fn accounts(
    tx: &mut Tx,
    name: &ConventionName,
) -> Result<Option<wire::FinancialReport>, Error> {
    let convention = convention::store::get(tx, name).await?;
    let operator = operator::store::get(tx, &name.parent()).await?;
    let budget = BudgetName {
        operator: name.operator,
        convention: name.convention,
    };
    let budget = budget::store::find(tx, &budget).await?;
    let required = operator.terms.category.owes_accounts();
    if budget.is_none() && !required {
        return Ok(None);
    }
    let year = convention.terms.budget_year;
    let report = FinancialReport::new(budget.as_ref(), convention.ceiling());
    let mut message = wire::FinancialReport {
        budget_year: i32::from(year.get()),
        required,
        ..budget::wire::financial_message(&report)
    };
    if required {
        message.due_date = financial_report_due(year).map(to_date);
        message.legal_basis = REPORT_BASIS.to_owned();
    }
    Ok(Some(message))
}
