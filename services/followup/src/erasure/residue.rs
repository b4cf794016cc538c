//! What stays of erased persons: sums.

use nonrecours_kernel::OperatorId;
use nonrecours_pg::{All as _, Error, Tx};
use uuid::Uuid;

/// Keeps what these persons count for, before their records go; `counts_with` is the pseudonym key under which the
/// programme's persons are counted. All figures stay as they are.
pub async fn keep(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
    counts_with: &str,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO indicator_residue AS kept
             (operator_id, convention_id, dimension, code, month,
              persons_spotted, persons_informed, persons_oriented, persons_supported, persons_followed,
              persons_opened, persons_decided, persons_in_autonomy, persons_on_behalf, persons_avoiding,
              persons_notified, persons_estimated, entitlements_followed, entitlements_opened,
              entitlements_decided, decision_days, in_autonomy, on_behalf, interruptions_avoided, sessions_held,
              persons_met, amount_notified, amount_estimated, notified_squares, estimated_squares)
         SELECT operator_id, convention_id, dimension, code, month,
                sum(persons_spotted), sum(persons_informed), sum(persons_oriented), sum(persons_supported),
                sum(persons_followed), sum(persons_opened), sum(persons_decided), sum(persons_in_autonomy),
                sum(persons_on_behalf), sum(persons_avoiding), sum(persons_notified), sum(persons_estimated),
                sum(entitlements_followed), sum(entitlements_opened), sum(entitlements_decided),
                sum(decision_days), sum(in_autonomy), sum(on_behalf), sum(interruptions_avoided),
                sum(sessions_held), sum(persons_met), sum(amount_notified), sum(amount_estimated),
                sum(notified_squares), sum(estimated_squares)
         FROM indicator_of_records
         WHERE operator_id = $1 AND subject_id = ANY($2)
         GROUP BY operator_id, convention_id, dimension, code, month
         ORDER BY operator_id, convention_id, dimension, code, month
         ON CONFLICT (operator_id, convention_id, dimension, code, month) DO UPDATE
         SET persons_spotted = kept.persons_spotted + excluded.persons_spotted,
             persons_informed = kept.persons_informed + excluded.persons_informed,
             persons_oriented = kept.persons_oriented + excluded.persons_oriented,
             persons_supported = kept.persons_supported + excluded.persons_supported,
             persons_followed = kept.persons_followed + excluded.persons_followed,
             persons_opened = kept.persons_opened + excluded.persons_opened,
             persons_decided = kept.persons_decided + excluded.persons_decided,
             persons_in_autonomy = kept.persons_in_autonomy + excluded.persons_in_autonomy,
             persons_on_behalf = kept.persons_on_behalf + excluded.persons_on_behalf,
             persons_avoiding = kept.persons_avoiding + excluded.persons_avoiding,
             persons_notified = kept.persons_notified + excluded.persons_notified,
             persons_estimated = kept.persons_estimated + excluded.persons_estimated,
             entitlements_followed = kept.entitlements_followed + excluded.entitlements_followed,
             entitlements_opened = kept.entitlements_opened + excluded.entitlements_opened,
             entitlements_decided = kept.entitlements_decided + excluded.entitlements_decided,
             decision_days = kept.decision_days + excluded.decision_days,
             in_autonomy = kept.in_autonomy + excluded.in_autonomy,
             on_behalf = kept.on_behalf + excluded.on_behalf,
             interruptions_avoided = kept.interruptions_avoided + excluded.interruptions_avoided,
             sessions_held = kept.sessions_held + excluded.sessions_held,
             persons_met = kept.persons_met + excluded.persons_met,
             amount_notified = kept.amount_notified + excluded.amount_notified,
             amount_estimated = kept.amount_estimated + excluded.amount_estimated,
             notified_squares = kept.notified_squares + excluded.notified_squares,
             estimated_squares = kept.estimated_squares + excluded.estimated_squares",
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    keep_shared(tx, operator, persons, counts_with).await
}

/// In the programme's figures, what follows from these records being of the same persons as others: with them, less
/// without them.
async fn keep_shared(
    tx: &mut Tx,
    operator: OperatorId,
    persons: &[Uuid],
    counts_with: &str,
) -> Result<(), Error> {
    let pseudonyms = sqlx::query_scalar!(
        "SELECT pseudonym FROM pseudonym WHERE operator_id = $1 AND beneficiary_id = ANY($2) AND key_id = $3",
        operator.uuid(),
        persons,
        counts_with
    )
    .all(tx.conn())
    .await?;
    if pseudonyms.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO indicator_residue_shared AS kept
             (dimension, code, month,
              persons_spotted, persons_informed, persons_oriented, persons_supported, persons_followed,
              persons_opened, persons_decided, persons_in_autonomy, persons_on_behalf, persons_avoiding,
              persons_notified, persons_estimated, notified_squares, estimated_squares)
         SELECT dimension, code, month,
                sum(sign * persons_spotted), sum(sign * persons_informed), sum(sign * persons_oriented),
                sum(sign * persons_supported), sum(sign * persons_followed), sum(sign * persons_opened),
                sum(sign * persons_decided), sum(sign * persons_in_autonomy), sum(sign * persons_on_behalf),
                sum(sign * persons_avoiding), sum(sign * persons_notified), sum(sign * persons_estimated),
                sum(sign * notified_squares), sum(sign * estimated_squares)
         FROM (
             SELECT 1 AS sign, shared.* FROM indicator_shared($1, $2, NULL, NULL) AS shared
             UNION ALL
             SELECT -1, shared.* FROM indicator_shared($1, $2, $3, $4) AS shared
         ) AS part
         GROUP BY dimension, code, month
         ORDER BY dimension, code, month
         ON CONFLICT (dimension, code, month) DO UPDATE
         SET persons_spotted = kept.persons_spotted + excluded.persons_spotted,
             persons_informed = kept.persons_informed + excluded.persons_informed,
             persons_oriented = kept.persons_oriented + excluded.persons_oriented,
             persons_supported = kept.persons_supported + excluded.persons_supported,
             persons_followed = kept.persons_followed + excluded.persons_followed,
             persons_opened = kept.persons_opened + excluded.persons_opened,
             persons_decided = kept.persons_decided + excluded.persons_decided,
             persons_in_autonomy = kept.persons_in_autonomy + excluded.persons_in_autonomy,
             persons_on_behalf = kept.persons_on_behalf + excluded.persons_on_behalf,
             persons_avoiding = kept.persons_avoiding + excluded.persons_avoiding,
             persons_notified = kept.persons_notified + excluded.persons_notified,
             persons_estimated = kept.persons_estimated + excluded.persons_estimated,
             notified_squares = kept.notified_squares + excluded.notified_squares,
             estimated_squares = kept.estimated_squares + excluded.estimated_squares",
        counts_with,
        &pseudonyms,
        operator.uuid(),
        persons
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
