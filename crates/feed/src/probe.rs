//! A look at a feed, without following it.

use std::time::Duration;

use nonrecours_contracts::feed::{
    PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient,
};
use nonrecours_pg::Cursor;
use nonrecours_rpc::client::PeerChannel;
use time::OffsetDateTime;
use tonic::{Request, Status};

/// How long the answer may take, connection included.
const LIMIT: Duration = Duration::from_secs(5);

/// When the first change after a place was made; none when there is none.
///
/// # Errors
/// What the source answers instead: it is not there, or does not know who asks.
pub async fn first_after(
    channel: PeerChannel,
    cursor: Cursor,
) -> Result<Option<OffsetDateTime>, Status> {
    let mut request = Request::new(PullChangesRequest {
        cursor: cursor.to_string(),
        page_size: 1,
        wait: None,
    });
    request.set_timeout(LIMIT);
    let mut client = ChangeFeedServiceClient::new(channel);
    let page = tokio::time::timeout(LIMIT, client.pull_changes(request))
        .await
        .map_err(|_| Status::deadline_exceeded("no answer in time"))??;
    let first = page.into_inner().changes.into_iter().next();
    let made = first.and_then(|change| change.occur_time);
    Ok(made.and_then(|made| OffsetDateTime::from_unix_timestamp(made.seconds).ok()))
}
