//! The way of an act to the prefecture, and when it is enforceable.

use time::macros::{date, datetime};

use super::*;

const TODAY: Date = date!(2025 - 10 - 07);
const NOW: OffsetDateTime = datetime!(2025-10-07 08:00 UTC);

fn act() -> Act {
    let id = "0198b2e6-c000-7abc-8def-0123456789ab";
    Act {
        name: format!("operators/{id}/conventions/{id}/acts/{id}")
            .parse()
            .unwrap(),
        amendment: None,
        party: Party::Operator,
        act_id: "062-216202630-20250929-25D045-DE".parse().unwrap(),
        transmission: Transmission::ToTransmit,
        publication: None,
        revision: 1,
        create_time: NOW,
        update_time: NOW,
    }
}

fn published(day: Date) -> Publication {
    Publication {
        publicity: Publicity::Publication,
        day,
        reference: Some("RAA 2025-40".to_owned()),
    }
}

#[test]
fn enforceable_at_the_later_of_transmission_and_publication() {
    let act = act().transmit(date!(2025 - 10 - 06), TODAY, NOW).unwrap();
    assert_eq!(act.enforceability(), None);
    let early = act
        .clone()
        .publish(published(date!(2025 - 10 - 01)), TODAY, NOW)
        .unwrap();
    assert_eq!(early.revision, 3);
    let found = early.enforceability().unwrap();
    assert_eq!(
        (found.day, found.basis, found.proof.as_str()),
        (
            date!(2025 - 10 - 06),
            Basis::Transmission,
            "062-216202630-20250929-25D045-DE"
        )
    );
    // The acknowledgement proves; it moves nothing.
    let acknowledged = early
        .acknowledge(TODAY, "AR-1".to_owned(), TODAY, NOW)
        .unwrap();
    let found = acknowledged.enforceability().unwrap();
    assert_eq!(
        (found.day, found.proof.as_str()),
        (date!(2025 - 10 - 06), "AR-1")
    );
    let late = act
        .publish(published(date!(2025 - 10 - 06)), TODAY, NOW)
        .unwrap();
    let found = late.enforceability().unwrap();
    assert_eq!(found.basis, Basis::Publicity(Publicity::Publication));
    assert_eq!(found.proof, "RAA 2025-40");
}

#[test]
fn a_transmission_that_failed_counts_no_more_until_it_is_sent_again() {
    let day = date!(2025 - 10 - 06);
    let fail = |act: Act, failure| act.fail(failure, TODAY, "illisible".to_owned(), TODAY, NOW);
    let sent = act()
        .publish(published(day), TODAY, NOW)
        .and_then(|act| act.post(date!(2025 - 10 - 02), TODAY, NOW))
        .and_then(|act| act.transmit(day, TODAY, NOW))
        .unwrap();
    assert!(sent.enforceability().is_some());
    assert_eq!(sent.transmission.posting(), Some(date!(2025 - 10 - 02)));
    let refused = fail(sent.clone(), Failure::Refused).unwrap();
    assert_eq!(refused.transmission.as_str(), "REFUSED");
    assert_eq!(refused.enforceability(), None);
    // Sent again: not before it failed.
    assert_eq!(
        refused.clone().transmit(day, TODAY, NOW),
        Err(Refusal::ActDatesOutOfOrder {
            since: TODAY,
            today: TODAY
        })
    );
    let again = refused.post(TODAY, TODAY, NOW).unwrap();
    assert_eq!(again.transmission.day(), None);
    let lost = fail(again, Failure::Error).unwrap();
    assert_eq!(lost.transmission.as_str(), "ERROR");
    let arrived = lost.transmit(TODAY, TODAY, NOW).unwrap();
    assert_eq!(arrived.enforceability().unwrap().day, TODAY);

    let nowhere = Err(Refusal::ActTransmissionOutOfOrder("TO_TRANSMIT"));
    assert_eq!(fail(act(), Failure::Error), nowhere);
    assert_eq!(
        act().acknowledge(TODAY, "AR".to_owned(), TODAY, NOW),
        nowhere
    );
    assert_eq!(
        sent.post(TODAY, TODAY, NOW),
        Err(Refusal::AlreadyTransmitted)
    );
}

#[test]
fn each_date_is_recorded_once() {
    let act = act()
        .transmit(TODAY, TODAY, NOW)
        .and_then(|act| act.publish(published(TODAY), TODAY, NOW))
        .unwrap();
    assert_eq!(
        act.clone().transmit(TODAY, TODAY, NOW),
        Err(Refusal::AlreadyTransmitted)
    );
    assert_eq!(
        act.publish(published(TODAY), TODAY, NOW),
        Err(Refusal::AlreadyPublished)
    );
}

#[test]
fn dates_lie_between_the_decision_and_today() {
    for day in [date!(2025 - 09 - 28), date!(2025 - 10 - 08)] {
        let refusal = Refusal::ActDatesOutOfOrder {
            since: date!(2025 - 09 - 29),
            today: TODAY,
        };
        assert_eq!(act().transmit(day, TODAY, NOW), Err(refusal.clone()));
        assert_eq!(act().publish(published(day), TODAY, NOW), Err(refusal));
    }
    assert!(act().transmit(date!(2025 - 09 - 29), TODAY, NOW).is_ok());
}
