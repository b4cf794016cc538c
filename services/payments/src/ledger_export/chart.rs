//! Account numbers: a setting, since nomenclatures change without this program.

use std::str::FromStr;

use crate::ledger_entry::{Account, store::code};

/// Numbers of the M57 nomenclature.
pub const DEFAULT: &str = "GRANT_EXPENSE=657,OPERATOR_PAYABLE=46711,TREASURY=515,OPERATOR_RECEIVABLE=46721,\
                           GRANT_RECOVERY=773,UNCOLLECTIBLE=6541,STATE_RECEIVABLE=441,STATE_GRANT=74718";
/// Most characters of a number.
const MAX_NUMBER: usize = 12;

/// The number of every account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart([(Account, String); Account::ALL.len()]);

/// What is no chart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// A part that is not of the form ACCOUNT=NUMBER, with an account of the ledger and 1 to 12 letters and digits.
    #[error("{0:?} is not ACCOUNT=NUMBER")]
    Part(String),
    /// An account without a number, or with two.
    #[error("the account {0} needs one number")]
    Account(&'static str),
}

impl Chart {
    /// The number of an account.
    pub fn number(&self, account: Account) -> &str {
        let mut numbers = self.0.iter();
        // Every account has one.
        let found = numbers.find(|(one, _)| *one == account);
        found.map_or("", |(_, number)| number)
    }
}

impl FromStr for Chart {
    type Err = ChartError;

    fn from_str(value: &str) -> Result<Self, ChartError> {
        let mut numbers = Vec::with_capacity(Account::ALL.len());
        for part in value.split(',') {
            let read = || {
                let (name, number) = part.trim().split_once('=')?;
                let mut accounts = Account::ALL.into_iter();
                let account = accounts.find(|account| code(*account) == name)?;
                let sound = (1..=MAX_NUMBER).contains(&number.len())
                    && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
                sound.then(|| (account, number.to_owned()))
            };
            numbers.push(read().ok_or_else(|| ChartError::Part(part.to_owned()))?);
        }
        let mut chart = Account::ALL.map(|account| (account, String::new()));
        for (account, number) in &mut chart {
            let mut given = numbers.iter().filter(|(one, _)| one == account);
            match (given.next(), given.next()) {
                (Some((_, found)), None) => number.clone_from(found),
                _ => return Err(ChartError::Account(code(*account))),
            }
        }
        Ok(Self(chart))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_has_one_number() {
        let chart: Chart = DEFAULT.parse().unwrap();
        assert_eq!(chart.number(Account::Treasury), "515");
        assert_eq!(chart.number(Account::StateGrant), "74718");
        for (wrong, error) in [
            ("", ChartError::Part(String::new())),
            ("CASH=5", ChartError::Part("CASH=5".to_owned())),
            ("TREASURY==5", ChartError::Part("TREASURY==5".to_owned())),
            ("TREASURY=515", ChartError::Account("GRANT_EXPENSE")),
        ] {
            assert_eq!(wrong.parse::<Chart>(), Err(error));
        }
        let twice = format!("{DEFAULT},TREASURY=516");
        assert_eq!(twice.parse::<Chart>(), Err(ChartError::Account("TREASURY")));
    }
}
