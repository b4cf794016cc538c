//! Which claims of a token say who its bearer is: data, since every identity provider has its own names.
//!
//! ProConnect and most providers name people and the organisation that they work for, by its SIRET, and know nothing of
//! our operators. A file says which organisation is which operator, and which of the provider's groups are which roles
//! (`examples/claims/`). Without a file the claims are `name`, `roles` and `operator`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use nonrecours_kernel::{Caller, Invalid, OperatorId, Role, Siret};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::{fs::File, io::AsyncReadExt as _};

use super::AuthError;
use crate::reread::{REREAD_INTERVAL, Reread};

/// Largest file, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// Claims that are no more than their issuer's word, by name.
pub(super) type Others = Map<String, Value>;

/// Why a file of claims is not used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// It cannot be read.
    #[error("the file of the claims cannot be read")]
    File(#[from] io::Error),
    /// It is larger than any honest one.
    #[error("the file of the claims is too large")]
    TooLarge,
    /// It is not what it should look like.
    #[error("the file of the claims is not as expected")]
    Format(#[from] serde_json::Error),
    /// A value in it is wrong.
    #[error("the file of the claims: {0}: {1}")]
    Value(String, Invalid),
    /// An organisation is an operator and the programme's own at once.
    #[error("the file of the claims: {0} is both an operator and the programme's own")]
    TwoSides(Siret),
}

/// The mapping in use.
pub(super) enum Source {
    Fixed(Arc<Mapping>),
    File(PathBuf, Reread<Arc<Mapping>>),
}

impl Source {
    /// That of a file, read again when it is old; without one the claims that we name ourselves.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        match path {
            None => Self::Fixed(Arc::new(Mapping::default())),
            Some(path) => Self::File(path, Reread::new("mapping of claims", REREAD_INTERVAL)),
        }
    }

    /// The mapping at this moment.
    pub(super) async fn get(&self) -> Result<Arc<Mapping>, MappingError> {
        match self {
            Self::Fixed(mapping) => Ok(Arc::clone(mapping)),
            Self::File(path, read) => read.get(|| Mapping::read(path)).await,
        }
    }
}

/// From claims to a caller.
#[derive(Debug)]
pub(super) struct Mapping {
    /// Claims whose texts, joined, are the person's name.
    name: Vec<String>,
    /// The claim of the roles: its name, or a JSON pointer into a nested one.
    roles: String,
    /// What our roles are called there; none: as here.
    role_names: Option<BTreeMap<String, BTreeSet<Role>>>,
    belonging: Belonging,
}

/// What says which operator a person works for.
#[derive(Debug)]
enum Belonging {
    /// A claim with the operator's id.
    Operator(String),
    /// A claim with the SIRET of the person's organisation.
    Siret {
        claim: String,
        operators: BTreeMap<Siret, OperatorId>,
        programme: BTreeSet<Siret>,
    },
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            name: vec!["name".to_owned()],
            roles: "roles".to_owned(),
            role_names: None,
            belonging: Belonging::Operator("operator".to_owned()),
        }
    }
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Option<Vec<String>>,
    roles: Option<String>,
    role_names: Option<BTreeMap<String, Vec<String>>>,
    operator: Option<String>,
    siret: Option<Organisations>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Organisations {
    claim: String,
    operators: BTreeMap<String, String>,
    programme: Vec<String>,
}

