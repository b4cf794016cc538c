//! Bank accounts in the database.

use nonrecours_kernel::{
    AttachmentId, AttachmentName, BankAccountId, BankAccountName, ConventionId, OperatorId,
};
use nonrecours_pg::{All as _, Error, Tx};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{BankAccount, Details, Standing, State};
use crate::instalment::Step;

/// Writes a new account, unless the operator has the same one waiting or approved. Waits for whoever writes the same.
pub async fn insert(tx: &mut Tx, account: &BankAccount) -> Result<bool, Error> {
    let done = sqlx::query!(
        "INSERT INTO bank_account (operator_id, bank_account_id, iban, bic, holder, rib_convention_id, rib_attachment_id,
                                   state, entry_actor, entry_actor_name, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (operator_id, iban, bic, holder) WHERE state IN ('ENTERED', 'APPROVED') DO NOTHING",
        account.name.operator.uuid(),
        account.name.bank_account.uuid(),
        account.details.iban.as_str(),
        account.details.bic.as_str(),
        account.details.holder,
        account.rib.map(|rib| rib.convention.uuid()),
        account.rib.map(|rib| rib.attachment.uuid()),
        account.state.standing().code(),
        account.entry.actor,
        account.entry.actor_name,
        account.revision,
        account.entry.time,
        account.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The account of an operator with these details that is waiting or approved.
pub async fn live(
    tx: &mut Tx,
    operator: OperatorId,
    details: &Details,
) -> Result<Option<BankAccount>, Error> {
    sqlx::query_as!(
        Row,
        "SELECT operator_id, bank_account_id, iban, bic, holder, rib_convention_id, rib_attachment_id, state, entry_actor,
                entry_actor_name, approval_actor, approval_actor_name, approval_time, ending_actor, ending_actor_name,
                ending_time, revoke_reason, revision, create_time, update_time
         FROM bank_account
         WHERE operator_id = $1 AND iban = $2 AND bic = $3 AND holder = $4 AND state IN ('ENTERED', 'APPROVED')",
        operator.uuid(),
        details.iban.as_str(),
        details.bic.as_str(),
        details.holder
    )
    .fetch_optional(tx.conn())
    .await?
    .map(BankAccount::try_from)
    .transpose()
}

/// Locks what an approval may change until the end of the transaction: this account and the one it may supersede.
pub async fn lock(tx: &mut Tx, name: &BankAccountName) -> Result<(), Error> {
    sqlx::query!(
        "SELECT bank_account_id FROM bank_account
         WHERE operator_id = $1 AND (bank_account_id = $2 OR state = 'APPROVED')
         ORDER BY bank_account_id FOR UPDATE",
        name.operator.uuid(),
        name.bank_account.uuid()
    )
    .all(tx.conn())
    .await?;
    Ok(())
}

/// Keeps an account as it is until the end of the transaction.
pub async fn hold(tx: &mut Tx, name: &BankAccountName) -> Result<(), Error> {
    sqlx::query!(
        "SELECT bank_account_id FROM bank_account WHERE operator_id = $1 AND bank_account_id = $2 FOR SHARE",
        name.operator.uuid(),
        name.bank_account.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(())
}

/// One account.
pub async fn get(tx: &mut Tx, name: &BankAccountName) -> Result<Option<BankAccount>, Error> {
    sqlx::query_as!(
        Row,
        "SELECT operator_id, bank_account_id, iban, bic, holder, rib_convention_id, rib_attachment_id, state, entry_actor,
                entry_actor_name, approval_actor, approval_actor_name, approval_time, ending_actor, ending_actor_name,
                ending_time, revoke_reason, revision, create_time, update_time
         FROM bank_account WHERE operator_id = $1 AND bank_account_id = $2",
        name.operator.uuid(),
        name.bank_account.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .map(BankAccount::try_from)
    .transpose()
}

/// The account that an operator is paid on.
pub async fn approved(tx: &mut Tx, operator: OperatorId) -> Result<Option<BankAccount>, Error> {
    sqlx::query_as!(
        Row,
        "SELECT operator_id, bank_account_id, iban, bic, holder, rib_convention_id, rib_attachment_id, state, entry_actor,
                entry_actor_name, approval_actor, approval_actor_name, approval_time, ending_actor, ending_actor_name,
                ending_time, revoke_reason, revision, create_time, update_time
         FROM bank_account WHERE operator_id = $1 AND state = 'APPROVED'",
        operator.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .map(BankAccount::try_from)
    .transpose()
}

/// A page of accounts, oldest first; all operators of the scope when none is given.
pub async fn list(
    tx: &mut Tx,
    operator: Option<OperatorId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<BankAccount>, Error> {
    sqlx::query_as!(
        Row,
        "SELECT operator_id, bank_account_id, iban, bic, holder, rib_convention_id, rib_attachment_id, state, entry_actor,
                entry_actor_name, approval_actor, approval_actor_name, approval_time, ending_actor, ending_actor_name,
                ending_time, revoke_reason, revision, create_time, update_time
         FROM bank_account
         WHERE ($1::uuid IS NULL OR operator_id = $1) AND ($2::uuid IS NULL OR bank_account_id > $2)
         ORDER BY bank_account_id LIMIT $3",
        operator.map(|operator| operator.uuid()),
        after,
        limit
    )
    .all(tx.conn())
    .await?
    .into_iter()
    .map(BankAccount::try_from)
    .collect()
}

/// Writes the state of a locked account.
pub async fn update(tx: &mut Tx, account: &BankAccount) -> Result<(), Error> {
    let (approval, ending) = (account.state.approval(), account.state.ending());
    sqlx::query!(
        "UPDATE bank_account
         SET state = $3, approval_actor = $4, approval_actor_name = $5, approval_time = $6, ending_actor = $7,
             ending_actor_name = $8, ending_time = $9, revoke_reason = $10, revision = $11, update_time = $12
         WHERE operator_id = $1 AND bank_account_id = $2",
        account.name.operator.uuid(),
        account.name.bank_account.uuid(),
        account.state.standing().code(),
        approval.map(|step| step.actor.as_str()),
        approval.map(|step| step.actor_name.as_str()),
        approval.map(|step| step.time),
        ending.map(|step| step.actor.as_str()),
        ending.map(|step| step.actor_name.as_str()),
        ending.map(|step| step.time),
        account.state.revoke_reason(),
        account.revision,
        account.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    operator_id: Uuid,
    bank_account_id: Uuid,
    iban: String,
    bic: String,
    holder: String,
    rib_convention_id: Option<Uuid>,
    rib_attachment_id: Option<Uuid>,
    state: String,
    entry_actor: String,
    entry_actor_name: String,
    approval_actor: Option<String>,
    approval_actor_name: Option<String>,
    approval_time: Option<OffsetDateTime>,
    ending_actor: Option<String>,
    ending_actor_name: Option<String>,
    ending_time: Option<OffsetDateTime>,
    revoke_reason: Option<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for BankAccount {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let id = row.bank_account_id;
        row.account()
            .ok_or_else(|| Error::Damaged(format!("bank account {id}")))
    }
}

impl Row {
    /// Nothing when it is none that the table's constraints allow.
    fn account(self) -> Option<BankAccount> {
        let operator = OperatorId::from_uuid(self.operator_id);
        let rib = self.rib_convention_id.zip(self.rib_attachment_id);
        let step = |actor: Option<String>, name: Option<String>, time: Option<OffsetDateTime>| {
            Some(Step {
                actor: actor?,
                actor_name: name?,
                time: time?,
            })
        };
        let approval = step(
            self.approval_actor,
            self.approval_actor_name,
            self.approval_time,
        );
        let ending = step(self.ending_actor, self.ending_actor_name, self.ending_time);
        let state = match Standing::of(&self.state)? {
            Standing::Entered => State::Entered,
            Standing::Approved => State::Approved {
                approval: approval?,
            },
            Standing::Superseded => State::Superseded {
                approval: approval?,
                ending: ending?,
            },
            Standing::Revoked => State::Revoked {
                approval,
                ending: ending?,
                reason: self.revoke_reason?,
            },
        };
        Some(BankAccount {
            name: BankAccountName {
                operator,
                bank_account: BankAccountId::from_uuid(self.bank_account_id),
            },
            details: Details {
                iban: self.iban.parse().ok()?,
                bic: self.bic.parse().ok()?,
                holder: self.holder,
            },
            rib: rib.map(|(convention, attachment)| AttachmentName {
                operator,
                convention: ConventionId::from_uuid(convention),
                attachment: AttachmentId::from_uuid(attachment),
            }),
            entry: Step {
                actor: self.entry_actor,
                actor_name: self.entry_actor_name,
                time: self.create_time,
            },
            state,
            revision: self.revision,
            update_time: self.update_time,
        })
    }
}
