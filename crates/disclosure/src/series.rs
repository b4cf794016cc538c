//! The figures of one row, by period.

/// Months of a year.
pub const MONTHS: usize = 12;
/// Quarters of a year.
pub const QUARTERS: usize = 4;
/// Months of a quarter.
const MONTHS_OF_A_QUARTER: usize = MONTHS / QUARTERS;

/// A period of one civil year. Places count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// A month, 0 to 11.
    Month(usize),
    /// A quarter, 0 to 3.
    Quarter(usize),
    /// The year.
    Year,
}

impl Period {
    /// How many periods a year has.
    pub const COUNT: usize = MONTHS + QUARTERS + 1;

    /// Every period: months, quarters, the year.
    pub fn all() -> impl Iterator<Item = Self> {
        let months = (0..MONTHS).map(Self::Month);
        let quarters = (0..QUARTERS).map(Self::Quarter);
        months.chain(quarters).chain([Self::Year])
    }

    /// A quarter with its months.
    pub fn of_quarter(quarter: usize) -> impl Iterator<Item = Self> {
        months_of(quarter)
            .map(Self::Month)
            .chain([Self::Quarter(quarter)])
    }

    /// Its place in [`Self::all`].
    pub const fn index(self) -> usize {
        match self {
            Self::Month(month) => month,
            Self::Quarter(quarter) => MONTHS + quarter,
            Self::Year => MONTHS + QUARTERS,
        }
    }

    /// Whether it lies wholly within the first `closed` quarters.
    pub const fn is_closed(self, closed: usize) -> bool {
        match self {
            Self::Month(month) => month / MONTHS_OF_A_QUARTER < closed,
            Self::Quarter(quarter) => quarter < closed,
            Self::Year => closed >= QUARTERS,
        }
    }
}

/// Months of a quarter.
pub fn months_of(quarter: usize) -> std::ops::Range<usize> {
    quarter * MONTHS_OF_A_QUARTER..(quarter + 1) * MONTHS_OF_A_QUARTER
}

/// A figure and who stands behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contribution {
    /// The figure: a count, or an amount in cents.
    pub value: u64,
    /// How many contribute to it.
    pub contributors: u64,
    /// The most that one of them contributes, in the unit of the figure.
    pub largest: u64,
}

impl Contribution {
    /// A count of persons, or of what belongs to one person each.
    pub const fn count(number: u64) -> Self {
        Self {
            value: number,
            contributors: number,
            largest: if number > 0 { 1 } else { 0 },
        }
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            value: self.value.saturating_add(other.value),
            contributors: self.contributors.saturating_add(other.contributors),
            largest: if self.largest < other.largest {
                other.largest
            } else {
                self.largest
            },
        }
    }
}

/// The figures of one row for every period of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series([Contribution; Period::COUNT]);

impl Series {
    /// From its months; quarters and the year follow.
    pub fn of_months(months: [Contribution; MONTHS]) -> Self {
        let mut series = [Contribution::default(); Period::COUNT];
        for (month, contribution) in months.into_iter().enumerate() {
            for period in [
                Period::Month(month),
                Period::Quarter(month / MONTHS_OF_A_QUARTER),
                Period::Year,
            ] {
                let sum = &mut series[period.index()];
                *sum = sum.and(contribution);
            }
        }
        Self(series)
    }

    /// The sum of rows.
    pub fn sum(rows: &[Self]) -> Self {
        let mut sum = [Contribution::default(); Period::COUNT];
        for row in rows {
            for (sum, contribution) in sum.iter_mut().zip(row.0) {
                *sum = sum.and(contribution);
            }
        }
        Self(sum)
    }

    /// The figure of a period.
    pub const fn at(&self, period: Period) -> Contribution {
        self.0[period.index()]
    }
}
