//! The journal of erasures that `deploy/backup` keeps apart from the backups: a JSON object a line, an erasure each, in the last
//! line how many. It names nobody: ids, and digests under a key that the ring wraps.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nonrecours_kernel::{BeneficiaryId, BeneficiaryName, ErasureId, ErasureName, OperatorId};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::domain::{Erasure, ErasureReason, Records};
use crate::vault::seal::Wrapped;

/// Erasures read from one journal at most.
const MAX_ERASURES: usize = 1_000_000;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A line is no erasure.
    #[error("line {line} of the journal of erasures: {what}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it; shows nothing of it.
        what: String,
    },
    /// The last line is missing, or counts others: somebody or something cut it.
    #[error("the journal of erasures is not whole")]
    Cut,
}

/// What is kept of one operator.
pub struct OfOperator {
    /// The key of its digests.
    pub key: Wrapped,
    /// Its erasures, each with the digests of references that lead to nobody.
    pub erasures: Vec<(Erasure, Vec<Vec<u8>>)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Erasure(Box<ErasureLine>),
    End(End),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    erasures: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErasureLine {
    operator: Uuid,
    key_id: String,
    wrapped: String,
    erasure: Uuid,
    beneficiary: Uuid,
    reason: String,
    entitlements: i32,
    steps: i32,
    notes: i32,
    referrals: i32,
    revision: i64,
    /// Microseconds since 1970.
    create_time: i64,
    update_time: i64,
    digests: Vec<String>,
}

/// Reads a whole journal, by operator.
pub fn parse(text: &str) -> Result<BTreeMap<OperatorId, OfOperator>, JournalError> {
    let mut operators: BTreeMap<OperatorId, OfOperator> = BTreeMap::new();
    let mut read = 0;
    let mut ended = false;
    for (index, line) in text.lines().enumerate() {
        let fault = |what: &str| JournalError::Line {
            line: index + 1,
            what: what.to_owned(),
        };
        if ended {
            return Err(fault("after the end"));
        }
        if read > MAX_ERASURES {
            return Err(fault("more erasures than are read of one journal"));
        }
        match serde_json::from_str(line).map_err(|_| fault("not an erasure"))? {
            Line::End(end) => {
                if end.erasures != read {
                    return Err(JournalError::Cut);
                }
                ended = true;
            }
            Line::Erasure(line) => {
                let bytes = |text: &str| STANDARD.decode(text).map_err(|_| fault("not base64"));
                let operator = OperatorId::from_uuid(line.operator);
                let digests: Result<Vec<_>, _> =
                    line.digests.iter().map(|digest| bytes(digest)).collect();
                let of = operators.entry(operator).or_insert(OfOperator {
                    key: Wrapped {
                        key_id: line.key_id.clone(),
                        bytes: bytes(&line.wrapped)?,
                    },
                    erasures: Vec::new(),
                });
                let erasure =
                    erasure(operator, &line).ok_or_else(|| fault("no such reason or time"))?;
                of.erasures.push((erasure, digests?));
                read += 1;
            }
        }
    }
    if ended {
        Ok(operators)
    } else {
        Err(JournalError::Cut)
    }
}

fn erasure(operator: OperatorId, line: &ErasureLine) -> Option<Erasure> {
    let time = |micros: i64| {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros).checked_mul(1_000)?).ok()
    };
    Some(Erasure {
        name: ErasureName {
            operator,
            erasure: ErasureId::from_uuid(line.erasure),
        },
        beneficiary: BeneficiaryName {
            operator,
            beneficiary: BeneficiaryId::from_uuid(line.beneficiary),
        },
        reason: ErasureReason::from_code(&line.reason)?,
        records: Records {
            entitlements: line.entitlements,
            steps: line.steps,
            notes: line.notes,
            referrals: line.referrals,
        },
        revision: line.revision,
        create_time: time(line.create_time)?,
        update_time: time(line.update_time)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(operator: u128, erasure: u128, reason: &str) -> String {
        let (operator, erasure) = (Uuid::from_u128(operator), Uuid::from_u128(erasure));
        format!(
            r#"{{"operator":"{operator}","key_id":"first","wrapped":"AAEC","erasure":"{erasure}","beneficiary":"{erasure}","reason":"{reason}","entitlements":1,"steps":2,"notes":3,"referrals":4,"revision":2,"create_time":1759750200000001,"update_time":1759750200000002,"digests":["/w=="]}}"#
        )
    }

    #[test]
    fn erasures_are_read_by_operator() {
        let text = [
            line(1, 10, "MISTAKE"),
            line(2, 20, "RETENTION"),
            line(1, 11, "OBJECTION"),
            r#"{"erasures":3}"#.to_owned(),
        ]
        .join("\n");
        let read = parse(&text).unwrap();
        let first = &read[&OperatorId::from_uuid(Uuid::from_u128(1))];
        assert_eq!(first.key.bytes, [0, 1, 2]);
        let (erasure, digests) = &first.erasures[1];
        assert_eq!(erasure.reason, ErasureReason::Objection);
        assert_eq!(erasure.records.referrals, 4);
        assert_eq!(erasure.create_time.microsecond(), 1);
        assert_eq!(digests, &[vec![255]]);
        assert_eq!(read.len(), 2);
        assert!(parse("{\"erasures\":0}\n").unwrap().is_empty());
    }

    #[test]
    fn a_journal_that_is_cut_or_altered_is_refused() {
        let one = line(1, 10, "MISTAKE");
        for cut in ["", &one, "{\"erasures\":1}", &one[..40]] {
            assert!(parse(cut).is_err(), "{cut}");
        }
        let end = "{\"erasures\":1}";
        assert!(
            parse(&format!("{one}\n{end}\n{one}")).is_err(),
            "after the end"
        );
        assert!(parse(&format!("{}\n{end}", line(1, 1, "WHIM"))).is_err());
        let told = parse(&format!("{}\n{end}", one.replace("AAEC", "?"))).map(|_| ());
        assert_eq!(
            told.unwrap_err().to_string(),
            "line 1 of the journal of erasures: not base64"
        );
    }
}
