//! The life of one convention, from draft to settled, as real calls: the demonstration prints it, the tests check it.

mod actors;
mod convening;
mod following_up;
mod papers;
mod paying;
mod report;
mod story;

use std::{future::Future, time::Duration};

use anyhow::Context as _;
use nonrecours_contracts::{conventions, payments};
use nonrecours_kernel::{Id, IdSource, OperatorId, french_date, paris_date};
use nonrecours_rpc::{convert::to_date, details::Details};
use time::OffsetDateTime;
use tonic::Status;
use tracing::Instrument as _;

pub use actors::{Actor, Cast, name_of};
pub use report::Report;
pub use story::StoryClock;

use crate::example::Example;

/// How long a consequence of another service's change may take to show.
const CONSEQUENCE_LIMIT: Duration = Duration::from_secs(150);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// One step of the journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The authority opens the programme and records the council's vote.
    OpenProgramme,
    /// It registers the operator.
    RegisterOperator,
    /// It drafts the convention from the shipped file.
    DraftConvention,
    /// Signing the draft is refused with every blocker.
    SignDraft,
    /// Both acts are recorded; the commune's has no publication.
    RecordActs,
    /// Signing is refused for that reason.
    SignUnpublished,
    /// The publication is recorded and both parties sign.
    Sign,
    /// `payments` has opened the plan.
    OpenPlan,
    /// Nothing can be pushed or paid out of turn: the balance cannot be called yet.
    CallBalanceTooEarly,
    /// The operator calls the advance.
    CallAdvance,
    /// The same person on two duties is refused; another one certifies.
    CertifyAdvance,
    /// The authorising officer orders.
    OrderAdvance,
    /// The accountant confirms; the convention shows it.
    PayAdvance,
    /// Pushing under a convention that is not in force is refused.
    PushOutsideForce,
    /// The operator's software pushes its records.
    PushRecords,
    /// It pushes them again: nothing changes.
    PushAgain,
    /// It pushes a batch with three bad records.
    PushBadRecords,
    /// The report is drawn up, handed in, and accepted.
    Report,
    /// The actions are complete; the balance becomes callable.
    CompleteActions,
    /// The balance is called, certified, ordered and paid.
    PayBalance,
    /// The convention is settled.
    Settle,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 21] = [
        Self::OpenProgramme,
        Self::RegisterOperator,
        Self::DraftConvention,
        Self::SignDraft,
        Self::RecordActs,
        Self::SignUnpublished,
        Self::Sign,
        Self::OpenPlan,
        Self::CallBalanceTooEarly,
        Self::CallAdvance,
        Self::CertifyAdvance,
        Self::OrderAdvance,
        Self::PayAdvance,
        Self::PushOutsideForce,
        Self::PushRecords,
        Self::PushAgain,
        Self::PushBadRecords,
        Self::Report,
        Self::CompleteActions,
        Self::PayBalance,
        Self::Settle,
    ];

    /// What the step is, in French.
    pub fn title(self) -> &'static str {
        match self {
            Self::OpenProgramme => "La CUA ouvre le programme et sa convention-cadre",
            Self::RegisterOperator => "Elle enregistre l'opérateur",
            Self::DraftConvention => "Elle rédige la convention de Dainville",
            Self::SignDraft => "Signer le projet est refusé, avec tous les motifs",
            Self::RecordActs => "Les deux délibérations sont enregistrées",
            Self::SignUnpublished => "Signer est encore refusé : publication manquante",
            Self::Sign => "Publication enregistrée, les deux parties signent",
            Self::OpenPlan => "payments apprend la signature et ouvre l'échéancier",
            Self::CallBalanceTooEarly => "Appeler le solde trop tôt est refusé",
            Self::CallAdvance => "La commune appelle l'acompte, RIB à l'appui",
            Self::CertifyAdvance => "Un agent certifie ; la même personne ne peut pas cumuler",
            Self::OrderAdvance => "L'ordonnateur mandate l'acompte",
            Self::PayAdvance => "Le comptable confirme le virement",
            Self::PushOutsideForce => "Transmettre hors convention en vigueur est refusé",
            Self::PushRecords => "Le logiciel de la commune transmet son suivi",
            Self::PushAgain => "Il le transmet une seconde fois : rien ne change",
            Self::PushBadRecords => {
                "Trois fiches fausses : trois erreurs précises, le reste est pris"
            }
            Self::Report => "Bilan établi, remis, accepté",
            Self::CompleteActions => "Actions achevées : le solde devient appelable",
            Self::PayBalance => "Le solde est appelé, certifié, mandaté, payé",
            Self::Settle => "La convention est soldée",
        }
    }
}

/// What the journey has made so far: resource names, empty until then.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The programme.
    pub programme: String,
    /// The framework convention.
    pub framework_convention: String,
    /// The operator.
    pub operator: String,
    /// The convention.
    pub convention: String,
    /// A second convention, which stays a draft.
    pub other_convention: String,
    /// The commune's act.
    pub commune_act: String,
    /// The advance.
    pub advance: String,
    /// The balance.
    pub balance: String,
    /// Records stored by the first push.
    pub stored: usize,
}

