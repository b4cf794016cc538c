//! Grants and their publications in the database.

use nonrecours_kernel::{BudgetYear, GrantPublicationName, Id, ProgrammeName, paris_date};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Grant, GrantPublication, Terms};
use crate::{
    error::Error,
    stored::{budget_year, damaged, money, parse},
};

/// Rows that a file holds at most.
const MAX_ROWS: usize = 20_000;

/// The grants of the conventions that both parties signed for a budget year, in the order of their signatures.
pub async fn grants(
    tx: &mut Tx,
    programme: &ProgrammeName,
    year: BudgetYear,
) -> Result<Vec<Grant>, Error> {
    let rows = sqlx::query!(
        r#"SELECT programme.authority_name, programme.authority_siret, convention.in_force_time AS "in_force_time!",
                  act.act_id AS "act_id?", operator.legal_name, operator.siret, convention.title,
                  coalesce(convention.reduced_amount, convention.grant_amount) AS "grant!", cardinality(convention.instalment_kinds) AS "instalments!",
                  convention.indicative_end_date
           FROM convention
           JOIN programme USING (programme_id)
           JOIN operator USING (operator_id)
           LEFT JOIN act ON act.operator_id = convention.operator_id AND act.convention_id = convention.convention_id
                AND act.party = 'AUTHORITY' AND act.amendment_id IS NULL
           WHERE convention.programme_id = $1 AND convention.budget_year = $2 AND convention.in_force_time IS NOT NULL
           ORDER BY convention.in_force_time, convention.convention_id
           LIMIT $3"#,
        programme.programme.uuid(),
        year.get(),
        i64::try_from(MAX_ROWS + 1).unwrap_or(i64::MAX)
    )
    .all(tx.conn())
    .await?;
    if rows.len() > MAX_ROWS {
        return Err(Error::from(Failure::bug(
            "a budget year with more grants than a file holds",
        )));
    }
    Ok(rows
        .into_iter()
        .map(|row| {
            Ok(Grant {
                authority_name: row.authority_name,
                authority_siret: parse(&row.authority_siret)?,
                signature: paris_date(row.in_force_time),
                decision: row.act_id,
                operator_name: row.legal_name,
                operator_siret: parse(&row.siret)?,
                title: row.title,
                amount: money(row.grant)?,
                instalments: row.instalments,
                end: row.indicative_end_date,
            })
        })
        .collect::<Result<_, pg::Error>>()?)
}

/// Adds a publication.
pub async fn insert(tx: &mut Tx, publication: &GrantPublication) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO grant_publication (programme_id, grant_publication_id, budget_year, publication_date, location,
                                        row_count, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        publication.name.programme.uuid(),
        publication.name.grant_publication.uuid(),
        publication.terms.budget_year.get(),
        publication.terms.date,
        publication.terms.location,
        publication.rows,
        publication.revision,
        publication.create_time,
        publication.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One publication. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &GrantPublicationName) -> Result<GrantPublication, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM grant_publication WHERE programme_id = $1 AND grant_publication_id = $2",
        name.programme.uuid(),
        name.grant_publication.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Publications of a programme after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    programme: &ProgrammeName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<GrantPublication>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM grant_publication
         WHERE programme_id = $1 AND ($2::uuid IS NULL OR grant_publication_id > $2)
         ORDER BY grant_publication_id LIMIT $3",
        programme.programme.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(GrantPublication::try_from)
        .collect::<Result<_, _>>()?)
}

struct Row {
    programme_id: Uuid,
    grant_publication_id: Uuid,
    budget_year: i16,
    publication_date: Date,
    location: String,
    row_count: i32,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for GrantPublication {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        if row.row_count < 1 {
            return Err(damaged("a publication of nothing"));
        }
        Ok(Self {
            name: GrantPublicationName {
                programme: Id::from_uuid(row.programme_id),
                grant_publication: Id::from_uuid(row.grant_publication_id),
            },
            terms: Terms {
                budget_year: budget_year(row.budget_year)?,
                date: row.publication_date,
                location: row.location,
            },
            rows: row.row_count,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
