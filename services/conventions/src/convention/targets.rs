//! What the operator is to achieve by the end of a convention, in figures.

use nonrecours_kernel::Invalid;

/// Targets; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    persons_spotted: i32,
    persons_supported: i32,
    entitlements_opened: i32,
}

/// One of the targets.
pub struct Target {
    /// Its name in the contract.
    pub field: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What it counts: one, several.
    pub counted: [&'static str; 2],
    /// How many; 0: none.
    pub number: i32,
}

impl Targets {
    /// Refused with `TARGETS_CONTRADICTORY` when more persons are to be supported than spotted.
    pub fn new(
        persons_spotted: i32,
        persons_supported: i32,
        entitlements_opened: i32,
    ) -> Result<Self, Invalid> {
        if persons_spotted > 0 && persons_supported > persons_spotted {
            return Err(Invalid::new(
                "TARGETS_CONTRADICTORY",
                "more persons are to be supported than are to be spotted",
                "L'objectif de personnes accompagnées dépasse celui de personnes repérées : corrigez l'un ou l'autre.",
            ));
        }
        Ok(Self {
            persons_spotted,
            persons_supported,
            entitlements_opened,
        })
    }

    /// Persons to spot, persons to support, rights to open.
    pub const fn numbers(&self) -> [i32; 3] {
        [
            self.persons_spotted,
            self.persons_supported,
            self.entitlements_opened,
        ]
    }

    /// No target at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each of them.
    pub const fn each(&self) -> [Target; 3] {
        [
            Target {
                field: "persons_spotted",
                label: "Personnes à repérer",
                counted: ["personne repérée", "personnes repérées"],
                number: self.persons_spotted,
            },
            Target {
                field: "persons_supported",
                label: "Personnes à accompagner",
                counted: ["personne accompagnée", "personnes accompagnées"],
                number: self.persons_supported,
            },
            Target {
                field: "entitlements_opened",
                label: "Droits à ouvrir",
                counted: ["droit ouvert", "droits ouverts"],
                number: self.entitlements_opened,
            },
        ]
    }

    /// All of them as an objective of a convention; nothing without any.
    pub fn as_objective(&self) -> Option<String> {
        let targets = self.each();
        let given = targets.iter().filter(|target| target.number > 0);
        let parts: Vec<String> = given.map(Target::in_words).collect();
        (!parts.is_empty()).then(|| {
            format!(
                "Atteindre, au terme de la convention : {}.",
                parts.join(", ")
            )
        })
    }
}

impl Target {
    /// `120 personnes repérées`.
    pub fn in_words(&self) -> String {
        let [one, several] = self.counted;
        let counted = if self.number > 1 { several } else { one };
        format!("{} {counted}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_worded_and_do_not_contradict_each_other() {
        let targets = Targets::new(120, 60, 1).unwrap();
        assert_eq!(
            targets.as_objective().as_deref(),
            Some(
                "Atteindre, au terme de la convention : 120 personnes repérées, 60 personnes accompagnées, 1 droit ouvert."
            )
        );
        assert_eq!(Targets::default().as_objective(), None);
        // Persons to support without a target of persons to spot.
        assert!(Targets::new(0, 60, 0).is_ok());
        assert_eq!(
            Targets::new(10, 11, 0).unwrap_err().reason,
            "TARGETS_CONTRADICTORY"
        );
    }
}
