//! Tables of indicators: one breakdown by the periods of one year, and no other. The whole family is decided figure by
//! figure on the months released, and every question is answered from that: see [`nonrecours_disclosure`].

use nonrecours_disclosure::{Period, Release, Rules, Series, Shown, Table, TooManyRows};

use super::{measure::Measure, sums::Months, thresholds::Thresholds};
use crate::codes::codes;

codes! {
    /// What the rows of a table are.
    Breakdown {
        /// One row.
        Total = "TOTAL",
        /// Operators.
        Operator = "OPERATOR",
        /// Conventions of one operator.
        Convention = "CONVENTION",
        /// Communes.
        Commune = "COMMUNE",
        /// Target publics.
        Public = "PUBLIC",
        /// Rights.
        Right = "RIGHT",
        /// Reasons of non-take-up.
        Reason = "REASON",
        /// Channels of sessions.
        Channel = "CHANNEL",
    }
}

codes! {
    /// What the columns of a table are.
    Grain {
        /// Months.
        Month = "MONTH",
        /// Quarters.
        Quarter = "QUARTER",
        /// The year.
        Year = "YEAR",
    }
}

codes! {
    /// For whom a table is made.
    Audience {
        /// Those who run the programme.
        Internal = "INTERNAL",
        /// Everybody.
        Public = "PUBLIC",
    }
}

impl Grain {
    /// Whether a period is one of its columns.
    pub const fn has(self, period: Period) -> bool {
        matches!(
            (self, period),
            (Self::Month, Period::Month(_))
                | (Self::Quarter, Period::Quarter(_))
                | (Self::Year, Period::Year)
        )
    }
}

/// A row: its code, and what it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Code, or name; empty for what is none of the others.
    pub code: String,
    /// Its months.
    pub months: Months,
}

/// What may be told of the figures of a table.
pub struct Told {
    /// By measure; `None`: not counted along this breakdown.
    measures: Vec<Option<Vec<Shown>>>,
    closed: usize,
}

impl Told {
    /// Everything, of every period: for the operator whose figures they are.
    pub fn all(breakdown: Breakdown, rows: usize) -> Self {
        let measures = Measure::ALL
            .map(|measure| measure.is_along(breakdown).then(|| vec![Shown::ALL; rows]))
            .to_vec();
        Self {
            measures,
            closed: nonrecours_disclosure::QUARTERS,
        }
    }

    /// What an audience is told of the first `closed` quarters, of a year that is released under `thresholds`. `total`
    /// counts all persons once, where the rows may count one in several.
    pub fn to(
        audience: Audience,
        thresholds: &Thresholds,
        breakdown: Breakdown,
        rows: &[Row],
        total: &Months,
        closed: usize,
    ) -> Result<Self, TooManyRows> {
        let family = Family {
            breakdown,
            rows,
            total,
            closed,
        };
        let internal = family.decide(&thresholds.rules(Audience::Internal), None)?;
        let decided = match audience {
            Audience::Internal => internal,
            // Those who run the programme read what is published too.
            Audience::Public => family.decide(&thresholds.rules(audience), Some(&internal))?,
        };
        let measures = Measure::ALL
            .into_iter()
            .zip(decided)
            .map(|(measure, decided)| {
                let along = measure.is_along(breakdown);
                along.then(|| {
                    if !measure.is_controlled() {
                        vec![Shown::ALL; rows.len()]
                    } else if breakdown == Breakdown::Total {
                        vec![decided.total.root; rows.len()]
                    } else {
                        decided.rows.rows
                    }
                })
            });
        Ok(Self {
            measures: measures.collect(),
            closed,
        })
    }

    /// The periods of a grain that are told of at all.
    pub fn periods(&self, grain: Grain) -> impl Iterator<Item = Period> {
        let closed = self.closed;
        Period::all().filter(move |period| grain.has(*period) && period.is_closed(closed))
    }

    /// Whether a figure of a row is told; `None`: it is not counted along this breakdown.
    pub fn is_told(&self, measure: Measure, row: usize, period: Period) -> Option<bool> {
        let shown = self.measures.get(measure.index())?.as_ref()?.get(row)?;
        Some(shown.at(period))
    }
}

/// The tables that are decided together.
struct Family<'a> {
    breakdown: Breakdown,
    rows: &'a [Row],
    total: &'a Months,
    closed: usize,
}

/// What is told of one measure.
struct Decided {
    total: Release,
    rows: Release,
}

impl Family<'_> {
    fn decide(
        &self,
        rules: &Rules,
        wider: Option<&[Decided]>,
    ) -> Result<Vec<Decided>, TooManyRows> {
        let mut decided: Vec<Decided> = Vec::with_capacity(Measure::ALL.len());
        for measure in Measure::ALL {
            let whole = measure
                .part_of()
                .and_then(|whole| decided.get(whole.index()));
            let wider = wider.and_then(|wider| wider.get(measure.index()));
            let total = self.total(measure, rules, whole, wider)?;
            let rows = self.rows(measure, rules, &total, whole, wider)?;
            decided.push(Decided { total, rows });
        }
        Ok(decided)
    }

    fn total(
        &self,
        measure: Measure,
        rules: &Rules,
        whole: Option<&Decided>,
        wider: Option<&Decided>,
    ) -> Result<Release, TooManyRows> {
        let within: Vec<&Release> = [whole, wider]
            .into_iter()
            .flatten()
            .map(|decided| &decided.total)
            .collect();
        let table = Table {
            kind: measure.kind(),
            closed: self.closed,
            rows: &[series(measure, self.total)],
            within: &within,
        };
        table.release(rules)
    }

    /// Rows are told only where the total is: the persons of all rows together are never fewer than those of the total.
    fn rows(
        &self,
        measure: Measure,
        rules: &Rules,
        total: &Release,
        whole: Option<&Decided>,
        wider: Option<&Decided>,
    ) -> Result<Release, TooManyRows> {
        let ceiling = Release {
            root: total.root,
            rows: vec![total.root; self.rows.len()],
        };
        if !measure.is_along(self.breakdown) || self.breakdown == Breakdown::Total {
            return Ok(ceiling);
        }
        let within: Vec<&Release> = [whole, wider]
            .into_iter()
            .flatten()
            .map(|decided| &decided.rows)
            .chain([&ceiling])
            .collect();
        let rows: Vec<Series> = self
            .rows
            .iter()
            .map(|row| series(measure, &row.months))
            .collect();
        let table = Table {
            kind: measure.kind(),
            closed: self.closed,
            rows: &rows,
            within: &within,
        };
        table.release(rules)
    }
}

/// A figure of a row for every period.
pub fn series(measure: Measure, months: &Months) -> Series {
    Series::of_months(months.map(|sums| measure.figure(&sums)))
}
