//! Decisions of the authority (art. 8), over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CreateDecisionRequest, DecisionKind, GetDecisionRequest,
        ListDecisionsRequest, ListDecisionsResponse,
        decision_service_server::{DecisionService, DecisionServiceServer},
    },
};
use nonrecours_kernel::{
    ConventionName, DecisionName, HearingName, IdSource, Invalid, Money, paris_date,
};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, money, to_date, to_money, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Decision, Measure},
    store,
};
use crate::{
    activity_report, convention,
    error::Error,
    hearing,
    refusal::{Refusal, within},
    text::{positive, required, text},
};

/// A decision is written once.
const FIRST_REVISION: i64 = 1;

/// The decision service.
pub struct Decisions {
    db: Db,
    ids: IdSource,
}

struct Decide {
    measure: Measure,
    motives: String,
    date: Date,
    hearing: Option<HearingName>,
}

impl Decisions {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> DecisionServiceServer<Self> {
        DecisionServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateDecisionRequest>,
    ) -> Result<wire::Decision, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let command = command(&request)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let now = tx.now();
        convention.signed()?;
        let hearing = command.hearing.ok_or(Refusal::HearingMissing)?;
        if hearing.parent() != parent {
            return Err(Failure::not_found(hearing).into());
        }
        let heard = hearing::store::get(&mut tx, &hearing).await?.heard()?;
        within(heard, paris_date(now), command.date)?;
        let decision = Decision {
            name: DecisionName {
                operator: parent.operator,
                convention: parent.convention,
                decision: self.ids.next(),
            },
            measure: command.measure,
            motives: command.motives,
            date: command.date,
            hearing: hearing.hearing,
            create_time: now,
        };
        let spent = activity_report::store::spent(&mut tx, &convention).await?;
        let before = convention.held();
        let convention = decision.apply(convention, spent, now)?;
        store::insert(&mut tx, &decision).await?;
        convention::rpc::follow_up(&mut tx, decision.measure.kind(), before, &convention).await?;
        finish(tx, &request, "decision.taken", &decision).await
    }

    async fn get(&self, request: Request<GetDecisionRequest>) -> Result<wire::Decision, Error> {
        let (caller, request) = open(request)?;
        let name: DecisionName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListDecisionsRequest>,
    ) -> Result<ListDecisionsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListDecisions", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.decision.to_string());
        Ok(ListDecisionsResponse {
            decisions: rows.iter().map(message).collect(),
            next_page_token,
        })
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    decision: &Decision,
) -> Result<wire::Decision, Error> {
    let name = decision.name.to_string();
    let change = Change {
        kind,
        operator: Some(decision.name.operator),
        name: &name,
        revision: FIRST_REVISION,
    };
    Ok(tx.finish(request, change, message(decision)).await?)
}

#[tonic::async_trait]
impl DecisionService for Decisions {
    async fn create_decision(
        &self,
        request: Request<CreateDecisionRequest>,
    ) -> Result<Response<wire::Decision>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_decision(
        &self,
        request: Request<GetDecisionRequest>,
    ) -> Result<Response<wire::Decision>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_decisions(
        &self,
        request: Request<ListDecisionsRequest>,
    ) -> Result<Response<ListDecisionsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}

fn command(request: &CreateDecisionRequest) -> Result<Decide, Failure> {
    let mut check = Check::of(request);
    let command = request.decision.as_ref().and_then(|given| {
        let measure = check.take("decision.kind", measure(given.kind()));
        let amount = match given.amount.as_ref() {
            None => Some(None),
            amount => check
                .take("decision.amount", money(amount).and_then(positive))
                .map(Some),
        };
        // Whether an amount belongs there is asked only of a kind and an amount that are right.
        let measure = measure
            .zip(amount)
            .and_then(|(measure, amount)| check.take("decision.amount", measure(amount)));
        let motives = check.take("decision.motives", text(&given.motives));
        let date = check.take("decision.decision_date", date(given.decision_date.as_ref()));
        let hearing = match given.hearing.as_str() {
            "" => Some(None),
            name => check.parse("decision.hearing", name).map(Some),
        };
        Some(Decide {
            measure: measure?,
            motives: motives?,
            date: date?,
            hearing: hearing?,
        })
    });
    check.finish(|| command)
}

/// What a kind makes of an amount, or of none.
type FromAmount = fn(Option<Money>) -> Result<Measure, Invalid>;

fn measure(kind: DecisionKind) -> Result<FromAmount, Invalid> {
    match kind {
        DecisionKind::Unspecified => Err(required()),
        DecisionKind::Reduce => Ok(|amount| Ok(Measure::Reduce(amount.ok_or_else(required)?))),
        DecisionKind::Recover => Ok(|amount| Ok(Measure::Recover(amount.ok_or_else(required)?))),
        DecisionKind::Suspend => Ok(|amount| without(amount, Measure::Suspend)),
        DecisionKind::Resume => Ok(|amount| without(amount, Measure::Resume)),
        DecisionKind::Terminate => Ok(|amount| without(amount, Measure::Terminate)),
    }
}

fn without(amount: Option<Money>, measure: Measure) -> Result<Measure, Invalid> {
    match amount {
        None => Ok(measure),
        Some(_) => Err(Invalid::new(
            "AMOUNT_UNEXPECTED",
            "this kind of decision has no amount",
            "Cette décision ne porte sur aucun montant : laissez ce champ vide.",
        )),
    }
}

fn message(decision: &Decision) -> wire::Decision {
    let kind = match decision.measure {
        Measure::Reduce(_) => DecisionKind::Reduce,
        Measure::Suspend => DecisionKind::Suspend,
        Measure::Resume => DecisionKind::Resume,
        Measure::Recover(_) => DecisionKind::Recover,
        Measure::Terminate => DecisionKind::Terminate,
    };
    let hearing = HearingName {
        operator: decision.name.operator,
        convention: decision.name.convention,
        hearing: decision.hearing,
    };
    wire::Decision {
        name: decision.name.to_string(),
        kind: kind.into(),
        motives: decision.motives.clone(),
        decision_date: Some(to_date(decision.date)),
        amount: decision.measure.amount().map(to_money),
        hearing: hearing.to_string(),
        create_time: Some(to_timestamp(decision.create_time)),
        update_time: Some(to_timestamp(decision.create_time)),
        etag: etag::of(FIRST_REVISION),
    }
}
