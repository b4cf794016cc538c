//! Between the contract's messages and an act.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::AmendmentName;
use nonrecours_rpc::{
    convert::{to_date, to_timestamp},
    etag,
};

use super::domain::{Act, Basis, Enforceability, Failure, Publicity, Transmission};
use crate::convention::wire::to_party;

/// Reads how an act was made known; unspecified: published.
pub fn publicity(given: wire::Publicity) -> Publicity {
    match given {
        wire::Publicity::Unspecified | wire::Publicity::Publication => Publicity::Publication,
        wire::Publicity::Notification => Publicity::Notification,
    }
}

/// The act as answers show it.
pub fn message(act: &Act) -> wire::Act {
    let enforceability = act.enforceability();
    let (acknowledged, acknowledgement) = match &act.transmission {
        Transmission::Acknowledged { day, reference, .. } => (Some(*day), reference.clone()),
        _ => (None, String::new()),
    };
    let (failed, failure) = match &act.transmission {
        Transmission::Failed { day, reason, .. } => (Some(*day), reason.clone()),
        _ => (None, String::new()),
    };
    let publication = act.publication.as_ref();
    wire::Act {
        name: act.name.to_string(),
        party: to_party(act.party).into(),
        act_id: act.act_id.to_string(),
        decision_date: Some(to_date(act.act_id.date())),
        transmission_date: act.transmission.day().map(to_date),
        publication_date: publication.map(|publication| to_date(publication.day)),
        enforceable_date: enforceability.as_ref().map(|it| to_date(it.day)),
        create_time: Some(to_timestamp(act.create_time)),
        update_time: Some(to_timestamp(act.update_time)),
        etag: etag::of(act.revision),
        transmission_state: to_state(&act.transmission).into(),
        posting_date: act.transmission.posting().map(to_date),
        acknowledgement_date: acknowledged.map(to_date),
        acknowledgement_reference: acknowledgement,
        failure_date: failed.map(to_date),
        failure_reason: failure,
        publicity: publication
            .map_or(wire::Publicity::Unspecified, |it| {
                to_publicity(it.publicity)
            })
            .into(),
        publication_reference: publication
            .and_then(|publication| publication.reference.clone())
            .unwrap_or_default(),
        enforceability: enforceability.map(to_enforceability),
        amendment: act
            .amendment
            .map(|amendment| {
                AmendmentName {
                    operator: act.name.operator,
                    convention: act.name.convention,
                    amendment,
                }
                .to_string()
            })
            .unwrap_or_default(),
    }
}

fn to_state(transmission: &Transmission) -> wire::TransmissionState {
    match transmission {
        Transmission::ToTransmit => wire::TransmissionState::ToTransmit,
        Transmission::Posted { .. } => wire::TransmissionState::Posted,
        Transmission::Transmitted(_) => wire::TransmissionState::Transmitted,
        Transmission::Acknowledged { .. } => wire::TransmissionState::Acknowledged,
        Transmission::Failed { failure, .. } => match failure {
            Failure::Refused => wire::TransmissionState::Refused,
            Failure::Error => wire::TransmissionState::Error,
        },
    }
}

fn to_publicity(publicity: Publicity) -> wire::Publicity {
    match publicity {
        Publicity::Publication => wire::Publicity::Publication,
        Publicity::Notification => wire::Publicity::Notification,
    }
}

fn to_enforceability(enforceability: Enforceability) -> wire::Enforceability {
    let decided_by = match enforceability.basis {
        Basis::Transmission => wire::EnforceabilityBasis::Transmission,
        Basis::Publicity(Publicity::Publication) => wire::EnforceabilityBasis::Publication,
        Basis::Publicity(Publicity::Notification) => wire::EnforceabilityBasis::Notification,
    };
    wire::Enforceability {
        date: Some(to_date(enforceability.day)),
        decided_by: decided_by.into(),
        proof: enforceability.proof,
    }
}
