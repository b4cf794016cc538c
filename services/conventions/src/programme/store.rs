//! Programmes and envelopes in the database.

use nonrecours_kernel::{BudgetYear, Id, Money, ProgrammeName, Text};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use sqlx::postgres::PgQueryResult;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    domain::{Envelope, Programme, Terms, Vote, Weight},
    territory::{Stay, Territory},
};
use crate::{
    error::Error,
    stored::{budget_year, damaged, money, parse},
};

/// Reads rows of programmes. All columns are named for the sake of one, whose type the database does not tell.
macro_rules! rows {
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"SELECT programme_id, display_name, authority_name, authority_siret, deviation_rate, notice_days,
                      report_years, report_dates AS "report_dates: Vec<Date>", revision, create_time, update_time
               FROM programme "# + $condition,
            $($argument),+
        )
    };
}

/// Adds a programme with its envelopes, their first votes and its territory. Refuses a second one of the same authority
/// and display name.
pub async fn insert(tx: &mut Tx, programme: &Programme) -> Result<(), Error> {
    let terms = &programme.terms;
    let (years, dates) = calendar(terms);
    let inserted = sqlx::query!(
        "INSERT INTO programme (programme_id, display_name, authority_name, authority_siret, deviation_rate, notice_days,
                                report_years, report_dates, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        programme.name.programme.uuid(),
        terms.display_name,
        terms.authority_name,
        terms.authority_siret.to_string(),
        terms.deviation_rate.value(),
        terms.notice_days,
        &years,
        &dates,
        programme.revision,
        programme.create_time,
        programme.update_time
    )
    .execute(tx.conn())
    .await;
    named_once(inserted)?;
    for envelope in &programme.envelopes {
        write_voted(tx, &programme.name, envelope).await?;
    }
    for vote in &programme.votes {
        insert_vote(tx, &programme.name, vote, FIRST_VOTE).await?;
    }
    write_territory(tx, programme).await
}

/// Number of the vote that opens an envelope.
const FIRST_VOTE: i32 = 1;

/// One programme. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &ProgrammeName) -> Result<Programme, Error> {
    let row = rows!("WHERE programme_id = $1", name.programme.uuid())
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(|| Failure::not_found(name))?;
    let mut programmes = whole(tx, vec![row]).await?;
    programmes.pop().ok_or_else(|| damaged(name).into())
}

/// Locks one programme with its envelopes, and reads it.
pub async fn lock(tx: &mut Tx, name: &ProgrammeName) -> Result<Programme, Error> {
    let row = rows!("WHERE programme_id = $1 FOR UPDATE", name.programme.uuid())
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(|| Failure::not_found(name))?;
    sqlx::query!(
        "SELECT budget_year FROM envelope WHERE programme_id = $1 ORDER BY budget_year FOR UPDATE",
        name.programme.uuid()
    )
    .all(tx.conn())
    .await?;
    let mut programmes = whole(tx, vec![row]).await?;
    programmes.pop().ok_or_else(|| damaged(name).into())
}

