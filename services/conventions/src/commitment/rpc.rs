//! Commitments over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CommitmentFilter, GetCommitmentRequest, ListCommitmentsRequest,
        ListCommitmentsResponse, RecordCommitmentEvidenceRequest, ReopenCommitmentRequest,
        RescheduleCommitmentRequest, ValidateCommitmentRequest,
        commitment_service_server::{CommitmentService, CommitmentServiceServer},
    },
};
use nonrecours_kernel::{
    AttachmentName, Caller, CommitmentName, ConventionName, IdSource, Invalid, OperatorName,
    ProgrammeId, ProgrammeName, Scope, Violation, french_date, paris_date,
};
use nonrecours_pg::{Change, Db, Entry, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, to_date, to_timestamp},
    etag, field, open,
};
use time::{Date, OffsetDateTime};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Commitment, Evidence, State},
    store::{self, Due, Filter},
};
use crate::{
    attachment::{self, domain::reference},
    convention::{domain::Convention, terms::Terms},
    error::Error,
    refusal::Refusal,
    text::text,
};

/// The parent that stands for every operator (AIP-159).
const EVERY_OPERATOR: &str = "operators/-";

/// The commitment service.
pub struct Commitments {
    db: Db,
}

impl Commitments {
    /// Over the service's database.
    pub fn server(db: Db) -> CommitmentServiceServer<Self> {
        CommitmentServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetCommitmentRequest>) -> Result<wire::Commitment, Error> {
        let (caller, request) = open(request)?;
        let name: CommitmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        let commitment = store::get(&mut tx, &name).await?;
        Ok(message(&commitment, paris_date(tx.now())))
    }

