//! A territory's programme: what it goes by, its envelopes and their votes, its communes.

use nonrecours_kernel::{BudgetYear, InseeCode, Money, ProgrammeName, Rate, Siret};
use time::{Date, OffsetDateTime};

use super::territory::Territory;
use crate::refusal::Refusal;

/// Civil days that a formal notice leaves, unless the programme says otherwise (art. 7).
pub const DEFAULT_NOTICE_DAYS: i16 = 15;
/// Share above which a budget deviation is significant, unless the programme says otherwise (art. 8).
pub const DEFAULT_DEVIATION_RATE: &str = "0.1";

/// A programme as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    /// Resource name.
    pub name: ProgrammeName,
    /// What it goes by.
    pub terms: Terms,
    /// The communes it covers.
    pub territory: Territory,
    /// One a budget year, in their order.
    pub envelopes: Vec<Envelope>,
    /// Every vote on them, by budget year, oldest first.
    pub votes: Vec<Vote>,
    /// Counts the changes from 1; the running sums of the envelopes do not count.
    pub revision: i64,
    /// When it was opened.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What a programme goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Name people use.
    pub display_name: String,
    /// Legal name of the authority.
    pub authority_name: String,
    /// Establishment of the authority.
    pub authority_siret: Siret,
    /// Share above which a budget deviation is significant (art. 8).
    pub deviation_rate: Rate,
    /// Civil days that a formal notice leaves (art. 7), 1 to 365.
    pub notice_days: i16,
    /// Day by which the reports on a budget year are due; one at most a year.
    pub report_calendar: Vec<(BudgetYear, Date)>,
}

/// Changes of what a programme goes by; none: as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Name people use.
    pub display_name: Option<String>,
    /// Legal name of the authority.
    pub authority_name: Option<String>,
    /// Share above which a budget deviation is significant.
    pub deviation_rate: Option<Rate>,
    /// Civil days that a formal notice leaves.
    pub notice_days: Option<i16>,
    /// When reports are due.
    pub report_calendar: Option<Vec<(BudgetYear, Date)>>,
}

/// A vote on the envelope of a budget year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Budget year.
    pub budget_year: BudgetYear,
    /// By how much it moves the envelope; not zero.
    pub amount: Money,
    /// Day of the vote; only that of a first one may be unknown.
    pub date: Option<Date>,
    /// Act of the vote; only that of a first one may be blank.
    pub act_reference: String,
    /// Who recorded it.
    pub recorded_by: String,
    /// When.
    pub record_time: OffsetDateTime,
}

impl Programme {
    /// The envelope of a budget year; none when none was voted.
    pub fn envelope(&self, year: BudgetYear) -> Option<&Envelope> {
        self.envelopes.iter().find(|it| it.budget_year == year)
    }

    /// Other names, thresholds or calendar.
    pub fn update(self, changes: Changes, now: OffsetDateTime) -> Self {
        self.changed(now, |programme| {
            let terms = &mut programme.terms;
            let Changes {
                display_name,
                authority_name,
                deviation_rate,
                notice_days,
                report_calendar,
            } = changes;
            replace(&mut terms.display_name, display_name);
            replace(&mut terms.authority_name, authority_name);
            replace(&mut terms.deviation_rate, deviation_rate);
            replace(&mut terms.notice_days, notice_days);
            replace(&mut terms.report_calendar, report_calendar);
        })
    }

    /// One more vote: the first of a budget year opens its envelope. Gives the programme and the envelope after it.
    pub fn vote(self, vote: Vote, now: OffsetDateTime) -> Result<(Self, Envelope), Refusal> {
        let year = vote.budget_year;
        let before = self
            .envelope(year)
            .copied()
            .unwrap_or(Envelope::voted(year, Money::ZERO));
        let after = before
            .vote(vote.amount)
            .ok_or(Refusal::EnvelopeBelowEngaged {
                engaged: before.engaged,
            })?;
        let programme = self.changed(now, |programme| {
            programme.envelopes.retain(|it| it.budget_year != year);
            programme.envelopes.push(after);
            programme.envelopes.sort_by_key(|it| it.budget_year);
            programme.votes.push(vote);
            programme.votes.sort_by_key(|it| it.budget_year);
        });
        Ok((programme, after))
    }

    /// Communes that enter and leave from a day on.
    pub fn change_territory(
        self,
        from: Date,
        entering: &[InseeCode],
        leaving: &[InseeCode],
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let territory = self.territory.clone().change(from, entering, leaving)?;
        Ok(self.changed(now, |programme| programme.territory = territory))
    }

    fn changed(mut self, now: OffsetDateTime, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.revision += 1;
        self.update_time = now;
        self
    }
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Money voted for one budget year, and what has become of it: 0 ≤ paid ≤ engaged ≤ voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Voted.
    pub voted: Money,
    /// What is due under its conventions, or may still become so.
    pub engaged: Money,
    /// Paid under them.
    pub paid: Money,
}

