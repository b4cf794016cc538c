//! Who plays in the journey: each with a token of its own.

use std::sync::Arc;

use nonrecours_issuer::TokenSpec;
use nonrecours_kernel::{Clock, OperatorId, Role};
use time::Duration;

use crate::{
    client::{Client, Issuer},
    suite::Addresses,
};

/// How long a token of an actor lives: one is made for each call.
const TTL: Duration = Duration::minutes(10);

/// A person or a program of the journey.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Subject of its token.
    pub subject: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Its roles.
    pub roles: &'static [Role],
    /// Whether its token is bound to the operator of the journey.
    pub of_operator: bool,
}

/// Runs the programme.
pub const OFFICER: Actor = Actor {
    subject: "c.lemaire@cu-arras.example",
    name: "Claire Lemaire, chargée de programme",
    roles: &[Role::ProgrammeOfficer],
    of_operator: false,
};
/// Signs for the authority and orders payments.
pub const AUTHORISING_OFFICER: Actor = Actor {
    subject: "president@cu-arras.example",
    name: "Frédéric Leturque, Président, ordonnateur",
    roles: &[Role::AuthorisingOfficer],
    of_operator: false,
};
/// Confirms transfers.
pub const ACCOUNTANT: Actor = Actor {
    subject: "comptable@dgfip.example",
    name: "Samir Haddad, comptable public",
    roles: &[Role::Accountant],
    of_operator: false,
};
/// Reads the books.
pub const AUDITOR: Actor = Actor {
    subject: "audit@cu-arras.example",
    name: "Jeanne Caron, contrôle interne",
    roles: &[Role::Auditor],
    of_operator: false,
};
/// Represents the commune.
pub const MANAGER: Actor = Actor {
    subject: "maire@dainville.example",
    name: "Françoise Rossignol, Maire de Dainville",
    roles: &[Role::OperatorManager],
    of_operator: true,
};
/// The commune's follow-up software.
pub const SOFTWARE: Actor = Actor {
    subject: "logiciel-suivi@dainville.example",
    name: "Logiciel de suivi de Dainville",
    roles: &[Role::OperatorAgent],
    of_operator: true,
};

/// Everyone, on one suite.
#[derive(Clone)]
pub struct Cast {
    /// Where the suite listens.
    pub addresses: Addresses,
    /// Who signs the tokens.
    pub issuer: Issuer,
    /// The suite's clock.
    pub clock: Arc<dyn Clock>,
}

impl Cast {
    /// The suite as an actor sees it.
    pub fn client(&self, actor: &Actor, operator: Option<OperatorId>) -> anyhow::Result<Client> {
        let issuer = Arc::clone(&self.issuer);
        let spec = TokenSpec {
            name: Some(actor.name.to_owned()),
            operator: if actor.of_operator { operator } else { None },
            ttl: TTL,
            ..TokenSpec::new(actor.subject, actor.roles.iter().copied())
        };
        Client::signing(&self.addresses, move || issuer.token(&spec))
    }

    /// As the programme officer.
    pub fn officer(&self) -> anyhow::Result<Client> {
        self.client(&OFFICER, None)
    }

    /// As the authorising officer.
    pub fn authorising_officer(&self) -> anyhow::Result<Client> {
        self.client(&AUTHORISING_OFFICER, None)
    }

    /// As the accountant.
    pub fn accountant(&self) -> anyhow::Result<Client> {
        self.client(&ACCOUNTANT, None)
    }

    /// As the auditor.
    pub fn auditor(&self) -> anyhow::Result<Client> {
        self.client(&AUDITOR, None)
    }

    /// As the operator's manager.
    pub fn manager(&self, operator: OperatorId) -> anyhow::Result<Client> {
        self.client(&MANAGER, Some(operator))
    }

    /// As the operator's software.
    pub fn software(&self, operator: OperatorId) -> anyhow::Result<Client> {
        self.client(&SOFTWARE, Some(operator))
    }
}

/// The name behind a subject; the subject itself for a service or a stranger.
pub fn name_of(subject: &str) -> &str {
    [
        OFFICER,
        AUTHORISING_OFFICER,
        ACCOUNTANT,
        AUDITOR,
        MANAGER,
        SOFTWARE,
    ]
    .iter()
    .find(|actor| actor.subject == subject)
    .map_or(subject, |actor| actor.name)
}
