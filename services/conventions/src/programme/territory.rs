//! The communes of a territory, each with its days: communes merge, join and leave.

use nonrecours_kernel::InseeCode;
use time::Date;

use crate::refusal::Refusal;

/// A commune of the territory, and since and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Commune.
    pub insee_code: InseeCode,
    /// First day; none: since before the programme.
    pub from: Option<Date>,
    /// First day on which it is no longer of the territory.
    pub to: Option<Date>,
}

impl Stay {
    /// Whether it is of the territory that day.
    pub fn covers(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day < to)
    }
}

/// Every commune that is or was of the territory. None at all: every commune is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Territory(Vec<Stay>);

impl Territory {
    /// The stays, by commune and first day.
    pub fn new(mut stays: Vec<Stay>) -> Self {
        stays.sort_by(|a, b| (&a.insee_code, a.from).cmp(&(&b.insee_code, b.from)));
        Self(stays)
    }

    /// These communes, since before the programme.
    pub fn of(communes: Vec<InseeCode>) -> Self {
        let stay = |insee_code| Stay {
            insee_code,
            from: None,
            to: None,
        };
        Self::new(communes.into_iter().map(stay).collect())
    }

    /// Every stay, by commune and first day.
    pub fn stays(&self) -> &[Stay] {
        &self.0
    }

    /// The communes of that day.
    pub fn on(&self, day: Date) -> impl Iterator<Item = &InseeCode> {
        self.0
            .iter()
            .filter(move |stay| stay.covers(day))
            .map(|stay| &stay.insee_code)
    }

    /// Communes that enter and leave from a day on. Refuses one that enters though it is of the territory that day or
    /// later, and one that leaves though it is not of it that day.
    pub fn change(
        mut self,
        from: Date,
        entering: &[InseeCode],
        leaving: &[InseeCode],
    ) -> Result<Self, Refusal> {
        let conflict = |code: &InseeCode| Refusal::TerritoryConflict {
            insee_code: *code,
            day: from,
        };
        for code in leaving {
            let stay = self
                .0
                .iter_mut()
                .find(|stay| stay.insee_code == *code && stay.to.is_none() && stay.covers(from));
            stay.ok_or_else(|| conflict(code))?.to = Some(from);
        }
        for code in entering {
            let still =
                |stay: &Stay| stay.insee_code == *code && stay.to.is_none_or(|to| from < to);
            if self.0.iter().any(still) {
                return Err(conflict(code));
            }
            // One that left on the very day it entered has a stay of no day: it goes on from there.
            match self
                .0
                .iter_mut()
                .find(|it| it.insee_code == *code && it.from == Some(from))
            {
                Some(stay) => stay.to = None,
                None => self.0.push(Stay {
                    insee_code: *code,
                    from: Some(from),
                    to: None,
                }),
            }
        }
        Ok(Self::new(self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::date};

    use super::*;

    fn code(text: &str) -> InseeCode {
        text.parse().unwrap()
    }

    #[test]
    fn a_commune_leaves_and_comes_back_and_each_day_keeps_its_answer() {
        let (new_year, spring) = (date!(2026 - 01 - 01), date!(2026 - 03 - 29));
        let (arras, dainville) = (code("62041"), code("62263"));
        let territory = Territory::of(vec![dainville, arras])
            .change(new_year, &[], std::slice::from_ref(&arras))
            .and_then(|it| it.change(spring, std::slice::from_ref(&arras), &[]))
            .unwrap();
        let on = |day| territory.on(day).cloned().collect::<Vec<_>>();
        assert_eq!(on(date!(2025 - 12 - 31)), [arras, dainville]);
        assert_eq!(on(new_year), std::slice::from_ref(&dainville));
        assert_eq!(on(spring), [arras, dainville]);
        for (entering, leaving) in [(vec![arras], vec![]), (vec![], vec![code("62119")])] {
            let refused = territory.clone().change(spring, &entering, &leaving);
            assert_eq!(refused.unwrap_err().reason(), "TERRITORY_CONFLICT");
        }
    }

    proptest! {
        /// Whatever is asked in whatever order, a commune is of the territory at most once a day.
        #[test]
        fn no_commune_is_twice_of_the_territory(steps in prop::collection::vec((any::<bool>(), 0..400_i64), 0..20)) {
            let mut territory = Territory::default();
            let communes = [code("62041")];
            for (enters, days) in steps {
                let day = date!(2024 - 01 - 15) + Duration::days(days);
                let (entering, leaving): (&[_], &[_]) =
                    if enters { (&communes, &[]) } else { (&[], &communes) };
                let next = territory.clone().change(day, entering, leaving);
                territory = next.unwrap_or(territory);
                for days in 0..400 {
                    let day = date!(2024 - 01 - 15) + Duration::days(days);
                    prop_assert!(territory.on(day).count() <= 1);
                }
            }
        }
    }
}
