//! The statement of sums paid (état des sommes versées), joined to every payment after the first.

use nonrecours_kernel::{Money, Text};

use super::Mismatch;
use crate::instalment::{Instalment, Obstacle, Paid, Schedule};

/// From this many cents on, French agrees in the plural.
const PLURAL: i64 = 200;

/// What was paid under a plan and what is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// What was paid, by position.
    pub payments: Vec<(&'a Instalment, &'a Paid)>,
    /// Sum paid, from the ledger.
    pub paid: Money,
    /// Of what is not paid: what nothing stands in the way of.
    pub due: Money,
    /// All that is still to be paid; once the convention is terminated only what was ordered.
    pub remaining: Money,
    /// What the operator still has to give back.
    pub to_recover: Money,
}

impl<'a> Statement<'a> {
    /// The statement of a plan as it stands.
    pub fn of(schedule: &'a Schedule) -> Result<Self, Mismatch> {
        let instalments = || schedule.instalments.iter();
        let paid = |one: &'a Instalment| Some((one, one.state.paid()?));
        let terminated = schedule.plan.measures.terminated;
        let remaining = || {
            instalments().filter(move |one| {
                let unpaid = one.is_live() && one.state.paid().is_none();
                unpaid && (one.is_ordered() || !terminated)
            })
        };
        // Papers that are missing put off the payment; the sum is due all the same.
        let unblocked = |one: &&Instalment| {
            let obstacles = schedule.obstacles(one);
            obstacles.iter().all(Obstacle::is_formal)
        };
        let due = remaining().filter(unblocked);
        Ok(Self {
            payments: instalments().filter_map(paid).collect(),
            paid: schedule.plan.paid,
            due: sum(due)?,
            remaining: sum(remaining())?,
            to_recover: schedule.plan.still_to_recover(),
        })
    }

    /// In a sentence: `9 200,00 € versés, 2 300,00 € dus.`
    pub fn text(&self) -> Text {
        let later = self.remaining.checked_sub(self.due).unwrap_or_default();
        let mut fr = format!(
            "{} {}, {} {}",
            self.paid.french(),
            agree(self.paid, "versé", "versés"),
            self.due.french(),
            agree(self.due, "dû", "dus"),
        );
        let mut en = format!("{} EUR paid, {} EUR due", self.paid, self.due);
        if later.is_positive() {
            fr.push_str(&format!(", {} restant à verser", later.french()));
            en.push_str(&format!(", {later} EUR still to be paid"));
        }
        if self.to_recover.is_positive() {
            fr.push_str(&format!(", {} à reverser", self.to_recover.french()));
            en.push_str(&format!(", {} EUR to be given back", self.to_recover));
        }
        Text::new(en + ".", fr + ".")
    }
}

fn sum<'a>(instalments: impl Iterator<Item = &'a Instalment>) -> Result<Money, Mismatch> {
    Money::sum(instalments.map(|one| one.amount)).ok_or(Mismatch::Terms)
}

fn agree(amount: Money, singular: &'static str, plural: &'static str) -> &'static str {
    if amount.cents() >= PLURAL {
        plural
    } else {
        singular
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instalment::fixtures::{advance, agreement, schedule};

    fn shown(schedule: &Schedule) -> String {
        let statement = Statement::of(schedule).unwrap();
        let spaces = ['\u{202f}', '\u{a0}'];
        statement.text().fr.replace(spaces, " ")
    }

    #[test]
    fn the_balance_is_due_once_the_actions_are_done() {
        let mut schedule = schedule(&agreement());
        assert_eq!(
            shown(&schedule),
            "0,00 € versé, 9 200,00 € dus, 2 300,00 € restant à verser."
        );
        advance(&mut schedule, 0, 4);
        assert_eq!(
            shown(&schedule),
            "9 200,00 € versés, 0,00 € dû, 2 300,00 € restant à verser."
        );
        schedule.plan.actions_completed = true;
        assert_eq!(shown(&schedule), "9 200,00 € versés, 2 300,00 € dus.");
        let statement = Statement::of(&schedule).unwrap();
        assert_eq!(statement.text().en, "9200.00 EUR paid, 2300.00 EUR due.");
        let positions: Vec<_> = statement
            .payments
            .iter()
            .map(|(one, _)| one.position)
            .collect();
        assert_eq!(positions, [1]);
    }

    #[test]
    fn what_a_measure_blocks_is_not_due() {
        let mut schedule = schedule(&agreement());
        schedule.plan.actions_completed = true;
        advance(&mut schedule, 0, 4);
        schedule.plan.measures.suspended = true;
        assert_eq!(
            shown(&schedule),
            "9 200,00 € versés, 0,00 € dû, 2 300,00 € restant à verser."
        );
        schedule.plan.measures.terminated = true;
        schedule.plan.measures.due = Some(Money::from_cents(900_000));
        assert_eq!(
            shown(&schedule),
            "9 200,00 € versés, 0,00 € dû, 200,00 € à reverser."
        );
    }

    #[test]
    fn what_was_ordered_is_due_even_after_a_termination() {
        let mut schedule = schedule(&agreement());
        advance(&mut schedule, 0, 3);
        schedule.plan.measures.terminated = true;
        assert_eq!(shown(&schedule), "0,00 € versé, 9 200,00 € dus.");
    }
}
