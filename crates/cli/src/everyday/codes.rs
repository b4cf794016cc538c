//! What a programme pays under: the codes of its budget at the accountant's, or the account of its bank.

use clap::Subcommand;
use nonrecours_contracts::payments::{
    BankTransfers, BudgetCodes, GetPostingCodesRequest, PayeeCategory, PayeeCodes, PostingCodes,
    SetPostingCodesRequest,
};
use nonrecours_kernel::Role;

use super::{ask, request_id};
use crate::{ask::client_as, print, state::State};

/// What is done with them.
#[derive(Clone, Debug, Subcommand)]
pub enum Codes {
    /// Show what is in force.
    Show {
        /// `programmes/{programme}`.
        programme: String,
    },
    /// Pay through the public accountant, under these codes from now on.
    Budget {
        /// `programmes/{programme}`.
        programme: String,
        /// SIRET of the budget.
        #[arg(long)]
        siret: String,
        /// Number of the accounting office (codique).
        #[arg(long)]
        office: String,
        /// Code of the collectivity there.
        #[arg(long)]
        collectivity: String,
        /// Code of the budget there.
        #[arg(long)]
        budget: String,
        /// Function code, where the budget is voted by function.
        #[arg(long, default_value = "")]
        function: String,
        /// Of payees of a category: `category:account:third-party category:legal nature`, e.g. `commune:657341:23:09`. Categories:
        /// commune, ccas, grouping, other-public, association, other-private.
        #[arg(long = "payee", required = true)]
        payees: Vec<String>,
    },
    /// Pay through the funder's bank, from this account from now on.
    Bank {
        /// `programmes/{programme}`.
        programme: String,
        /// Who pays, as the bank knows it.
        #[arg(long)]
        holder: String,
        /// IBAN.
        #[arg(long)]
        iban: String,
        /// BIC.
        #[arg(long)]
        bic: String,
    },
}

/// Runs one of them; the text that it prints.
pub async fn run(state: &State, command: Codes) -> anyhow::Result<String> {
    let client = client_as(state, Role::AuthorisingOfficer)?.posting_codes();
    let codes = match command {
        Codes::Show { programme } => {
            let name = format!("{programme}/postingCodes");
            ask!(client, get_posting_codes, GetPostingCodesRequest { name })?
        }
        Codes::Budget {
            programme,
            siret,
            office,
            collectivity,
            budget,
            function,
            payees,
        } => {
            let codes = BudgetCodes {
                authority_siret: siret,
                posting_office: office,
                collectivity_code: collectivity,
                budget_code: budget,
                function_code: function,
                payees: payees
                    .iter()
                    .map(|payee| read(payee))
                    .collect::<Result<_, _>>()?,
                ..BudgetCodes::default()
            };
            let request = SetPostingCodesRequest {
                codes: Some(codes),
                ..set(&programme)
            };
            ask!(client, set_posting_codes, request)?
        }
        Codes::Bank {
            programme,
            holder,
            iban,
            bic,
        } => {
            let account = BankTransfers {
                debtor_name: holder,
                iban,
                bic,
                ..BankTransfers::default()
            };
            let request = SetPostingCodesRequest {
                bank_transfers: Some(account),
                ..set(&programme)
            };
            ask!(client, set_posting_codes, request)?
        }
    };
    Ok(described(&codes))
}

fn set(programme: &str) -> SetPostingCodesRequest {
    SetPostingCodesRequest {
        name: format!("{programme}/postingCodes"),
        request_id: request_id(),
        ..SetPostingCodesRequest::default()
    }
}

/// The categories as they are given and shown.
const CATEGORIES: [(&str, PayeeCategory); 6] = [
    ("commune", PayeeCategory::Commune),
    ("ccas", PayeeCategory::Ccas),
    ("grouping", PayeeCategory::Grouping),
    ("other-public", PayeeCategory::OtherPublic),
    ("association", PayeeCategory::Association),
    ("other-private", PayeeCategory::OtherPrivate),
];

fn read(payee: &str) -> anyhow::Result<PayeeCodes> {
    let parts: Vec<_> = payee.split(':').collect();
    let [category, nature, third_party, legal_nature] = parts.as_slice() else {
        anyhow::bail!(
            "« {payee} » : attendu catégorie:compte:catégorie de tiers:nature juridique, par exemple commune:657341:23:09"
        );
    };
    let known = CATEGORIES.iter().find(|(name, _)| name == category);
    let Some((_, category)) = known else {
        let names = CATEGORIES.map(|(name, _)| name).join(", ");
        anyhow::bail!("« {category} » n'est pas une catégorie de bénéficiaire : {names}");
    };
    Ok(PayeeCodes {
        category: (*category).into(),
        nature: (*nature).to_owned(),
        third_party_category: (*third_party).to_owned(),
        legal_nature: (*legal_nature).to_owned(),
    })
}

fn described(codes: &PostingCodes) -> String {
    let version = codes.version;
    if let Some(account) = &codes.bank_transfers {
        return format!(
            "circuit bancaire (version {version}) : {}, {}, {}",
            account.debtor_name, account.iban, account.bic
        );
    }
    let Some(budget) = &codes.codes else {
        return format!("aucun circuit (version {version})");
    };
    let mut table = print::table(&["bénéficiaires", "compte", "catégorie", "nature juridique"]);
    for payee in &budget.payees {
        let category = payee.category();
        let name = CATEGORIES.iter().find(|(_, known)| *known == category);
        table.add_row([
            name.map_or("", |(name, _)| name),
            &payee.nature,
            &payee.third_party_category,
            &payee.legal_nature,
        ]);
    }
    format!(
        "comptable public (version {version}) : codique {}, collectivité {}, budget {}, SIRET {}, fonction {}\n{table}",
        budget.posting_office,
        budget.collectivity_code,
        budget.budget_code,
        budget.authority_siret,
        if budget.function_code.is_empty() {
            "aucune"
        } else {
            &budget.function_code
        },
    )
}
