//! Recoveries over gRPC.

use nonrecours_contracts::{
    Mutation,
    payments::{
        GetRecoveryRequest, IssueRecoveryRequest, ListRecoveriesRequest, ListRecoveriesResponse,
        NotifyRecoveryRequest, OffsetRecoveryRequest, ReceiveRecoveryRequest, Recovery as Wire,
        ReduceRecoveryRequest, WriteOffRecoveryRequest,
        recovery_service_server::{RecoveryService, RecoveryServiceServer},
    },
};
use nonrecours_kernel::{
    BudgetYear, Caller, ConventionName, IdSource, InstalmentName, Invalid, Money, RecoveryName,
    Scope, paris_date,
};
use nonrecours_pg::{Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, convert, etag, field, open};
use tonic::{Request, Response, Status};

use super::{Asked, Command, Header, PaidOn, Refusal, issue, stepping, store};
use crate::{
    error::Error,
    instalment::{self, Step, wire::text},
    ledger_entry::Movement,
    payment_plan, slip,
};

/// Parent of a list over every operator that the caller may see.
const EVERY_OPERATOR: &str = "operators/-";

/// The rpcs about recoveries.
pub struct Recoveries {
    db: Db,
    ids: IdSource,
}

impl Recoveries {
    /// Serves them over the service's database.
    pub fn server(db: Db, ids: IdSource) -> RecoveryServiceServer<Self> {
        RecoveryServiceServer::new(Self { db, ids })
    }

    async fn get(&self, request: Request<GetRecoveryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: RecoveryName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut tx = self.db.read(&scope).await?;
        let recovery = store::get(&mut tx, &name).await?;
        Ok(Wire::from(
            &recovery.ok_or_else(|| Failure::not_found(name))?,
        ))
    }

