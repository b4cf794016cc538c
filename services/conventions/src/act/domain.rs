//! Authorising acts and when they become enforceable (art. L2131-1 CGCT).

use nonrecours_kernel::{ActId, ActName};
use time::{Date, OffsetDateTime};

use crate::{convention::party::Party, refusal::Refusal};

/// An act as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Resource name.
    pub name: ActName,
    /// Party it empowers.
    pub party: Party,
    /// Number given by the transmission; its date is that of the decision.
    pub act_id: ActId,
    /// Day of the transmission to the prefecture.
    pub transmission: Option<Date>,
    /// Day of the publication or notification.
    pub publication: Option<Date>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

impl Act {
    /// Day from which it is enforceable: the later of transmission and publication, once there are both.
    pub fn enforceable(&self) -> Option<Date> {
        Some(self.transmission?.max(self.publication?))
    }

    /// Records the transmission, once.
    pub fn transmit(self, day: Date, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        if self.transmission.is_some() {
            return Err(Refusal::AlreadyTransmitted);
        }
        in_order(self.act_id.date(), day, today)?;
        Ok(self.changed(now, |act| act.transmission = Some(day)))
    }

    /// Records the publication, once.
    pub fn publish(self, day: Date, today: Date, now: OffsetDateTime) -> Result<Self, Refusal> {
        if self.publication.is_some() {
            return Err(Refusal::AlreadyPublished);
        }
        in_order(self.act_id.date(), day, today)?;
        Ok(self.changed(now, |act| act.publication = Some(day)))
    }

    fn changed(mut self, now: OffsetDateTime, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.revision += 1;
        self.update_time = now;
        self
    }
}

/// Neither transmission nor publication comes before the decision, or is recorded before it has happened.
pub fn in_order(decision: Date, day: Date, today: Date) -> Result<(), Refusal> {
    if (decision..=today).contains(&day) {
        Ok(())
    } else {
        Err(Refusal::ActDatesOutOfOrder { decision, today })
    }
}

#[cfg(test)]
mod tests {
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
            party: Party::Operator,
            act_id: "062-216202630-20250929-25D045-DE".parse().unwrap(),
            transmission: None,
            publication: None,
            revision: 1,
            create_time: NOW,
            update_time: NOW,
        }
    }

    #[test]
    fn enforceable_at_the_later_of_transmission_and_publication() {
        let act = act().transmit(date!(2025 - 10 - 06), TODAY, NOW).unwrap();
        assert_eq!(act.enforceable(), None);
        let act = act.publish(date!(2025 - 10 - 01), TODAY, NOW).unwrap();
        assert_eq!(act.enforceable(), Some(date!(2025 - 10 - 06)));
        assert_eq!(act.revision, 3);
    }

    #[test]
    fn each_date_is_recorded_once() {
        let act = act()
            .transmit(TODAY, TODAY, NOW)
            .and_then(|act| act.publish(TODAY, TODAY, NOW))
            .unwrap();
        assert_eq!(
            act.clone().transmit(TODAY, TODAY, NOW),
            Err(Refusal::AlreadyTransmitted)
        );
        assert_eq!(
            act.publish(TODAY, TODAY, NOW),
            Err(Refusal::AlreadyPublished)
        );
    }

    #[test]
    fn dates_lie_between_the_decision_and_today() {
        for day in [date!(2025 - 09 - 28), date!(2025 - 10 - 08)] {
            let refusal = Refusal::ActDatesOutOfOrder {
                decision: date!(2025 - 09 - 29),
                today: TODAY,
            };
            assert_eq!(act().transmit(day, TODAY, NOW), Err(refusal.clone()));
            assert_eq!(act().publish(day, TODAY, NOW), Err(refusal));
        }
        assert!(act().transmit(date!(2025 - 09 - 29), TODAY, NOW).is_ok());
    }
}
