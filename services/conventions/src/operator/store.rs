//! Operators in the database.

use nonrecours_kernel::{Id, InseeCode, OperatorId, OperatorName, Rna, Text};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    domain::{Category, Empowerment, Operator, Representative, Terms},
    duty::YearGrants,
};
use crate::{
    error::Error,
    stored::{budget_year, money, one_of, parse},
};

/// Adds an operator. Refuses a second one of the same SIRET.
pub async fn insert(tx: &mut Tx, operator: &Operator) -> Result<(), Error> {
    let terms = &operator.terms;
    let columns = Columns::of(terms);
    let inserted = sqlx::query!(
        "INSERT INTO operator (operator_id, legal_name, siret, category, insee_code, address, rna, representative_names,
                               representative_capacities, representative_acts, representative_decisions,
                               republican_commitment_date, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        operator.name.operator.uuid(),
        terms.legal_name,
        terms.siret.to_string(),
        terms.category.as_str(),
        terms.insee_code.as_str(),
        terms.address,
        columns.rna,
        &columns.names as &[&str],
        &columns.capacities as &[&str],
        &columns.acts,
        &columns.decisions,
        terms.republican_commitment,
        operator.revision,
        operator.create_time,
        operator.update_time
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint }) if constraint == "operator_siret_key" => {
            Err(Error::from(Failure::already_exists(
                "siret",
                Text::new(
                    "An operator of this SIRET is registered already.",
                    "Un opérateur de ce SIRET est déjà enregistré : reprenez-le.",
                ),
            )))
        }
        inserted => Ok(inserted.map(|_| ())?),
    }
}

/// One operator. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &OperatorName) -> Result<Operator, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM operator WHERE operator_id = $1",
        name.operator.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Locks one operator and reads it.
pub async fn lock(tx: &mut Tx, name: &OperatorName) -> Result<Operator, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM operator WHERE operator_id = $1 FOR UPDATE",
        name.operator.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Writes the terms of a locked operator.
pub async fn update(tx: &mut Tx, operator: &Operator) -> Result<(), Error> {
    let terms = &operator.terms;
    let columns = Columns::of(terms);
    sqlx::query!(
        "UPDATE operator
         SET legal_name = $2, category = $3, insee_code = $4, address = $5, rna = $6, representative_names = $7,
             representative_capacities = $8, representative_acts = $9, representative_decisions = $10,
             republican_commitment_date = $11, revision = $12, update_time = $13
         WHERE operator_id = $1",
        operator.name.operator.uuid(),
        terms.legal_name,
        terms.category.as_str(),
        terms.insee_code.as_str(),
        terms.address,
        columns.rna,
        &columns.names as &[&str],
        &columns.capacities as &[&str],
        &columns.acts,
        &columns.decisions,
        terms.republican_commitment,
        operator.revision,
        operator.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Grants of operators by budget year, oldest first, under conventions in force or past it.
pub async fn grants(
    tx: &mut Tx,
    operators: &[OperatorId],
) -> Result<Vec<(OperatorId, YearGrants)>, Error> {
    let ids: Vec<Uuid> = operators.iter().map(|operator| operator.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT operator_id, budget_year, sum(coalesce(reduced_amount, grant_amount)) AS "total!",
                  bool_or(accepted_report_id IS NULL) AS "report_awaited!"
           FROM convention
           WHERE operator_id = ANY ($1) AND in_force_time IS NOT NULL
           GROUP BY operator_id, budget_year
           ORDER BY operator_id, budget_year"#,
        &ids
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let grants = YearGrants {
                budget_year: budget_year(row.budget_year)?,
                total: money(row.total)?,
                report_awaited: row.report_awaited,
            };
            Ok((Id::from_uuid(row.operator_id), grants))
        })
        .collect::<Result<_, pg::Error>>()
        .map_err(Error::from)
}

/// Operators after one, oldest first; `only` narrows to one.
pub async fn list(
    tx: &mut Tx,
    only: Option<OperatorId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Operator>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM operator
         WHERE ($1::uuid IS NULL OR operator_id = $1) AND ($2::uuid IS NULL OR operator_id > $2)
         ORDER BY operator_id LIMIT $3",
        only.map(OperatorId::uuid),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Operator::try_from)
        .collect::<Result<_, _>>()?)
}