    async fn list(
        &self,
        request: Request<ListRecoveriesRequest>,
    ) -> Result<ListRecoveriesResponse, Error> {
        let (caller, request) = open(request)?;
        let (convention, scope) = reach(&caller, &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let seen = scope
            .operator()
            .map_or_else(String::new, |operator| operator.to_string());
        let page = Page::read(
            &["ListRecoveries", &request.parent, &seen],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, convention, page.after()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.recovery.to_string());
        Ok(ListRecoveriesResponse {
            recoveries: rows.iter().map(Wire::from).collect(),
            next_page_token,
        })
    }

    async fn issue(&self, request: Request<IssueRecoveryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        caller.reach(parent.operator())?;
        // The register of numbers is the programme's.
        let scope = caller.scope();
        let mut check = Check::of(&request);
        let asked = match &request.breach {
            None => Some(Asked::Unclaimed),
            Some(breach) => {
                let path = "breach.decision_reference";
                let decision = text(&mut check, path, &breach.decision_reference);
                let date = convert::date(breach.breach_date.as_ref());
                let date = check.take("breach.breach_date", date);
                decision
                    .zip(date)
                    .map(|(decision, date)| Asked::Breach { decision, date })
            }
        };
        let asked = check.finish(|| asked)?;
        let mut tx = self.db.begin(&scope).await?;
        let today = paris_date(tx.now());
        let year = BudgetYear::new(today.year()).map_err(|invalid| Failure::internal(&invalid))?;
        let programme = store::programme(&mut tx, &parent)
            .await?
            .ok_or_else(|| Failure::not_found(parent))?
            .ok_or(Refusal::ProgrammeUnknown)?;
        // As slips: first the numbers of the year, then the plan.
        slip::store::lock_register(&mut tx, programme, year).await?;
        let schedule = instalment::store::lock(&mut tx, &parent)
            .await?
            .ok_or_else(|| Failure::not_found(parent))?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let header = Header {
            name: RecoveryName {
                operator: parent.operator,
                convention: parent.convention,
                recovery: self.ids.next(),
            },
            programme,
            budget_year: year,
            number: store::next_number(&mut tx, programme, year).await?,
            step: Step::of(&scope, tx.now()),
        };
        let recovery = issue(&schedule, asked, header)?;
        store::insert(&mut tx, &recovery).await?;
        let booked = (Movement::Claim, recovery.amount);
        stepping::book(&mut tx, &self.ids, &recovery, booked).await?;
        tx.record_all(&[stepping::entry("recovery.issued", &recovery)])
            .await?;
        Ok(tx.answer(&request, Wire::from(&recovery)).await?)
    }

    async fn notify(&self, request: Request<NotifyRecoveryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let (name, scope) = one(&caller, &request.name)?;
        let mut check = Check::of(&request);
        let date = convert::date(request.notification_date.as_ref());
        let date = check.take("notification_date", date);
        let command = check.finish(|| Some(Command::Notify(date?)))?;
        self.take(&scope, name, command, &request, &request.etag)
            .await
    }

    async fn receive(&self, request: Request<ReceiveRecoveryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let (name, scope) = one(&caller, &request.name)?;
        let mut check = Check::of(&request);
        let amount = check.take("amount", positive(request.amount.as_ref()));
        let date = convert::date(request.receipt_date.as_ref());
        let date = check.take("receipt_date", date);
        let reference = text(&mut check, "reference", &request.reference);
        let command = check.finish(|| {
            Some(Command::Receive {
                amount: amount?,
                date: date?,
                reference: reference?,
            })
        })?;
        self.take(&scope, name, command, &request, &request.etag)
            .await
    }

    async fn offset(&self, request: Request<OffsetRecoveryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let (name, scope) = one(&caller, &request.name)?;
        let mut check = Check::of(&request);
        let amount = check.take("amount", positive(request.amount.as_ref()));
        let against = check.parse::<InstalmentName>("instalment", &request.instalment);
        let against = against.and_then(|against| {
            let own = against.operator == name.operator;
            check.take("instalment", own.then_some(against).ok_or_else(foreign))
        });
        let (amount, against) = check.finish(|| Some((amount?, against?)))?;
        let mut tx = self.db.begin(&scope).await?;
        // Two plans perhaps, in the order of their ids: two offsets never wait for each other.
        let mut conventions = [name.parent(), against.parent()];
        conventions.sort();
        let mut schedules = Vec::with_capacity(conventions.len());
        for convention in &conventions {
            schedules.extend(instalment::store::lock(&mut tx, convention).await?);
        }
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let instalment = schedules
            .iter()
            .filter(|schedule| schedule.plan.convention == against.parent())
            .find_map(|schedule| schedule.find(against.instalment))
            .ok_or_else(|| Failure::not_found(against))?;
        let set_off = store::set_off(&mut tx, &against).await?;
        let command = Command::Offset {
            amount,
            instalment: against,
            paid: instalment.state.paid().map(|paid| PaidOn {
                date: paid.transfer_date,
                time: paid.confirmation.time,
            }),
            left: instalment.amount.checked_sub(set_off).unwrap_or_default(),
        };
        self.make(tx, &scope, name, command, &request, &request.etag)
            .await
    }

    async fn write_off(&self, request: Request<WriteOffRecoveryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let (name, scope) = one(&caller, &request.name)?;
        let mut check = Check::of(&request);
        let path = "decision_reference";
        let decision = text(&mut check, path, &request.decision_reference);
        let command = check.finish(|| {
            Some(Command::WriteOff {
                decision: decision?,
            })
        })?;
        self.take(&scope, name, command, &request, &request.etag)
            .await
    }

    async fn reduce(&self, request: Request<ReduceRecoveryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let (name, scope) = one(&caller, &request.name)?;
        let mut check = Check::of(&request);
        let amount = check.take("amount", positive(request.amount.as_ref()));
        let reason = text(&mut check, "reason", &request.reason);
        let command = check.finish(|| {
            Some(Command::Reduce {
                amount: amount?,
                reason: reason?,
            })
        })?;
        self.take(&scope, name, command, &request, &request.etag)
            .await
    }

    /// Makes one step of a recovery: the same life for all.
    async fn take<Q: Mutation>(
        &self,
        scope: &Scope,
        name: RecoveryName,
        command: Command,
        request: &Q,
        given_etag: &str,
    ) -> Result<Wire, Error> {
        let mut tx = self.db.begin(scope).await?;
        // The plan is the root of all below the convention.
        payment_plan::store::lock(&mut tx, &name.parent()).await?;
        if let Some(earlier) = tx.replay(request).await? {
            return Ok(earlier);
        }
        self.make(tx, scope, name, command, request, given_etag)
            .await
    }

    /// The same under locks that are held.
    async fn make<Q: Mutation>(
        &self,
        mut tx: Tx,
        scope: &Scope,
        name: RecoveryName,
        command: Command,
        request: &Q,
        given_etag: &str,
    ) -> Result<Wire, Error> {
        let current = store::get(&mut tx, &name).await?;
        let current = current.ok_or_else(|| Failure::not_found(name))?;
        etag::check(given_etag, current.revision)?;
        let next = stepping::step(&mut tx, &self.ids, scope, &current, command).await?;
        let answer = Wire::from(&next.unwrap_or(current));
        Ok(tx.answer(request, answer).await?)
    }
}

/// What is to be listed, once it is known that the caller may see it: those of one convention, or all in scope.
fn reach(caller: &Caller, parent: &str) -> Result<(Option<ConventionName>, Scope), Error> {
    if parent == EVERY_OPERATOR {
        return Ok((None, caller.scope()));
    }
    let name: ConventionName = field("parent", parent)?;
    Ok((Some(name), caller.reach(name.operator())?))
}

/// One recovery, once it is known that the caller may see it.
fn one(caller: &Caller, name: &str) -> Result<(RecoveryName, Scope), Error> {
    let name: RecoveryName = field("name", name)?;
    Ok((name, caller.reach(name.operator())?))
}

/// An amount above zero.
pub fn positive(
    amount: Option<&nonrecours_contracts::google::r#type::Money>,
) -> Result<Money, Invalid> {
    let amount = convert::money(amount)?;
    amount.is_positive().then_some(amount).ok_or_else(|| {
        Invalid::new(
            "NOT_POSITIVE",
            "the amount must be positive",
            "Le montant doit être supérieur à zéro.",
        )
    })
}

fn foreign() -> Invalid {
    Invalid::new(
        "OTHER_OPERATOR",
        "a recovery is set off against an instalment of the same operator",
        "La compensation se fait sur une échéance du même opérateur.",
    )
}

#[tonic::async_trait]
impl RecoveryService for Recoveries {
    async fn get_recovery(
        &self,
        request: Request<GetRecoveryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_recoveries(
        &self,
        request: Request<ListRecoveriesRequest>,
    ) -> Result<Response<ListRecoveriesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn issue_recovery(
        &self,
        request: Request<IssueRecoveryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.issue(request).await?))
    }

    async fn notify_recovery(
        &self,
        request: Request<NotifyRecoveryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.notify(request).await?))
    }

    async fn receive_recovery(
        &self,
        request: Request<ReceiveRecoveryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.receive(request).await?))
    }

    async fn offset_recovery(
        &self,
        request: Request<OffsetRecoveryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.offset(request).await?))
    }

    async fn write_off_recovery(
        &self,
        request: Request<WriteOffRecoveryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.write_off(request).await?))
    }

    async fn reduce_recovery(
        &self,
        request: Request<ReduceRecoveryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.reduce(request).await?))
    }
}
