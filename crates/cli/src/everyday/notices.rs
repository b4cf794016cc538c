//! Formal notices (art. 7): sent, remedied, withdrawn, applied.

use clap::{Subcommand, ValueEnum};
use nonrecours_contracts::conventions::{
    ApplyFormalNoticeRequest, CreateFormalNoticeRequest, FormalNotice, FormalNoticeGround,
    FormalNoticeState, ListFormalNoticesRequest, Party, RemedyFormalNoticeRequest,
    WithdrawFormalNoticeRequest,
};
use nonrecours_kernel::Role;

use super::{MAX_PAGES, PAGE, ask, day_or_today, request_id, shown_day};
use crate::{ask::client_as, print, state::State};

/// Who gives notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Giver {
    /// The authority.
    Authority,
    /// The operator.
    Operator,
}

impl Giver {
    const fn role(self) -> Role {
        match self {
            Self::Authority => Role::ProgrammeOfficer,
            Self::Operator => Role::OperatorManager,
        }
    }
}

/// Why.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Ground {
    /// The other party does not keep its commitments.
    Breach,
    /// The conditions have changed substantially.
    SubstantialChange,
}

/// What is done with formal notices.
#[derive(Clone, Debug, Subcommand)]
pub enum Notices {
    /// List those of a convention.
    List {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
    },
    /// Record that a registered letter was sent.
    Send {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// Party that gives notice.
        #[arg(long, value_enum, default_value = "authority")]
        party: Giver,
        /// Ground.
        #[arg(long, value_enum, default_value = "breach")]
        ground: Ground,
        /// Motives, as the letter words them.
        #[arg(long)]
        motives: String,
        /// Number of the registered letter.
        #[arg(long)]
        letter: String,
        /// Day on which it was sent, e.g. 2025-10-15; otherwise today.
        #[arg(long)]
        sent: Option<String>,
    },
    /// Record that the breach has ended.
    Remedy {
        /// `operators/{operator}/conventions/{convention}/formalNotices/{formal_notice}`.
        name: String,
        /// Party that gave notice.
        #[arg(long, value_enum, default_value = "authority")]
        party: Giver,
        /// Day on which it ended; otherwise today.
        #[arg(long)]
        on: Option<String>,
    },
    /// Take it back.
    Withdraw {
        /// `operators/{operator}/conventions/{convention}/formalNotices/{formal_notice}`.
        name: String,
        /// Party that gave notice.
        #[arg(long, value_enum, default_value = "authority")]
        party: Giver,
    },
    /// End the convention: the delay has run out.
    Apply {
        /// `operators/{operator}/conventions/{convention}/formalNotices/{formal_notice}`.
        name: String,
        /// Party that gave notice.
        #[arg(long, value_enum, default_value = "authority")]
        party: Giver,
    },
}

/// Does it, and says what came of it.
pub async fn run(state: &State, command: Notices) -> anyhow::Result<String> {
    let client_of =
        |party: Giver| Ok::<_, anyhow::Error>(client_as(state, party.role())?.formal_notices());
    let notice = match command {
        Notices::List { convention } => return list(state, &convention).await,
        Notices::Send {
            convention,
            party,
            ground,
            motives,
            letter,
            sent,
        } => {
            let request = CreateFormalNoticeRequest {
                parent: convention,
                formal_notice: Some(FormalNotice {
                    party: match party {
                        Giver::Authority => Party::Authority,
                        Giver::Operator => Party::Operator,
                    }
                    .into(),
                    ground: match ground {
                        Ground::Breach => FormalNoticeGround::Breach,
                        Ground::SubstantialChange => FormalNoticeGround::SubstantialChange,
                    }
                    .into(),
                    motives,
                    letter_reference: letter,
                    sent_date: Some(day_or_today(sent.as_deref())?),
                    ..FormalNotice::default()
                }),
                request_id: request_id(),
            };
            ask!(client_of(party)?, create_formal_notice, request)?
        }
        Notices::Remedy { name, party, on } => {
            let request = RemedyFormalNoticeRequest {
                name,
                remedy_date: Some(day_or_today(on.as_deref())?),
                request_id: request_id(),
                ..RemedyFormalNoticeRequest::default()
            };
            ask!(client_of(party)?, remedy_formal_notice, request)?
        }
        Notices::Withdraw { name, party } => {
            let request = WithdrawFormalNoticeRequest {
                name,
                request_id: request_id(),
                ..WithdrawFormalNoticeRequest::default()
            };
            ask!(client_of(party)?, withdraw_formal_notice, request)?
        }
        Notices::Apply { name, party } => {
            let request = ApplyFormalNoticeRequest {
                name,
                request_id: request_id(),
                ..ApplyFormalNoticeRequest::default()
            };
            ask!(client_of(party)?, apply_formal_notice, request)?
        }
    };
    Ok(format!("{}\n{}", notice.name, in_french(&notice)?))
}

async fn list(state: &State, convention: &str) -> anyhow::Result<String> {
    let client = client_as(state, Role::ProgrammeOfficer)?.formal_notices();
    let mut table = print::table(&["mise en demeure", "envoyée le", "état"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListFormalNoticesRequest {
            parent: convention.to_owned(),
            page_size: PAGE,
            page_token,
        };
        let page = ask!(client.clone(), list_formal_notices, request)?;
        for notice in &page.formal_notices {
            table.add_row([
                notice.name.clone(),
                shown_day(notice.sent_date.as_ref())?,
                in_french(notice)?,
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(table.to_string())
}

fn in_french(notice: &FormalNotice) -> anyhow::Result<String> {
    let closed = shown_day(notice.close_date.as_ref())?;
    Ok(match notice.state() {
        FormalNoticeState::Unspecified => "état inconnu".to_owned(),
        FormalNoticeState::Sent => format!(
            "envoyée : à régulariser jusqu'au {} inclus, résiliation possible le {}",
            shown_day(notice.remedy_deadline.as_ref())?,
            shown_day(notice.applicable_date.as_ref())?
        ),
        FormalNoticeState::Remedied => format!("suivie d'effet le {closed}"),
        FormalNoticeState::Withdrawn => format!("retirée le {closed}"),
        FormalNoticeState::Effective => format!("convention résiliée le {closed}"),
    })
}
