//! An operator's software that pushes, and everything that happens to what it sends: not sent, answered in vain, sent twice at
//! once, an older version after a newer one. What each record holds follows from its reference and version.

use std::{collections::BTreeMap, fmt, time::Duration};

use nonrecours_cli::client::Client;
use nonrecours_contracts::{
    followup::{
        AgeBand, AmountKind, AmountUnit, BeneficiaryContent, Channel, EntitlementContent,
        EntitlementState, JourneyState, PushBatch, PushOpening, PushRecordsOnceRequest,
        PushRecordsRequest, PushRecordsResponse, Record, RecordOutcome, RecordResult,
        SessionContent, SupportMode, push_records_request::Message, record::Content,
    },
    google::r#type::{Date, Money},
};
use nonrecours_rpc::details::Details;
use rand::{Rng as _, rngs::StdRng};
use tonic::{Code, Request, Status};
use uuid::Uuid;

/// References of each kind.
const REFERENCES: usize = 5;
/// Persons, each with a right, and sessions of a batch at most.
const TOGETHER: usize = 3;
/// Batches of a stream at most.
const BATCHES: usize = 3;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon an answer is no more waited for that is to be lost, milliseconds.
const LOST_AFTER: std::ops::Range<u64> = 0..25;

/// What is done with a batch.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Once,
    Stream,
    TwiceAtOnce,
    NewerFirst,
    AnOlderOne,
    /// The answer is not waited for longer than this.
    AnswerLost(Duration),
    NotSent,
}

/// A push: in which way, of what. The last one of several is the newest.
#[derive(Clone, Debug)]
pub struct Push {
    way: Way,
    stream: Uuid,
    batches: Vec<Vec<Record>>,
}

impl fmt::Display for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "push {:?}", self.way)?;
        for batch in &self.batches {
            let records = batch
                .iter()
                .map(|record| format!("{}@{}", record.external_reference, record.version));
            write!(f, " [{}]", records.collect::<Vec<_>>().join(" "))?;
        }
        Ok(())
    }
}

/// What is known of the records of one convention: of each reference the version that was acknowledged, and the newest sent.
#[derive(Default)]
pub struct Pushing {
    pub acknowledged: BTreeMap<String, i64>,
    pub sent: BTreeMap<String, i64>,
}

impl Pushing {
    /// The next push. What it holds counts as sent.
    pub fn choose(&mut self, rng: &mut StdRng) -> Push {
        let way = match rng.random_range(0..16) {
            0..=2 => Way::Once,
            3..=6 => Way::Stream,
            7..=8 => Way::TwiceAtOnce,
            9..=10 => Way::NewerFirst,
            11 => Way::AnOlderOne,
            12..=14 => Way::AnswerLost(Duration::from_millis(rng.random_range(LOST_AFTER))),
            _ => Way::NotSent,
        };
        let batches = match way {
            Way::Stream => rng.random_range(1..=BATCHES),
            Way::NewerFirst => 2,
            _ => 1,
        };
        let numbers: Vec<usize> = (0..rng.random_range(1..=TOGETHER))
            .map(|_| rng.random_range(0..REFERENCES))
            .collect();
        let older = matches!(way, Way::AnOlderOne);
        let batch = |_| self.batch(&numbers, older);
        Push {
            way,
            stream: Uuid::from_u128(rng.random()),
            batches: (0..batches).map(batch).collect(),
        }
    }

