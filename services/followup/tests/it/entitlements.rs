//! Every edge between the states of a right, as operators' software sends them.

use nonrecours_contracts::followup::{AmountKind, EntitlementState, Record, RecordOutcome};

use crate::support::*;

use EntitlementState::{
    Appealed, ConfirmedRefusal, EligibilityEstimated, Filed, Identified, MoreInformation, Opened,
    Prepared, Refused,
};

/// The states, and to which of them, in this order, a right may go from each: at once, or by what software did not send.
const EDGES: [(EntitlementState, &str); 9] = [
    (Identified, "111111111"),
    (EligibilityEstimated, ".11111111"),
    (Prepared, "..1111111"),
    (Filed, "...111111"),
    (MoreInformation, "....11111"),
    (Opened, ".....1..."),
    (Refused, ".....1111"),
    (Appealed, ".....1.11"),
    (ConfirmedRefusal, "........1"),
];

/// A right in a state, with the dates that the state needs.
fn right_in(reference: &str, state: EntitlementState, of_version: i64) -> Record {
    let right = right_with(reference, "B1", |right| {
        let is_decided = matches!(state, Opened | Refused | Appealed | ConfirmedRefusal);
        let is_filed = is_decided || matches!(state, Filed | MoreInformation);
        right.state = state.into();
        right.filed_date = date(2025, 9, 1).filter(|_| is_filed);
        right.decided_date = date(2025, 10, 1).filter(|_| is_decided);
        right.amount_kind = AmountKind::Notified.into();
    });
    version(of_version, right)
}

#[tokio::test]
async fn every_edge_between_states_is_stored_or_refused() {
    let suite = Suite::start().await;
    suite.push(vec![person("B1")]).await;
    let pairs: Vec<(String, EntitlementState, EntitlementState, bool)> = EDGES
        .iter()
        .flat_map(|(from, allowed)| {
            EDGES.iter().zip(allowed.chars()).map(|((to, _), allowed)| {
                let reference = format!("{} {}", from.as_str_name(), to.as_str_name());
                (reference, *from, *to, allowed == '1')
            })
        })
        .collect();
    let first = pairs
        .iter()
        .map(|(reference, from, ..)| right_in(reference, *from, 1));
    let answer = suite.push(first.collect()).await;
    assert_eq!(answer.stored, 81, "{:?}", answer.results);

    let next = pairs
        .iter()
        .map(|(reference, _, to, _)| right_in(reference, *to, 2));
    let answer = suite.push(next.collect()).await;
    for ((edge, _, _, is_allowed), result) in pairs.iter().zip(&answer.results) {
        if *is_allowed {
            assert_eq!(result.outcome(), RecordOutcome::Stored, "{edge}");
        } else {
            assert_eq!(result.outcome(), RecordOutcome::Rejected, "{edge}");
            assert_eq!(
                faults(result),
                ["entitlement.state TRANSITION_ILLEGAL"],
                "{edge}"
            );
        }
    }
    // What was refused is as it was.
    let states: Vec<(String, String)> =
        sqlx::query_as("SELECT external_reference, state FROM entitlement")
            .fetch_all(&suite.owner)
            .await
            .unwrap();
    for (edge, from, to, is_allowed) in pairs {
        let state = if is_allowed { to } else { from };
        let code = state.as_str_name().trim_start_matches("ENTITLEMENT_STATE_");
        assert!(states.contains(&(edge.clone(), code.to_owned())), "{edge}");
    }
}
