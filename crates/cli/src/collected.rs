//! What a trace viewer holds of the journey (the JSON of Jaeger's `/api/traces/{trace}`), and whether it is one trace over the
//! three services.

use std::{collections::BTreeMap, collections::BTreeSet, io::Read as _};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::demo::ROOT_SPAN;

/// Largest answer of a viewer that is read, bytes.
const MAX_ANSWER: u64 = 64 << 20;

/// Work that only shows in the trace of the journey when calls, feeds and services all carry it on: service and span.
const EXPECTED: [(&str, &str); 4] = [
    ("payments", "payments applies convention.in_force"),
    ("conventions", "conventions applies payment_plan.paid"),
    ("followup", "nonrecours.followup.v1.PushService/PushRecords"),
    (
        "followup",
        "nonrecours.followup.v1.IndicatorService/GetIndicators",
    ),
];

/// An answer of the viewer.
#[derive(Debug, Deserialize, Serialize)]
pub struct Answer {
    /// The traces asked for.
    pub data: Vec<Trace>,
}

/// A trace.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// Its id, 32 hexadecimal digits.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// What was received of it.
    pub spans: Vec<Span>,
    /// Who sent the spans.
    pub processes: BTreeMap<String, Process>,
}

/// A span.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The trace it says it belongs to.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// Its id, 16 hexadecimal digits.
    #[serde(rename = "spanID")]
    pub span_id: String,
    /// What was done.
    pub operation_name: String,
    /// What it hangs on: its parent, if it has one.
    pub references: Vec<Reference>,
    /// Key of [`Trace::processes`].
    #[serde(rename = "processID")]
    pub process_id: String,
}

/// What a span hangs on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// `CHILD_OF`, or `FOLLOWS_FROM` for a link.
    pub ref_type: String,
    /// The other span.
    #[serde(rename = "spanID")]
    pub span_id: String,
}

/// Who sent spans.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Name of the service.
    pub service_name: String,
}

/// Reads a viewer's answer on standard input and prints what its trace is made of. Fails unless it is the one trace of the
/// journey over the three services.
pub fn check() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_ANSWER)
        .read_to_string(&mut text)?;
    let answer: Answer = serde_json::from_str(&text).context("no answer of a trace viewer")?;
    let [trace] = answer.data.as_slice() else {
        anyhow::bail!("{} traces where one was asked for", answer.data.len());
    };
    println!("{}", judged(trace)?);
    Ok(())
}

/// One line on a whole trace, or what is missing of it. Spans that a killed process had not yet sent leave others without
/// their parent: they are counted, and no fault.
fn judged(trace: &Trace) -> anyhow::Result<String> {
    let service = |span: &Span| {
        let process = trace.processes.get(&span.process_id);
        process.map_or("", |process| process.service_name.as_str())
    };
    let foreign = trace
        .spans
        .iter()
        .filter(|span| span.trace_id != trace.trace_id)
        .count();
    anyhow::ensure!(foreign == 0, "{foreign} spans of another trace");
    let roots: Vec<&Span> = trace
        .spans
        .iter()
        .filter(|span| parent(span).is_none())
        .collect();
    anyhow::ensure!(
        matches!(roots.as_slice(), [root] if root.operation_name == ROOT_SPAN),
        "the journey is not the one beginning: {:?}",
        roots
            .iter()
            .map(|root| &root.operation_name)
            .collect::<Vec<_>>()
    );
    for (wanted, name) in EXPECTED {
        anyhow::ensure!(
            trace
                .spans
                .iter()
                .any(|span| service(span) == wanted && span.operation_name == name),
            "no span `{name}` of {wanted}"
        );
    }
    let known: BTreeSet<&str> = trace
        .spans
        .iter()
        .map(|span| span.span_id.as_str())
        .collect();
    let lost = trace
        .spans
        .iter()
        .filter_map(parent)
        .filter(|parent| !known.contains(parent))
        .count();
    let services: BTreeSet<&str> = trace.spans.iter().map(service).collect();
    Ok(format!(
        "trace {} : {} spans de {}, dont {lost} dont le parent s'est perdu avec un processus tué",
        trace.trace_id,
        trace.spans.len(),
        services.into_iter().collect::<Vec<_>>().join(", "),
    ))
}

fn parent(span: &Span) -> Option<&str> {
    span.references
        .iter()
        .find(|reference| reference.ref_type == "CHILD_OF")
        .map(|reference| reference.span_id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, service: &str, name: &str, parent: Option<&str>) -> Span {
        let reference = |id: &str| Reference {
            ref_type: "CHILD_OF".to_owned(),
            span_id: id.to_owned(),
        };
        Span {
            trace_id: "t".to_owned(),
            span_id: id.to_owned(),
            operation_name: name.to_owned(),
            references: parent.map(reference).into_iter().collect(),
            process_id: service.to_owned(),
        }
    }

    fn whole() -> Trace {
        let mut spans = vec![span("root", "nonrecours", ROOT_SPAN, None)];
        for (number, (service, name)) in EXPECTED.iter().enumerate() {
            spans.push(span(&number.to_string(), service, name, Some("root")));
        }
        let names = ["nonrecours", "conventions", "followup", "payments"];
        Trace {
            trace_id: "t".to_owned(),
            spans,
            processes: names
                .map(|name| {
                    let service_name = name.to_owned();
                    (name.to_owned(), Process { service_name })
                })
                .into(),
        }
    }

    #[test]
    fn a_whole_trace_is_told_with_what_was_lost() {
        let mut trace = whole();
        let said = judged(&trace).unwrap();
        assert!(said.contains("5 spans de conventions, followup, nonrecours, payments, dont 0"));
        trace
            .spans
            .push(span("child", "payments", "after a kill", Some("gone")));
        assert!(judged(&trace).unwrap().contains("6 spans"));
        assert!(judged(&trace).unwrap().contains("dont 1"));
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        let mut second = whole();
        second
            .spans
            .push(span("other", "payments", "ordering", None));
        assert!(judged(&second).is_err(), "two beginnings");
        let mut foreign = whole();
        foreign.spans[1].trace_id = "u".to_owned();
        assert!(judged(&foreign).is_err(), "another trace");
        for (missing, expected) in EXPECTED.iter().enumerate() {
            let mut trace = whole();
            trace.spans.remove(1 + missing);
            assert!(judged(&trace).is_err(), "without {expected:?}");
        }
        let mut misplaced = whole();
        misplaced.spans[1].process_id = "conventions".to_owned();
        assert!(judged(&misplaced).is_err(), "work of another service");
    }
}
