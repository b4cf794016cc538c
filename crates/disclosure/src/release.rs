//! Which figures of a table are told.

use crate::{
    network::{Network, Way},
    rules::{Kind, Need, Rules},
    series::{MONTHS, Period, QUARTERS, Series, months_of},
};

/// Rows of one table. The work grows with their square; a territory has tens of communes and operators.
pub const MAX_ROWS: usize = 300;

/// What is told of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown([bool; Period::COUNT]);

impl Shown {
    /// Everything: the ceiling of what has none.
    pub const ALL: Self = Self([true; Period::COUNT]);

    /// Whether the figure of a period is told.
    pub const fn at(&self, period: Period) -> bool {
        self.0[period.index()]
    }
}

/// What is told of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Of the sum of its rows.
    pub root: Shown,
    /// Of each row, in the order given.
    pub rows: Vec<Shown>,
}

/// A table has more than [`MAX_ROWS`] rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRows;

/// A table to be told.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// What it counts.
    pub kind: Kind,
    /// How many quarters of the year are closed: nothing is told of the others.
    pub closed: usize,
    /// Its rows.
    pub rows: &'a [Series],
    /// What may be told at most: releases of the same rows for a wider audience, or of a figure that contains this one.
    /// That way two releases together tell nothing that one of them does not.
    pub within: &'a [&'a Release],
}

impl Table<'_> {
    /// Decides. First the root, from its own figures alone, so that every table of the same root agrees on it; then the
    /// rows, which are told only for periods whose root is. Within each, quarter by quarter, then the year.
    pub fn release(&self, rules: &Rules) -> Result<Release, TooManyRows> {
        if self.rows.len() > MAX_ROWS {
            return Err(TooManyRows);
        }
        let root = Series::sum(self.rows);
        let mut release = Release {
            root: Shown::default(),
            rows: vec![Shown::default(); self.rows.len()],
        };
        let mut alone = Stage {
            table: self,
            rules,
            root: &root,
            rows: std::slice::from_ref(&root),
            target: Target::Root,
        };
        let mut of_root = Release {
            root: Shown::default(),
            rows: vec![Shown::default()],
        };
        alone.run(&mut of_root);
        release.root = of_root.root;
        alone.rows = self.rows;
        alone.target = Target::Rows;
        alone.run(&mut release);
        Ok(release)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Root,
    Rows,
}

/// Deciding the root or the rows.
struct Stage<'a> {
    table: &'a Table<'a>,
    rules: &'a Rules,
    root: &'a Series,
    rows: &'a [Series],
    target: Target,
}

/// A figure in the network.
struct Cell {
    /// `None`: the root.
    row: Option<usize>,
    period: Period,
    edge: usize,
    need: Option<Need>,
}