/// The journey of one convention on a running suite.
pub struct Journey {
    /// Who plays.
    pub cast: Cast,
    /// What was made.
    pub facts: Facts,
    example: Example,
    ids: IdSource,
    story: Option<StoryClock>,
}

impl Journey {
    /// A journey for these actors. With a clock to move, it takes place on the days of 2025; without one, today.
    pub fn new(cast: Cast, story: Option<StoryClock>) -> anyhow::Result<Self> {
        let mut example = Example::load()?;
        if story.is_none() {
            // A budget year that is over is closed.
            example.move_to(paris_date(cast.clock.now()).year());
        }
        Ok(Self {
            ids: IdSource::new(std::sync::Arc::clone(&cast.clock)),
            cast,
            facts: Facts::default(),
            example,
            story,
        })
    }

    /// Plays one step. An error means that the suite did not do what the journey says.
    pub async fn play(&mut self, step: Step) -> anyhow::Result<Report> {
        let span = tracing::info_span!("journey.step", otel.name = step.title());
        if let Some(story) = &self.story {
            story.turn_to(step);
        }
        let report = Report::new(step.title(), self.cast.clock.now());
        let playing = async {
            match step {
                Step::OpenProgramme => self.open_programme(report).await,
                Step::RegisterOperator => self.register_operator(report).await,
                Step::DraftConvention => self.draft_convention(report).await,
                Step::SignDraft => self.sign_draft(report).await,
                Step::RecordActs => self.record_acts(report).await,
                Step::SignUnpublished => self.sign_unpublished(report).await,
                Step::Sign => self.sign(report).await,
                Step::OpenPlan => self.open_plan(report).await,
                Step::CallBalanceTooEarly => self.call_balance_too_early(report).await,
                Step::CallAdvance => self.call_advance(report).await,
                Step::CertifyAdvance => self.certify_advance(report).await,
                Step::OrderAdvance => self.order_advance(report).await,
                Step::PayAdvance => self.pay_advance(report).await,
                Step::PushOutsideForce => self.push_outside_force(report).await,
                Step::PushRecords => self.push_records(report).await,
                Step::PushAgain => self.push_again(report).await,
                Step::PushBadRecords => self.push_bad_records(report).await,
                Step::Report => self.report(report).await,
                Step::CompleteActions => self.complete_actions(report).await,
                Step::PayBalance => self.pay_balance(report).await,
                Step::Settle => self.settle(report).await,
            }
        };
        playing.instrument(span).await.with_context(|| step.title())
    }

    fn request_id(&self) -> String {
        self.ids.next::<()>().to_string()
    }

    fn now(&self) -> OffsetDateTime {
        self.cast.clock.now()
    }

    /// Today, as the requests write it.
    fn today(&self) -> nonrecours_contracts::google::r#type::Date {
        to_date(paris_date(self.now()))
    }

    fn today_in_french(&self) -> String {
        french_date(paris_date(self.now()))
    }

    /// The operator of the journey, once registered.
    pub fn operator(&self) -> anyhow::Result<OperatorId> {
        let id = self
            .facts
            .operator
            .strip_prefix("operators/")
            .context("no operator yet")?;
        Ok(id.parse::<Id<_>>()?)
    }

    /// Reads the convention until it is as `wanted`: another service's change may still be on its way.
    async fn convention_when(
        &self,
        what: &str,
        wanted: impl Fn(&conventions::Convention) -> bool,
    ) -> anyhow::Result<conventions::Convention> {
        let name = self.facts.convention.clone();
        eventually(what, async || {
            let convention = self.cast.officer()?.conventions();
            let request = conventions::GetConventionRequest { name: name.clone() };
            let found = crate::client::answered(|| {
                let (mut convention, request) = (convention.clone(), request.clone());
                async move { convention.get_convention(request).await }
            })
            .await?;
            Ok(wanted(&found).then_some(found))
        })
        .await
    }

    /// Reads the instalments until they are as `wanted`.
    async fn instalments_when(
        &self,
        what: &str,
        wanted: impl Fn(&[payments::Instalment]) -> bool,
    ) -> anyhow::Result<Vec<payments::Instalment>> {
        let parent = self.facts.convention.clone();
        eventually(what, async || {
            let instalments = self.cast.officer()?.instalments();
            let request = payments::ListInstalmentsRequest {
                parent: parent.clone(),
                ..Default::default()
            };
            let found = crate::client::answered(|| {
                let (mut instalments, request) = (instalments.clone(), request.clone());
                async move { instalments.list_instalments(request).await }
            })
            .await?
            .instalments;
            Ok(wanted(&found).then_some(found))
        })
        .await
    }
}

/// Looks until there is something, or the limit has passed.
async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(CONSEQUENCE_LIMIT, looking)
        .await
        .with_context(|| format!("waited in vain: {what}"))?
}

/// The refusal that a call must meet: its reason, and every sentence of it for the report.
fn refused<T>(result: Result<T, Status>, reason: &str) -> anyhow::Result<Details> {
    let status = match result {
        Ok(_) => anyhow::bail!("accepted, where {reason} was due"),
        Err(status) => status,
    };
    let details = Details::of(&status);
    anyhow::ensure!(
        details.reason == reason,
        "refused for {:?} ({}), where {reason} was due",
        details.reason,
        status.message()
    );
    Ok(details)
}
