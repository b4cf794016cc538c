//! The kernel's validators over gRPC.

use nonrecours_contracts::conventions::{
    CheckIdentifiersRequest, CheckIdentifiersResponse, Identifier, IdentifierCheck,
    IdentifierKind as WireKind,
    identifier_service_server::{IdentifierService, IdentifierServiceServer},
};
use nonrecours_kernel::{IdentifierKind, Warning};
use nonrecours_rpc::{Check, convert::to_warning, open};
use tonic::{Request, Response, Status};

use crate::error::Error;

/// The identifier service: it holds nothing and stores nothing.
pub struct Identifiers;

impl Identifiers {
    /// The server.
    pub fn server() -> IdentifierServiceServer<Self> {
        IdentifierServiceServer::new(Self)
    }
}

fn check(request: Request<CheckIdentifiersRequest>) -> Result<CheckIdentifiersResponse, Error> {
    let (_, request) = open(request)?;
    let of_request = Check::of(&request);
    let kinds: Option<Vec<_>> = request.identifiers.iter().map(kind).collect();
    let kinds = of_request.finish(|| kinds)?;
    let values = request.identifiers.iter();
    Ok(CheckIdentifiersResponse {
        checks: kinds
            .into_iter()
            .zip(values)
            .map(|(kind, given)| checked(kind, &given.value))
            .collect(),
    })
}

fn checked(kind: IdentifierKind, value: &str) -> IdentifierCheck {
    match kind.check(value) {
        Ok(found) => IdentifierCheck {
            valid: true,
            normalised: found.normalised,
            warnings: found
                .warnings
                .into_iter()
                .map(|remark| to_warning(&Warning::at("value", remark)))
                .collect(),
            ..IdentifierCheck::default()
        },
        Err(invalid) => IdentifierCheck {
            reason: invalid.reason.to_owned(),
            message_fr: invalid.text.fr.to_string(),
            message_en: invalid.text.en.to_string(),
            ..IdentifierCheck::default()
        },
    }
}

/// The kernel's kind; nothing for one that the contract's own rules refuse.
fn kind(given: &Identifier) -> Option<IdentifierKind> {
    match given.kind() {
        WireKind::Unspecified => None,
        WireKind::Siret => Some(IdentifierKind::Siret),
        WireKind::Siren => Some(IdentifierKind::Siren),
        WireKind::Iban => Some(IdentifierKind::Iban),
        WireKind::Bic => Some(IdentifierKind::Bic),
        WireKind::Act => Some(IdentifierKind::Act),
        WireKind::Rna => Some(IdentifierKind::Rna),
        WireKind::Commune => Some(IdentifierKind::Commune),
    }
}

#[tonic::async_trait]
impl IdentifierService for Identifiers {
    async fn check_identifiers(
        &self,
        request: Request<CheckIdentifiersRequest>,
    ) -> Result<Response<CheckIdentifiersResponse>, Status> {
        Ok(Response::new(check(request)?))
    }
}
