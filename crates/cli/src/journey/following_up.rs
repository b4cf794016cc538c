//! The steps in `followup`: what the operator's software pushes.

use anyhow::Context as _;
use nonrecours_contracts::followup::{
    PushBatch, PushOpening, PushRecordsRequest, PushRecordsResponse, Record, RecordOutcome,
    push_records_request::Message, record::Content,
};
use nonrecours_rpc::details::Details;
use tonic::{Request, Status};

use super::{Journey, Report, eventually, refused};
use crate::client::answered;

/// Records in a batch of the journey: several batches, so that the order of the answers shows.
const BATCH: usize = 20;

impl Journey {
    pub(super) async fn push_outside_force(&mut self, report: Report) -> anyhow::Result<Report> {
        let convention = self.facts.other_convention.clone();
        let records = self.example.records.clone();
        // Until `followup` has learned of the draft, it says that there is none.
        let pushed = eventually("followup knows the draft", async || {
            let pushed = self.push(&convention, &records).await?;
            Ok((reason(&pushed) != "NOT_FOUND").then_some(pushed))
        })
        .await?;
        Ok(report.refusal(&refused(pushed, "CONVENTION_NOT_IN_FORCE")?))
    }

    pub(super) async fn push_records(&mut self, report: Report) -> anyhow::Result<Report> {
        let records = self.example.records.clone();
        let answers = self.push_here(&records).await?;
        let stored: i32 = answers.iter().map(|answer| answer.stored).sum();
        self.facts.stored = usize::try_from(stored)?;
        let unchanged: i32 = answers.iter().map(|answer| answer.unchanged).sum();
        // A stream that broke off is pushed again: what was durable by then is found unchanged.
        anyhow::ensure!(
            usize::try_from(stored + unchanged)? == records.len(),
            "{stored} stored and {unchanged} unchanged of {}",
            records.len()
        );
        Ok(report.line(format!(
            "{} fiches en {} lots : {stored} enregistrées",
            records.len(),
            answers.len()
        )))
    }

    pub(super) async fn push_again(&mut self, report: Report) -> anyhow::Result<Report> {
        let records = self.example.records.clone();
        let answers = self.push_here(&records).await?;
        let unchanged: i32 = answers.iter().map(|answer| answer.unchanged).sum();
        anyhow::ensure!(
            usize::try_from(unchanged)? == records.len(),
            "{unchanged} unchanged"
        );
        Ok(report.line(format!("{unchanged} fiches inchangées, aucune réécrite")))
    }

    pub(super) async fn push_bad_records(&mut self, report: Report) -> anyhow::Result<Report> {
        let records = with_three_bad(&self.example.records)?;
        let answers = self.push_here(&records).await?;
        let results: Vec<_> = answers.iter().flat_map(|answer| &answer.results).collect();
        let mut report = report;
        let mut rejected = Vec::new();
        for result in &results {
            if result.outcome() == RecordOutcome::Rejected {
                for violation in &result.violations {
                    rejected.push(violation.reason.as_str());
                    report = report.line(format!(
                        "{} : {} — {} ({})",
                        result.external_reference,
                        violation.field,
                        violation.message_fr,
                        violation.reason
                    ));
                }
            }
        }
        anyhow::ensure!(
            rejected == ["UNKNOWN_CODE", "AMOUNT_INCOMPLETE", "BENEFICIARY_UNKNOWN"],
            "unexpected faults {rejected:?}"
        );
        let kept = results.len() - 3;
        Ok(report.line(format!("les {kept} autres fiches du lot sont enregistrées")))
    }

    async fn push_here(&self, records: &[Record]) -> anyhow::Result<Vec<PushRecordsResponse>> {
        // The signature reached `followup` long ago, unless it was away in between.
        eventually(
            "followup knows that the convention is in force",
            async || {
                let pushed = self.push(&self.facts.convention, records).await?;
                match reason(&pushed).as_str() {
                    "NOT_FOUND" | "CONVENTION_NOT_IN_FORCE" => Ok(None),
                    _ => Ok(Some(pushed?)),
                }
            },
        )
        .await
    }

    /// Pushes all records in batches, and all of them again if the stream breaks off.
    async fn push(
        &self,
        convention: &str,
        records: &[Record],
    ) -> anyhow::Result<Result<Vec<PushRecordsResponse>, Status>> {
        let push = self.cast.software(self.operator()?)?.push();
        let mut messages = vec![PushRecordsRequest {
            message: Some(Message::Opening(PushOpening {
                convention: convention.to_owned(),
                ..PushOpening::default()
            })),
        }];
        for (index, batch) in records.chunks(BATCH).enumerate() {
            messages.push(PushRecordsRequest {
                message: Some(Message::Batch(PushBatch {
                    sequence: i64::try_from(index + 1)?,
                    records: batch.to_vec(),
                })),
            });
        }
        Ok(answered(|| {
            let (mut push, messages) = (push.clone(), messages.clone());
            async move {
                let mut stream = push
                    .push_records(Request::new(tokio_stream::iter(messages)))
                    .await?
                    .into_inner();
                let mut answers = Vec::new();
                while let Some(answer) = stream.message().await? {
                    answers.push(answer);
                }
                Ok(tonic::Response::new(answers))
            }
        })
        .await)
    }
}

/// Why a push was refused; empty when it was not.
fn reason<T>(pushed: &Result<T, Status>) -> String {
    pushed
        .as_ref()
        .err()
        .map(|status| Details::of(status).reason)
        .unwrap_or_default()
}

/// Five records, of which three are wrong: an unknown public, an opened right without its amount, and a right of a
/// person nobody knows.
fn with_three_bad(records: &[Record]) -> anyhow::Result<Vec<Record>> {
    let person = |records: &[Record]| {
        records
            .iter()
            .find(|record| matches!(record.content, Some(Content::Beneficiary(_))))
            .cloned()
            .context("a person")
    };
    let right = |records: &[Record]| {
        records
            .iter()
            .find(|record| matches!(&record.content, Some(Content::Entitlement(right)) if right.decided_date.is_some()))
            .cloned()
            .context("an opened right")
    };
    let renamed = |mut record: Record, reference: &str| {
        record.external_reference = reference.to_owned();
        record
    };
    let good = renamed(person(records)?, "DAI-901");
    let other_good = renamed(right(records)?, "DRT-901");
    let mut unknown_public = renamed(person(records)?, "DAI-902");
    if let Some(Content::Beneficiary(person)) = &mut unknown_public.content {
        person.publics = vec!["RETRAITE_DOREE".to_owned()];
    }
    let mut without_amount = renamed(right(records)?, "DRT-902");
    if let Some(Content::Entitlement(right)) = &mut without_amount.content {
        right.amount = None;
    }
    let mut nobody = renamed(right(records)?, "DRT-903");
    if let Some(Content::Entitlement(right)) = &mut nobody.content {
        right.beneficiary_reference = "DAI-999".to_owned();
    }
    Ok(vec![
        good,
        unknown_public,
        without_amount,
        nobody,
        other_good,
    ])
}
