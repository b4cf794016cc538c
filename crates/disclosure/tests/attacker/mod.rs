//! Two attackers: one who solves the equations of all answers, one who narrows ranges until nothing moves.

use std::collections::HashMap;

use nonrecours_disclosure::{MONTHS, Period, QUARTERS, Series};

/// A prime: what is determined over the rationals is so over its field, but for coincidences of one in 10^18.
const PRIME: u128 = (1 << 61) - 1;

/// Equations whose coefficients are 0 and 1, kept solved for a leading unknown each (Gauss, Jordan).
pub struct Field {
    unknowns: usize,
    solved: Vec<(usize, Vec<u128>)>,
}

impl Field {
    pub fn new(unknowns: usize) -> Self {
        Self {
            unknowns,
            solved: Vec::new(),
        }
    }

    /// Learns the sum of some unknowns.
    pub fn learn(&mut self, cells: &[usize]) {
        let mut row = self.reduced(cells);
        let Some(lead) = row.iter().position(|coefficient| *coefficient != 0) else {
            return;
        };
        let inverse = power(row[lead], PRIME - 2);
        for coefficient in &mut row {
            *coefficient = *coefficient * inverse % PRIME;
        }
        self.solved.push((lead, row));
    }

    /// Whether the sum of some unknowns follows.
    pub fn determines(&self, cells: &[usize]) -> bool {
        self.reduced(cells)
            .iter()
            .all(|coefficient| *coefficient == 0)
    }

    fn reduced(&self, cells: &[usize]) -> Vec<u128> {
        let mut row = vec![0; self.unknowns];
        for cell in cells {
            row[*cell] = 1;
        }
        for (lead, known) in &self.solved {
            let factor = row[*lead];
            if factor != 0 {
                for (coefficient, known) in row.iter_mut().zip(known) {
                    *coefficient = (*coefficient + (PRIME - factor) * known) % PRIME;
                }
            }
        }
        row
    }
}

fn power(base: u128, mut exponent: u128) -> u128 {
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * square % PRIME;
        }
        square = square * square % PRIME;
        exponent >>= 1;
    }
    result
}

/// Above every figure there is.
const UNKNOWN: u64 = 1 << 40;

/// The range of each figure, narrowed by every sum until nothing moves.
pub struct Ranges(HashMap<(Option<usize>, Period), (u64, u64)>);

impl Ranges {
    pub fn of(
        rows: &[Series],
        closed: usize,
        shown: impl Fn(Option<usize>, Period) -> bool,
    ) -> Self {
        let root = Series::sum(rows);
        let figures = (0..rows.len()).map(Some).chain([None]);
        let mut ranges = HashMap::new();
        let mut sums = Vec::new();
        for row in figures {
            let series = row.map_or(&root, |row| &rows[row]);
            for period in Period::all() {
                let value = series.at(period).value;
                let known = period.is_closed(closed) && shown(row, period);
                let range = if known { (value, value) } else { (0, UNKNOWN) };
                ranges.insert((row, period), range);
            }
            for quarter in 0..QUARTERS {
                let months = Period::of_quarter(quarter).take(MONTHS / QUARTERS);
                let parts = months.map(|month| (row, month)).collect::<Vec<_>>();
                sums.push(((row, Period::Quarter(quarter)), parts));
            }
            let quarters = (0..QUARTERS).map(|quarter| (row, Period::Quarter(quarter)));
            sums.push(((row, Period::Year), quarters.collect()));
        }
        for period in Period::all() {
            let parts = (0..rows.len()).map(|row| (Some(row), period)).collect();
            sums.push(((None, period), parts));
        }
        let mut ranges = Self(ranges);
        while sums
            .iter()
            .any(|(whole, parts)| ranges.narrow(whole, parts))
        {}
        ranges
    }

    pub fn at(&self, row: Option<usize>, period: Period) -> (u64, u64) {
        self.0[&(row, period)]
    }

    fn narrow(
        &mut self,
        whole: &(Option<usize>, Period),
        parts: &[(Option<usize>, Period)],
    ) -> bool {
        let low: u64 = parts.iter().map(|part| self.0[part].0).sum();
        let high: u64 = parts.iter().map(|part| self.0[part].1).sum();
        let mut moved = self.cut(whole, low, high);
        let (least, most) = self.0[whole];
        for part in parts {
            let (own_low, own_high) = self.0[part];
            let others_low = low - own_low;
            let others_high = high - own_high;
            moved |= self.cut(
                part,
                least.saturating_sub(others_high),
                most.saturating_sub(others_low),
            );
        }
        moved
    }

    fn cut(&mut self, figure: &(Option<usize>, Period), low: u64, high: u64) -> bool {
        let range = self.0.get_mut(figure).unwrap();
        let narrowed = (range.0.max(low), range.1.min(high));
        let moved = narrowed != *range;
        *range = narrowed;
        moved
    }
}
