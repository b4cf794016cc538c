//! Amendments in the database.

use nonrecours_kernel::{AmendmentName, ConventionName, Id};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Amendment, Content, State};
use crate::{
    convention::{
        domain::Signature,
        party::{ByParty, Party},
        row::{instalments, signatory, targets},
        terms::Commitment,
    },
    error::Error,
    refusal::Refusal,
    stored::{damaged, money},
};

/// Reads rows of amendments. All columns are named for the sake of some, whose type the database does not tell.
macro_rules! rows {
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"SELECT operator_id, convention_id, amendment_id, amendment_number, object, title, grant_amount,
                      instalment_kinds, instalment_shares AS "instalment_shares: Vec<Decimal>",
                      instalment_conditions AS "instalment_conditions: Vec<Option<String>>",
                      instalment_due_dates AS "instalment_due_dates: Vec<Option<Date>>", advance_without_call,
                      target_publics, objectives, commitment_codes, commitment_texts, targets, indicative_end_date,
                      authority_signatory_name, authority_signatory_capacity, authority_decision_date,
                      operator_signatory_name, operator_signatory_capacity, operator_decision_date, state,
                      authority_sign_time, authority_signed_by, operator_sign_time, operator_signed_by, in_force_time,
                      version, withdraw_time, withdraw_reason, revision, create_time, update_time
               FROM amendment "# + $condition,
            $($argument),+
        )
    };
}

/// Number of the next amendment of a locked convention.
pub async fn next_number(tx: &mut Tx, convention: &ConventionName) -> Result<i32, Error> {
    let next = sqlx::query_scalar!(
        r#"SELECT coalesce(max(amendment_number), 0) + 1 AS "next!" FROM amendment
           WHERE operator_id = $1 AND convention_id = $2"#,
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(next)
}

/// Adds a draft. Refuses a second open one of the same convention.
pub async fn insert(tx: &mut Tx, amendment: &Amendment) -> Result<(), Error> {
    let inserted = sqlx::query!(
        "INSERT INTO amendment (operator_id, convention_id, amendment_id, amendment_number, object, state, revision,
                                create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, 'DRAFT', $6, $7, $8)",
        amendment.name.operator.uuid(),
        amendment.name.convention.uuid(),
        amendment.name.amendment.uuid(),
        amendment.number,
        amendment.content.object,
        amendment.revision,
        amendment.create_time,
        amendment.update_time
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint }) if constraint == "amendment_open_key" => {
            return Err(Error::from(Refusal::AmendmentOpen));
        }
        inserted => _ = inserted?,
    }
    update(tx, amendment).await
}

