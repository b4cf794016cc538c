//! What the agenda goes by of notices, hearings and deviation cases, in the database.

use nonrecours_kernel::{BudgetName, FormalNoticeName, HearingName, Id, OperatorId, paris_date};
use nonrecours_pg::{self as pg, All as _, Tx};

use super::{
    facts::{CaseFacts, HearingFacts, NoticeFacts},
    store::{MAX_FACTS, Whose, bounded},
};
use crate::{
    convention::party::Party, error::Error, formal_notice::domain::deadline, stored::one_of,
};

/// Formal notices sent, under conventions that run.
pub async fn notices(tx: &mut Tx, whose: &Whose) -> Result<Vec<NoticeFacts>, Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id, formal_notice_id, title, party, sent_date, notice_days
         FROM formal_notice
         JOIN convention USING (operator_id, convention_id)
         WHERE formal_notice.state = 'SENT' AND convention.state IN ('IN_FORCE', 'COMPLETED')
           AND ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR operator_id = $2)
         ORDER BY formal_notice_id LIMIT $3",
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .all(tx.conn())
    .await?;
    Ok(bounded(rows)?
        .into_iter()
        .map(|row| {
            Ok(NoticeFacts {
                name: FormalNoticeName {
                    operator: Id::from_uuid(row.operator_id),
                    convention: Id::from_uuid(row.convention_id),
                    formal_notice: Id::from_uuid(row.formal_notice_id),
                },
                title: row.title,
                party: one_of(&Party::ALL, Party::as_str, &row.party)?,
                sent: row.sent_date,
                deadline: deadline(row.sent_date, row.notice_days),
            })
        })
        .collect::<Result<_, pg::Error>>()?)
}

/// Hearings convened. Those of an ended convention too: what was paid under it may still be claimed back.
pub async fn hearings(tx: &mut Tx, whose: &Whose) -> Result<Vec<HearingFacts>, Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id, hearing_id, title, convened_date
         FROM hearing
         JOIN convention USING (operator_id, convention_id)
         WHERE hearing.state = 'CONVENED'
           AND ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR operator_id = $2)
         ORDER BY hearing_id LIMIT $3",
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .all(tx.conn())
    .await?;
    Ok(bounded(rows)?
        .into_iter()
        .map(|row| HearingFacts {
            name: HearingName {
                operator: Id::from_uuid(row.operator_id),
                convention: Id::from_uuid(row.convention_id),
                hearing: Id::from_uuid(row.hearing_id),
            },
            title: row.title,
            convened: row.convened_date,
        })
        .collect())
}

/// Deviation cases open, under conventions that run.
pub async fn cases(tx: &mut Tx, whose: &Whose) -> Result<Vec<CaseFacts>, Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id, title, open_time
         FROM deviation_case
         JOIN convention USING (operator_id, convention_id)
         WHERE close_time IS NULL AND state IN ('IN_FORCE', 'COMPLETED')
           AND ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR operator_id = $2)
         ORDER BY operator_id, convention_id LIMIT $3",
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .all(tx.conn())
    .await?;
    Ok(bounded(rows)?
        .into_iter()
        .map(|row| CaseFacts {
            budget: BudgetName {
                operator: Id::from_uuid(row.operator_id),
                convention: Id::from_uuid(row.convention_id),
            },
            title: row.title,
            opened: paris_date(row.open_time),
        })
        .collect())
}
