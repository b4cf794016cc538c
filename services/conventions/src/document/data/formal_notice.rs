//! The letter of a formal notice (art. 7).

use nonrecours_kernel::{FormalNoticeName, long_french_date};
use nonrecours_pg::Tx;
use serde::Serialize;

use super::Frame;
use crate::{error::Error, formal_notice::store};

#[derive(Serialize)]
struct Own {
    party: &'static str,
    ground: &'static str,
    motives: String,
    letter: String,
    sent: String,
    notice_days: i16,
    deadline: String,
    applicable: String,
}

/// The data of a formal notice, of the day on which it was sent: what became of it changes nothing.
pub async fn draw(tx: &mut Tx, frame: &Frame, name: &FormalNoticeName) -> Result<String, Error> {
    let notice = store::get(tx, name).await?;
    let own = Own {
        party: notice.party.as_str(),
        ground: notice.ground.as_str(),
        motives: notice.motives.clone(),
        letter: notice.letter.clone(),
        sent: long_french_date(notice.sent),
        notice_days: notice.notice_days,
        deadline: long_french_date(notice.deadline()),
        applicable: long_french_date(notice.applicable()),
    };
    frame.write(notice.sent, own)
}
