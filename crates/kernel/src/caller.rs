//! Who is calling, and how far they reach.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::call::Call;

use crate::{Invalid, OperatorId};

/// Longest subject or display name, in characters.
pub const MAX_NAME: usize = 200;

/// What a caller may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs the programme for the territory (chargé de programme).
    ProgrammeOfficer,
    /// Orders payments (ordonnateur).
    AuthorisingOfficer,
    /// Pays (comptable public).
    Accountant,
    /// Reads everything, changes nothing.
    Auditor,
    /// Follows beneficiaries for an operator.
    OperatorAgent,
    /// Commits an operator: signs, calls funds, reports.
    OperatorManager,
    /// Another service of the suite.
    PeerService,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 7] = [
        Self::ProgrammeOfficer,
        Self::AuthorisingOfficer,
        Self::Accountant,
        Self::Auditor,
        Self::OperatorAgent,
        Self::OperatorManager,
        Self::PeerService,
    ];

    /// The role's name in tokens and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProgrammeOfficer => "programme_officer",
            Self::AuthorisingOfficer => "authorising_officer",
            Self::Accountant => "accountant",
            Self::Auditor => "auditor",
            Self::OperatorAgent => "operator_agent",
            Self::OperatorManager => "operator_manager",
            Self::PeerService => "peer_service",
        }
    }

    const fn side(self) -> Side {
        match self {
            Self::ProgrammeOfficer
            | Self::AuthorisingOfficer
            | Self::Accountant
            | Self::Auditor => Side::Programme,
            Self::OperatorAgent | Self::OperatorManager => Side::Operator,
            Self::PeerService => Side::Peer,
        }
    }
}

/// The sides of a convention: nobody stands on two of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Programme,
    Operator,
    Peer,
}

impl FromStr for Role {
    type Err = Invalid;

    /// Reads [`Role::as_str`]. Refused with `ROLE_UNKNOWN`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == value)
            .ok_or_else(|| {
                Invalid::new(
                    "ROLE_UNKNOWN",
                    "this role does not exist",
                    "Ce rôle n'existe pas : demandez à l'administrateur de corriger votre \
                     habilitation.",
                )
            })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An authenticated caller whose roles make sense together.
///
/// Made by [`Caller::new`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// Stable identifier given by the issuer of the token.
    pub subject: String,
    /// The person's name, as shown in histories.
    pub display_name: String,
    /// At least one, all of one side.
    pub roles: BTreeSet<Role>,
    /// The operator of a caller who works for one; none on the programme's side.
    pub operator: Option<OperatorId>,
    /// What is being called; nothing until the call is admitted.
    pub call: Call,
}

impl Caller {
    /// Checks that the claims of a token make sense together.
    ///
    /// Refused with `CALLER_SUBJECT` or `CALLER_DISPLAY_NAME` (empty or above [`MAX_NAME`]),
    /// `CALLER_WITHOUT_ROLE`, `CALLER_ROLES_MIXED` (two of programme, operator and peer service),
    /// `CALLER_OPERATOR_MISSING` or `CALLER_OPERATOR_UNEXPECTED`.
    pub fn new(
        subject: impl Into<String>,
        display_name: impl Into<String>,
        roles: impl IntoIterator<Item = Role>,
        operator: Option<OperatorId>,
    ) -> Result<Self, Invalid> {
        let caller = Self {
            subject: subject.into(),
            display_name: display_name.into(),
            roles: roles.into_iter().collect(),
            operator,
            call: Call::default(),
        };
        check_name("CALLER_SUBJECT", &caller.subject)?;
        check_name("CALLER_DISPLAY_NAME", &caller.display_name)?;
        let Some(side) = caller.roles.first().map(|role| role.side()) else {
            return Err(Invalid::new(
                "CALLER_WITHOUT_ROLE",
                "the token gives no role",
                "Votre compte n'a aucun rôle : demandez une habilitation à l'administrateur.",
            ));
        };
        if caller.roles.iter().any(|role| role.side() != side) {
            return Err(Invalid::new(
                "CALLER_ROLES_MIXED",
                "the token mixes roles of the programme, of an operator or of a service",
                "Un même compte ne peut pas agir à la fois pour le programme et pour un \
                 opérateur : utilisez deux comptes.",
            ));
        }
        match (side, operator) {
            (Side::Operator, None) => Err(Invalid::new(
                "CALLER_OPERATOR_MISSING",
                "the token of an operator's agent must name the operator",
                "Votre compte n'est rattaché à aucun opérateur : demandez son rattachement à \
                 l'administrateur.",
            )),
            (Side::Programme | Side::Peer, Some(_)) => Err(Invalid::new(
                "CALLER_OPERATOR_UNEXPECTED",
                "only the token of an operator's agent names an operator",
                "Seul un compte d'opérateur peut être rattaché à un opérateur : faites corriger \
                 l'habilitation.",
            )),
            _ => Ok(caller),
        }
    }