/// Programmes after one, oldest first.
pub async fn list(tx: &mut Tx, after: Option<Uuid>, limit: i64) -> Result<Vec<Programme>, Error> {
    let rows = rows!(
        "WHERE ($1::uuid IS NULL OR programme_id > $1) ORDER BY programme_id LIMIT $2",
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    whole(tx, rows).await
}

/// Writes what a locked programme goes by. Refuses the name of another programme of the same authority.
pub async fn update(tx: &mut Tx, programme: &Programme) -> Result<(), Error> {
    let terms = &programme.terms;
    let (years, dates) = calendar(terms);
    let updated = sqlx::query!(
        "UPDATE programme
         SET display_name = $2, authority_name = $3, deviation_rate = $4, notice_days = $5, report_years = $6,
             report_dates = $7, revision = $8, update_time = $9
         WHERE programme_id = $1",
        programme.name.programme.uuid(),
        terms.display_name,
        terms.authority_name,
        terms.deviation_rate.value(),
        terms.notice_days,
        &years,
        &dates,
        programme.revision,
        programme.update_time
    )
    .execute(tx.conn())
    .await;
    named_once(updated)
}

/// Writes the last vote of a budget year on a locked programme, and the envelope after it.
pub async fn vote(tx: &mut Tx, programme: &Programme, envelope: &Envelope) -> Result<(), Error> {
    let votes: Vec<&Vote> = programme
        .votes
        .iter()
        .filter(|vote| vote.budget_year == envelope.budget_year)
        .collect();
    let last = votes
        .last()
        .ok_or_else(|| Failure::bug("an envelope without a vote"))?;
    let number = i32::try_from(votes.len()).map_err(damaged)?;
    write_voted(tx, &programme.name, envelope).await?;
    insert_vote(tx, &programme.name, last, number).await?;
    update(tx, programme).await
}

/// Writes the territory of a locked programme.
pub async fn change_territory(tx: &mut Tx, programme: &Programme) -> Result<(), Error> {
    write_territory(tx, programme).await?;
    update(tx, programme).await
}

async fn write_voted(tx: &mut Tx, name: &ProgrammeName, envelope: &Envelope) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO envelope (programme_id, budget_year, voted_amount, engaged_amount, paid_amount)
         VALUES ($1, $2, $3, 0, 0)
         ON CONFLICT (programme_id, budget_year) DO UPDATE SET voted_amount = excluded.voted_amount",
        name.programme.uuid(),
        envelope.budget_year.get(),
        envelope.voted.amount()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn insert_vote(
    tx: &mut Tx,
    name: &ProgrammeName,
    vote: &Vote,
    number: i32,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO envelope_vote (programme_id, budget_year, vote_number, amount, vote_date, act_reference,
                                    recorded_by, record_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        name.programme.uuid(),
        vote.budget_year.get(),
        number,
        vote.amount.amount(),
        vote.date,
        vote.act_reference,
        vote.recorded_by,
        vote.record_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn write_territory(tx: &mut Tx, programme: &Programme) -> Result<(), Error> {
    let stays = programme.territory.stays();
    let codes: Vec<&str> = stays.iter().map(|stay| stay.insee_code.as_str()).collect();
    let from: Vec<Option<Date>> = stays.iter().map(|stay| stay.from).collect();
    let to: Vec<Option<Date>> = stays.iter().map(|stay| stay.to).collect();
    sqlx::query!(
        "INSERT INTO territory_commune (programme_id, insee_code, valid_from, valid_to)
         SELECT $1, * FROM UNNEST($2::text[], $3::date[], $4::date[])
         ON CONFLICT ON CONSTRAINT territory_commune_key DO UPDATE SET valid_to = excluded.valid_to",
        programme.name.programme.uuid(),
        &codes as &[&str],
        &from as &[Option<Date>],
        &to as &[Option<Date>]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn calendar(terms: &Terms) -> (Vec<i16>, Vec<Date>) {
    terms
        .report_calendar
        .iter()
        .map(|(year, due)| (year.get(), *due))
        .unzip()
}

fn named_once(written: Result<PgQueryResult, sqlx::Error>) -> Result<(), Error> {
    match written.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint }) if constraint == "programme_name_key" => {
            Err(Error::from(Failure::already_exists(
                "authority_siret,display_name",
                Text::new(
                    "The authority has a programme of this name already.",
                    "Cette autorité a déjà un programme de ce nom : choisissez-en un autre ou reprenez l'existant.",
                ),
            )))
        }
        written => Ok(written.map(|_| ())?),
    }
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

/// Moves what a locked convention weighs on the envelope of its budget year. Gives what it holds of it then.
pub async fn shift_envelope(
    tx: &mut Tx,
    programme: &ProgrammeName,
    year: BudgetYear,
    before: Weight,
    after: Weight,
) -> Result<Money, Error> {
    if before == after {
        return Ok(before.engaged);
    }
    let (envelope, held) = lock_envelope(tx, programme, year)
        .await?
        .and_then(|envelope| envelope.shift(before, after))
        .ok_or_else(|| Failure::bug("more is paid than the envelope has engaged"))?;
    sqlx::query!(
        "UPDATE envelope SET engaged_amount = $3, paid_amount = $4 WHERE programme_id = $1 AND budget_year = $2",
        programme.programme.uuid(),
        year.get(),
        envelope.engaged.amount(),
        envelope.paid.amount()
    )
    .execute(tx.conn())
    .await?;
    Ok(held)
}

/// Programmes with their envelopes, votes and territories.
async fn whole(tx: &mut Tx, rows: Vec<Row>) -> Result<Vec<Programme>, Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.programme_id).collect();
    let envelopes = sqlx::query_as!(
        EnvelopeRow,
        "SELECT * FROM envelope WHERE programme_id = ANY($1) ORDER BY programme_id, budget_year",
        &ids
    )
    .all(tx.conn())
    .await?;
    let votes = sqlx::query_as!(
        VoteRow,
        "SELECT programme_id, budget_year, amount, vote_date, act_reference, recorded_by, record_time FROM envelope_vote
         WHERE programme_id = ANY($1) ORDER BY programme_id, budget_year, vote_number",
        &ids
    )
    .all(tx.conn())
    .await?;
    let stays = sqlx::query_as!(
        StayRow,
        "SELECT * FROM territory_commune WHERE programme_id = ANY($1)",
        &ids
    )
    .all(tx.conn())
    .await?;
    let mut programmes = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.programme_id;
        let of = |stay: &&StayRow| stay.programme_id == id;
        let stays = stays.iter().filter(of).map(Stay::try_from);
        let mut programme = Programme::try_from(row)?;
        programme.territory = Territory::new(stays.collect::<Result<_, _>>()?);
        programmes.push(programme);
    }
    for row in envelopes {
        let programme = owner(&mut programmes, row.programme_id)?;
        programme.envelopes.push(row.try_into()?);
    }
    for row in votes {
        let programme = owner(&mut programmes, row.programme_id)?;
        programme.votes.push(row.try_into()?);
    }
    Ok(programmes)
}

