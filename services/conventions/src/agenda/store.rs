//! What the agenda goes by, in the database.

use nonrecours_kernel::{
    ActName, ConventionName, Id, OperatorId, ProgrammeId, ProgrammeName, paris_date,
};
use nonrecours_pg::{self as pg, Tx};
use nonrecours_rpc::Failure;

use super::domain::{ActFacts, ConventionFacts, Facts};
use crate::{
    convention::party::Party,
    error::Error,
    state_funding,
    stored::{budget_year, money, one_of},
};

/// Conventions, acts or fundings that an agenda looks at, at most each.
const MAX_FACTS: i64 = 20_000;

/// Whose agenda.
pub struct Whose {
    /// The conventions of one programme only.
    pub programme: Option<ProgrammeId>,
    /// The conventions of one operator only.
    pub operator: Option<OperatorId>,
}

/// What is known of open conventions and acts; for the programme's own side also of publications and of the State.
pub async fn facts(tx: &mut Tx, whose: &Whose) -> Result<Facts, Error> {
    let fundings = match (whose.programme, whose.operator) {
        (Some(programme), None) => {
            let name = ProgrammeName { programme };
            bounded(state_funding::store::list(tx, &name, None, MAX_FACTS + 1).await?)?
        }
        _ => Vec::new(),
    };
    Ok(Facts {
        conventions: conventions(tx, whose).await?,
        acts: acts(tx, whose).await?,
        fundings,
    })
}

async fn conventions(tx: &mut Tx, whose: &Whose) -> Result<Vec<ConventionFacts>, Error> {
    let rows = sqlx::query!(
        r#"SELECT operator_id, convention_id, title, convention.budget_year, in_force_time AS "in_force_time!",
                  coalesce(programme.report_dates[array_position(programme.report_years, convention.budget_year)],
                           indicative_end_date) AS "report_due!",
                  EXISTS (SELECT FROM activity_report AS report
                          WHERE report.operator_id = convention.operator_id
                            AND report.convention_id = convention.convention_id
                            AND report.state IN ('SUBMITTED', 'ACCEPTED')) AS "reported!",
                  coalesce(reduced_amount, grant_amount) AS "grant!", paid_amount,
                  (SELECT max(publication_date) FROM grant_publication AS publication
                   WHERE publication.programme_id = convention.programme_id
                     AND publication.budget_year = convention.budget_year) AS published
           FROM convention
           JOIN programme USING (programme_id)
           WHERE in_force_time IS NOT NULL
             AND ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR operator_id = $2)
           ORDER BY convention_id LIMIT $3"#,
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(bounded(rows)?
        .into_iter()
        .map(|row| {
            let signature = paris_date(row.in_force_time);
            Ok(ConventionFacts {
                name: ConventionName {
                    operator: Id::from_uuid(row.operator_id),
                    convention: Id::from_uuid(row.convention_id),
                },
                title: row.title,
                budget_year: budget_year(row.budget_year)?,
                signature,
                report_due: row.report_due,
                reported: row.reported,
                grant: money(row.grant)?,
                paid: money(row.paid_amount)?,
                // It is the authority that publishes.
                unpublished: whose.operator.is_none()
                    && row.published.is_none_or(|published| published < signature),
            })
        })
        .collect::<Result<_, pg::Error>>()?)
}

async fn acts(tx: &mut Tx, whose: &Whose) -> Result<Vec<ActFacts>, Error> {
    let rows = sqlx::query!(
        r#"SELECT operator_id, convention_id, act_record_id, party, act_id, decision_date,
                  transmission_date IS NOT NULL AS "transmitted!", publication_date IS NOT NULL AS "published!"
           FROM act
           JOIN convention USING (operator_id, convention_id)
           WHERE (transmission_date IS NULL OR publication_date IS NULL)
             AND ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR operator_id = $2)
           ORDER BY act_record_id LIMIT $3"#,
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(bounded(rows)?
        .into_iter()
        .map(|row| {
            Ok(ActFacts {
                name: ActName {
                    operator: Id::from_uuid(row.operator_id),
                    convention: Id::from_uuid(row.convention_id),
                    act: Id::from_uuid(row.act_record_id),
                },
                party: one_of(&Party::ALL, Party::as_str, &row.party)?,
                act_id: row.act_id,
                decision: row.decision_date,
                transmitted: row.transmitted,
                published: row.published,
            })
        })
        .collect::<Result<_, pg::Error>>()?)
}

fn bounded<T>(rows: Vec<T>) -> Result<Vec<T>, Failure> {
    if i64::try_from(rows.len()).is_ok_and(|count| count <= MAX_FACTS) {
        Ok(rows)
    } else {
        Err(Failure::bug("more is open than an agenda looks at"))
    }
}
