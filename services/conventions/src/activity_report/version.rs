//! What was handed in, and what the authority answered: rows that are added and never changed.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::ActivityReportName;
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::convert::to_timestamp;
use prost::Message as _;
use time::OffsetDateTime;

use crate::{error::Error, stored::damaged};

/// What the authority answers.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// To be corrected.
    Returned {
        /// What.
        correction: &'a str,
    },
    /// Accepted.
    Accepted,
}

/// Keeps a report as it is handed in now, by who acts.
pub async fn insert(
    tx: &mut Tx,
    name: &ActivityReportName,
    report: &wire::ActivityReport,
) -> Result<(), Error> {
    let (now, actor) = (tx.now(), tx.actor().to_owned());
    sqlx::query!(
        "INSERT INTO activity_report_version (operator_id, convention_id, activity_report_id, version_number, report,
                                              submit_time, submitted_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        name.operator.uuid(),
        name.convention.uuid(),
        name.activity_report.uuid(),
        report.version_count,
        report.encode_to_vec(),
        now,
        actor
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps what is answered now, by who acts, to the version handed in last.
pub async fn answer(
    tx: &mut Tx,
    name: &ActivityReportName,
    verdict: Verdict<'_>,
) -> Result<(), Error> {
    let number = latest(tx, name)
        .await?
        .map(|version| version.version_count)
        .ok_or_else(|| damaged(format_args!("{name} is handed in without a version")))?;
    let (verdict, correction) = match verdict {
        Verdict::Returned { correction } => ("RETURNED", Some(correction)),
        Verdict::Accepted => ("ACCEPTED", None),
    };
    let (now, actor) = (tx.now(), tx.actor().to_owned());
    sqlx::query!(
        "INSERT INTO activity_report_verdict (operator_id, convention_id, activity_report_id, version_number, verdict,
                                              decide_time, decided_by, correction)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        name.operator.uuid(),
        name.convention.uuid(),
        name.activity_report.uuid(),
        number,
        verdict,
        now,
        actor,
        correction
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The report as it was handed in last; nothing before it first is.
pub async fn latest(
    tx: &mut Tx,
    name: &ActivityReportName,
) -> Result<Option<wire::ActivityReport>, Error> {
    let row = sqlx::query!(
        "SELECT version_number, report FROM activity_report_version
         WHERE operator_id = $1 AND convention_id = $2 AND activity_report_id = $3
         ORDER BY version_number DESC LIMIT 1",
        name.operator.uuid(),
        name.convention.uuid(),
        name.activity_report.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row
        .map(|row| report(&row.report, row.version_number))
        .transpose()?)
}

/// Versions of a report after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    name: &ActivityReportName,
    after: Option<i32>,
    limit: i64,
) -> Result<Vec<wire::ActivityReportVersion>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT version_number, report, submit_time, submitted_by, verdict AS "verdict?",
                  decide_time AS "decide_time?", decided_by AS "decided_by?", correction
           FROM activity_report_version
           LEFT JOIN activity_report_verdict USING (operator_id, convention_id, activity_report_id, version_number)
           WHERE operator_id = $1 AND convention_id = $2 AND activity_report_id = $3
             AND ($4::integer IS NULL OR version_number > $4)
           ORDER BY version_number LIMIT $5"#,
        name.operator.uuid(),
        name.convention.uuid(),
        name.activity_report.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| message(name, row))
        .collect::<Result<_, pg::Error>>()?)
}

struct Row {
    version_number: i32,
    report: Vec<u8>,
    submit_time: OffsetDateTime,
    submitted_by: String,
    verdict: Option<String>,
    decide_time: Option<OffsetDateTime>,
    decided_by: Option<String>,
    correction: Option<String>,
}

fn message(name: &ActivityReportName, row: Row) -> Result<wire::ActivityReportVersion, pg::Error> {
    let state = match row.verdict.as_deref() {
        None => wire::ActivityReportState::Submitted,
        Some("RETURNED") => wire::ActivityReportState::Returned,
        Some("ACCEPTED") => wire::ActivityReportState::Accepted,
        Some(verdict) => return Err(damaged(format_args!("a verdict {verdict}"))),
    };
    Ok(wire::ActivityReportVersion {
        name: format!("{name}/versions/{}", row.version_number),
        number: row.version_number,
        activity_report: Some(report(&row.report, row.version_number)?),
        submit_time: Some(to_timestamp(row.submit_time)),
        submitted_by: row.submitted_by,
        state: state.into(),
        decide_time: row.decide_time.map(to_timestamp),
        decided_by: row.decided_by.unwrap_or_default(),
        correction: row.correction.unwrap_or_default(),
    })
}

/// Reads a report that was kept. Those kept before versions were counted do not say which they are.
fn report(bytes: &[u8], number: i32) -> Result<wire::ActivityReport, pg::Error> {
    let report = wire::ActivityReport::decode(bytes).map_err(damaged)?;
    Ok(wire::ActivityReport {
        version_count: number,
        ..report
    })
}
