//! Whether the operator of a convention lies within its programme's territory: unusual otherwise, accepted all the same.

use nonrecours_kernel::{ConventionName, Id, Text, Warning};
use nonrecours_pg::{All as _, Tx};
use time::Date;
use uuid::Uuid;

use crate::error::Error;

/// Those conventions whose operator's commune was not of the programme's territory on the day of the second signature, or
/// is not on this day while there is none. A programme without communes accepts every commune.
pub async fn outside(
    tx: &mut Tx,
    conventions: &[ConventionName],
    today: Date,
) -> Result<Vec<ConventionName>, Error> {
    let operators: Vec<Uuid> = conventions.iter().map(|it| it.operator.uuid()).collect();
    let ids: Vec<Uuid> = conventions.iter().map(|it| it.convention.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT operator_id AS "operator_id!", convention_id AS "convention_id!"
         FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
         JOIN convention USING (operator_id, convention_id)
         JOIN operator USING (operator_id)
         WHERE EXISTS (SELECT FROM territory_commune AS its WHERE its.programme_id = convention.programme_id)
           AND NOT EXISTS (SELECT FROM territory_commune AS its
                           WHERE its.programme_id = convention.programme_id AND its.insee_code = operator.insee_code
                             AND (its.valid_from IS NULL
                                  OR its.valid_from <= coalesce((in_force_time AT TIME ZONE 'Europe/Paris')::date, $3))
                             AND (its.valid_to IS NULL
                                  OR coalesce((in_force_time AT TIME ZONE 'Europe/Paris')::date, $3) < its.valid_to))"#,
        &operators,
        &ids,
        today
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ConventionName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
        })
        .collect())
}

/// What is said of such a convention.
pub fn warning() -> Warning {
    Warning {
        field: "convention.name".to_owned(),
        reason: "COMMUNE_OUTSIDE_TERRITORY",
        text: Text::new(
            "The operator's commune is not of the programme's territory.",
            "La commune de l'opérateur n'appartient pas au territoire du programme : vérifiez son code commune, ou le \
             territoire.",
        ),
    }
}
