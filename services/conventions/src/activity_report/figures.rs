//! The figures of a report, as `followup` counts them.

use std::time::Duration;

use nonrecours_contracts::followup::{
    GetIndicatorsRequest, indicator_service_client::IndicatorServiceClient,
};
use nonrecours_kernel::ConventionName;
use nonrecours_rpc::{Failure, client::PeerChannel, details::Details};
use tonic::{Code, Request};

use super::{domain::Figures, wire};

/// How long `followup` may take to count.
const FIGURES_DEADLINE: Duration = Duration::from_secs(5);

/// Asks `followup` what was done under a convention.
pub async fn figures(
    followup: &PeerChannel,
    convention: &ConventionName,
) -> Result<Figures, Failure> {
    let mut request = Request::new(GetIndicatorsRequest {
        convention: convention.to_string(),
    });
    request.set_timeout(FIGURES_DEADLINE);
    let mut client = IndicatorServiceClient::new(followup.clone());
    match client.get_indicators(request).await {
        Ok(answer) => wire::figures(answer.get_ref()),
        Err(status) => Err(match status.code() {
            // NOT_FOUND: the convention's change is still on its way to it.
            Code::NotFound
            | Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::ResourceExhausted
            | Code::Aborted => Failure::unavailable(&status),
            // The connection broke in the middle of the call: what `followup` says itself has a reason.
            Code::Unknown | Code::Internal if Details::of(&status).reason.is_empty() => {
                Failure::unavailable(&status)
            }
            _ => Failure::internal(&status),
        }),
    }
}