    async fn list(
        &self,
        request: Request<ListCommitmentsRequest>,
    ) -> Result<ListCommitmentsResponse, Error> {
        let (caller, request) = open(request)?;
        let Parent {
            scope,
            convention,
            programme,
        } = parent(&caller, &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let filter = request.filter();
        let page = Page::read(
            &["ListCommitments", &request.parent, filter.as_str_name()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let today = paris_date(tx.now());
        let filter = Filter {
            operator: scope.operator(),
            convention,
            programme,
            due: match filter {
                CommitmentFilter::Unspecified => Due::Any,
                CommitmentFilter::Overdue => Due::Overdue(today),
                CommitmentFilter::Reminder => Due::Reminder(today),
            },
        };
        let rows = store::list(&mut tx, filter, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |it| it.name.commitment.to_string());
        Ok(ListCommitmentsResponse {
            commitments: rows.iter().map(|it| message(it, today)).collect(),
            next_page_token,
        })
    }

    async fn reschedule(
        &self,
        request: Request<RescheduleCommitmentRequest>,
    ) -> Result<wire::Commitment, Error> {
        let (caller, request) = open(request)?;
        let name: CommitmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let due = check.take("due_date", date(request.due_date.as_ref()));
        let due = check.finish(|| due)?;
        let step = |commitment: Commitment, now| {
            since(&commitment, due)?;
            Ok(commitment.reschedule(due, now)?)
        };
        let step = (step, "commitment.rescheduled");
        self.step(&scope, &request, &request.etag, &name, step)
            .await
    }

    async fn record(
        &self,
        request: Request<RecordCommitmentEvidenceRequest>,
    ) -> Result<wire::Commitment, Error> {
        let (caller, request) = open(request)?;
        let name: CommitmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let given = request.evidence.clone().unwrap_or_default();
        let words = check.take("evidence.text", text(&given.text));
        let cited = reference(&given.reference, &name.parent());
        let cited = check.take("evidence.reference", cited);
        let (words, cited) = check.finish(|| words.zip(cited))?;
        let step = |commitment: Commitment, now| {
            let evidence = Evidence {
                text: words.clone(),
                reference: given.reference.clone(),
                time: now,
                by: caller.subject.clone(),
            };
            Ok(commitment.record(evidence, now)?)
        };
        let step = (step, "commitment.evidenced");
        self.step_on(cited, &scope, &request, &request.etag, &name, step)
            .await
    }

    async fn validate(
        &self,
        request: Request<ValidateCommitmentRequest>,
    ) -> Result<wire::Commitment, Error> {
        let (caller, request) = open(request)?;
        let name: CommitmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let step = |commitment: Commitment, now| Ok(commitment.validate(&caller.subject, now)?);
        let step = (step, "commitment.validated");
        self.step(&scope, &request, &request.etag, &name, step)
            .await
    }

    async fn reopen(
        &self,
        request: Request<ReopenCommitmentRequest>,
    ) -> Result<wire::Commitment, Error> {
        let (caller, request) = open(request)?;
        let name: CommitmentName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let reason = check.take("reason", text(&request.reason));
        let reason = check.finish(|| reason)?;
        let step = |commitment: Commitment, now| Ok(commitment.reopen(reason.clone(), now)?);
        let step = (step, "commitment.reopened");
        self.step(&scope, &request, &request.etag, &name, step)
            .await
    }

    /// What every transition does around its own step.
    async fn step<Q: Mutation>(
        &self,
        scope: &Scope,
        request: &Q,
        given_etag: &str,
        name: &CommitmentName,
        step: (
            impl FnOnce(Commitment, OffsetDateTime) -> Result<Commitment, Error>,
            &'static str,
        ),
    ) -> Result<wire::Commitment, Error> {
        self.step_on(None, scope, request, given_etag, name, step)
            .await
    }

    /// The same for one that may rest on an attachment.
    async fn step_on<Q: Mutation>(
        &self,
        cited: Option<AttachmentName>,
        scope: &Scope,
        request: &Q,
        given_etag: &str,
        name: &CommitmentName,
        (step, kind): (
            impl FnOnce(Commitment, OffsetDateTime) -> Result<Commitment, Error>,
            &'static str,
        ),
    ) -> Result<wire::Commitment, Error> {
        let mut tx = self.db.begin(scope).await?;
        let commitment = store::lock(&mut tx, name).await?;
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(earlier);
        }
        etag::check(given_etag, commitment.revision)?;
        let commitment = step(commitment, tx.now())?;
        let reopened = matches!(commitment.state, State::Pending { reopened: Some(_) });
        if reopened && !store::is_agreed(&mut tx, &commitment).await? {
            return Err(Refusal::CommitmentReleased.into());
        }
        if let Some(cited) = cited {
            attachment::store::hold(&mut tx, &cited).await?;
        }
        store::update(&mut tx, &commitment).await?;
        finish(tx, request, kind, &commitment).await
    }
}

#[tonic::async_trait]
impl CommitmentService for Commitments {
    async fn get_commitment(
        &self,
        request: Request<GetCommitmentRequest>,
    ) -> Result<Response<wire::Commitment>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_commitments(
        &self,
        request: Request<ListCommitmentsRequest>,
    ) -> Result<Response<ListCommitmentsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn reschedule_commitment(
        &self,
        request: Request<RescheduleCommitmentRequest>,
    ) -> Result<Response<wire::Commitment>, Status> {
        Ok(Response::new(self.reschedule(request).await?))
    }

    async fn record_commitment_evidence(
        &self,
        request: Request<RecordCommitmentEvidenceRequest>,
    ) -> Result<Response<wire::Commitment>, Status> {
        Ok(Response::new(self.record(request).await?))
    }

    async fn validate_commitment(
        &self,
        request: Request<ValidateCommitmentRequest>,
    ) -> Result<Response<wire::Commitment>, Status> {
        Ok(Response::new(self.validate(request).await?))
    }

    async fn reopen_commitment(
        &self,
        request: Request<ReopenCommitmentRequest>,
    ) -> Result<Response<wire::Commitment>, Status> {
        Ok(Response::new(self.reopen(request).await?))
    }
}

/// Lets the commitments follow an amendment: those of before move with the indicative end or are released, and what is
/// worded for the first time is followed.
pub async fn amend(
    tx: &mut Tx,
    before: &Terms,
    amended: &Convention,
    ids: &IdSource,
) -> Result<(), Error> {
    let (terms, now) = (&amended.terms, tx.now());
    let ends = (before.indicative_end, terms.indicative_end);
    let held = store::lock_all(tx, &amended.name).await?;
    let worded: Vec<_> = terms
        .commitments
        .iter()
        .filter(|worded| !held.iter().any(|it| it.covers(&worded.code, &worded.text)))
        .collect();
    let mut entries = Vec::new();
    for commitment in held {
        let mut agreed = terms.commitments.iter();
        let stands = agreed.any(|worded| commitment.covers(&worded.code, &worded.text));
        let Some(commitment) = commitment.amend(stands, ends, now) else {
            continue;
        };
        store::update(tx, &commitment).await?;
        let kind = match commitment.state {
            State::Released => "commitment.released",
            _ => "commitment.rescheduled",
        };
        let name = commitment.name.to_string();
        let message = message(&commitment, paris_date(now));
        entries.push(Entry::new(change(kind, &commitment, &name), &message));
    }
    tx.record_all(&entries).await?;
    store::follow(tx, amended, &worded, ids).await
}

fn change<'a>(kind: &'static str, commitment: &Commitment, name: &'a str) -> Change<'a> {
    Change {
        kind,
        operator: Some(commitment.name.operator),
        name,
        revision: commitment.revision,
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    commitment: &Commitment,
) -> Result<wire::Commitment, Error> {
    let name = commitment.name.to_string();
    let message = message(commitment, paris_date(tx.now()));
    Ok(tx
        .finish(request, change(kind, commitment, &name), message)
        .await?)
}

/// Whose commitments are listed.
struct Parent {
    scope: Scope,
    convention: Option<Uuid>,
    programme: Option<ProgrammeId>,
}

/// A convention's, an operator's, a programme's, or all that the caller may see.
fn parent(caller: &Caller, parent: &str) -> Result<Parent, Error> {
    let all = |scope| Parent {
        scope,
        convention: None,
        programme: None,
    };
    if parent == EVERY_OPERATOR {
        return Ok(all(caller.scope()));
    }
    if let Ok(operator) = parent.parse::<OperatorName>() {
        return Ok(all(caller.reach(operator.operator)?));
    }
    if let Ok(programme) = parent.parse::<ProgrammeName>() {
        return Ok(Parent {
            programme: Some(programme.programme),
            ..all(caller.scope())
        });
    }
    let convention: ConventionName = field("parent", parent)?;
    Ok(Parent {
        convention: Some(convention.convention.uuid()),
        ..all(caller.reach(convention.operator)?)
    })
}

/// Nothing falls due before it was undertaken: `DUE_BEFORE_IN_FORCE`.
fn since(commitment: &Commitment, due: Date) -> Result<(), Failure> {
    let undertaken = paris_date(commitment.create_time);
    if due >= undertaken {
        return Ok(());
    }
    let invalid = Invalid::new(
        "DUE_BEFORE_IN_FORCE",
        format!("the convention is in force since {undertaken} only"),
        format!(
            "L'échéance ne peut précéder le {}, jour d'entrée en vigueur de la convention.",
            french_date(undertaken)
        ),
    );
    Err(Failure::invalid(vec![Violation::at("due_date", invalid)]))
}

fn message(commitment: &Commitment, today: Date) -> wire::Commitment {
    let (validate_time, validated_by, reopen_reason) = match &commitment.state {
        State::Pending { reopened } => (None, "", reopened.as_deref().unwrap_or_default()),
        State::Evidenced { .. } | State::Released => (None, "", ""),
        State::Done { time, by, .. } => (Some(*time), by.as_str(), ""),
    };
    wire::Commitment {
        name: commitment.name.to_string(),
        code: commitment.code.clone(),
        text: commitment.text.clone(),
        due_date: Some(to_date(commitment.due)),
        reminder_date: Some(to_date(commitment.reminder())),
        state: match &commitment.state {
            State::Pending { .. } => wire::CommitmentState::Pending,
            State::Evidenced { .. } => wire::CommitmentState::Evidenced,
            State::Done { .. } => wire::CommitmentState::Done,
            State::Released => wire::CommitmentState::Released,
        }
        .into(),
        overdue: commitment.overdue(today),
        evidence: commitment
            .state
            .evidence()
            .map(|evidence| wire::CommitmentEvidence {
                text: evidence.text.clone(),
                reference: evidence.reference.clone(),
                record_time: Some(to_timestamp(evidence.time)),
                recorded_by: evidence.by.clone(),
            }),
        validate_time: validate_time.map(to_timestamp),
        validated_by: validated_by.to_owned(),
        reopen_reason: reopen_reason.to_owned(),
        create_time: Some(to_timestamp(commitment.create_time)),
        update_time: Some(to_timestamp(commitment.update_time)),
        etag: etag::of(commitment.revision),
    }
}