/// One amendment. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &AmendmentName) -> Result<Amendment, Error> {
    let row = rows!(
        "WHERE operator_id = $1 AND convention_id = $2 AND amendment_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.amendment.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Locks one amendment, after its convention, and reads it.
pub async fn lock(tx: &mut Tx, name: &AmendmentName) -> Result<Amendment, Error> {
    let row = rows!(
        "WHERE operator_id = $1 AND convention_id = $2 AND amendment_id = $3 FOR UPDATE",
        name.operator.uuid(),
        name.convention.uuid(),
        name.amendment.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Amendments of a convention after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Amendment>, Error> {
    let rows = rows!(
        "WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR amendment_id > $3)
         ORDER BY amendment_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Amendment::try_from)
        .collect::<Result<_, _>>()?)
}

/// Writes content and state of a locked amendment.
pub async fn update(tx: &mut Tx, amendment: &Amendment) -> Result<(), Error> {
    let content = &amendment.content;
    let terms = content.instalments.as_ref().map(|it| it.terms());
    let kinds = terms.map(|terms| {
        let kinds = terms.iter().map(|(kind, _)| kind.as_str());
        kinds.collect::<Vec<_>>()
    });
    let shares = terms.map(|terms| {
        let shares = terms.iter().map(|(_, share)| share.value());
        shares.collect::<Vec<_>>()
    });
    let conditions = terms.map(|terms| {
        let conditions = terms.iter().map(|(kind, _)| kind.condition());
        conditions.collect::<Vec<_>>()
    });
    let due_dates = terms.map(|terms| {
        let due_dates = terms.iter().map(|(kind, _)| kind.due());
        due_dates.collect::<Vec<_>>()
    });
    let commitments = content.commitments.as_ref().map(|commitments| {
        let commitments = commitments.iter();
        commitments
            .map(|it| (it.code.as_str(), it.text.as_str()))
            .unzip::<_, _, Vec<_>, Vec<_>>()
    });
    let (codes, texts) = commitments.unzip();
    let numbers = content.targets.map(|targets| targets.numbers());
    let (authority, operator) = (
        content.signatories.authority.as_ref(),
        content.signatories.operator.as_ref(),
    );
    let (by_authority, by_operator) = (
        amendment.state.signature(Party::Authority),
        amendment.state.signature(Party::Operator),
    );
    let (since, version) = match &amendment.state {
        State::InForce { since, version, .. } => (Some(*since), Some(*version)),
        _ => (None, None),
    };
    let (withdrawn, reason) = match &amendment.state {
        State::Withdrawn { time, reason, .. } => (Some(*time), Some(reason.as_str())),
        _ => (None, None),
    };
    sqlx::query!(
        "UPDATE amendment
         SET object = $4, title = $5, grant_amount = $6, instalment_kinds = $7, instalment_shares = $8,
             instalment_conditions = $9, instalment_due_dates = $10, advance_without_call = $11, target_publics = $12,
             objectives = $13, commitment_codes = $14, commitment_texts = $15, indicative_end_date = $16,
             authority_signatory_name = $17, authority_signatory_capacity = $18, authority_decision_date = $19,
             operator_signatory_name = $20, operator_signatory_capacity = $21, operator_decision_date = $22,
             state = $23, authority_sign_time = $24, authority_signed_by = $25, operator_sign_time = $26,
             operator_signed_by = $27, in_force_time = $28, version = $29, withdraw_time = $30, withdraw_reason = $31,
             revision = $32, update_time = $33, targets = $34
         WHERE operator_id = $1 AND convention_id = $2 AND amendment_id = $3",
        amendment.name.operator.uuid(),
        amendment.name.convention.uuid(),
        amendment.name.amendment.uuid(),
        content.object,
        content.title,
        content.grant.map(|grant| grant.amount()),
        kinds.as_deref() as Option<&[&str]>,
        shares.as_deref(),
        conditions.as_deref() as Option<&[Option<&str>]>,
        due_dates.as_deref() as Option<&[Option<Date>]>,
        content.advance_without_call,
        content.target_publics.as_deref(),
        content.objectives.as_deref(),
        codes.as_deref() as Option<&[&str]>,
        texts.as_deref() as Option<&[&str]>,
        content.indicative_end,
        authority.map(|signatory| signatory.full_name.as_str()),
        authority.map(|signatory| signatory.capacity.as_str()),
        authority.and_then(|signatory| signatory.empowering_decision),
        operator.map(|signatory| signatory.full_name.as_str()),
        operator.map(|signatory| signatory.capacity.as_str()),
        operator.and_then(|signatory| signatory.empowering_decision),
        amendment.state.as_str(),
        by_authority.map(|signature| signature.time),
        by_authority.map(|signature| signature.by.as_str()),
        by_operator.map(|signature| signature.time),
        by_operator.map(|signature| signature.by.as_str()),
        since,
        version,
        withdrawn,
        reason,
        amendment.revision,
        amendment.update_time,
        numbers.as_ref().map(<[i32; 3]>::as_slice)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    amendment_id: Uuid,
    amendment_number: i32,
    object: String,
    title: Option<String>,
    grant_amount: Option<Decimal>,
    instalment_kinds: Option<Vec<String>>,
    instalment_shares: Option<Vec<Decimal>>,
    instalment_conditions: Option<Vec<Option<String>>>,
    instalment_due_dates: Option<Vec<Option<Date>>>,
    advance_without_call: Option<bool>,
    target_publics: Option<Vec<String>>,
    objectives: Option<Vec<String>>,
    commitment_codes: Option<Vec<String>>,
    commitment_texts: Option<Vec<String>>,
    targets: Option<Vec<i32>>,
    indicative_end_date: Option<Date>,
    authority_signatory_name: Option<String>,
    authority_signatory_capacity: Option<String>,
    authority_decision_date: Option<Date>,
    operator_signatory_name: Option<String>,
    operator_signatory_capacity: Option<String>,
    operator_decision_date: Option<Date>,
    state: String,
    authority_sign_time: Option<OffsetDateTime>,
    authority_signed_by: Option<String>,
    operator_sign_time: Option<OffsetDateTime>,
    operator_signed_by: Option<String>,
    in_force_time: Option<OffsetDateTime>,
    version: Option<i32>,
    withdraw_time: Option<OffsetDateTime>,
    withdraw_reason: Option<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Amendment {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        Ok(Self {
            name: AmendmentName {
                operator: Id::from_uuid(row.operator_id),
                convention: Id::from_uuid(row.convention_id),
                amendment: Id::from_uuid(row.amendment_id),
            },
            number: row.amendment_number,
            state: state(&row)?,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
            content: content(row)?,
        })
    }
}

fn state(row: &Row) -> Result<State, pg::Error> {
    let signature = |time: Option<OffsetDateTime>, by: &Option<String>| {
        Some(Signature {
            time: time?,
            by: by.clone()?,
        })
    };
    let authority = signature(row.authority_sign_time, &row.authority_signed_by);
    let operator = signature(row.operator_sign_time, &row.operator_signed_by);
    let one = match (&authority, &operator) {
        (Some(signature), None) => Some((Party::Authority, signature.clone())),
        (None, Some(signature)) => Some((Party::Operator, signature.clone())),
        _ => None,
    };
    let read = match row.state.as_str() {
        "DRAFT" => Some(State::Draft),
        "PARTLY_SIGNED" => one.map(|(party, signature)| State::PartlySigned { party, signature }),
        "IN_FORCE" => authority
            .zip(operator)
            .zip(row.in_force_time.zip(row.version))
            .map(|((authority, operator), (since, version))| State::InForce {
                signatures: ByParty {
                    authority,
                    operator,
                },
                since,
                version,
            }),
        "WITHDRAWN" => row
            .withdraw_time
            .zip(row.withdraw_reason.clone())
            .map(|(time, reason)| State::Withdrawn {
                signed: one,
                time,
                reason,
            }),
        _ => None,
    };
    read.ok_or_else(|| damaged(format_args!("an amendment in state {}", row.state)))
}

fn content(row: Row) -> Result<Content, pg::Error> {
    let commitments = row.commitment_codes.zip(row.commitment_texts);
    let split = row
        .instalment_kinds
        .zip(row.instalment_shares)
        .zip(row.instalment_conditions.zip(row.instalment_due_dates));
    Ok(Content {
        object: row.object,
        title: row.title,
        grant: row.grant_amount.map(money).transpose()?,
        instalments: split
            .map(|((kinds, shares), (conditions, due_dates))| {
                instalments(kinds, shares, conditions, due_dates)
            })
            .transpose()?,
        advance_without_call: row.advance_without_call,
        target_publics: row.target_publics,
        objectives: row.objectives,
        commitments: commitments.map(|(codes, texts)| {
            let worded = codes.into_iter().zip(texts);
            worded
                .map(|(code, text)| Commitment { code, text })
                .collect()
        }),
        targets: row.targets.as_deref().map(targets).transpose()?,
        indicative_end: row.indicative_end_date,
        signatories: ByParty {
            authority: signatory(
                row.authority_signatory_name,
                row.authority_signatory_capacity,
                row.authority_decision_date,
            ),
            operator: signatory(
                row.operator_signatory_name,
                row.operator_signatory_capacity,
                row.operator_decision_date,
            ),
        },
    })
}
