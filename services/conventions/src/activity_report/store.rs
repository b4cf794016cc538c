//! Activity reports in the database.

use nonrecours_kernel::{ActivityReportName, ConventionName, Id, Money, Text};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use time::OffsetDateTime;
use uuid::Uuid;

use super::domain::{ActivityReport, Content, Counts, Drawn, Figures, State};
use crate::{
    convention::domain::Convention,
    error::Error,
    stored::{damaged, money},
};

/// Reads rows of reports. All columns are named for the sake of one, whose type the database does not tell.
macro_rules! rows {
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"SELECT operator_id, convention_id, activity_report_id, narrative, spent_amount, persons_spotted,
                      persons_supported, entitlements_opened, yearly_amount_opened, sessions_held, public_codes,
                      public_spotted, public_supported, public_opened, public_amounts AS "public_amounts: Vec<Decimal>",
                      paid_amount, state, submit_time, decide_time, correction, revision, create_time, update_time
               FROM activity_report "# + $condition,
            $($argument),+
        )
    };
}

/// Adds a draft. Refuses a second report of the same convention.
pub async fn insert(tx: &mut Tx, report: &ActivityReport) -> Result<(), Error> {
    let figures = Columns::of(&report.drawn.figures);
    let inserted = sqlx::query!(
        "INSERT INTO activity_report (operator_id, convention_id, activity_report_id, narrative, spent_amount,
             persons_spotted, persons_supported, entitlements_opened, yearly_amount_opened, sessions_held,
             public_codes, public_spotted, public_supported, public_opened, public_amounts,
             paid_amount, state, revision, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'DRAFT', $17, $18, $19)",
        report.name.operator.uuid(),
        report.name.convention.uuid(),
        report.name.activity_report.uuid(),
        report.content.narrative,
        report.content.spent.amount(),
        figures.total.persons_spotted,
        figures.total.persons_supported,
        figures.total.entitlements_opened,
        figures.total.yearly_amount_opened.amount(),
        figures.sessions_held,
        &figures.codes,
        &figures.spotted,
        &figures.supported,
        &figures.opened,
        &figures.amounts,
        report.drawn.paid.amount(),
        report.revision,
        report.create_time,
        report.update_time
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint })
            if constraint == "activity_report_convention_key" =>
        {
            Err(already_exists())
        }
        inserted => Ok(inserted.map(|_| ())?),
    }
}

/// The convention has a report already.
pub fn already_exists() -> Error {
    Error::from(Failure::already_exists(
        "convention",
        Text::new(
            "The convention has a report already.",
            "Cette convention a déjà un bilan : modifiez-le.",
        ),
    ))
}

