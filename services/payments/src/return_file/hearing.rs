//! What becomes of an order by what a file says of it. Files come twice, late and in any order: what is older than what is
//! known does nothing, what contradicts it is for somebody to settle.

use nonrecours_kernel::{Money, Text, french_date};
use nonrecours_pes::PieceState;
use time::Date;

use super::{Paid, Returned, Statement};
use crate::{
    payment_difference::Cause,
    slip::{Order, Reason, Stage},
};

/// What was made of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The order after it. Not paid yet, whatever the file says: see `paid`.
    pub next: Order,
    /// The day on which it was paid in full, and not returned since: to be confirmed, then [`Order::pay`].
    pub paid: Option<Date>,
    /// What does not fit.
    pub divergence: Option<Divergence>,
}

/// What a file states otherwise than it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// What differs.
    pub cause: Cause,
    /// In words.
    pub text: Text,
    /// Sum stated as paid.
    pub amount: Option<Money>,
    /// Last day of a payment stated.
    pub date: Option<Date>,
    /// Whether the sum came back.
    pub came_back: bool,
}

/// Hears what a file says of an order.
pub fn hear(order: &Order, said: &Statement) -> Heard {
    let mut heard = Heard {
        next: order.clone(),
        paid: None,
        divergence: None,
    };
    heard.flow(said);
    if let Some((state, reason)) = &said.state {
        heard.state(*state, reason, said.paid);
    }
    if let Some(paid) = said.paid {
        heard.payment(paid);
    }
    if let Some(returned) = &said.returned {
        heard.returned(returned);
    }
    heard
}

impl Heard {
    /// An acknowledgement. An order with an anomaly of its own is refused whatever is said of its slip.
    fn flow(&mut self, said: &Statement) {
        let refused = match (&said.verdict, &said.anomaly) {
            (None, None) => return,
            (Some(Ok(())), None) => None,
            (_, Some(own)) => Some(own),
            (Some(Err(reason)), None) => Some(reason),
        };
        match (refused, self.next.stage) {
            (None, Stage::Transmitted) => self.next.stage = Stage::Acknowledged,
            (Some(reason), Stage::Transmitted) => self.reach(Stage::FlowRejected, reason),
            (None, Stage::FlowRejected) => self.contradicts(
                None,
                "The flow is said to be accepted; it was said to be rejected.",
                "Le flux est dit accepté alors qu'il avait été dit rejeté.",
            ),
            (
                Some(_),
                Stage::Acknowledged | Stage::Pending | Stage::TakenInCharge | Stage::Paid,
            ) => self.contradicts(
                None,
                "The flow is said to be rejected; it was said to be accepted.",
                "Le flux est dit rejeté alors qu'il avait été dit accepté.",
            ),
            (None, _) | (Some(_), Stage::FlowRejected | Stage::Rejected | Stage::Cancelled) => {}
        }
    }

    /// A state of the order, with the payments stated beside it.
    fn state(&mut self, state: PieceState, reason: &Reason, paid: Option<Paid>) {
        let stage = self.next.stage;
        let nothing = Reason::default();
        match state {
            PieceState::Pending if stage <= Stage::Acknowledged || stage == Stage::Pending => {
                self.reach(Stage::Pending, reason);
            }
            PieceState::TakenInCharge | PieceState::Settled
                if stage < Stage::TakenInCharge && !stage.rejected() =>
            {
                self.reach(Stage::TakenInCharge, &nothing);
            }
            PieceState::Rejected if stage <= Stage::TakenInCharge && !stage.rejected() => {
                self.reach(Stage::Rejected, reason);
            }
            PieceState::Rejected if stage.rejected() => {}
            // Older than the correction that cancelled it.
            _ if stage == Stage::Cancelled => {}
            // Older than the return of the money.
            _ if self.next.return_date.is_some() => {}
            PieceState::Rejected => self.contradicts(
                paid,
                "The order is said to be rejected; it is paid.",
                "Le mandat est dit rejeté alors qu'il est payé.",
            ),
            PieceState::TakenInCharge | PieceState::Settled if stage.rejected() => self
                .contradicts(
                    paid,
                    "The order is said to be taken in charge; it was said to be rejected.",
                    "Le mandat est dit pris en charge alors qu'il avait été dit rejeté.",
                ),
            // Older than what is known.
            PieceState::Pending | PieceState::TakenInCharge | PieceState::Settled => {}
        }
    }

