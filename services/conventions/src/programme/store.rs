//! Programmes and envelopes in the database.

use nonrecours_kernel::{BudgetYear, Id, Money, ProgrammeName, Text};
use nonrecours_pg::{self as pg, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use time::OffsetDateTime;
use uuid::Uuid;

use super::domain::{Envelope, Programme, Terms};
use crate::{
    error::Error,
    stored::{budget_year, damaged, money, parse},
};

/// Adds a programme with its envelopes. Refuses a second one of the same authority and display name.
pub async fn insert(tx: &mut Tx, programme: &Programme) -> Result<(), Error> {
    let terms = &programme.terms;
    let communes: Vec<&str> = terms
        .commune_codes
        .iter()
        .map(|code| code.as_str())
        .collect();
    let id = programme.name.programme.uuid();
    let inserted = sqlx::query!(
        "INSERT INTO programme (programme_id, display_name, authority_name, authority_siret, commune_codes, revision,
                                create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        terms.display_name,
        terms.authority_name,
        terms.authority_siret.to_string(),
        &communes as &[&str],
        programme.revision,
        programme.create_time,
        programme.update_time
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint }) if constraint == "programme_name_key" => {
            return Err(Error::from(Failure::already_exists(
                "authority_siret,display_name",
                Text::new(
                    "The authority has a programme of this name already.",
                    "Cette autorité a déjà un programme de ce nom : choisissez-en un autre ou reprenez l'existant.",
                ),
            )));
        }
        inserted => inserted?,
    };
    let years: Vec<i16> = programme
        .envelopes
        .iter()
        .map(|it| it.budget_year.get())
        .collect();
    let voted: Vec<Decimal> = programme
        .envelopes
        .iter()
        .map(|it| it.voted.amount())
        .collect();
    sqlx::query!(
        "INSERT INTO envelope (programme_id, budget_year, voted_amount, engaged_amount, paid_amount)
         SELECT $1, new.budget_year, new.voted, 0, 0
         FROM UNNEST($2::smallint[], $3::numeric[]) AS new (budget_year, voted)",
        id,
        &years,
        &voted
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One programme. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &ProgrammeName) -> Result<Programme, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM programme WHERE programme_id = $1",
        name.programme.uuid()
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| Failure::not_found(name))?;
    let mut programmes = with_envelopes(tx, vec![row]).await?;
    programmes.pop().ok_or_else(|| damaged(name).into())
}

/// Programmes after one, oldest first.
pub async fn list(tx: &mut Tx, after: Option<Uuid>, limit: i64) -> Result<Vec<Programme>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM programme WHERE ($1::uuid IS NULL OR programme_id > $1) ORDER BY programme_id LIMIT $2",
        after,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    with_envelopes(tx, rows).await
}

/// Locks the envelope of a budget year and reads it; none when none was voted.
pub async fn lock_envelope(
    tx: &mut Tx,
    programme: &ProgrammeName,
    year: BudgetYear,
) -> Result<Option<Envelope>, Error> {
    let row = sqlx::query_as!(
        EnvelopeRow,
        "SELECT * FROM envelope WHERE programme_id = $1 AND budget_year = $2 FOR UPDATE",
        programme.programme.uuid(),
        year.get()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Envelope::try_from).transpose()?)
}

/// Writes the running sums of a locked envelope.
pub async fn update_envelope(
    tx: &mut Tx,
    programme: &ProgrammeName,
    envelope: &Envelope,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE envelope SET engaged_amount = $3, paid_amount = $4 WHERE programme_id = $1 AND budget_year = $2",
        programme.programme.uuid(),
        envelope.budget_year.get(),
        envelope.engaged.amount(),
        envelope.paid.amount()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves the sum paid of an envelope by a difference.
pub async fn pay_envelope(
    tx: &mut Tx,
    programme: &ProgrammeName,
    year: BudgetYear,
    difference: Money,
) -> Result<(), Error> {
    let envelope = lock_envelope(tx, programme, year).await?;
    let paid = envelope
        .and_then(|envelope| envelope.pay(difference))
        .ok_or_else(|| Failure::bug("more is paid than the envelope has engaged"))?;
    update_envelope(tx, programme, &paid).await
}

async fn with_envelopes(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<Programme>, Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.programme_id).collect();
    let envelopes = sqlx::query_as!(
        EnvelopeRow,
        "SELECT * FROM envelope WHERE programme_id = ANY($1) ORDER BY programme_id, budget_year",
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    let mut programmes: Vec<Programme> = rows
        .into_iter()
        .map(Programme::try_from)
        .collect::<Result<_, _>>()?;
    for row in envelopes {
        let owner = programmes
            .iter_mut()
            .find(|programme| programme.name.programme.uuid() == row.programme_id);
        if let Some(programme) = owner {
            programme.envelopes.push(row.try_into()?);
        }
    }
    Ok(programmes)
}

struct Row {
    programme_id: Uuid,
    display_name: String,
    authority_name: String,
    authority_siret: String,
    commune_codes: Vec<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Programme {
    type Error = pg::Error;

    /// Without its envelopes.
    fn try_from(row: Row) -> Result<Self, pg::Error> {
        Ok(Self {
            name: ProgrammeName {
                programme: Id::from_uuid(row.programme_id),
            },
            terms: Terms {
                display_name: row.display_name,
                authority_name: row.authority_name,
                authority_siret: parse(&row.authority_siret)?,
                commune_codes: row
                    .commune_codes
                    .iter()
                    .map(|code| parse(code))
                    .collect::<Result<_, _>>()?,
            },
            envelopes: Vec::new(),
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

struct EnvelopeRow {
    programme_id: Uuid,
    budget_year: i16,
    voted_amount: Decimal,
    engaged_amount: Decimal,
    paid_amount: Decimal,
}

impl TryFrom<EnvelopeRow> for Envelope {
    type Error = pg::Error;

    fn try_from(row: EnvelopeRow) -> Result<Self, pg::Error> {
        Ok(Self {
            budget_year: budget_year(row.budget_year)?,
            voted: money(row.voted_amount)?,
            engaged: money(row.engaged_amount)?,
            paid: money(row.paid_amount)?,
        })
    }
}