/// One report. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &ActivityReportName) -> Result<ActivityReport, Error> {
    let row = rows!(
        "WHERE operator_id = $1 AND convention_id = $2 AND activity_report_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.activity_report.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// What the accepted report of a convention shows as spent; zero while none is accepted.
pub async fn spent(tx: &mut Tx, convention: &Convention) -> Result<Money, Error> {
    let Some(activity_report) = convention.state.report() else {
        return Ok(Money::ZERO);
    };
    let name = ActivityReportName {
        operator: convention.name.operator,
        convention: convention.name.convention,
        activity_report,
    };
    Ok(get(tx, &name).await?.content.spent)
}

/// Locks one report and reads it.
pub async fn lock(tx: &mut Tx, name: &ActivityReportName) -> Result<ActivityReport, Error> {
    let row = rows!(
        "WHERE operator_id = $1 AND convention_id = $2 AND activity_report_id = $3 FOR UPDATE",
        name.operator.uuid(),
        name.convention.uuid(),
        name.activity_report.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Reports of a convention after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ActivityReport>, Error> {
    let rows = rows!(
        "WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR activity_report_id > $3)
         ORDER BY activity_report_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(ActivityReport::try_from)
        .collect::<Result<_, _>>()?)
}

/// Writes words, figures and state of a locked report.
pub async fn update(tx: &mut Tx, report: &ActivityReport) -> Result<(), Error> {
    let figures = Columns::of(&report.drawn.figures);
    let (state, submitted, decided, correction) = match &report.state {
        State::Draft => ("DRAFT", None, None, None),
        State::Submitted { submitted } => ("SUBMITTED", Some(*submitted), None, None),
        State::Returned {
            submitted,
            decided,
            correction,
        } => (
            "RETURNED",
            Some(*submitted),
            Some(*decided),
            Some(correction),
        ),
        State::Accepted { submitted, decided } => {
            ("ACCEPTED", Some(*submitted), Some(*decided), None)
        }
    };
    sqlx::query!(
        "UPDATE activity_report
         SET narrative = $4, spent_amount = $5, persons_spotted = $6, persons_supported = $7, entitlements_opened = $8,
             yearly_amount_opened = $9, sessions_held = $10, public_codes = $11, public_spotted = $12,
             public_supported = $13, public_opened = $14, public_amounts = $15, paid_amount = $16, state = $17,
             submit_time = $18, decide_time = $19, correction = $20, revision = $21, update_time = $22
         WHERE operator_id = $1 AND convention_id = $2 AND activity_report_id = $3",
        report.name.operator.uuid(),
        report.name.convention.uuid(),
        report.name.activity_report.uuid(),
        report.content.narrative,
        report.content.spent.amount(),
        figures.total.persons_spotted,
        figures.total.persons_supported,
        figures.total.entitlements_opened,
        figures.total.yearly_amount_opened.amount(),
        figures.sessions_held,
        &figures.codes,
        &figures.spotted,
        &figures.supported,
        &figures.opened,
        &figures.amounts,
        report.drawn.paid.amount(),
        state,
        submitted,
        decided,
        correction,
        report.revision,
        report.update_time
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Figures as they are stored: those of the publics as parallel arrays.
struct Columns {
    total: Counts,
    sessions_held: i64,
    codes: Vec<String>,
    spotted: Vec<i64>,
    supported: Vec<i64>,
    opened: Vec<i64>,
    amounts: Vec<Decimal>,
}

impl Columns {
    fn of(figures: &Figures) -> Self {
        let counts = || figures.publics.iter().map(|(_, counts)| counts);
        Self {
            total: figures.total,
            sessions_held: figures.sessions_held,
            codes: figures
                .publics
                .iter()
                .map(|(code, _)| code.clone())
                .collect(),
            spotted: counts().map(|counts| counts.persons_spotted).collect(),
            supported: counts().map(|counts| counts.persons_supported).collect(),
            opened: counts().map(|counts| counts.entitlements_opened).collect(),
            amounts: counts()
                .map(|counts| counts.yearly_amount_opened.amount())
                .collect(),
        }
    }
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    activity_report_id: Uuid,
    narrative: String,
    spent_amount: Decimal,
    persons_spotted: i64,
    persons_supported: i64,
    entitlements_opened: i64,
    yearly_amount_opened: Decimal,
    sessions_held: i64,
    public_codes: Vec<String>,
    public_spotted: Vec<i64>,
    public_supported: Vec<i64>,
    public_opened: Vec<i64>,
    public_amounts: Vec<Decimal>,
    paid_amount: Decimal,
    state: String,
    submit_time: Option<OffsetDateTime>,
    decide_time: Option<OffsetDateTime>,
    correction: Option<String>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
}

impl TryFrom<Row> for ActivityReport {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let state = match (
            row.state.as_str(),
            row.submit_time,
            row.decide_time,
            row.correction,
        ) {
            ("DRAFT", None, None, None) => State::Draft,
            ("SUBMITTED", Some(submitted), None, None) => State::Submitted { submitted },
            ("RETURNED", Some(submitted), Some(decided), Some(correction)) => State::Returned {
                submitted,
                decided,
                correction,
            },
            ("ACCEPTED", Some(submitted), Some(decided), None) => {
                State::Accepted { submitted, decided }
            }
            (state, ..) => return Err(damaged(format_args!("a report in state {state}"))),
        };
        let counts = row
            .public_spotted
            .into_iter()
            .zip(row.public_supported)
            .zip(row.public_opened)
            .zip(row.public_amounts);
        let publics = row
            .public_codes
            .into_iter()
            .zip(counts)
            .map(|(code, (((spotted, supported), opened), amount))| {
                let counts = Counts {
                    persons_spotted: spotted,
                    persons_supported: supported,
                    entitlements_opened: opened,
                    yearly_amount_opened: money(amount)?,
                };
                Ok((code, counts))
            })
            .collect::<Result<_, pg::Error>>()?;
        Ok(Self {
            name: ActivityReportName {
                operator: Id::from_uuid(row.operator_id),
                convention: Id::from_uuid(row.convention_id),
                activity_report: Id::from_uuid(row.activity_report_id),
            },
            content: Content {
                narrative: row.narrative,
                spent: money(row.spent_amount)?,
            },
            drawn: Drawn {
                figures: Figures {
                    total: Counts {
                        persons_spotted: row.persons_spotted,
                        persons_supported: row.persons_supported,
                        entitlements_opened: row.entitlements_opened,
                        yearly_amount_opened: money(row.yearly_amount_opened)?,
                    },
                    sessions_held: row.sessions_held,
                    publics,
                },
                paid: money(row.paid_amount)?,
            },
            state,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