impl Mapping {
    async fn read(path: &Path) -> Result<Arc<Self>, MappingError> {
        let mut bytes = Vec::new();
        let file = File::open(path).await?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(MappingError::TooLarge);
        }
        Self::parse(&bytes).map(Arc::new)
    }

    fn parse(json: &[u8]) -> Result<Self, MappingError> {
        let document: Document = serde_json::from_slice(json)?;
        let default = Self::default();
        let belonging = match (document.siret, document.operator) {
            (Some(organisations), None) => siret(organisations)?,
            (None, Some(claim)) => Belonging::Operator(claim),
            (None, None) => default.belonging,
            (Some(_), Some(_)) => {
                let both = "siret and operator both say whom a person works for";
                return Err(<serde_json::Error as serde::de::Error>::custom(both).into());
            }
        };
        let names = |(name, roles): (String, Vec<String>)| {
            let roles = roles
                .iter()
                .map(|role| value(role))
                .collect::<Result<_, _>>()?;
            Ok((name, roles))
        };
        Ok(Self {
            name: document.name.unwrap_or(default.name),
            roles: document.roles.unwrap_or(default.roles),
            role_names: document
                .role_names
                .map(|of| {
                    of.into_iter()
                        .map(names)
                        .collect::<Result<_, MappingError>>()
                })
                .transpose()?,
            belonging,
        })
    }

    /// The caller of these claims. Roles we do not know belong to other applications of the same issuer.
    pub(super) fn caller(&self, subject: String, claims: &Others) -> Result<Caller, AuthError> {
        let roles = self.roles(claims)?;
        let operator = self.operator(claims, &roles)?;
        let name = self.name(claims).unwrap_or_else(|| subject.clone());
        Caller::new(subject, name, roles, operator).map_err(AuthError::Claims)
    }

    fn name(&self, claims: &Others) -> Option<String> {
        let texts = self
            .name
            .iter()
            .filter_map(|name| claims.get(name)?.as_str());
        let texts: Vec<&str> = texts
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }

    fn roles(&self, claims: &Others) -> Result<BTreeSet<Role>, AuthError> {
        let shape = || AuthError::Malformed("not the expected JSON");
        let found = match at(claims, &self.roles) {
            None | Some(Value::Null) => return Ok(BTreeSet::new()),
            Some(found) => found.as_array().ok_or_else(shape)?,
        };
        let mut roles = BTreeSet::new();
        for role in found {
            let role = role.as_str().ok_or_else(shape)?;
            match &self.role_names {
                Some(names) => roles.extend(names.get(role).into_iter().flatten()),
                None => roles.extend(role.parse::<Role>()),
            }
        }
        Ok(roles)
    }

    fn operator(
        &self,
        claims: &Others,
        roles: &BTreeSet<Role>,
    ) -> Result<Option<OperatorId>, AuthError> {
        let text = |claim: &str| match at(claims, claim) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(AuthError::Malformed("not the expected JSON")),
        };
        match &self.belonging {
            Belonging::Operator(claim) => text(claim)?
                .map(|id| id.parse())
                .transpose()
                .map_err(AuthError::Claims),
            Belonging::Siret {
                claim,
                operators,
                programme,
            } => match text(claim)? {
                Some(siret) => {
                    let siret: Siret = siret.parse().map_err(AuthError::Claims)?;
                    match operators.get(&siret) {
                        Some(operator) => Ok(Some(*operator)),
                        None if programme.contains(&siret) => Ok(None),
                        None => Err(AuthError::Claims(unknown(siret))),
                    }
                }
                // The other services work for no organisation; whoever else belongs nowhere gets nowhere.
                None if roles.iter().all(|role| *role == Role::PeerService) => Ok(None),
                None => Err(AuthError::Claims(missing())),
            },
        }
    }
}

fn siret(organisations: Organisations) -> Result<Belonging, MappingError> {
    let operators: BTreeMap<Siret, OperatorId> = organisations
        .operators
        .iter()
        .map(|(siret, operator)| Ok((value(siret)?, value(operator)?)))
        .collect::<Result<_, MappingError>>()?;
    let programme: BTreeSet<Siret> = organisations
        .programme
        .iter()
        .map(|siret| value(siret))
        .collect::<Result<_, _>>()?;
    match programme.iter().find(|siret| operators.contains_key(siret)) {
        Some(siret) => Err(MappingError::TwoSides(*siret)),
        None => Ok(Belonging::Siret {
            claim: organisations.claim,
            operators,
            programme,
        }),
    }
}

fn value<T: std::str::FromStr<Err = Invalid>>(text: &str) -> Result<T, MappingError> {
    text.parse()
        .map_err(|invalid| MappingError::Value(text.to_owned(), invalid))
}

/// A claim by its name, or by a JSON pointer (RFC 6901).
fn at<'a>(claims: &'a Others, claim: &str) -> Option<&'a Value> {
    let Some(pointer) = claim.strip_prefix('/') else {
        return claims.get(claim);
    };
    match pointer.split_once('/') {
        None => claims.get(pointer),
        Some((first, rest)) => claims.get(first)?.pointer(&format!("/{rest}")),
    }
}

fn unknown(siret: Siret) -> Invalid {
    Invalid::new(
        "CALLER_ORGANISATION_UNKNOWN",
        format!("no operator, nor the programme itself, has the SIRET {siret}"),
        format!(
            "Votre organisation (SIRET {siret}) n'est pas connue du programme : demandez à \
             l'administrateur de l'y rattacher."
        ),
    )
}