impl Envelope {
    /// An envelope of which nothing is engaged.
    pub const fn voted(budget_year: BudgetYear, voted: Money) -> Self {
        Self {
            budget_year,
            voted,
            engaged: Money::ZERO,
            paid: Money::ZERO,
        }
    }

    /// What can still be engaged.
    pub fn available(&self) -> Money {
        // Both lie between zero and the largest amount: the difference exists.
        self.voted.checked_sub(self.engaged).unwrap_or(Money::ZERO)
    }

    /// Moves what is voted; nothing when it would leave less than what is engaged, or no money at all.
    pub fn vote(self, amount: Money) -> Option<Self> {
        let voted = self.voted.checked_add(amount)?;
        (voted.is_positive() && self.engaged <= voted).then_some(Self { voted, ..self })
    }

    /// Moves what one convention weighs. What is not left of the envelope it does not hold: a payment ordered before a sum
    /// was released may come after another convention has engaged that sum. Gives what it holds then; nothing when more
    /// would be paid than is engaged in all.
    pub fn shift(self, before: Weight, after: Weight) -> Option<(Self, Money)> {
        let others = self.engaged.checked_sub(before.engaged)?;
        let held = after.engaged.min(self.voted.checked_sub(others)?);
        let engaged = others.checked_add(held)?;
        let paid = self
            .paid
            .checked_sub(before.paid)?
            .checked_add(after.paid)?;
        let bounded = !paid.is_negative() && paid <= engaged;
        let envelope = Self {
            engaged,
            paid,
            ..self
        };
        bounded.then_some((envelope, held))
    }
}

/// What a convention weighs on the envelope of its budget year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// What is due under it or may still become so, and no less than what is paid.
    pub engaged: Money,
    /// What is paid.
    pub paid: Money,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn year() -> BudgetYear {
        BudgetYear::new(2025).unwrap()
    }

    fn weight(engaged: i64, paid: i64) -> Weight {
        Weight {
            engaged: Money::from_cents(engaged),
            paid: Money::from_cents(paid),
        }
    }

    #[test]
    fn what_is_released_can_be_engaged_again() {
        let envelope = Envelope::voted(year(), Money::from_cents(1_150_000));
        let nothing = Weight::default();
        let grant = weight(1_150_000, 920_000);
        let (paid, held) = envelope.shift(nothing, grant).unwrap();
        assert_eq!((paid.available(), held), (Money::ZERO, grant.engaged));
        assert_eq!(paid.vote(Money::from_cents(-1)), None);
        assert_eq!(paid.shift(grant, weight(1_150_000, -1)), None);
        assert_eq!(paid.shift(grant, weight(1_150_000, 1_150_001)), None);
        let (settled, held) = paid.shift(grant, weight(920_000, 920_000)).unwrap();
        assert_eq!(settled.available(), Money::from_cents(230_000));
        assert_eq!((settled.paid, held), (settled.engaged, settled.engaged));
    }

    #[test]
    fn a_payment_that_comes_after_the_release_takes_what_is_left_and_no_more() {
        let envelope = Envelope::voted(year(), Money::from_cents(1_000));
        let (engaged, _) = envelope.shift(Weight::default(), weight(600, 0)).unwrap();
        let (full, _) = engaged.shift(Weight::default(), weight(300, 0)).unwrap();
        let (late, held) = full.shift(weight(600, 0), weight(800, 800)).unwrap();
        assert_eq!(held, Money::from_cents(700));
        assert_eq!(
            (late.engaged, late.paid),
            (late.voted, Money::from_cents(800))
        );
    }

    proptest! {
        #[test]
        fn whatever_is_voted_engaged_released_and_paid_the_bounds_hold(
            voted in 1..10_000_i64,
            steps in prop::collection::vec((0..3_usize, -3_000..3_000_i64, -3_000..3_000_i64), 0..40),
        ) {
            let mut envelope = Envelope::voted(year(), Money::from_cents(voted));
            let mut weights = [Weight::default(); 2];
            for (step, one, other) in steps {
                if let Some(held) = weights.get_mut(step) {
                    let after = weight(one, other);
                    if let Some((next, engaged)) = envelope.shift(*held, after) {
                        prop_assert!(engaged <= after.engaged);
                        envelope = next;
                        *held = Weight { engaged, ..after };
                    }
                } else {
                    envelope = envelope.vote(Money::from_cents(one)).unwrap_or(envelope);
                }
                prop_assert!(Money::ZERO <= envelope.paid);
                prop_assert!(envelope.paid <= envelope.engaged);
                prop_assert!(envelope.engaged <= envelope.voted);
                prop_assert_eq!(Money::sum(weights.map(|held| held.engaged)), Some(envelope.engaged));
                prop_assert_eq!(Money::sum(weights.map(|held| held.paid)), Some(envelope.paid));
            }
        }
    }
}
