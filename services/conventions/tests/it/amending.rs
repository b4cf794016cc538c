//! Requests about amendments, and the steps that bring one into force.

use nonrecours_contracts::{
    conventions::{
        Amendment, Convention, CreateAmendmentRequest, GetAmendmentRequest, Party,
        SignAmendmentRequest, UpdateAmendmentRequest, WithdrawAmendmentRequest,
    },
    google::r#type::Money,
    payments::{PaymentPlan, PaymentPlanState},
};
use nonrecours_kernel::AmendmentName;
use nonrecours_testkit::request_id;
use prost_types::FieldMask;
use tonic::Status;

use crate::{
    requests::{act, date, euros, signatory},
    world::{Setting, World},
};

/// The acts that authorise the amendment.
pub const CUA_AMENDING: &str = "062-200033579-20251001-25C130-DE";
pub const DAINVILLE_AMENDING: &str = "062-216202630-20251002-25D050-DE";

pub fn draft(parent: &str, amendment: Amendment) -> CreateAmendmentRequest {
    CreateAmendmentRequest {
        parent: parent.to_owned(),
        amendment: Some(Amendment {
            object: "Davantage de permanences.".to_owned(),
            signatories: vec![
                signatory(Party::Authority, Some(date(2025, 10, 1))),
                signatory(Party::Operator, None),
            ],
            ..amendment
        }),
        request_id: request_id(),
    }
}

/// Another grant.
pub fn grant(cents: i64) -> Amendment {
    Amendment {
        grant_amount: Some(euros(cents)),
        ..Amendment::default()
    }
}

/// An update of these fields.
pub fn update(amendment: Amendment, fields: &[&str]) -> UpdateAmendmentRequest {
    UpdateAmendmentRequest {
        amendment: Some(amendment),
        update_mask: Some(FieldMask {
            paths: fields.iter().map(|field| (*field).to_owned()).collect(),
        }),
        request_id: request_id(),
    }
}

pub fn sign(name: &str, party: Party) -> SignAmendmentRequest {
    SignAmendmentRequest {
        name: name.to_owned(),
        party: party.into(),
        etag: String::new(),
        request_id: request_id(),
    }
}

pub fn withdraw(name: &str) -> WithdrawAmendmentRequest {
    WithdrawAmendmentRequest {
        name: name.to_owned(),
        reason: "La commune renonce.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

/// What stands in the way of signing it.
pub fn blockers(amendment: &Amendment) -> Vec<&str> {
    let blockers = amendment.signing_blockers.iter();
    blockers.map(|blocker| blocker.reason.as_str()).collect()
}

impl World {
    pub async fn amend(&self, request: CreateAmendmentRequest) -> Result<Amendment, Status> {
        let mut client = self.amendments(self.tokens.officer());
        Ok(client.create_amendment(request).await?.into_inner())
    }

    /// Records both acts of an amendment as transmitted and published.
    pub async fn authorise(&self, convention: &str, amendment: &str) {
        let mut client = self.acts(self.tokens.officer());
        for (party, act_id) in [
            (Party::Authority, CUA_AMENDING),
            (Party::Operator, DAINVILLE_AMENDING),
        ] {
            let mut request = act(convention, party, act_id);
            amendment.clone_into(&mut request.act.as_mut().unwrap().amendment);
            let recorded = client.create_act(request).await.unwrap().into_inner();
            assert_eq!(recorded.amendment, amendment);
            self.publish(&recorded.name).await;
        }
    }

    /// Signs an amendment, as the person who may.
    pub async fn sign_amendment(&self, request: SignAmendmentRequest) -> Result<Amendment, Status> {
        let name: AmendmentName = request.name.parse().unwrap();
        let token = match request.party() {
            Party::Authority => self.tokens.authorising_officer(),
            _ => self.tokens.manager(name.operator),
        };
        let mut client = self.amendments(token);
        Ok(client.sign_amendment(request).await?.into_inner())
    }

    /// Brings an amendment into force, and gives the convention after it.
    pub async fn amended(&self, convention: &str, amendment: Amendment) -> Convention {
        let name = self.amend(draft(convention, amendment)).await.unwrap().name;
        self.authorise(convention, &name).await;
        for party in [Party::Operator, Party::Authority] {
            self.sign_amendment(sign(&name, party)).await.unwrap();
        }
        self.convention(convention).await
    }

    pub async fn amendment(&self, name: &str) -> Amendment {
        let request = GetAmendmentRequest {
            name: name.to_owned(),
        };
        let mut client = self.amendments(self.tokens.auditor());
        client.get_amendment(request).await.unwrap().into_inner()
    }
}

impl World {
    /// Says in the feed of `payments` how a plan of this grant stands.
    pub fn report_plan_of(&self, convention: &str, revision: i64, grant: i64, paid: i64) {
        let state = if paid < grant {
            PaymentPlanState::Open
        } else {
            PaymentPlanState::Settled
        };
        let plan = PaymentPlan {
            name: format!("{convention}/paymentPlan"),
            convention: convention.to_owned(),
            grant_amount: Some(euros(grant)),
            paid_amount: Some(euros(paid)),
            state: state.into(),
            revision,
            ..PaymentPlan::default()
        };
        self.payments
            .push(&plan.name, revision, "payment_plan.paid", &plan);
    }

    /// What is engaged of the envelope of a setting.
    pub async fn engaged(&self, setting: &Setting) -> Option<Money> {
        let mut programme = self.programme(&setting.programme).await;
        programme.envelopes.remove(0).engaged_amount
    }
}
