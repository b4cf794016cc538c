//! The account an instalment is paid to.

use nonrecours_kernel::{Bic, Iban, Warning, holder_warning};

use crate::payment_plan::Payee;

/// Where its warnings point to: the field of every message that carries a bank account.
const FIELD: &str = "bank_account";

/// A bank account as its RIB gives it. Debug masks the IBAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankAccount {
    /// IBAN with right keys.
    pub iban: Iban,
    /// BIC.
    pub bic: Bic,
    /// Holder's name.
    pub holder: String,
}

impl BankAccount {
    /// What a person should look at before paying this operator there; never a refusal.
    ///
    /// `IBAN_NOT_AT_TREASURY` for a public body, `IBAN_HOLDER_DIFFERS` when the holder has another name.
    pub fn warnings(&self, payee: &Payee) -> Vec<Warning> {
        let bank = self
            .iban
            .warnings(payee.is_public)
            .into_iter()
            .map(|remark| Warning::at(format!("{FIELD}.iban"), remark));
        let holder = holder_warning(&self.holder, &payee.legal_name)
            .map(|remark| Warning::at(format!("{FIELD}.holder"), remark));
        bank.chain(holder).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instalment::fixtures::{account, payee};

    #[test]
    fn an_unusual_account_is_remarked_upon() {
        let reasons = |account: &BankAccount, payee: &Payee| -> Vec<_> {
            account
                .warnings(payee)
                .into_iter()
                .map(|warning| (warning.field, warning.reason))
                .collect()
        };
        assert_eq!(reasons(&account(), &payee()), []);
        let elsewhere = BankAccount {
            iban: "fr14 2004 1010 0505 0001 3m02 606".parse().unwrap(),
            holder: "Mme Martin".to_owned(),
            ..account()
        };
        assert_eq!(
            reasons(&elsewhere, &payee()),
            [
                ("bank_account.iban".to_owned(), "IBAN_NOT_AT_TREASURY"),
                ("bank_account.holder".to_owned(), "IBAN_HOLDER_DIFFERS"),
            ]
        );
        let private = Payee {
            is_public: false,
            legal_name: "MME  MARTIN".to_owned(),
            ..payee()
        };
        assert_eq!(reasons(&elsewhere, &private), []);
    }

    #[test]
    fn the_iban_is_masked_where_it_may_be_logged() {
        let shown = format!("{:?}", account());
        assert!(!shown.contains(account().iban.as_str()), "{shown}");
    }
}