    fn batch(&mut self, numbers: &[usize], older: bool) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for number in numbers {
            for kind in ["P", "R", "S"] {
                let reference = format!("SIM-{kind}{number}");
                if records
                    .iter()
                    .any(|record| record.external_reference == reference)
                {
                    continue;
                }
                let newest = self.sent.entry(reference.clone()).or_default();
                if !older || *newest == 0 {
                    *newest += 1;
                }
                let version = if older { (*newest - 1).max(1) } else { *newest };
                records.push(record(kind, *number, reference, version));
            }
        }
        records
    }

    /// Pushes it, and notes what is acknowledged. An answer that nothing excuses is an error.
    pub async fn push(
        &mut self,
        client: &Client,
        convention: &str,
        push: &Push,
    ) -> Result<(), String> {
        let once = |batch: &[Record]| {
            let mut request = Request::new(PushRecordsOnceRequest {
                convention: convention.to_owned(),
                records: batch.to_vec(),
                ..Default::default()
            });
            request.set_timeout(PATIENCE);
            let mut client = client.push();
            async move {
                let answer = client.push_records_once(request).await?;
                Ok(vec![answer.into_inner()])
            }
        };
        let batches = push.batches.as_slice();
        let first = batches.first().map_or(&[][..], Vec::as_slice);
        match push.way {
            Way::NotSent => Ok(()),
            Way::Once | Way::AnOlderOne => self.note(batches, once(first).await),
            Way::AnswerLost(lost) => {
                // Whatever it says, the client has gone.
                let _ = tokio::time::timeout(lost, once(first)).await;
                Ok(())
            }
            Way::TwiceAtOnce => {
                let (one, two) = tokio::join!(once(first), once(first));
                // The signature may have come between the two: what was refused before it is looked at first.
                let mut answers = [one, two];
                answers.sort_by_key(Result::is_ok);
                for answer in answers {
                    self.note(batches, answer)?;
                }
                Ok(())
            }
            Way::NewerFirst => {
                for batch in batches.iter().rev() {
                    let answer = once(batch).await;
                    self.note(std::slice::from_ref(batch), answer)?;
                }
                Ok(())
            }
            Way::Stream => {
                // Once more under the same id, as after a failure: what was done is not done again.
                for _ in 0..2 {
                    let (answers, broken) = stream(client, convention, push).await;
                    self.note(batches, Ok(answers))?;
                    if let Some(status) = broken {
                        self.excused(&status)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Notes what was acknowledged of these batches.
    fn note(
        &mut self,
        batches: &[Vec<Record>],
        answered: Result<Vec<PushRecordsResponse>, Status>,
    ) -> Result<(), String> {
        let answers = match answered {
            Ok(answers) => answers,
            Err(status) => return self.excused(&status),
        };
        for (batch, answer) in batches.iter().zip(answers) {
            for record in batch {
                let reference = &record.external_reference;
                let result = answer
                    .results
                    .iter()
                    .find(|result| result.external_reference == *reference);
                let version = match result.map(RecordResult::outcome) {
                    Some(RecordOutcome::Stored | RecordOutcome::Unchanged) => record.version,
                    // Something newer is stored.
                    Some(RecordOutcome::Stale) => record.version + 1,
                    // Of a batch that was done before, only what was neither is told.
                    None if answer.repeated => record.version,
                    outcome => {
                        return Err(format!("{reference}: {outcome:?} in {answer:?}"));
                    }
                };
                let known = self.acknowledged.entry(reference.clone()).or_default();
                *known = version.max(*known);
            }
        }
        Ok(())
    }

    /// What the world's faults may bring; and until something was stored, the convention's state.
    fn excused(&self, status: &Status) -> Result<(), String> {
        let details = Details::of(status);
        let told = match details.reason.as_str() {
            "UNAVAILABLE" | "DEADLINE_EXCEEDED" | "OVERLOADED" | "CONCURRENT_UPDATE" => {
                details.retry.is_some()
            }
            // The signature has not arrived yet.
            "NOT_FOUND" | "CONVENTION_NOT_IN_FORCE" => self.acknowledged.is_empty(),
            // The connection broke: no service says so.
            "" => matches!(
                status.code(),
                Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
            ),
            _ => false,
        };
        if told {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    }
}

/// Sends all batches in a stream; gives the answers, and what broke it.
async fn stream(
    client: &Client,
    convention: &str,
    push: &Push,
) -> (Vec<PushRecordsResponse>, Option<Status>) {
    let opening = Message::Opening(PushOpening {
        convention: convention.to_owned(),
        stream_id: push.stream.to_string(),
        ..PushOpening::default()
    });
    let batch = |(sequence, records): (i64, &Vec<Record>)| {
        Message::Batch(PushBatch {
            sequence,
            records: records.clone(),
        })
    };
    let messages: Vec<PushRecordsRequest> = std::iter::once(opening)
        .chain((1..).zip(&push.batches).map(batch))
        .map(|message| PushRecordsRequest {
            message: Some(message),
        })
        .collect();
    let mut request = Request::new(tokio_stream::iter(messages));
    request.set_timeout(PATIENCE);
    let mut collected = Vec::new();
    let mut answers = match client.push().push_records(request).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => return (collected, Some(status)),
    };
    loop {
        match answers.message().await {
            Ok(Some(answer)) => collected.push(answer),
            Ok(None) => return (collected, None),
            Err(status) => return (collected, Some(status)),
        }
    }
}

/// What a session of this version says: persons met.
pub fn met(version: i64) -> i32 {
    i32::try_from(version % 100).unwrap_or_default()
}

/// Where a person of this version lives.
pub fn commune(version: i64) -> &'static str {
    if version % 2 == 0 { "62263" } else { "62041" }
}

/// What a right of this version comes to, euros a month.
pub fn amount(version: i64) -> i64 {
    100 + version % 100
}

fn record(kind: &str, number: usize, external_reference: String, version: i64) -> Record {
    let date = |month, day| {
        Some(Date {
            year: 2025,
            month,
            day,
        })
    };
    let content = match kind {
        "P" => Content::Beneficiary(BeneficiaryContent {
            publics: vec!["DEMANDEUR_EMPLOI".to_owned()],
            commune_code: commune(version).to_owned(),
            age_band: AgeBand::From25To59.into(),
            state: JourneyState::InSupport.into(),
            spotted_date: date(10, 1),
            ..Default::default()
        }),
        "R" => Content::Entitlement(EntitlementContent {
            beneficiary_reference: format!("SIM-P{number}"),
            right: "RSA".to_owned(),
            state: EntitlementState::Filed.into(),
            amount: Some(Money {
                currency_code: "EUR".to_owned(),
                units: amount(version),
                nanos: 0,
            }),
            amount_kind: AmountKind::Estimated.into(),
            amount_unit: AmountUnit::Monthly.into(),
            filed_date: date(10, 2),
            support_mode: SupportMode::OnBehalf.into(),
            ..Default::default()
        }),
        _ => Content::Session(SessionContent {
            venue: "Cité des Métiers d'Arras".to_owned(),
            commune_code: "62041".to_owned(),
            held_date: date(10, 6),
            channel: Channel::PartnerSession.into(),
            persons_met: met(version),
        }),
    };
    Record {
        external_reference,
        version,
        content: Some(content),
    }
}
