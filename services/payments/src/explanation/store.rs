//! Which instalments a page explains.

use std::{fmt, str::FromStr};

use nonrecours_kernel::{
    ConventionId, ConventionName, InstalmentId, InstalmentName, OperatorId, OperatorName,
};
use nonrecours_pg::{All as _, Error, Tx};
use uuid::Uuid;

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The instalments of every operator in scope.
    Everything,
    /// Those of an operator.
    Operator(OperatorName),
    /// Those of a convention.
    Convention(ConventionName),
    /// One.
    Instalment(InstalmentName),
}

/// Place of an instalment in the list: the oldest convention first, then by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Convention.
    pub convention: Uuid,
    /// Position in its plan.
    pub position: i16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.convention, self.position)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (convention, position) = text.split_once(' ').ok_or(())?;
        Ok(Self {
            convention: convention.parse().map_err(|_| ())?,
            position: position.parse().map_err(|_| ())?,
        })
    }
}

/// A page of instalments, each with its place.
pub async fn page(
    tx: &mut Tx,
    of: Of,
    pending_only: bool,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<(Place, InstalmentName)>, Error> {
    let (operator, convention, instalment) = match of {
        Of::Everything => (None, None, None),
        Of::Operator(name) => (Some(name.operator), None, None),
        Of::Convention(name) => (Some(name.operator), Some(name.convention), None),
        Of::Instalment(name) => (
            Some(name.operator),
            Some(name.convention),
            Some(name.instalment),
        ),
    };
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id, instalment_id, position
         FROM instalment
         WHERE ($1::uuid IS NULL OR operator_id = $1) AND ($2::uuid IS NULL OR convention_id = $2)
           AND ($3::uuid IS NULL OR instalment_id = $3)
           AND ($4::uuid IS NULL OR (convention_id, position) > ($4, $5))
           AND (NOT $6 OR state NOT IN ('PAID', 'CANCELLED'))
         ORDER BY convention_id, position
         LIMIT $7",
        operator.map(|operator| operator.uuid()),
        convention.map(|convention| convention.uuid()),
        instalment.map(|instalment| instalment.uuid()),
        after.map(|place| place.convention),
        after.map(|place| place.position),
        pending_only,
        limit
    )
    .all(tx.conn())
    .await?;
    let place = |convention, position| Place {
        convention,
        position,
    };
    let found = rows.into_iter().map(|row| {
        let name = InstalmentName {
            operator: OperatorId::from_uuid(row.operator_id),
            convention: ConventionId::from_uuid(row.convention_id),
            instalment: InstalmentId::from_uuid(row.instalment_id),
        };
        (place(row.convention_id, row.position), name)
    });
    Ok(found.collect())
}
