//! The convention of Dainville in the states that tests begin from.
#![allow(clippy::unwrap_used, reason = "a test that cannot begin fails")]

use nonrecours_kernel::{ActId, BudgetYear, ConventionName, Id, Money, Siren};
use time::{
    Date, OffsetDateTime,
    macros::{date, datetime},
};
use uuid::Uuid;

use super::{
    domain::Convention,
    party::{ByParty, Party},
    signing::Circumstances,
    targets::Targets,
    terms::{Commitment, InstalmentKind, Instalments, Originals, Signatory, Terms},
};
use crate::{
    act::domain::{Act, Publication, Publicity, Received, Transmission},
    programme::domain::Envelope,
};

pub const NOW: OffsetDateTime = datetime!(2025-10-07 08:00 UTC);
pub const TODAY: Date = date!(2025 - 10 - 07);
/// What the accepted report shows as spent.
pub const SPENT: Money = Money::from_cents(1_130_000);
pub const CUA: &str = "062-200033579-20250925-25C120-DE";
pub const DAINVILLE: &str = "062-216202630-20250929-25D045-DE";

pub fn id<K>(number: u128) -> Id<K> {
    Id::from_uuid(Uuid::from_u128(number))
}

pub fn name() -> ConventionName {
    ConventionName {
        operator: id(1),
        convention: id(2),
    }
}

/// The convention of Dainville as its document is: the day of the commune's decision is blank.
pub fn draft() -> Convention {
    let signatory = |name: &str, capacity: &str, decision| {
        Some(Signatory {
            full_name: name.into(),
            capacity: capacity.into(),
            empowering_decision: decision,
        })
    };
    let shares = [
        (InstalmentKind::Advance, "0.8"),
        (InstalmentKind::Balance, "0.2"),
    ];
    let terms = Terms {
        framework_convention: format!(
            "programmes/{}/frameworkConventions/{}",
            Uuid::max(),
            Uuid::max()
        )
        .parse()
        .unwrap(),
        title: "Convention de partenariat 2025".into(),
        budget_year: BudgetYear::new(2025).unwrap(),
        grant: Money::from_cents(1_150_000),
        instalments: Instalments::new(
            shares
                .map(|(kind, share)| (kind, share.parse().unwrap()))
                .to_vec(),
        )
        .unwrap(),
        advance_without_call: false,
        originals: Originals::DEFAULT,
        target_publics: vec!["HABITANT".into()],
        objectives: vec!["Repérer les publics.".into()],
        commitments: vec![Commitment {
            code: "MISSIONS".into(),
            text: "Remplir les missions.".into(),
        }],
        targets: Targets::default(),
        indicative_end: date!(2025 - 12 - 31),
        signatories: ByParty {
            authority: signatory(
                "Frédéric LETURQUE",
                "Président",
                Some(date!(2025 - 09 - 25)),
            ),
            operator: signatory("Françoise ROSSIGNOL", "Maire", None),
        },
    };
    Convention::draft(name(), terms, NOW)
}

pub fn act(party: Party, number: &str) -> Act {
    let convention = name();
    Act {
        name: format!("{convention}/acts/{}", Uuid::max())
            .parse()
            .unwrap(),
        party,
        amendment: None,
        act_id: number.parse().unwrap(),
        transmission: Transmission::Transmitted(Received {
            posting: None,
            day: date!(2025 - 10 - 06),
        }),
        publication: Some(Publication {
            publicity: Publicity::Publication,
            day: date!(2025 - 10 - 06),
            reference: None,
        }),
        revision: 1,
        create_time: NOW,
        update_time: NOW,
    }
}

pub fn sirens() -> ByParty<Siren> {
    ByParty {
        authority: "200033579".parse().unwrap(),
        operator: "216202630".parse().unwrap(),
    }
}

pub fn of_act(number: &str) -> (Siren, Date) {
    let act: ActId = number.parse().unwrap();
    (act.siren(), act.date())
}

pub fn ready() -> Circumstances {
    Circumstances {
        operator_is_public: true,
        lacks_republican_commitment: false,
        acts: ByParty {
            authority: Some(act(Party::Authority, CUA)),
            operator: Some(act(Party::Operator, DAINVILLE)),
        },
        envelope: Some(Envelope::voted(
            BudgetYear::new(2025).unwrap(),
            Money::from_cents(1_150_000),
        )),
    }
}

pub fn empowered() -> Convention {
    draft()
        .authorise(Party::Operator, of_act(DAINVILLE), &sirens(), NOW)
        .unwrap()
        .unwrap()
}

pub fn in_force() -> Convention {
    empowered()
        .sign(Party::Operator, "maire", &ready(), NOW)
        .and_then(|convention| convention.sign(Party::Authority, "president", &ready(), NOW))
        .unwrap()
}
