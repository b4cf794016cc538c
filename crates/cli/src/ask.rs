//! Everyday questions to a running suite.

use nonrecours_contracts::conventions::{Convention, GetConventionRequest, ListConventionsRequest};
use nonrecours_kernel::Role;
use nonrecours_rpc::convert::money;
use tonic::Status;

use crate::{
    client::{Client, answered},
    everyday::life,
    print,
    state::State,
};

/// Pages read of one list at most.
const MAX_PAGES: usize = 1000;

/// Prints the conventions.
pub async fn list(state: &State) -> anyhow::Result<()> {
    let conventions = client(state)?.conventions();
    let mut table = print::table(&["convention", "titre", "exercice", "montant", "payé", "état"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListConventionsRequest {
            parent: "operators/-".to_owned(),
            page_token,
            ..Default::default()
        };
        let page = answered(|| {
            let (mut conventions, request) = (conventions.clone(), request.clone());
            async move { conventions.list_conventions(request).await }
        })
        .await
        .map_err(in_french)?;
        for convention in &page.conventions {
            table.add_row([
                convention.name.clone(),
                convention.title.clone(),
                convention.budget_year.to_string(),
                money(convention.grant_amount.as_ref())?.french(),
                money(convention.paid_amount.as_ref())?.french(),
                state_in_french(convention).to_owned(),
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    println!("{table}");
    Ok(())
}

/// Prints one convention with its versions, its life line and its ledger.
pub async fn show(state: &State, name: &str) -> anyhow::Result<()> {
    let client = client(state)?;
    let conventions = client.conventions();
    let request = GetConventionRequest {
        name: name.to_owned(),
    };
    let convention = answered(|| {
        let (mut conventions, request) = (conventions.clone(), request.clone());
        async move { conventions.get_convention(request).await }
    })
    .await
    .map_err(in_french)?;
    println!(
        "{}\n{}, exercice {} : {}, payé {}",
        convention.title,
        state_in_french(&convention),
        convention.budget_year,
        money(convention.grant_amount.as_ref())?.french(),
        money(convention.paid_amount.as_ref())?.french(),
    );
    let programme = convention
        .framework_convention
        .split("/frameworkConventions/")
        .next();
    println!("programme : {}", programme.unwrap_or_default());
    println!("{}", life::states(&convention)?);
    if let Some(due) = life::next_due(&client, name).await? {
        println!("à faire d'abord : {due}");
    }
    for warning in &convention.warnings {
        println!("  • {} — {}", warning.reason, warning.message_fr);
    }
    for blocker in &convention.signing_blockers {
        println!("  • {} — {}", blocker.reason, blocker.message_fr);
    }
    if convention.version > 0 {
        println!("\n{}", print::versions(&client, name).await?);
    }
    println!("\n{}", print::life_line(&client, name).await?);
    println!("\n{}", print::ledger(&client, name).await?);
    Ok(())
}

/// Prints the indicators of a convention.
pub async fn indicators(state: &State, name: &str) -> anyhow::Result<()> {
    // Exact figures are the operator's own.
    let operator = client_as(state, Role::OperatorManager)?;
    println!("{}", print::indicators(&operator, name).await?);
    if let Some(targets) = print::targets(&operator, name).await? {
        println!("\n{targets}");
    }
    Ok(())
}

/// The suite that runs, as the programme officer sees it.
pub(crate) fn client(state: &State) -> anyhow::Result<Client> {
    client_as(state, Role::ProgrammeOfficer)
}

/// The suite that runs, as somebody of this role sees it.
pub(crate) fn client_as(state: &State, role: Role) -> anyhow::Result<Client> {
    Client::with_source(&state.addresses, state.token(role.as_str())?)
}

/// The refusal as its reader should see it.
pub fn in_french(status: Status) -> anyhow::Error {
    let details = nonrecours_rpc::details::Details::of(&status);
    if details.french.is_empty() {
        anyhow::anyhow!("{status}")
    } else {
        let mut told = format!("{} ({})", details.french, details.reason);
        for blocker in &details.blockers {
            told.push_str(&format!(
                "\n  • {} : {} ({})",
                blocker.subject, blocker.description, blocker.r#type
            ));
        }
        anyhow::anyhow!(told)
    }
}

fn state_in_french(convention: &Convention) -> &'static str {
    use nonrecours_contracts::conventions::ConventionState as State;
    match convention.state() {
        State::Unspecified => "état inconnu",
        State::Draft => "projet",
        State::PartlySigned => "signée par une partie",
        State::InForce => "en vigueur",
        State::Completed => "actions achevées",
        State::Settled => "soldée",
        State::Terminated => "résiliée",
    }
}