fn missing() -> Invalid {
    Invalid::new(
        "CALLER_ORGANISATION_MISSING",
        "the token does not say which organisation its bearer works for",
        "Votre compte ne dit pas pour quelle organisation vous travaillez : connectez-vous avec un \
         compte professionnel rattaché à un SIRET.",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OPERATOR: &str = "0199b4f2-0d00-7000-8000-000000000001";
    /// SIRET of the operator, a commune, and of the territory.
    const COMMUNE: &str = "21620263000010";
    const TERRITORY: &str = "22620001200012";

    fn caller(mapping: &Mapping, claims: Value) -> Result<Caller, String> {
        let Value::Object(claims) = claims else {
            panic!("claims are an object");
        };
        mapping
            .caller("subject".to_owned(), &claims)
            .map_err(|error| match error {
                AuthError::Claims(invalid) => invalid.reason.to_owned(),
                other => other.to_string(),
            })
    }

    fn by_siret() -> Mapping {
        let file = json!({
            "name": ["given_name", "usual_name"],
            "roles": "/resource_access/nonrecours/roles",
            "role_names": {
                "instruction": ["programme_officer"],
                "terrain": ["operator_agent"],
                "direction": ["operator_agent", "operator_manager"],
                "machine": ["peer_service"],
            },
            "siret": { "claim": "siret", "operators": { COMMUNE: OPERATOR }, "programme": [TERRITORY] },
        });
        Mapping::parse(file.to_string().as_bytes()).unwrap()
    }

    fn of(siret: &str, group: &str) -> Value {
        json!({
            "given_name": "Camille", "usual_name": "Martin", "siret": siret, "operator": "ignored",
            "resource_access": { "nonrecours": { "roles": [group, "other"] } },
        })
    }

    #[test]
    fn an_organisation_is_its_operator_and_a_group_its_roles() {
        let mapping = by_siret();
        let manager = caller(&mapping, of(COMMUNE, "direction")).unwrap();
        assert_eq!(manager.display_name, "Camille Martin");
        assert_eq!(manager.operator, Some(OPERATOR.parse().unwrap()));
        assert_eq!(
            manager.roles,
            [Role::OperatorAgent, Role::OperatorManager].into()
        );
        let officer = caller(&mapping, of(TERRITORY, "instruction")).unwrap();
        assert_eq!(
            (officer.operator, officer.roles),
            (None, [Role::ProgrammeOfficer].into())
        );
        let peer = json!({ "resource_access": { "nonrecours": { "roles": ["machine"] } } });
        assert!(caller(&mapping, peer).unwrap().has(Role::PeerService));
    }

    #[test]
    fn nobody_takes_a_role_of_the_other_side_nor_comes_from_nowhere() {
        let mapping = by_siret();
        let refused = |claims| caller(&mapping, claims).unwrap_err();
        assert_eq!(
            refused(of(COMMUNE, "instruction")),
            "CALLER_OPERATOR_UNEXPECTED"
        );
        assert_eq!(refused(of(TERRITORY, "terrain")), "CALLER_OPERATOR_MISSING");
        assert_eq!(
            refused(of(COMMUNE, "programme_officer")),
            "CALLER_WITHOUT_ROLE"
        );
        // A valid number of somebody else.
        assert_eq!(
            refused(of("35600000000048", "instruction")),
            "CALLER_ORGANISATION_UNKNOWN"
        );
        assert_eq!(
            refused(of("21620263000011", "instruction")),
            "SIRET_CHECKSUM"
        );
        let mut nowhere = of(COMMUNE, "instruction");
        nowhere.as_object_mut().unwrap().remove("siret");
        assert_eq!(refused(nowhere), "CALLER_ORGANISATION_MISSING");
        let mut number = of(COMMUNE, "terrain");
        number["siret"] = json!(21_620_263_000_010_u64);
        assert!(refused(number).contains("not the expected JSON"));
    }

    #[test]
    fn a_file_that_contradicts_itself_is_refused() {
        for (file, said) in [
            (json!({ "rolles": "x" }), "not as expected"),
            (
                json!({ "operator": "a", "siret": { "claim": "s", "operators": {}, "programme": [] } }),
                "not as expected",
            ),
            (json!({ "role_names": { "a": ["king"] } }), "king"),
            (
                json!({ "siret": { "claim": "s", "operators": { "1": OPERATOR }, "programme": [] } }),
                "1: ",
            ),
            (
                json!({ "siret": { "claim": "s", "operators": { COMMUNE: "x" }, "programme": [] } }),
                "x: ",
            ),
            (
                json!({ "siret": { "claim": "s", "operators": { COMMUNE: OPERATOR }, "programme": [COMMUNE] } }),
                "both",
            ),
        ] {
            let refused = Mapping::parse(file.to_string().as_bytes()).unwrap_err();
            assert!(refused.to_string().contains(said), "{file}: {refused}");
        }
    }

    #[test]
    fn the_examples_are_good_files() {
        for file in [
            include_str!("../../../../examples/claims/proconnect.json"),
            include_str!("../../../../examples/claims/keycloak.json"),
        ] {
            Mapping::parse(file.as_bytes()).unwrap();
        }
    }
}