    fn payment(&mut self, paid: Paid) {
        let order = &self.next;
        let ordered = order.due();
        if order.return_date.is_some_and(|back| paid.date <= back) && paid.amount == Some(ordered) {
            // Older than its return.
            return;
        }
        if order.stage.rejected() {
            return self.contradicts(
                Some(paid),
                "A payment is stated; the order was rejected.",
                "Un paiement est annoncé alors que le mandat a été rejeté.",
            );
        }
        if order.stage == Stage::Paid {
            if paid.amount != Some(ordered) || order.payment_date != Some(paid.date) {
                self.differs(paid);
            }
            return;
        }
        // It was, if it was paid.
        self.reach(Stage::TakenInCharge, &Reason::default());
        if paid.amount == Some(ordered) {
            self.paid = Some(paid.date);
        } else {
            self.differs(paid);
        }
    }

    /// The money is back: nothing was paid by this order after all.
    fn returned(&mut self, returned: &Returned) {
        let (ordered, sum) = (self.next.kept(), returned.amount);
        // All of it, told with the part that was booked before.
        let sum = match sum {
            Some(sum) if sum == self.next.due() => Some(ordered),
            sum => sum,
        };
        let stated = Some(Paid {
            amount: sum,
            date: returned.date,
        });
        if self.next.return_date.is_some() && sum == Some(ordered) {
            return;
        }
        if self.next.stage.rejected() {
            return self.contradicts(
                stated,
                "Money is said to come back of an order that was rejected, or has come back already.",
                "Un retour de fonds est annoncé pour un mandat déjà rejeté ou déjà retourné.",
            );
        }
        if sum != Some(ordered) {
            let (en, fr) = told(sum);
            return self.diverge(Divergence {
                cause: Cause::Amount,
                text: Text::new(
                    format!("{en} came back; {ordered} was ordered."),
                    format!("{fr} retournés, pour {} ordonnés.", ordered.french()),
                ),
                amount: sum,
                date: Some(returned.date),
                came_back: true,
            });
        }
        self.paid = None;
        self.reach(Stage::Rejected, &returned.reason);
        self.next.taken_in_charge = true;
        self.next.payment_date = None;
        self.next.return_date = Some(returned.date);
    }

    fn reach(&mut self, stage: Stage, reason: &Reason) {
        self.next.stage = stage;
        self.next.reason = reason.clone();
        self.next.taken_in_charge |= stage == Stage::TakenInCharge;
    }

    fn contradicts(&mut self, paid: Option<Paid>, en: &'static str, fr: &'static str) {
        self.diverge(Divergence {
            cause: Cause::State,
            text: Text::new(en, fr),
            amount: paid.and_then(|paid| paid.amount),
            date: paid.map(|paid| paid.date),
            came_back: false,
        });
    }

    fn differs(&mut self, paid: Paid) {
        let ordered = self.next.due();
        let day = french_date(paid.date);
        let (en, fr) = told(paid.amount);
        self.diverge(Divergence {
            cause: Cause::Amount,
            text: Text::new(
                format!("{en} is stated as paid by {day}; {ordered} was ordered."),
                format!(
                    "{fr} annoncés comme payés au {day}, pour {} ordonnés.",
                    ordered.french()
                ),
            ),
            amount: paid.amount,
            date: Some(paid.date),
            came_back: false,
        });
    }

    /// The first tells the most.
    fn diverge(&mut self, divergence: Divergence) {
        self.divergence.get_or_insert(divergence);
    }
}

/// A sum in English and in French.
fn told(sum: Option<Money>) -> (String, String) {
    match sum {
        Some(sum) => (sum.to_string(), sum.french()),
        None => (
            "more than any amount".to_owned(),
            "plus que tout montant".to_owned(),
        ),
    }
}
