//! What the agenda goes by, in the database.

use nonrecours_kernel::{
    ActName, CommitmentName, ConventionName, Id, OperatorId, OperatorName, ProgrammeId,
    ProgrammeName, paris_date,
};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;

use super::{
    ending,
    facts::{ActFacts, AssociationFacts, CommitmentFacts, ConventionFacts, Facts},
};
use crate::{
    commitment::domain::REMINDER_BEFORE,
    convention::party::Party,
    error::Error,
    operator::domain::Category,
    state_funding,
    stored::{budget_year, money, one_of},
};

/// Facts of one sort that an agenda looks at, at most.
pub const MAX_FACTS: i64 = 20_000;

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
        notices: ending::notices(tx, whose).await?,
        commitments: commitments(tx, whose).await?,
        hearings: ending::hearings(tx, whose).await?,
        cases: ending::cases(tx, whose).await?,
        associations: associations(tx, whose).await?,
    })
}

async fn conventions(tx: &mut Tx, whose: &Whose) -> Result<Vec<ConventionFacts>, Error> {
    let rows = sqlx::query!(
        r#"SELECT operator_id, convention_id, title, convention.budget_year, in_force_time AS "in_force_time!",
                  convention.state, indicative_end_date, operator.category,
                  coalesce(programme.report_dates[array_position(programme.report_years, convention.budget_year)],
                           indicative_end_date) AS "report_due!",
                  EXISTS (SELECT FROM activity_report AS report
                          WHERE report.operator_id = convention.operator_id
                            AND report.convention_id = convention.convention_id
                            AND report.state IN ('SUBMITTED', 'ACCEPTED')) AS "reported!",
                  coalesce(termination_due_amount, reduced_amount, grant_amount) AS "due_amount!", paid_amount,
                  (SELECT max(publication_date) FROM grant_publication AS publication
                   WHERE publication.programme_id = convention.programme_id
                     AND publication.budget_year = convention.budget_year) AS published
           FROM convention
           JOIN programme USING (programme_id)
           JOIN operator USING (operator_id)
           WHERE in_force_time IS NOT NULL
             AND ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR operator_id = $2)
           ORDER BY convention_id LIMIT $3"#,
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .all(tx.conn())
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
                indicative_end: (row.state == "IN_FORCE").then_some(row.indicative_end_date),
                report_due: row.report_due,
                reported: row.reported,
                owes_accounts: one_of(&Category::ALL, Category::as_str, &row.category)?
                    .owes_accounts(),
                due: money(row.due_amount)?,
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
             AND convention.state NOT IN ('SETTLED', 'TERMINATED')
             -- An amendment given up asks for nothing.
             AND NOT EXISTS (SELECT FROM amendment
                             WHERE amendment.operator_id = act.operator_id
                               AND amendment.convention_id = act.convention_id
                               AND amendment.amendment_id = act.amendment_id AND amendment.state = 'WITHDRAWN')
             AND ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR operator_id = $2)
           ORDER BY act_record_id LIMIT $3"#,
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .all(tx.conn())
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

async fn commitments(tx: &mut Tx, whose: &Whose) -> Result<Vec<CommitmentFacts>, Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id, commitment_id, text, due_date, commitment.state
         FROM commitment
         JOIN convention USING (operator_id, convention_id)
         WHERE commitment.state IN ('PENDING', 'EVIDENCED') AND convention.state IN ('IN_FORCE', 'COMPLETED')
           AND ($1::uuid IS NULL OR programme_id = $1) AND ($2::uuid IS NULL OR operator_id = $2)
         ORDER BY commitment_id LIMIT $3",
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .all(tx.conn())
    .await?;
    Ok(bounded(rows)?
        .into_iter()
        .map(|row| CommitmentFacts {
            name: CommitmentName {
                operator: Id::from_uuid(row.operator_id),
                convention: Id::from_uuid(row.convention_id),
                commitment: Id::from_uuid(row.commitment_id),
            },
            text: row.text,
            due: row.due_date,
            reminder: row.due_date.saturating_sub(REMINDER_BEFORE),
            evidenced: row.state == "EVIDENCED",
        })
        .collect())
}

async fn associations(tx: &mut Tx, whose: &Whose) -> Result<Vec<AssociationFacts>, Error> {
    let signs: Vec<&str> = Category::ALL
        .into_iter()
        .filter(|category| category.signs_republican_commitment())
        .map(Category::as_str)
        .collect();
    let rows = sqlx::query!(
        r#"SELECT operator.operator_id, operator.legal_name, min(convention.create_time) AS "since!"
           FROM operator
           JOIN convention USING (operator_id)
           WHERE republican_commitment_date IS NULL AND category = ANY ($1)
             AND convention.state NOT IN ('SETTLED', 'TERMINATED')
             AND ($2::uuid IS NULL OR programme_id = $2) AND ($3::uuid IS NULL OR operator_id = $3)
           GROUP BY operator.operator_id
           ORDER BY operator.operator_id LIMIT $4"#,
        &signs as &[&str],
        whose.programme.map(|programme| programme.uuid()),
        whose.operator.map(OperatorId::uuid),
        MAX_FACTS + 1
    )
    .all(tx.conn())
    .await?;
    Ok(bounded(rows)?
        .into_iter()
        .map(|row| AssociationFacts {
            name: OperatorName {
                operator: Id::from_uuid(row.operator_id),
            },
            legal_name: row.legal_name,
            since: paris_date(row.since),
        })
        .collect())
}

/// Refuses more facts than an agenda looks at.
pub fn bounded<T>(rows: Vec<T>) -> Result<Vec<T>, Failure> {
    if i64::try_from(rows.len()).is_ok_and(|count| count <= MAX_FACTS) {
        Ok(rows)
    } else {
        Err(Failure::bug("more is open than an agenda looks at"))
    }
}
