//! Questions about payments: what waits for whom, what was paid, and whether the books agree.

use std::process::ExitCode;

use nonrecours_contracts::{
    common::Role as WireRole,
    payments::{
        ExplainInstalmentsRequest, GetStatementOfPaymentsRequest, InstalmentExplanation,
        VerifyLedgerRequest, VerifyStateReceivablesRequest,
    },
};
use nonrecours_kernel::{Role, french_date};
use nonrecours_rpc::convert::{date, money};

use crate::{
    ask::{client, client_as, in_french},
    client::answered,
    print,
    state::State,
};

/// Explanations asked for at once.
const EXPLANATIONS: i32 = 100;
/// Plans verified at once.
const PLANS: i32 = 200;
/// Pages read of one list at most.
const MAX_PAGES: usize = 1000;

/// Prints what every instalment waits for and what stands in its way; those paid or cancelled only if `all`.
pub async fn why(state: &State, parent: &str, all: bool) -> anyhow::Result<()> {
    let explanations = client(state)?.explanations();
    let mut table = print::table(&["échéance", "montant", "attend", "obstacles"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ExplainInstalmentsRequest {
            parent: parent.to_owned(),
            pending_only: !all,
            page_size: EXPLANATIONS,
            page_token,
        };
        let page = answered(|| {
            let (mut explanations, request) = (explanations.clone(), request.clone());
            async move { explanations.explain_instalments(request).await }
        })
        .await
        .map_err(in_french)?;
        for explanation in &page.explanations {
            table.add_row([
                format!(
                    "{}, n° {}\n{}",
                    explanation.convention_title, explanation.position, explanation.instalment
                ),
                money(explanation.amount.as_ref())?.french(),
                awaited(explanation)?,
                obstacles(explanation),
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    print::align_right(&mut table, 1);
    println!("{table}");
    Ok(())
}

fn awaited(explanation: &InstalmentExplanation) -> anyhow::Result<String> {
    let message = &explanation.message_fr;
    let Some(day) = &explanation.last_order_date else {
        return Ok(message.clone());
    };
    let (year, day) = (
        explanation.charged_budget_year,
        french_date(date(Some(day))?),
    );
    Ok(format!(
        "{message}\nexercice {year} si elle est mandatée au plus tard le {day}"
    ))
}

fn obstacles(explanation: &InstalmentExplanation) -> String {
    let line = |obstacle: &nonrecours_contracts::payments::Obstacle| {
        let blocker = obstacle.blocker.as_ref();
        let message = blocker.map(|blocker| blocker.message_fr.as_str());
        let who: Vec<_> = obstacle.lifted_by().filter_map(role).collect();
        let who = match who.as_slice() {
            [] => "définitif".to_owned(),
            who => format!("à lever : {}", who.join(", ")),
        };
        let message = message.unwrap_or_default();
        format!("• {message} ({} ; {who})", obstacle.basis_fr)
    };
    let lines: Vec<_> = explanation.obstacles.iter().map(line).collect();
    if lines.is_empty() {
        "aucun".to_owned()
    } else {
        lines.join("\n")
    }
}

fn role(role: WireRole) -> Option<&'static str> {
    match role {
        WireRole::Unspecified => None,
        WireRole::ProgrammeOfficer => Some("chargé de programme"),
        WireRole::AuthorisingOfficer => Some("ordonnateur"),
        WireRole::Accountant => Some("comptable public"),
        WireRole::Auditor => Some("contrôle interne"),
        WireRole::OperatorAgent => Some("agent de l'opérateur"),
        WireRole::OperatorManager => Some("représentant de l'opérateur"),
        WireRole::PeerService => Some("service"),
    }
}

/// Prints the statement of sums paid of a convention.
pub async fn statement(state: &State, convention: &str) -> anyhow::Result<()> {
    let plans = client(state)?.payment_plans();
    let request = GetStatementOfPaymentsRequest {
        name: format!("{convention}/paymentPlan"),
    };
    let statement = answered(|| {
        let (mut plans, request) = (plans.clone(), request.clone());
        async move { plans.get_statement_of_payments(request).await }
    })
    .await
    .map_err(in_french)?;
    println!(
        "État des sommes versées au {}\n{} — {}, exercice {}, subvention de {}",
        french_date(date(statement.statement_date.as_ref())?),
        statement.operator_legal_name,
        statement.convention_title,
        statement.budget_year,
        money(statement.grant_amount.as_ref())?.french(),
    );
    let mut table = print::table(&["échéance", "virement du", "montant"]);
    for line in &statement.payments {
        table.add_row([
            format!("n° {}", line.position),
            french_date(date(line.transfer_date.as_ref())?),
            money(line.amount.as_ref())?.french(),
        ]);
    }
    print::align_right(&mut table, 2);
    println!("{table}\n{}", statement.sentence_fr);
    Ok(())
}

/// Verifies the books and prints every discrepancy. Fails when there is one.
pub async fn verify(state: &State, parent: &str) -> anyhow::Result<ExitCode> {
    let ledger = client_as(state, Role::Auditor)?.ledger();
    let (mut plans, mut entries, mut discrepancies) = (0_usize, 0_i64, 0_usize);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = VerifyLedgerRequest {
            parent: parent.to_owned(),
            page_size: PLANS,
            page_token,
        };
        let page = answered(|| {
            let (mut ledger, request) = (ledger.clone(), request.clone());
            async move { ledger.verify_ledger(request).await }
        })
        .await
        .map_err(in_french)?;
        for verification in &page.verifications {
            plans += 1;
            entries += verification.entry_count;
            discrepancies += verification.discrepancies.len();
            for discrepancy in &verification.discrepancies {
                println!("{} : {}", discrepancy.subject, discrepancy.message_fr);
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    // Those of the programmes, which are no operator's.
    let (receivables, more) = match parent {
        "operators/-" => verify_state(state).await?,
        _ => Default::default(),
    };
    let (entries, discrepancies) = (entries + more.0, discrepancies + more.1);
    println!(
        "{plans} échéancier(s), {receivables} financement(s) de l'État, {entries} écriture(s), {discrepancies} écart(s)"
    );
    Ok(if discrepancies == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Verifies the receivables on the State of every programme, and prints where they differ: how many they are, their entries
/// and their discrepancies.
async fn verify_state(state: &State) -> anyhow::Result<(usize, (i64, usize))> {
    let client = client_as(state, Role::Auditor)?.state_receivables();
    let (mut receivables, mut entries, mut discrepancies) = (0_usize, 0_i64, 0_usize);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = VerifyStateReceivablesRequest {
            parent: "programmes/-".to_owned(),
            page_size: PLANS,
            page_token,
        };
        let page = answered(|| {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.verify_state_receivables(request).await }
        })
        .await
        .map_err(in_french)?;
        for verification in &page.verifications {
            receivables += 1;
            entries += verification.entry_count;
            discrepancies += verification.discrepancies.len();
            for discrepancy in &verification.discrepancies {
                println!("{} : {}", discrepancy.subject, discrepancy.message_fr);
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok((receivables, (entries, discrepancies)))
}
