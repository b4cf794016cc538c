//! What a day brings to retention: notices are raised and withdrawn; those who are due are erased, where that was switched
//! on.

use nonrecours_kernel::{
    BeneficiaryName, IdSource, OperatorId, RetentionNoticeName, RetentionPolicyName, Scope,
    paris_date,
};
use nonrecours_pg::{Db, Tx};

use super::{
    apply::apply,
    domain::{MAX_AT_ONCE, NOTICE_AHEAD, RetentionNotice, RetentionNoticeState},
    store, wire,
};
use crate::{convention, error::Error, vault::KeyRing};

/// Notices raised, and withdrawn, in one transaction at most.
const BATCH: i64 = 500;
/// Transactions for one operator in one sweep at most, of either kind; what is left waits for the next.
const MAX_BATCHES: u32 = 20;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Notices raised.
    pub raised: usize,
    /// Notices withdrawn.
    pub withdrawn: usize,
    /// Persons erased.
    pub erased: usize,
}

/// Looks at every operator.
pub async fn run(
    db: &Db,
    ring: &KeyRing,
    ids: &IdSource,
    service: &'static str,
) -> Result<Swept, Error> {
    let scope = Scope::of_service(service);
    let mut tx = db.read(&scope).await?;
    let operators = convention::store::operators(&mut tx).await?;
    drop(tx);
    let mut swept = Swept::default();
    for operator in operators {
        for _ in 0..MAX_BATCHES {
            let mut tx = db.begin(&scope).await?;
            let withdrawn = withdraw(&mut tx, operator).await?;
            let raised = raise(&mut tx, ids, operator).await?;
            tx.commit().await?;
            swept.withdrawn += withdrawn;
            swept.raised += raised;
            if withdrawn + raised == 0 {
                break;
            }
        }
        for _ in 0..MAX_BATCHES {
            let mut tx = db.begin(&scope).await?;
            let policy = store::policy(&mut tx, &RetentionPolicyName { operator }).await?;
            if !policy.automatic {
                break;
            }
            let noticed_by = Some(tx.now() - NOTICE_AHEAD);
            let limit = MAX_AT_ONCE.into();
            let erased = apply(&mut tx, ring, ids, operator, noticed_by, limit).await?;
            tx.commit().await?;
            swept.erased += erased;
            if erased == 0 {
                break;
            }
        }
    }
    Ok(swept)
}

async fn withdraw(tx: &mut Tx, operator: OperatorId) -> Result<usize, Error> {
    let withdrawn = store::withdraw(tx, operator, BATCH).await?;
    record(tx, &withdrawn).await?;
    Ok(withdrawn.len())
}

async fn raise(tx: &mut Tx, ids: &IdSource, operator: OperatorId) -> Result<usize, Error> {
    let now = tx.now();
    let until = paris_date(now) + NOTICE_AHEAD;
    let due = store::without_notice(tx, operator, until, BATCH).await?;
    let notices: Vec<RetentionNotice> = due
        .into_iter()
        .map(
            |(beneficiary, last_contact_date, due_date)| RetentionNotice {
                name: RetentionNoticeName {
                    operator,
                    retention_notice: ids.next(),
                },
                beneficiary: BeneficiaryName {
                    operator,
                    beneficiary,
                },
                last_contact_date,
                due_date,
                state: RetentionNoticeState::Open,
                revision: 1,
                create_time: now,
                update_time: now,
            },
        )
        .collect();
    if notices.is_empty() {
        return Ok(0);
    }
    store::insert(tx, operator, &notices).await?;
    record(tx, &notices).await?;
    Ok(notices.len())
}

async fn record(tx: &mut Tx, notices: &[RetentionNotice]) -> Result<(), Error> {
    let entries: Vec<_> = notices.iter().map(wire::entry).collect();
    Ok(tx.record_all(&entries).await?)
}
