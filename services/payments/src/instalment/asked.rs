//! What a request asks of an instalment, until what it brings is looked up.

use nonrecours_kernel::{BankAccountName, IdSource, paris_date};
use nonrecours_pg::Tx;
use time::Date;

use super::{
    Command, Instalment, Refusal, Schedule, Stage, Step,
    papers::{self, Brought},
    rpc::kind,
};
use crate::{error::Error, slip};

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A call, with its reference.
    Call(String, Brought),
    /// More documents.
    Attach(Brought),
    /// Another account.
    Redirect(BankAccountName),
    /// The certification.
    Certify(Brought),
    /// The order.
    Order,
    /// The confirmation of a transfer of this day.
    Confirm(Date),
}

impl Asked {
    /// The change that it is told as.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Call(..) => kind(Stage::Called),
            Self::Attach(_) => "instalment.documented",
            Self::Redirect(_) => "instalment.redirected",
            Self::Certify(_) => kind(Stage::Certified),
            Self::Order => kind(Stage::Ordered),
            Self::Confirm(_) => kind(Stage::Paid),
        }
    }

    /// The command, with everything it brings. The plan is locked.
    pub async fn command(
        self,
        tx: &mut Tx,
        ids: &IdSource,
        schedule: &Schedule,
        instalment: &Instalment,
        step: &Step,
    ) -> Result<Command, Error> {
        let name = &instalment.name;
        if !instalment.is_live() {
            return Err(Refusal::Cancelled(schedule.blockers(instalment)).into());
        }
        Ok(match self {
            Self::Call(reference, brought) => {
                // Before an account is entered for nothing.
                if instalment.state.stage() != Stage::Planned {
                    return Err(Refusal::NotPlanned(instalment.state.stage()).into());
                }
                let papers = brought.look_up(tx, ids, name, step).await?;
                Command::Call {
                    reference,
                    account: papers.account.ok_or(Refusal::BankAccountMissing)?,
                    documents: papers.documents,
                }
            }
            Self::Attach(brought) => Command::Attach {
                documents: brought.look_up(tx, ids, name, step).await?.documents,
            },
            Self::Redirect(account) => {
                if slip::orders::is_sent(tx, name).await? {
                    return Err(Refusal::RedirectionTooLate.into());
                }
                let (account, rib) = papers::approved(tx, &account).await?;
                Command::Redirect { account, rib }
            }
            Self::Certify(brought) => {
                let papers = brought.look_up(tx, ids, name, step).await?;
                let mut documents = papers.documents;
                let today = paris_date(tx.now());
                documents.extend(papers::statement(
                    schedule, instalment, &documents, ids, today,
                )?);
                Command::Certify {
                    account: papers.account,
                    documents,
                }
            }
            Self::Order => Command::Order,
            Self::Confirm(transfer_date) => Command::Confirm { transfer_date },
        })
    }
}