    /// Whether the caller has this role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// All the caller reaches: the operator of an operator's agent, else every operator.
    pub fn scope(&self) -> Scope {
        let programme_wide =
            !self.roles.is_empty() && self.roles.iter().all(|role| role.side() != Side::Operator);
        let operator = if programme_wide {
            None
        } else {
            // The nil id reaches nothing: a caller altered into nonsense must not reach everything.
            Some(self.operator.unwrap_or(OperatorId::NIL))
        };
        Scope {
            operator,
            actor: self.subject.clone(),
            actor_name: self.display_name.clone(),
            actor_operator: self.operator,
            roles: self.roles.clone(),
            call: self.call.clone(),
        }
    }

    /// The scope narrowed to one operator, unless the caller belongs to another.
    pub fn reach(&self, operator: OperatorId) -> Result<Scope, OutOfReach> {
        let scope = self.scope();
        match scope.operator {
            Some(own) if own != operator => Err(OutOfReach),
            _ => Ok(Scope {
                operator: Some(operator),
                ..scope
            }),
        }
    }
}

fn check_name(reason: &'static str, name: &str) -> Result<(), Invalid> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME {
        return Err(Invalid::new(
            reason,
            format!("the token must name its holder in 1 to {MAX_NAME} characters"),
            format!("Le compte doit porter un identifiant et un nom de 1 à {MAX_NAME} caractères."),
        ));
    }
    Ok(())
}

/// The operator asked for is not the caller's. Says nothing of whether it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operator is out of the caller's reach")]
pub struct OutOfReach;

/// Proof that it was decided who acts and on whose records: no transaction begins without one.
///
/// Comes only from [`Caller::scope`], [`Caller::reach`], [`Scope::of_service`], and [`Scope::across`] of one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    operator: Option<OperatorId>,
    actor: String,
    actor_name: String,
    actor_operator: Option<OperatorId>,
    roles: BTreeSet<Role>,
    call: Call,
}

impl Scope {
    /// Every operator, for a service acting on its own: following a feed, running a deadline.
    pub fn of_service(service: &'static str) -> Self {
        Self {
            operator: None,
            // Cannot be the subject of a person's token by mistake: an issuer that gave one would name a service.
            actor: format!("service:{service}"),
            actor_name: service.to_owned(),
            actor_operator: None,
            roles: BTreeSet::new(),
            call: Call::default(),
        }
    }

    /// The same actor over every operator's records: for a step that concerns two operators, each of which is to learn of
    /// it. What the actor may reach has been decided before, and the statements name the rows.
    pub fn across(&self) -> Self {
        Self {
            operator: None,
            ..self.clone()
        }
    }

    /// The only operator whose records are reached; none means all.
    pub const fn operator(&self) -> Option<OperatorId> {
        self.operator
    }

    /// Who acts: the caller's subject, or the service.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// The actor's name for histories.
    pub fn actor_name(&self) -> &str {
        &self.actor_name
    }

    /// The operator whom the actor works for, if any.
    pub const fn actor_operator(&self) -> Option<OperatorId> {
        self.actor_operator
    }

    /// The actor's roles; a service acting on its own has none.
    pub const fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// What was called.
    pub const fn call(&self) -> &Call {
        &self.call
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const OWN: OperatorId = OperatorId::from_uuid(Uuid::from_u128(1));
    const OTHER: OperatorId = OperatorId::from_uuid(Uuid::from_u128(2));

    fn caller(roles: &[Role], operator: Option<OperatorId>) -> Result<Caller, Invalid> {
        Caller::new("agent-1", "Agnès Martin", roles.iter().copied(), operator)
    }

    #[test]
    fn role_names_are_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert_eq!("admin".parse::<Role>().unwrap_err().reason, "ROLE_UNKNOWN");
    }

