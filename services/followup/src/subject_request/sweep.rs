//! What a day brings to the register: open requests whose due date comes up are told on the feed.

use nonrecours_kernel::{Scope, paris_date};
use nonrecours_pg::{Db, Error};

use super::{domain::REMIND_AHEAD, store, wire};

/// Requests told in one transaction at most; what is left waits for the next pass.
const BATCH: i64 = 500;

/// Tells of open requests due within [`REMIND_AHEAD`], each once, and again after an extension. Gives how many.
pub async fn run(db: &Db, service: &'static str) -> Result<usize, Error> {
    let mut tx = db.begin(&Scope::of_service(service)).await?;
    let now = tx.now();
    let due = store::to_remind(&mut tx, paris_date(now) + REMIND_AHEAD, BATCH).await?;
    let told = due.len();
    for request in due {
        let request = request.remind(now);
        store::update(&mut tx, &request).await?;
        wire::record(&mut tx, "subject_request.due", &request).await?;
    }
    tx.commit().await?;
    Ok(told)
}
