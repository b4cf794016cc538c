//! Requests on the wire and on the feed.

use nonrecours_contracts::followup::{SubjectRequest as Wire, SubjectRequestState};
use nonrecours_pg::{Change, Error, Tx};
use nonrecours_rpc::{
    convert::{to_date, to_timestamp},
    etag,
};

use super::domain::{Decision, SubjectRequest};

impl From<&SubjectRequest> for Wire {
    fn from(request: &SubjectRequest) -> Self {
        let state = match (&request.decision, &request.extension) {
            (Decision::Open, None) => SubjectRequestState::Received,
            (Decision::Open, Some(_)) => SubjectRequestState::Extended,
            (Decision::Fulfilled { .. }, _) => SubjectRequestState::Fulfilled,
            (Decision::Refused { .. }, _) => SubjectRequestState::Refused,
        };
        let (decided, lifted) = match request.decision {
            Decision::Open => (None, None),
            Decision::Fulfilled { date, lifted } => (Some(date), lifted),
            Decision::Refused { date, .. } => (Some(date), None),
        };
        let (basis, reason) = match &request.decision {
            Decision::Refused { basis, reason, .. } => (basis.to_wire(), reason.clone()),
            _ => (0, String::new()),
        };
        Self {
            name: request.name.to_string(),
            beneficiary: request.beneficiary.to_string(),
            right: request.right.to_wire(),
            identity_check: request.identity_check.to_wire(),
            received_date: Some(to_date(request.received_date)),
            due_date: Some(to_date(request.due_date)),
            state: state.into(),
            extension_reason: request.extension.clone().unwrap_or_default(),
            decided_date: decided.map(to_date),
            refusal_basis: basis,
            refusal_reason: reason,
            lifted_date: lifted.map(to_date),
            revision: request.revision,
            create_time: Some(to_timestamp(request.create_time)),
            update_time: Some(to_timestamp(request.update_time)),
            etag: etag::of(request.revision),
        }
    }
}

/// Announces what became of a request.
pub(super) async fn record(
    tx: &mut Tx,
    kind: &'static str,
    request: &SubjectRequest,
) -> Result<(), Error> {
    let change = Change {
        kind,
        operator: Some(request.name.operator),
        name: &request.name.to_string(),
        revision: request.revision,
    };
    tx.record(change, &Wire::from(request)).await
}
