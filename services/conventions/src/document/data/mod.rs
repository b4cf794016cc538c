//! The data of documents: what is recorded, in the words and figures that people read.
//!
//! One text per state of things: each struct's fields come in the order in which they are declared. The templates of the
//! typesetting program read the same names.

mod activity_report;
mod amendment;
mod convention;
mod decision;
mod formal_notice;
mod statement_of_payments;

use nonrecours_kernel::{Money, OperatorName, long_french_date, money_in_words, paris_date};
use nonrecours_pg::Tx;
use nonrecours_rpc::Failure;
use serde::Serialize;
use time::Date;

use super::domain::Subject;
use crate::{
    convention::{domain::Convention, party::Party, terms::InstalmentKind},
    error::Error,
    framework_convention::domain::FrameworkConvention,
    operator::domain::Operator,
    programme::domain::Programme,
};

/// The data of a document as JSON. Refuses a subject that does not exist.
pub async fn draw(tx: &mut Tx, subject: &Subject) -> Result<String, Error> {
    let frame = Frame::read(tx, subject).await?;
    match subject {
        Subject::Convention(_) => convention::draw(tx, &frame).await,
        Subject::StatementOfPayments(_) => {
            frame.convention.signed()?;
            let today = paris_date(tx.now());
            frame.write(today, statement_of_payments::of(&frame.convention, today))
        }
        Subject::FormalNotice(name) => formal_notice::draw(tx, &frame, name).await,
        Subject::Decision(name) => decision::draw(tx, &frame, name).await,
        Subject::ActivityReport(name) => activity_report::draw(tx, &frame, name).await,
        Subject::Amendment(name) => amendment::draw(tx, frame, name).await,
    }
}

/// Whose document it is.
struct Frame {
    convention: Convention,
    operator: Operator,
    programme: Programme,
    framework: FrameworkConvention,
}

impl Frame {
    async fn read(tx: &mut Tx, subject: &Subject) -> Result<Self, Error> {
        use crate::{convention, framework_convention, operator, programme};
        let name = subject.convention();
        let found = convention::store::get(tx, &name).await?;
        let operator = OperatorName {
            operator: name.operator,
        };
        let framework = found.terms.framework_convention;
        Ok(Self {
            convention: found,
            operator: operator::store::get(tx, &operator).await?,
            programme: programme::store::get(tx, &framework.parent()).await?,
            framework: framework_convention::store::get(tx, &framework).await?,
        })
    }

    /// The data of a document of that day, with what only its kind has.
    fn write<O: Serialize>(&self, day: Date, own: O) -> Result<String, Error> {
        let (programme, operator) = (&self.programme.terms, &self.operator.terms);
        let convention = &self.convention;
        let data = Data {
            date: day.to_string(),
            authority: Authority {
                name: programme.authority_name.clone(),
                siret: programme.authority_siret.spaced(),
            },
            programme: programme.display_name.clone(),
            operator: Body {
                name: operator.legal_name.clone(),
                siret: operator.siret.spaced(),
                address: operator.address.clone(),
                public: operator.category.is_public(),
            },
            convention: About {
                title: convention.terms.title.clone(),
                budget_year: convention.terms.budget_year.get(),
                framework: Framework {
                    title: self.framework.terms.title.clone(),
                    date: long_french_date(self.framework.terms.vote_date),
                },
                signed: convention
                    .execution()
                    .map(|execution| long_french_date(paris_date(execution.since))),
            },
            own,
        };
        serde_json::to_string(&data).map_err(|error| Failure::internal(&error).into())
    }
}

#[derive(Serialize)]
struct Data<O> {
    /// `2025-10-07`: the one day that the program reads.
    date: String,
    authority: Authority,
    programme: String,
    operator: Body,
    convention: About,
    #[serde(flatten)]
    own: O,
}

#[derive(Serialize)]
struct Authority {
    name: String,
    siret: String,
}

#[derive(Serialize)]
struct Body {
    name: String,
    siret: String,
    address: String,
    public: bool,
}

#[derive(Serialize)]
struct About {
    title: String,
    budget_year: i16,
    framework: Framework,
    /// Since when it is in force.
    signed: Option<String>,
}

#[derive(Serialize)]
struct Framework {
    title: String,
    date: String,
}

/// An amount, as a legal text writes it.
#[derive(Serialize)]
struct Amount {
    figures: String,
    letters: String,
}

impl Amount {
    fn of(amount: Money) -> Self {
        Self {
            figures: amount.french(),
            letters: money_in_words(&amount),
        }
    }
}

/// A payment that the terms foresee.
#[derive(Serialize)]
struct Instalment {
    kind: &'static str,
    share: String,
    amount: Amount,
    condition: Option<String>,
    due: Option<String>,
}

fn instalments(convention: &Convention) -> Vec<Instalment> {
    let terms = &convention.terms;
    let amounts = terms.instalments.amounts(terms.grant);
    let each = terms.instalments.terms().iter().zip(amounts);
    each.map(|((kind, share), amount)| Instalment {
        kind: InstalmentKind::as_str(kind),
        share: share.french(),
        amount: Amount::of(amount),
        condition: kind.condition().map(str::to_owned),
        due: kind.due().map(long_french_date),
    })
    .collect()
}

/// Day on which a party has signed.
fn signed(convention: &Convention, party: Party) -> Option<Date> {
    let signature = convention.signature(party)?;
    Some(paris_date(signature.time))
}
