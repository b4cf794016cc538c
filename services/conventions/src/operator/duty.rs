//! What the law asks of an operator, by its legal category and its grants.

use nonrecours_kernel::{BudgetYear, Money, Text, french_date};
use time::{Date, Month};

use super::domain::Terms;

/// Grants of one budget year above this sum need a convention, under private law (décret 2001-495, art. 1).
const CONVENTION_THRESHOLD: Money = Money::from_cents(2_300_000);

/// Last day of the financial report: six months after the end of the budget year (loi 2000-321, art. 10).
const REPORT_DUE: (Month, u8) = (Month::June, 30);

const CONVENTION_BASIS: &str =
    "loi n° 2000-321 du 12 avril 2000, art. 10 ; décret n° 2001-495 du 6 juin 2001, art. 1";
/// The text that asks operators of private law for a financial report.
pub const REPORT_BASIS: &str =
    "loi n° 2000-321 du 12 avril 2000, art. 10 ; arrêté du 11 octobre 2006";
/// The text that asks associations for the contrat d'engagement républicain.
pub const REPUBLICAN_BASIS: &str =
    "loi n° 2000-321 du 12 avril 2000, art. 10-1 ; décret n° 2021-1947 du 31 décembre 2021";

/// Grants of an operator in one budget year, under conventions in force or past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearGrants {
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Their sum.
    pub total: Money,
    /// Whether the report of one of them is not accepted yet.
    pub report_awaited: bool,
}

/// Something that the law asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Machine reason.
    pub reason: &'static str,
    /// Sentences.
    pub text: Text,
    /// The text that says so.
    pub legal_basis: &'static str,
    /// Budget year it is about.
    pub budget_year: Option<BudgetYear>,
    /// Last day to do it.
    pub due: Option<Date>,
}

/// The duties of an operator with these grants, as of a day. A convention is required in the budget year that runs and
/// those to come; a financial report is due until the report of each convention is accepted.
pub fn duties(terms: &Terms, grants: &[YearGrants], today: Date) -> Vec<Duty> {
    let mut duties = Vec::new();
    if terms.category.signs_republican_commitment() && terms.republican_commitment.is_none() {
        duties.push(republican_commitment());
    }
    if !terms.category.owes_accounts() {
        return duties;
    }
    for grants in grants {
        if grants.total > CONVENTION_THRESHOLD && grants.budget_year.last_day() >= today {
            duties.push(convention_required(grants));
        }
        if grants.report_awaited {
            duties.push(financial_report(grants.budget_year));
        }
    }
    duties
}

fn republican_commitment() -> Duty {
    Duty {
        reason: "REPUBLICAN_COMMITMENT",
        text: Text::new(
            "The association has to sign the contrat d'engagement républicain before any convention.",
            "L'association doit souscrire le contrat d'engagement républicain avant toute convention.",
        ),
        legal_basis: REPUBLICAN_BASIS,
        budget_year: None,
        due: None,
    }
}

fn convention_required(grants: &YearGrants) -> Duty {
    let (year, total) = (grants.budget_year, grants.total);
    Duty {
        reason: "CONVENTION_REQUIRED",
        text: Text::new(
            format!(
                "The grants of {year} come to {total} EUR, above {CONVENTION_THRESHOLD} EUR: each needs a convention."
            ),
            format!(
                "Les subventions de l'exercice {year} atteignent {}, au-delà de {} : chacune doit faire l'objet d'une \
                 convention.",
                total.french(),
                CONVENTION_THRESHOLD.french()
            ),
        ),
        legal_basis: CONVENTION_BASIS,
        budget_year: Some(year),
        due: None,
    }
}

/// Last day to hand in the financial report of a budget year.
pub fn financial_report_due(year: BudgetYear) -> Option<Date> {
    let (month, day) = REPORT_DUE;
    Date::from_calendar_date(i32::from(year.get()) + 1, month, day).ok()
}

fn financial_report(year: BudgetYear) -> Duty {
    let due = financial_report_due(year);
    let by = |write: &dyn Fn(Date) -> String| due.map(write).unwrap_or_default();
    Duty {
        reason: "FINANCIAL_REPORT",
        text: Text::new(
            format!(
                "The financial report of {year} is due by {}.",
                by(&|day| day.to_string())
            ),
            format!(
                "Le compte rendu financier de l'exercice {year} est à remettre au plus tard le {}.",
                by(&|day| french_date(day))
            ),
        ),
        legal_basis: REPORT_BASIS,
        budget_year: Some(year),
        due,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::domain::Category;
    use time::macros::date;

    fn terms(category: Category, republican_commitment: Option<Date>) -> Terms {
        Terms {
            legal_name: "Les Passerelles".into(),
            siret: "73282932000074".parse().unwrap(),
            category,
            insee_code: "62041".parse().unwrap(),
            address: "1 rue de la Paix, 62000 Arras".into(),
            rna: None,
            representatives: Vec::new(),
            republican_commitment,
        }
    }

    fn grants(cents: i64, report_awaited: bool) -> [YearGrants; 1] {
        [YearGrants {
            budget_year: BudgetYear::new(2025).unwrap(),
            total: Money::from_cents(cents),
            report_awaited,
        }]
    }

    fn reasons(terms: &Terms, grants: &[YearGrants], today: Date) -> Vec<&'static str> {
        duties(terms, grants, today)
            .iter()
            .map(|duty| duty.reason)
            .collect()
    }

    #[test]
    fn each_category_triggers_its_own_duties() {
        let today = date!(2025 - 10 - 07);
        let above = grants(2_300_001, true);
        for category in Category::ALL {
            let expected: &[_] = match category {
                Category::Association => &[
                    "REPUBLICAN_COMMITMENT",
                    "CONVENTION_REQUIRED",
                    "FINANCIAL_REPORT",
                ],
                Category::OtherPrivate => &["CONVENTION_REQUIRED", "FINANCIAL_REPORT"],
                Category::Commune | Category::Ccas | Category::Grouping | Category::OtherPublic => {
                    &[]
                }
            };
            assert_eq!(reasons(&terms(category, None), &above, today), expected);
        }
        let signed = terms(Category::Association, Some(date!(2024 - 01 - 15)));
        assert_eq!(reasons(&signed, &[], today), [""; 0]);
    }

    #[test]
    fn the_threshold_is_exceeded_not_reached_and_counts_while_the_year_runs() {
        let private = terms(Category::OtherPrivate, None);
        let last = date!(2025 - 12 - 31);
        assert_eq!(reasons(&private, &grants(2_300_000, false), last), [""; 0]);
        let above = grants(2_300_001, false);
        assert_eq!(reasons(&private, &above, last), ["CONVENTION_REQUIRED"]);
        assert_eq!(reasons(&private, &above, date!(2026 - 01 - 01)), [""; 0]);
    }

    #[test]
    fn the_financial_report_is_due_on_the_30th_of_june_after() {
        let private = terms(Category::OtherPrivate, None);
        let duties = duties(&private, &grants(100, true), date!(2027 - 01 - 01));
        assert_eq!(duties[0].due, Some(date!(2026 - 06 - 30)));
        assert!(duties[0].text.fr.contains("30/06/2026"));
    }
}
