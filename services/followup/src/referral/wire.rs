//! Referrals on the wire, from both sides; and how a step is written and told to both.

use nonrecours_contracts::{
    Mutation,
    followup::{ReceivedReferral, Referral as Wire},
};
use nonrecours_kernel::{OperatorName, ReceivedReferralName};
use nonrecours_pg::{Change, Error, Tx};
use nonrecours_rpc::{
    convert::{to_date, to_timestamp},
    etag,
};
use prost::{Message, Name};

use super::domain::{Referral, ReferralState, Target};

impl From<&Referral> for Wire {
    fn from(referral: &Referral) -> Self {
        let (recipient, partner) = match &referral.target {
            Target::Operator(operator) => {
                let operator = *operator;
                (OperatorName { operator }.to_string(), String::new())
            }
            Target::Partner(code) => (String::new(), code.clone()),
        };
        Self {
            name: referral.name.to_string(),
            beneficiary: referral.beneficiary.to_string(),
            recipient,
            partner,
            right: referral.right.clone().unwrap_or_default(),
            consent_date: Some(to_date(referral.consent_date)),
            state: referral.state.to_wire(),
            revision: referral.revision,
            create_time: Some(to_timestamp(referral.create_time)),
            update_time: Some(to_timestamp(referral.update_time)),
            etag: etag::of(referral.revision),
        }
    }
}

/// As its recipient sees it, without the identity.
pub(super) fn received(name: &ReceivedReferralName, referral: &Referral) -> ReceivedReferral {
    ReceivedReferral {
        name: name.to_string(),
        sender: referral.name.parent().to_string(),
        right: referral.right.clone().unwrap_or_default(),
        consent_date: Some(to_date(referral.consent_date)),
        state: referral.state.to_wire(),
        identity: None,
        revision: referral.revision,
        create_time: Some(to_timestamp(referral.create_time)),
        update_time: Some(to_timestamp(referral.update_time)),
        etag: etag::of(referral.revision),
    }
}

/// Ends a request: both operators are told of the step, each by the name it knows, and the caller is answered.
pub(super) async fn finish<Q: Mutation, R: Message + Name>(
    mut tx: Tx,
    request: &Q,
    referral: &Referral,
    response: R,
) -> Result<R, Error> {
    let (made, received_kind) = match referral.state {
        ReferralState::Proposed => ("referral.proposed", "received_referral.proposed"),
        ReferralState::Accepted => ("referral.accepted", "received_referral.accepted"),
        ReferralState::Refused => ("referral.refused", "received_referral.refused"),
        ReferralState::Revoked => ("referral.revoked", "received_referral.revoked"),
    };
    let change = Change {
        kind: made,
        operator: Some(referral.name.operator),
        name: &referral.name.to_string(),
        revision: referral.revision,
    };
    tx.record(change, &Wire::from(referral)).await?;
    if let Some(name) = referral.received_name() {
        let change = Change {
            kind: received_kind,
            operator: Some(name.operator),
            name: &name.to_string(),
            revision: referral.revision,
        };
        tx.record(change, &received(&name, referral)).await?;
    }
    tx.answer(request, response).await
}
