//! Figures in whole numbers, and the one table of the goals.

use std::time::Duration;

/// The middle one.
pub fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// The value that so many per thousand do not exceed.
pub fn quantile(values: &mut [Duration], per_thousand: usize) -> Duration {
    values.sort_unstable();
    let place = (values.len() * per_thousand).div_ceil(1000).max(1) - 1;
    values[place.min(values.len() - 1)]
}

/// One by the other, in hundredths.
pub fn ratio(one: u128, other: u128) -> u128 {
    100 * one / other.max(1)
}

/// Rows a second.
pub fn rate(rows: usize, time: Duration) -> u128 {
    rows as u128 * 1_000_000 / time.as_micros().max(1)
}

/// Hundredths as a decimal number.
pub fn decimal(hundredths: u128) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Time a row, in hundredths of a microsecond.
pub fn each(rows: usize, time: Duration) -> u128 {
    time.as_nanos() / 10 / (rows as u128).max(1)
}

/// One goal and what was measured.
pub struct Line {
    what: String,
    goal: String,
    measured: String,
    met: bool,
    beside: String,
}

/// The table.
#[derive(Default)]
pub struct Report(Vec<Line>);

impl Report {
    /// A figure in hundredths that is to reach another.
    pub fn at_least(&mut self, what: &str, goal: u128, measured: u128, beside: String) {
        self.add(
            what,
            format!("≥ {}", decimal(goal)),
            measured,
            measured >= goal,
            beside,
        );
    }

    /// A figure in hundredths that is not to exceed another.
    pub fn at_most(&mut self, what: &str, goal: u128, measured: u128, beside: String) {
        self.add(
            what,
            format!("≤ {}", decimal(goal)),
            measured,
            measured <= goal,
            beside,
        );
    }

    fn add(&mut self, what: &str, goal: String, measured: u128, met: bool, beside: String) {
        let line = Line {
            what: what.to_owned(),
            goal,
            measured: decimal(measured),
            met,
            beside,
        };
        println!("  {} {} ({})", line.what, line.measured, line.beside);
        self.0.push(line);
    }

    /// Prints it.
    pub fn print(&self) {
        println!("\n| pair | goal | measured | met | medians |\n|---|---|---|---|---|");
        for line in &self.0 {
            let met = if line.met { "yes" } else { "**no**" };
            println!(
                "| {} | {} | {} | {met} | {} |",
                line.what, line.goal, line.measured, line.beside
            );
        }
    }
}
