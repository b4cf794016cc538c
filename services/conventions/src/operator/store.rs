//! Operators in the database.

use nonrecours_kernel::{Id, InseeCode, OperatorId, OperatorName, Text};
use nonrecours_pg::{self as pg, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Category, Operator, Terms};
use crate::{
    error::Error,
    stored::{one_of, parse},
};

/// Adds an operator. Refuses a second one of the same SIRET.
pub async fn insert(tx: &mut Tx, operator: &Operator) -> Result<(), Error> {
    let terms = &operator.terms;
    let inserted = sqlx::query!(
        "INSERT INTO operator (operator_id, legal_name, siret, category, insee_code, address, revision, create_time,
                               update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        operator.name.operator.uuid(),
        terms.legal_name,
        terms.siret.to_string(),
        terms.category.as_str(),
        terms.insee_code.as_str(),
        terms.address,
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
    .fetch_all(tx.conn())
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
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .iter()
        .map(|code| parse(code))
        .collect::<Result<_, _>>()?)
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
}

impl TryFrom<Row> for Operator {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
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
            },
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