impl Stage<'_> {
    fn run(&self, release: &mut Release) {
        for quarter in 0..self.table.closed.min(QUARTERS) {
            self.decide(release, Some(quarter));
        }
        if Period::Year.is_closed(self.table.closed) {
            self.decide(release, None);
        }
    }

    /// Decides a quarter with its months, or the year on top of what was decided of its quarters.
    fn decide(&self, release: &mut Release, quarter: Option<usize>) {
        let (mut network, cells) = match quarter {
            Some(quarter) => self.quarter(quarter),
            None => self.year(),
        };
        let decided_now = |period| match quarter {
            Some(_) => true,
            None => period == Period::Year,
        };
        let mut candidates = Vec::new();
        for cell in &cells {
            let is_target = cell.row.is_none() == (self.target == Target::Root);
            let shown = if is_target && decided_now(cell.period) {
                let may = cell.need.is_none() && self.may_be_shown(release, cell);
                if may {
                    candidates.push(cell.edge);
                }
                may
            } else {
                release.at(cell.row, cell.period)
            };
            network.show(cell.edge, shown);
        }
        for cell in &cells {
            if let (Some(need), false) = (cell.need, network.is_shown(cell.edge)) {
                protect(&mut network, cell.edge, Way::Up, need.up, &candidates);
                protect(&mut network, cell.edge, Way::Down, need.down, &candidates);
            }
        }
        // What can be computed from the rest anyway, and is not sensitive, is told.
        for edge in &candidates {
            let known = [Way::Up, Way::Down]
                .iter()
                .all(|way| network.can_shift(*edge, *way, 1).is_err());
            if known {
                network.show(*edge, true);
            }
        }
        for cell in &cells {
            if candidates.contains(&cell.edge) && network.is_shown(cell.edge) {
                release.set(cell.row, cell.period);
            }
        }
    }

    fn may_be_shown(&self, release: &Release, cell: &Cell) -> bool {
        let within = |release: &&Release| match cell.row {
            Some(row) => release.rows.get(row).is_some_and(|row| row.at(cell.period)),
            None => release.root.at(cell.period),
        };
        self.table.within.iter().all(within)
            && (self.target == Target::Root || release.root.at(cell.period))
    }

    /// Rows and root of one quarter: 0 is the outside, 1 the root, then the months, then the rows.
    fn quarter(&self, quarter: usize) -> (Network, Vec<Cell>) {
        let months = months_of(quarter);
        let first_row = 2 + months.len();
        let mut build = Build::new(self, first_row + self.rows.len());
        for (place, month) in months.clone().enumerate() {
            build.add(None, Period::Month(month), 2 + place, 1);
        }
        build.add(None, Period::Quarter(quarter), 1, 0);
        for row in 0..self.rows.len() {
            build.add(Some(row), Period::Quarter(quarter), 0, first_row + row);
            for (place, month) in months.clone().enumerate() {
                build.add(Some(row), Period::Month(month), first_row + row, 2 + place);
            }
        }
        (build.network, build.cells)
    }

    /// Rows and root of the whole year: 0 is the outside, 1 the root, then its quarters, the months, and for each row
    /// the year and its quarters.
    fn year(&self) -> (Network, Vec<Cell>) {
        let (first_quarter, first_month) = (2, 2 + QUARTERS);
        let first_row = first_month + MONTHS;
        let width = 1 + QUARTERS;
        let mut build = Build::new(self, first_row + width * self.rows.len());
        build.add(None, Period::Year, 1, 0);
        for quarter in 0..QUARTERS {
            build.add(None, Period::Quarter(quarter), first_quarter + quarter, 1);
            for month in months_of(quarter) {
                build.add(
                    None,
                    Period::Month(month),
                    first_month + month,
                    first_quarter + quarter,
                );
            }
        }
        for row in 0..self.rows.len() {
            let year = first_row + width * row;
            build.add(Some(row), Period::Year, 0, year);
            for quarter in 0..QUARTERS {
                build.add(
                    Some(row),
                    Period::Quarter(quarter),
                    year,
                    year + 1 + quarter,
                );
                for month in months_of(quarter) {
                    build.add(
                        Some(row),
                        Period::Month(month),
                        year + 1 + quarter,
                        first_month + month,
                    );
                }
            }
        }
        (build.network, build.cells)
    }
}

/// Withholds candidates until the figure can lie so far away. The last resort is all of them: then nothing is told beyond
/// what was told before.
fn protect(network: &mut Network, edge: usize, way: Way, amount: u64, candidates: &[usize]) {
    while let Err(stopped) = network.can_shift(edge, way, amount) {
        match network.opening(&stopped, candidates) {
            Some(victim) => network.show(victim, false),
            None => {
                for candidate in candidates {
                    network.show(*candidate, false);
                }
                return;
            }
        }
    }
}

struct Build<'a> {
    stage: &'a Stage<'a>,
    network: Network,
    cells: Vec<Cell>,
}

impl<'a> Build<'a> {
    fn new(stage: &'a Stage<'a>, nodes: usize) -> Self {
        Self {
            stage,
            network: Network::new(nodes),
            cells: Vec::new(),
        }
    }

    fn add(&mut self, row: Option<usize>, period: Period, from: usize, to: usize) {
        let series = row.map_or(self.stage.root, |row| &self.stage.rows[row]);
        let figure = series.at(period);
        self.cells.push(Cell {
            row,
            period,
            edge: self.network.add(from, to, figure.value),
            need: self.stage.rules.need(self.stage.table.kind, figure),
        });
    }
}

impl Release {
    fn at(&self, row: Option<usize>, period: Period) -> bool {
        row.map_or(&self.root, |row| &self.rows[row]).at(period)
    }

    fn set(&mut self, row: Option<usize>, period: Period) {
        let shown = match row {
            Some(row) => &mut self.rows[row],
            None => &mut self.root,
        };
        shown.0[period.index()] = true;
    }
}