    #[test]
    fn across_operators_the_actor_stays() {
        let own = caller(&[Role::OperatorAgent], Some(OWN)).unwrap().scope();
        let across = own.across();
        assert_eq!(across.operator(), None);
        assert_eq!(
            (across.actor(), across.actor_name()),
            (own.actor(), own.actor_name())
        );
    }

    #[test]
    fn an_operators_agent_reaches_only_their_operator() {
        for role in [Role::OperatorAgent, Role::OperatorManager] {
            let caller = caller(&[role], Some(OWN)).unwrap();
            assert_eq!(caller.scope().operator(), Some(OWN));
            assert_eq!(caller.reach(OWN).unwrap().operator(), Some(OWN));
            assert_eq!(caller.reach(OTHER), Err(OutOfReach));
        }
    }

    #[test]
    fn the_programme_and_peers_reach_every_operator_and_narrow_to_one() {
        for role in Role::ALL.into_iter().filter(|r| r.side() != Side::Operator) {
            let caller = caller(&[role], None).unwrap();
            assert_eq!(caller.scope().operator(), None);
            let narrowed = caller.reach(OTHER).unwrap();
            assert_eq!(narrowed.operator(), Some(OTHER));
            assert_eq!(narrowed.actor(), "agent-1");
            assert_eq!(narrowed.actor_name(), "Agnès Martin");
            assert!(caller.has(role) && !caller.has(Role::OperatorAgent));
        }
    }

    #[test]
    fn claims_that_make_no_sense_together_are_refused() {
        let reason = |roles: &[Role], operator| caller(roles, operator).unwrap_err().reason;
        assert_eq!(reason(&[], None), "CALLER_WITHOUT_ROLE");
        assert_eq!(reason(&[], Some(OWN)), "CALLER_WITHOUT_ROLE");
        assert_eq!(
            reason(&[Role::OperatorAgent], None),
            "CALLER_OPERATOR_MISSING"
        );
        assert_eq!(
            reason(&[Role::Auditor], Some(OWN)),
            "CALLER_OPERATOR_UNEXPECTED"
        );
        assert_eq!(
            reason(&[Role::PeerService], Some(OWN)),
            "CALLER_OPERATOR_UNEXPECTED"
        );
        for mixed in [
            [Role::ProgrammeOfficer, Role::OperatorManager],
            [Role::PeerService, Role::Auditor],
            [Role::OperatorAgent, Role::PeerService],
        ] {
            assert_eq!(reason(&mixed, Some(OWN)), "CALLER_ROLES_MIXED");
        }
        let named = |subject: &str, name: &str| {
            Caller::new(subject, name, [Role::Auditor], None)
                .unwrap_err()
                .reason
        };
        assert_eq!(named(" ", "A"), "CALLER_SUBJECT");
        assert_eq!(named("a", ""), "CALLER_DISPLAY_NAME");
        assert_eq!(named(&"é".repeat(MAX_NAME + 1), "A"), "CALLER_SUBJECT");
        assert!(Caller::new("é".repeat(MAX_NAME), "A", [Role::Auditor], None).is_ok());
    }

    #[test]
    fn a_caller_altered_into_nonsense_reaches_nothing() {
        let mut altered = caller(&[Role::OperatorAgent], Some(OWN)).unwrap();
        altered.operator = None;
        assert_eq!(altered.scope().operator(), Some(OperatorId::NIL));
        assert_eq!(altered.reach(OWN), Err(OutOfReach));
        let mut altered = caller(&[Role::Auditor], None).unwrap();
        altered.roles.clear();
        assert_eq!(altered.reach(OWN), Err(OutOfReach));
    }

    #[test]
    fn a_service_acts_in_its_own_name_on_every_operator() {
        let scope = Scope::of_service("payments");
        assert_eq!(scope.operator(), None);
        assert_eq!(
            (scope.actor(), scope.actor_name()),
            ("service:payments", "payments")
        );
    }
}