fn owner(programmes: &mut [Programme], id: Uuid) -> Result<&mut Programme, pg::Error> {
    let mut programmes = programmes.iter_mut();
    let owner = programmes.find(|programme| programme.name.programme.uuid() == id);
    owner.ok_or_else(|| damaged(id))
}

struct Row {
    programme_id: Uuid,
    display_name: String,
    authority_name: String,
    authority_siret: String,
    deviation_rate: Decimal,
    notice_days: i16,
    report_years: Vec<i16>,
    report_dates: Vec<Date>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for Programme {
    type Error = pg::Error;

    /// Without its envelopes and its territory.
    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let calendar = row.report_years.into_iter().zip(row.report_dates);
        Ok(Self {
            name: ProgrammeName {
                programme: Id::from_uuid(row.programme_id),
            },
            terms: Terms {
                display_name: row.display_name,
                authority_name: row.authority_name,
                authority_siret: parse(&row.authority_siret)?,
                deviation_rate: row.deviation_rate.try_into().map_err(damaged)?,
                notice_days: row.notice_days,
                report_calendar: calendar
                    .map(|(year, due)| Ok((budget_year(year)?, due)))
                    .collect::<Result<_, pg::Error>>()?,
            },
            territory: Territory::default(),
            envelopes: Vec::new(),
            votes: Vec::new(),
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

struct VoteRow {
    programme_id: Uuid,
    budget_year: i16,
    amount: Decimal,
    vote_date: Option<Date>,
    act_reference: String,
    recorded_by: String,
    record_time: OffsetDateTime,
}

impl TryFrom<VoteRow> for Vote {
    type Error = pg::Error;

    fn try_from(row: VoteRow) -> Result<Self, pg::Error> {
        Ok(Self {
            budget_year: budget_year(row.budget_year)?,
            amount: money(row.amount)?,
            date: row.vote_date,
            act_reference: row.act_reference,
            recorded_by: row.recorded_by,
            record_time: row.record_time,
        })
    }
}

struct StayRow {
    programme_id: Uuid,
    insee_code: String,
    valid_from: Option<Date>,
    valid_to: Option<Date>,
}

impl TryFrom<&StayRow> for Stay {
    type Error = pg::Error;

    fn try_from(row: &StayRow) -> Result<Self, pg::Error> {
        Ok(Self {
            insee_code: parse(&row.insee_code)?,
            from: row.valid_from,
            to: row.valid_to,
        })
    }
}
