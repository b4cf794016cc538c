//! What `payments` does with the changes of `conventions`.

use nonrecours_contracts::{conventions as wire, feed, google::r#type::Money as Amount};
use nonrecours_feed::{Handler, snapshot};
use nonrecours_kernel::{
    BudgetYear, ConventionName, FrameworkConventionName, IdSource, Invalid, Money, OperatorName,
    ProgrammeId, Siret, StateFundingName, StateReceivableName, paris_date,
};
use nonrecours_pg::Tx;
use nonrecours_rpc::{Failure, convert};
use prost::Name as _;
use time::OffsetDateTime;

use crate::{
    error::Error,
    instalment::{self, Instalment, Kind, Requirements, Schedule},
    known_file::{self, FileName, KnownFile},
    payment_plan::{self, Agreement, Cause, Learned, Measures, Payee, PaymentPlan, Period},
    posting_codes::PayeeCategory,
    slip::{self, ThirdParty},
    state_receivable::{self, Claim, Part, Terms},
};

/// Applies the changes of `conventions`: operators become payees; a convention in force opens its plan, which later
/// revisions complete, amend and reduce; files may justify payments; what the State grants is owed. Everything else of that feed is passed over.
pub struct Conventions {
    /// Ids of the instalments and of the entries of the ledger.
    pub ids: IdSource,
}

impl Handler for Conventions {
    async fn apply(&self, tx: &mut Tx, change: &feed::Change) -> Result<(), Failure> {
        let type_url = change
            .snapshot
            .as_ref()
            .map_or("", |snapshot| snapshot.type_url.as_str());
        if type_url == wire::Operator::type_url() {
            let operator = snapshot(change)?;
            let payee = payee(&operator)?;
            payment_plan::store::learn_payee(tx, &payee, change.revision).await?;
            if let Some(known) = third_party(&operator)? {
                let id = payee.operator;
                slip::store::learn_third_party(tx, id, &known, change.revision).await?;
            }
        } else if type_url == wire::Attachment::type_url() {
            let (name, file) = attachment(&snapshot(change)?)?;
            known_file::store::learn(tx, &name, &file).await?;
        } else if type_url == wire::Document::type_url() {
            let (name, file) = document(&snapshot(change)?)?;
            known_file::store::learn(tx, &name, &file).await?;
        } else if type_url == wire::StateFunding::type_url() {
            let claim = claim(&snapshot(change)?, change.revision)?;
            state_receivable::rpc::learn(tx, &self.ids, &claim).await?;
        } else if type_url == wire::Convention::type_url() {
            let convention = snapshot(change)?;
            if let Some(agreement) = agreement(&convention)? {
                self.agreed(tx, &agreement).await?;
                if let Some(programme) = programme(&convention)? {
                    slip::store::learn_programme(tx, &agreement.convention, programme).await?;
                }
            }
        }
        Ok(())
    }
}

impl Conventions {
    async fn agreed(&self, tx: &mut Tx, agreement: &Agreement) -> Result<(), Error> {
        let now = tx.now();
        if !payment_plan::store::lock(tx, &agreement.convention).await? {
            let (plan, instalments) = agreement.open(&self.ids, now)?;
            return open(tx, plan, instalments).await;
        }
        let plan = payment_plan::store::get(tx, &agreement.convention)
            .await?
            .ok_or_else(|| Failure::bug("a locked plan is not there"))?;
        match plan.clone().learn(agreement, now)? {
            Learned::Stale => {}
            Learned::Seen(next) => payment_plan::store::update(tx, &next).await?,
            Learned::Changed(next) => {
                payment_plan::store::update(tx, &next).await?;
                let entry = payment_plan::rpc::entry("payment_plan.updated", &next);
                tx.record_all(&[entry]).await?;
            }
            Learned::Replanned(next, cause) => {
                payment_plan::store::update(tx, &next).await?;
                let (kind, why) = told(&plan, &next, cause);
                tx.because(&why);
                tx.record_all(&[payment_plan::rpc::entry(kind, &next)])
                    .await?;
                instalment::planning::replan(tx, &self.ids, &agreement.convention, cause, &why)
                    .await?;
                // The transaction goes on with other changes.
                tx.because("");
            }
        }
        Ok(())
    }
}

/// The kind of the change of a plan that is planned again, and why.
fn told(before: &PaymentPlan, next: &PaymentPlan, cause: Cause) -> (&'static str, String) {
    let from_to = |from: Money, to: Money| format!("de {} à {}", from.french(), to.french());
    match cause {
        Cause::Amendment if before.grant == next.grant => (
            "payment_plan.amended",
            "Avenant : les modalités de paiement changent.".to_owned(),
        ),
        Cause::Amendment => (
            "payment_plan.amended",
            format!(
                "Avenant : la subvention passe {}.",
                from_to(before.grant, next.grant)
            ),
        ),
        Cause::Decision => (
            "payment_plan.updated",
            format!(
                "Décision (art. 8) : la somme due passe {}.",
                from_to(before.due(), next.due())
            ),
        ),
    }
}

async fn open(tx: &mut Tx, plan: PaymentPlan, instalments: Vec<Instalment>) -> Result<(), Error> {
    payment_plan::store::insert(tx, &plan).await?;
    for instalment in &instalments {
        instalment::store::insert(tx, instalment).await?;
    }
    let schedule = Schedule {
        payee: payment_plan::store::payee(tx, plan.convention.operator).await?,
        // Its programme is learned next: until then those of the nomenclature.
        requirements: Requirements::default(),
        plan,
        instalments,
    };
    let mut entries = vec![payment_plan::rpc::entry(
        "payment_plan.opened",
        &schedule.plan,
    )];
    entries.extend(schedule.instalments.iter().map(|planned| {
        let kind = instalment::rpc::kind(planned.state.stage());
        instalment::planning::entry(kind, &schedule, planned)
    }));
    Ok(tx.record_all(&entries).await?)
}

/// What an operator's snapshot says of who is paid.
fn payee(operator: &wire::Operator) -> Result<Payee, Failure> {
    let name: OperatorName = operator.name.parse().map_err(unreadable)?;
    let siret: Siret = operator.siret.parse().map_err(unreadable)?;
    let is_public = match operator.category() {
        wire::OperatorCategory::Commune
        | wire::OperatorCategory::Ccas
        | wire::OperatorCategory::Grouping
        | wire::OperatorCategory::OtherPublic => true,
        wire::OperatorCategory::Association
        | wire::OperatorCategory::OtherPrivate
        | wire::OperatorCategory::Unspecified => false,
    };
    Ok(Payee {
        operator: name.operator,
        legal_name: operator.legal_name.clone(),
        siren: siret.siren(),
        is_public,
    })
}

/// What an operator's snapshot says of how its accountant knows it; nothing when it has no category.
fn third_party(operator: &wire::Operator) -> Result<Option<ThirdParty>, Failure> {
    let category = match operator.category() {
        wire::OperatorCategory::Commune => PayeeCategory::Commune,
        wire::OperatorCategory::Ccas => PayeeCategory::Ccas,
        wire::OperatorCategory::Grouping => PayeeCategory::Grouping,
        wire::OperatorCategory::OtherPublic => PayeeCategory::OtherPublic,
        wire::OperatorCategory::Association => PayeeCategory::Association,
        wire::OperatorCategory::OtherPrivate => PayeeCategory::OtherPrivate,
        wire::OperatorCategory::Unspecified => return Ok(None),
    };
    let siret = operator.siret.parse().map_err(unreadable)?;
    Ok(Some(ThirdParty {
        siret,
        category,
        address: Some(operator.address.clone()).filter(|address| !address.is_empty()),
    }))
}

/// What the snapshot of a funding by the State says of what it owes.
fn claim(funding: &wire::StateFunding, revision: i64) -> Result<Claim, Failure> {
    let name: StateFundingName = funding.name.parse().map_err(unreadable)?;
    let part = |wanted: wire::InstalmentKind| {
        let mut instalments = funding.instalments.iter();
        let found = instalments.find(|one| one.kind() == wanted);
        let found =
            found.ok_or_else(|| Failure::bug("a funding by the State without its instalments"))?;
        Ok::<_, Failure>(Part {
            amount: convert::money(found.expected_amount.as_ref()).map_err(unreadable)?,
            expected: convert::date(found.expected_date.as_ref()).map_err(unreadable)?,
        })
    };
    let report_sent = match &funding.report_sent_date {
        None => None,
        sent => Some(convert::date(sent.as_ref()).map_err(unreadable)?),
    };
    Ok(Claim {
        name: StateReceivableName {
            programme: name.programme,
            state_receivable: name.state_funding,
        },
        revision,
        terms: Terms {
            budget_year: BudgetYear::new(funding.budget_year).map_err(unreadable)?,
            agreement_reference: funding.agreement_reference.clone(),
            advance: part(wire::InstalmentKind::Advance)?,
            balance: part(wire::InstalmentKind::Balance)?,
        },
        report_sent,
    })
}

/// What the snapshot of a file that somebody brought says of it.
fn attachment(attachment: &wire::Attachment) -> Result<(FileName, KnownFile), Failure> {
    let name = attachment.name.parse().map_err(unreadable)?;
    let file = KnownFile {
        file_name: attachment.file_name.clone(),
        digest: attachment.sha256.parse().map_err(unreadable)?,
        withdrawn: attachment.state() == wire::AttachmentState::Withdrawn,
    };
    Ok((FileName::Attachment(name), file))
}

/// The same of one that the suite wrote; those are never withdrawn.
fn document(document: &wire::Document) -> Result<(FileName, KnownFile), Failure> {
    let name = document.name.parse().map_err(unreadable)?;
    let kind = document.kind().as_str_name();
    let kind = kind.trim_start_matches("DOCUMENT_KIND_").to_lowercase();
    let file = KnownFile {
        file_name: format!("{kind}-{}.pdf", document.version),
        digest: document.content_sha256.parse().map_err(unreadable)?,
        withdrawn: false,
    };
    Ok((FileName::Document(name), file))
}

/// The programme of a convention, which it hangs under.
fn programme(convention: &wire::Convention) -> Result<Option<ProgrammeId>, Failure> {
    if convention.framework_convention.is_empty() {
        return Ok(None);
    }
    let framework: FrameworkConventionName = convention
        .framework_convention
        .parse()
        .map_err(unreadable)?;
    Ok(Some(framework.programme))
}

/// What a convention's snapshot says of its payments; nothing before it is in force.
fn agreement(convention: &wire::Convention) -> Result<Option<Agreement>, Failure> {
    let actions_completed = match convention.state() {
        wire::ConventionState::InForce => false,
        wire::ConventionState::Completed | wire::ConventionState::Settled => true,
        // Of no consequence: nothing is called any more.
        wire::ConventionState::Terminated => false,
        wire::ConventionState::Draft
        | wire::ConventionState::PartlySigned
        | wire::ConventionState::Unspecified => return Ok(None),
    };
    let name: ConventionName = convention.name.parse().map_err(unreadable)?;
    let terms = convention
        .instalment_terms
        .iter()
        .map(term)
        .collect::<Result<_, _>>()?;
    Ok(Some(Agreement {
        convention: name,
        revision: convention.revision,
        title: convention.title.clone(),
        budget_year: BudgetYear::new(convention.budget_year).map_err(unreadable)?,
        grant: convert::money(convention.grant_amount.as_ref()).map_err(unreadable)?,
        terms,
        period: period(convention)?,
        advance_without_call: convention.advance_without_call,
        actions_completed,
        measures: measures(convention)?,
    }))
}

fn measures(convention: &wire::Convention) -> Result<Measures, Failure> {
    let amount = |given: Option<&Amount>| match given {
        Some(given) => convert::money(Some(given)).map(Some).map_err(unreadable),
        None => Ok(None),
    };
    let grant = amount(convention.grant_amount.as_ref())?;
    Ok(Measures {
        suspended: convention.suspended,
        terminated: convention.state() == wire::ConventionState::Terminated,
        // The whole grant is not written twice.
        due: amount(convention.due_amount.as_ref())?.filter(|due| Some(*due) != grant),
        claimed: amount(convention.recover_amount.as_ref())?.unwrap_or_default(),
    })
}

/// The days from the second signature to the last day of the actions; nothing when either is not told, or the actions end
/// before.
fn period(convention: &wire::Convention) -> Result<Option<Period>, Failure> {
    let (Some(since), Some(last)) = (&convention.in_force_time, &convention.indicative_end_date)
    else {
        return Ok(None);
    };
    let since = OffsetDateTime::from_unix_timestamp(since.seconds)
        .map_err(|error| Failure::internal(&error))?;
    let last = convert::date(Some(last)).map_err(unreadable)?;
    let first = paris_date(since);
    Ok((first <= last).then_some(Period { first, last }))
}

fn term(term: &wire::InstalmentTerm) -> Result<(Kind, Money), Failure> {
    let kind = match term.kind() {
        wire::InstalmentKind::Advance => Kind::Advance,
        wire::InstalmentKind::Interim => Kind::Interim,
        wire::InstalmentKind::Balance => Kind::Balance,
        wire::InstalmentKind::Unspecified => {
            return Err(Failure::bug(
                "a convention in force with an instalment of no kind",
            ));
        }
    };
    let amount = convert::money(term.amount.as_ref()).map_err(unreadable)?;
    Ok((kind, amount))
}

/// A snapshot of another service that does not follow its contract: a fault of ours, never skipped.
fn unreadable(invalid: Invalid) -> Failure {
    Failure::internal(&invalid)
}
