//! Figures of one convention. What each counts is said in the contract.

use nonrecours_kernel::{Money, catalogue};

/// Figures of a set of persons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Persons followed.
    pub persons_spotted: i64,
    /// Of them, informed or further.
    pub persons_informed: i64,
    /// Of them, oriented at the moment.
    pub persons_oriented: i64,
    /// Of them, supported.
    pub persons_supported: i64,
    /// Rights followed.
    pub entitlements_followed: i64,
    /// Rights open.
    pub entitlements_opened: i64,
    /// Euros a year of open rights.
    pub yearly_amount_notified: Money,
    /// Euros a year of rights still pursued, as estimated.
    pub yearly_amount_estimated: Money,
}

/// Figures of one right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightFigures {
    /// Its code.
    pub right: String,
    /// How often followed.
    pub followed: i64,
    /// How often open.
    pub opened: i64,
    /// Euros a year of the open ones.
    pub yearly_amount_notified: Money,
}

/// Figures of the sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionFigures {
    /// How many were held.
    pub held: i64,
    /// Persons met at them.
    pub persons_met: i64,
}

/// Indicators of a convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicators {
    /// All persons.
    pub total: Figures,
    /// By public that occurs, in the order of the catalogue.
    pub publics: Vec<(String, Figures)>,
    /// By right that occurs, in the order of the catalogue.
    pub rights: Vec<RightFigures>,
    /// Sessions.
    pub sessions: SessionFigures,
}

impl Indicators {
    /// Puts the parts, which come in any order, into that of the catalogue. Codes that left it come last.
    pub fn new(
        total: Figures,
        mut publics: Vec<(String, Figures)>,
        mut rights: Vec<RightFigures>,
        sessions: SessionFigures,
    ) -> Self {
        publics.sort_by_cached_key(|(code, _)| {
            let mut catalogue = catalogue::publics().iter();
            (
                rank(catalogue.position(|public| public.code == code)),
                code.clone(),
            )
        });
        rights.sort_by_cached_key(|figures| {
            let mut catalogue = catalogue::rights().iter();
            (
                rank(catalogue.position(|right| right.code == figures.right)),
                figures.right.clone(),
            )
        });
        Self {
            total,
            publics,
            rights,
            sessions,
        }
    }
}

fn rank(position: Option<usize>) -> usize {
    position.unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_the_order_of_the_catalogue() {
        let right = |code: &str| RightFigures {
            right: code.to_owned(),
            followed: 1,
            opened: 0,
            yearly_amount_notified: Money::ZERO,
        };
        let public = |code: &str| (code.to_owned(), Figures::default());
        let indicators = Indicators::new(
            Figures::default(),
            ["retired", "SENIOR", "DEMANDEUR_EMPLOI"]
                .map(public)
                .to_vec(),
            ["C2S", "retired", "RSA"].map(right).to_vec(),
            SessionFigures::default(),
        );
        let publics: Vec<&str> = indicators
            .publics
            .iter()
            .map(|(code, _)| code.as_str())
            .collect();
        let rights: Vec<&str> = indicators
            .rights
            .iter()
            .map(|figures| figures.right.as_str())
            .collect();
        assert_eq!(publics, ["DEMANDEUR_EMPLOI", "SENIOR", "retired"]);
        assert_eq!(rights, ["RSA", "C2S", "retired"]);
    }
}
