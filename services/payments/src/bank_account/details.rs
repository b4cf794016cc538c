//! What a RIB says of an account.

use nonrecours_kernel::{Bic, Iban, Warning, holder_warning};

use crate::payment_plan::Payee;

/// A bank account as its RIB gives it. Debug masks the IBAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// IBAN with right keys.
    pub iban: Iban,
    /// BIC.
    pub bic: Bic,
    /// Holder's name.
    pub holder: String,
}

impl Details {
    /// What a person should look at before paying this operator there; never a refusal. `field` is that of the message
    /// which carries the account.
    ///
    /// `IBAN_NOT_AT_TREASURY` for a public body, `IBAN_HOLDER_DIFFERS` when the holder has another name.
    pub fn warnings(&self, field: &str, payee: &Payee) -> Vec<Warning> {
        let bank = self
            .iban
            .warnings(payee.is_public)
            .into_iter()
            .map(|remark| Warning::at(format!("{field}.iban"), remark));
        let holder = holder_warning(&self.holder, &payee.legal_name)
            .map(|remark| Warning::at(format!("{field}.holder"), remark));
        bank.chain(holder).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instalment::fixtures::{details, payee};

    #[test]
    fn an_unusual_account_is_remarked_upon() {
        let reasons = |details: &Details, payee: &Payee| -> Vec<_> {
            details
                .warnings("details", payee)
                .into_iter()
                .map(|warning| (warning.field, warning.reason))
                .collect()
        };
        assert_eq!(reasons(&details(), &payee()), []);
        let elsewhere = Details {
            iban: "fr14 2004 1010 0505 0001 3m02 606".parse().unwrap(),
            holder: "Mme Martin".to_owned(),
            ..details()
        };
        assert_eq!(
            reasons(&elsewhere, &payee()),
            [
                ("details.iban".to_owned(), "IBAN_NOT_AT_TREASURY"),
                ("details.holder".to_owned(), "IBAN_HOLDER_DIFFERS"),
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
        let shown = format!("{:?}", details());
        assert!(!shown.contains(details().iban.as_str()), "{shown}");
    }
}