/// The communes of these operators that are of no programme's territory that day; none while a programme accepts every
/// commune, or there is no programme yet.
pub async fn outside_territory(
    tx: &mut Tx,
    operators: &[Operator],
    day: Date,
) -> Result<Vec<InseeCode>, Error> {
    let codes: Vec<&str> = operators
        .iter()
        .map(|operator| operator.terms.insee_code.as_str())
        .collect();
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT code AS "code!" FROM UNNEST($1::text[]) AS code
           WHERE EXISTS (SELECT FROM territory_commune)
             AND NOT EXISTS (SELECT FROM programme
                             WHERE NOT EXISTS (SELECT FROM territory_commune AS its
                                               WHERE its.programme_id = programme.programme_id))
             AND NOT EXISTS (SELECT FROM territory_commune AS commune
                             WHERE commune.insee_code = code
                               AND (commune.valid_from IS NULL OR commune.valid_from <= $2)
                               AND (commune.valid_to IS NULL OR $2 < commune.valid_to))"#,
        &codes as &[&str],
        day
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .iter()
        .map(|code| parse(code))
        .collect::<Result<_, _>>()?)
}

/// What of the terms is stored in another form: representatives as parallel arrays.
struct Columns<'a> {
    rna: Option<&'a str>,
    names: Vec<&'a str>,
    capacities: Vec<&'a str>,
    acts: Vec<String>,
    decisions: Vec<Date>,
}

impl<'a> Columns<'a> {
    fn of(terms: &'a Terms) -> Self {
        let all = || terms.representatives.iter();
        Self {
            rna: terms.rna.as_ref().map(Rna::as_str),
            names: all().map(|it| it.full_name.as_str()).collect(),
            capacities: all().map(|it| it.capacity.as_str()).collect(),
            acts: all()
                .map(|it| match &it.empowerment {
                    Empowerment::Act(act) => act.to_string(),
                    Empowerment::Decision(_) => String::new(),
                })
                .collect(),
            decisions: all().map(|it| it.empowerment.date()).collect(),
        }
    }
}

struct Row {
    operator_id: Uuid,
    legal_name: String,
    siret: String,
    category: String,
    insee_code: String,
    address: String,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
    rna: Option<String>,
    representative_names: Vec<String>,
    representative_capacities: Vec<String>,
    representative_acts: Vec<String>,
    representative_decisions: Vec<Date>,
    republican_commitment_date: Option<Date>,
}

impl TryFrom<Row> for Operator {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let representatives = row
            .representative_names
            .into_iter()
            .zip(row.representative_capacities)
            .zip(row.representative_acts)
            .zip(row.representative_decisions)
            .map(|(((full_name, capacity), act), decision)| {
                let empowerment = match act.as_str() {
                    "" => Empowerment::Decision(decision),
                    act => Empowerment::Act(parse(act)?),
                };
                Ok(Representative {
                    full_name,
                    capacity,
                    empowerment,
                })
            })
            .collect::<Result<_, pg::Error>>()?;
        Ok(Self {
            name: OperatorName {
                operator: Id::from_uuid(row.operator_id),
            },
            terms: Terms {
                legal_name: row.legal_name,
                siret: parse(&row.siret)?,
                category: one_of(&Category::ALL, Category::as_str, &row.category)?,
                insee_code: parse(&row.insee_code)?,
                address: row.address,
                rna: row.rna.as_deref().map(parse).transpose()?,
                representatives,
                republican_commitment: row.republican_commitment_date,
            },
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
