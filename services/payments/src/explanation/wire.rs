//! An instalment explained, as protobuf.

use nonrecours_contracts::{common, payments as wire};
use nonrecours_kernel::{Money, Role, Text, change_label, french_date, paris_date};
use nonrecours_pg::Event;
use nonrecours_rpc::convert::{to_blocker, to_date, to_money, to_timestamp};
use time::Date;

use crate::{
    instalment::{Instalment, Next, Obstacle, Recovering, RecoveryStage, Schedule},
    payment_plan::Charge,
};

/// Everything that can be said of an instalment.
pub fn explanation(
    schedule: &Schedule,
    instalment: &Instalment,
    history: &[Event],
    correction: Option<Money>,
    today: Date,
) -> wire::InstalmentExplanation {
    let plan = &schedule.plan;
    let next = Next::of(instalment, plan);
    let text = text(instalment, next, schedule.recovering(instalment));
    let obstacle = |obstacle: &Obstacle<'_>| wire::Obstacle {
        blocker: Some(to_blocker(&obstacle.blocker(&plan.convention))),
        basis_fr: obstacle.basis().to_owned(),
        lifted_by: obstacle.lifted_by().into_iter().map(role).collect(),
    };
    let ordered = instalment.state.ordered();
    let day = ordered.map_or(today, |ordered| paris_date(ordered.order.time));
    // Of what is too late: the year that it would have gone on.
    let charge = match ordered {
        Some(_) => Charge::of(plan.budget_year, day),
        None => plan
            .charge(day)
            .or_else(|| Charge::year(plan.charged_year())),
    };
    let charge = charge.filter(|_| instalment.is_live());
    let mut obstacles = schedule.obstacles_on(instalment, today);
    if let (Some(amount), Some(Next::Confirm)) = (correction, next) {
        obstacles.push(Obstacle::CorrectionOpen(instalment, amount));
    }
    let made = instalment.state.duties().filter(|_| next.is_some());
    wire::InstalmentExplanation {
        instalment: instalment.name.to_string(),
        convention_title: plan.title.clone(),
        kind: wire::InstalmentKind::from(instalment.kind).into(),
        position: i32::from(instalment.position),
        amount: Some(to_money(instalment.amount)),
        state: wire::InstalmentState::from(instalment.state.stage()).into(),
        next_step: step(next).into(),
        made_by: next.map_or(0, |next| role(next.role())),
        excluded_actors: made.map(|(_, step)| step.actor.clone()).collect(),
        basis_fr: next.map(Next::basis).unwrap_or_default().to_owned(),
        message_fr: text.fr.into_owned(),
        message_en: text.en.into_owned(),
        obstacles: obstacles.iter().map(obstacle).collect(),
        history: history.iter().map(event).collect(),
        charged_budget_year: charge.map_or(0, |charge| charge.year),
        last_order_date: charge
            .filter(|_| ordered.is_none())
            .map(|charge| to_date(charge.last_day)),
    }
}

fn text(instalment: &Instalment, next: Option<Next>, recovering: Option<Recovering>) -> Text {
    match (next.map(Next::awaited), instalment.state.paid()) {
        (Some((en, fr)), _) => Text::new(
            format!("It waits for {en}."),
            format!("Cette échéance attend {fr}."),
        ),
        (None, Some(paid)) => {
            let (en, fr) = recovering.map(given_back).unwrap_or_default();
            Text::new(
                format!("It is paid: transfer of {}.{en}", paid.transfer_date),
                format!(
                    "Cette échéance est payée : virement du {}.{fr}",
                    french_date(paid.transfer_date)
                ),
            )
        }
        (None, None) => Text::new("It is cancelled.", "Cette échéance est annulée."),
    }
}

/// What becomes of a sum paid that was not due, as further sentences.
fn given_back(recovering: Recovering) -> (String, String) {
    let (en, fr) = match recovering.stage {
        RecoveryStage::ToRecover => (
            "is to be given back: the authorising officer issues the recovery",
            "à reverser : l'ordonnateur doit émettre le titre de recette",
        ),
        RecoveryStage::Issued => (
            "is claimed: the accountant waits for it",
            "à reverser : le titre de recette est émis, le comptable attend les fonds",
        ),
        RecoveryStage::Recovered => (
            "of it is recovered or given up",
            "à reverser : la somme est recouvrée ou admise en non-valeur",
        ),
    };
    let amount = recovering.amount;
    (
        format!(" {amount} EUR {en}."),
        format!(" {} {fr}.", amount.french()),
    )
}

fn event(event: &Event) -> wire::InstalmentEvent {
    wire::InstalmentEvent {
        revision: event.revision,
        kind: event.kind.clone(),
        label_fr: change_label(&event.kind).unwrap_or(&event.kind).to_owned(),
        actor: event.actor.clone(),
        occur_time: Some(to_timestamp(event.occur_time)),
        why: event.why.clone(),
    }
}

fn step(next: Option<Next>) -> wire::NextStep {
    match next {
        None => wire::NextStep::Unspecified,
        Some(Next::Call) => wire::NextStep::Call,
        Some(Next::Certify) => wire::NextStep::Certify,
        Some(Next::Order) => wire::NextStep::Order,
        Some(Next::Confirm) => wire::NextStep::Confirm,
    }
}

fn role(role: Role) -> i32 {
    let role = match role {
        Role::ProgrammeOfficer => common::Role::ProgrammeOfficer,
        Role::AuthorisingOfficer => common::Role::AuthorisingOfficer,
        Role::Accountant => common::Role::Accountant,
        Role::Auditor => common::Role::Auditor,
        Role::OperatorAgent => common::Role::OperatorAgent,
        Role::OperatorManager => common::Role::OperatorManager,
        Role::PeerService => common::Role::PeerService,
    };
    role.into()
}
