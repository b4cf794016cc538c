//! Reading the rich details of a status back: for clients, followers and tests.

use std::time::Duration;

use nonrecours_contracts::{google::rpc, status};
use prost::Message as _;
use tonic::Status;

/// What a status says beyond its code.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Machine reason, e.g. `SIGNING_BLOCKED`; empty when the status came from elsewhere.
    pub reason: String,
    /// Domain of the reason, e.g. `conventions.nonrecours`.
    pub domain: String,
    /// French sentence.
    pub french: String,
    /// Every wrong field.
    pub violations: Vec<rpc::bad_request::FieldViolation>,
    /// Every blocker.
    pub blockers: Vec<rpc::precondition_failure::Violation>,
    /// When to send the same request again.
    pub retry: Option<Duration>,
}

impl Details {
    /// Reads what is there; a status without details gives empty ones.
    pub fn of(status: &Status) -> Self {
        let mut details = Self::default();
        let Ok(decoded) = status::Status::decode(status.details()) else {
            return details;
        };
        for any in &decoded.details {
            if let Ok(info) = any.to_msg::<rpc::ErrorInfo>() {
                details.reason = info.reason;
                details.domain = info.domain;
            } else if let Ok(message) = any.to_msg::<rpc::LocalizedMessage>() {
                details.french = message.message;
            } else if let Ok(bad) = any.to_msg::<rpc::BadRequest>() {
                details.violations = bad.field_violations;
            } else if let Ok(failure) = any.to_msg::<rpc::PreconditionFailure>() {
                details.blockers = failure.violations;
            } else if let Ok(retry) = any.to_msg::<rpc::RetryInfo>() {
                details.retry = retry
                    .retry_delay
                    .and_then(|delay| Duration::try_from(delay).ok());
            }
        }
        details
    }

    /// The types of the blockers, in order.
    pub fn blocker_reasons(&self) -> Vec<&str> {
        self.blockers
            .iter()
            .map(|blocker| blocker.r#type.as_str())
            .collect()
    }

    /// The paths of the wrong fields, in order.
    pub fn fields(&self) -> Vec<&str> {
        self.violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect()
    }
}
