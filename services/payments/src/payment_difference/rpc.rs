//! Differences over gRPC.

use nonrecours_contracts::payments::{
    self as wire, GetPaymentDifferenceRequest, ListPaymentDifferencesRequest,
    ListPaymentDifferencesResponse, SettlePaymentDifferenceRequest,
    payment_difference_service_server::{PaymentDifferenceService, PaymentDifferenceServiceServer},
};
use nonrecours_kernel::{
    BudgetYear, IdSource, Invalid, PaymentDifferenceName, ProgrammeName, Scope, SlipName, Text,
};
use nonrecours_pg::{Change, Db, Entry, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, to_date, to_money, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::{Cause, Outcome, PaymentDifference, Settlement, Subject, store};
use crate::{
    error::{DOMAIN, Error},
    instalment,
    return_file::{OrderKey, wire::slip_entry},
    slip,
};

/// The rpcs about differences.
pub struct Differences {
    db: Db,
    ids: IdSource,
}

impl Differences {
    /// Serves them over the service's database.
    pub fn server(db: Db, ids: IdSource) -> PaymentDifferenceServiceServer<Self> {
        PaymentDifferenceServiceServer::new(Self { db, ids })
    }

    async fn get(
        &self,
        request: Request<GetPaymentDifferenceRequest>,
    ) -> Result<wire::PaymentDifference, Error> {
        let (caller, request) = open(request)?;
        let name: PaymentDifferenceName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        Ok(wire::PaymentDifference::from(&found(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListPaymentDifferencesRequest>,
    ) -> Result<ListPaymentDifferencesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let open_only = request.open_only;
        let page = Page::read(
            &[
                "ListPaymentDifferences",
                &parent.to_string(),
                &open_only.to_string(),
            ],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let after = page.after::<Uuid>()?;
        let rows = store::list(&mut tx, &parent, open_only, after, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.payment_difference.to_string());
        Ok(ListPaymentDifferencesResponse {
            payment_differences: rows.iter().map(wire::PaymentDifference::from).collect(),
            next_page_token,
        })
    }

    async fn settle(
        &self,
        request: Request<SettlePaymentDifferenceRequest>,
    ) -> Result<wire::PaymentDifference, Error> {
        let (caller, request) = open(request)?;
        let name: PaymentDifferenceName = field("name", &request.name)?;
        let scope = caller.scope();
        let mut check = Check::of(&request);
        let explanation = instalment::wire::text(&mut check, "explanation", &request.explanation);
        let paid_on = check.take("payment_date", payment_date(&request));
        let (explanation, paid_on) = check.finish(|| Some((explanation?, paid_on?)))?;
        let mut tx = self.db.begin(&scope).await?;
        match found(&mut tx, &name).await?.subject {
            Subject::Order { key, .. } => {
                let (slip, year, _) = ordered(&mut tx, key).await?;
                slip::store::lock_register(&mut tx, slip.programme, year).await?;
            }
            Subject::Reference(_) => store::lock(&mut tx, &name).await?,
        }
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        // Again, now that nobody else writes it.
        let difference = found(&mut tx, &name).await?;
        etag::check(&request.etag, difference.revision)?;
        tx.because(&explanation);
        let settlement = Settlement {
            outcome: paid_on.map_or(Outcome::Dismissed, |_| Outcome::PaidInFull),
            explanation,
            actor: scope.actor().to_owned(),
            time: tx.now(),
        };
        let settled = difference
            .settle(settlement.clone())
            .ok_or_else(already_settled)?;
        let mut entries = vec![entry("payment_difference.settled", &settled)];
        if let Some(day) = paid_on {
            let Subject::Order { key, .. } = &settled.subject else {
                return Err(not_payable().into());
            };
            entries.push(self.pay(&mut tx, &scope, *key, day).await?);
        }
        store::settle(&mut tx, &settled, &settlement).await?;
        tx.record_all(&entries).await?;
        let answer = wire::PaymentDifference::from(&settled);
        Ok(tx.answer(&request, answer).await?)
    }

    /// Confirms the instalment of an order, and pays the order.
    async fn pay(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        order: OrderKey,
        day: Date,
    ) -> Result<Entry, Error> {
        let (slip, _, order) = ordered(tx, order).await?;
        if order.stage.rejected() || order.stage == slip::Stage::Paid {
            return Err(not_payable().into());
        }
        let name = &order.instalment;
        let confirmed = instalment::rpc::confirm(tx, &self.ids, scope, name, day).await??;
        slip::orders::update(tx, &order.pay(confirmed)).await?;
        Ok(slip_entry(&slip::store::touch(tx, &slip).await?))
    }
}

/// The order of a difference, with its slip and budget year.
async fn ordered(
    tx: &mut Tx,
    order: OrderKey,
) -> Result<(SlipName, BudgetYear, slip::Order), Error> {
    let found = slip::orders::get(tx, &[order]).await?.pop();
    Ok(found.ok_or_else(|| Failure::bug("the order of a difference is not there"))?)
}

async fn found(tx: &mut Tx, name: &PaymentDifferenceName) -> Result<PaymentDifference, Error> {
    let difference = store::get(tx, name).await?;
    Ok(difference.ok_or_else(|| Failure::not_found(name))?)
}

/// The day of the payment, for that outcome and only then.
fn payment_date(request: &SettlePaymentDifferenceRequest) -> Result<Option<Date>, Invalid> {
    let paid = request.outcome() == wire::PaymentDifferenceOutcome::PaidInFull;
    match (&request.payment_date, paid) {
        (None, false) => Ok(None),
        (given, true) => date(given.as_ref()).map(Some),
        (Some(_), false) => Err(Invalid::new(
            "UNEXPECTED",
            "only what was paid has a day of payment",
            "La date de paiement ne s'indique que si la somme a été payée.",
        )),
    }
}

fn already_settled() -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        DOMAIN,
        "DIFFERENCE_SETTLED",
        Text::new(
            "The difference is settled already.",
            "Cet écart est déjà réglé : il n'y a rien à refaire.",
        ),
    )
}

fn not_payable() -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        DOMAIN,
        "ORDER_NOT_PAYABLE",
        Text::new(
            "The order was rejected, or is paid already, or there is none: dismiss the difference.",
            "Ce mandat a été rejeté, ou il est déjà payé, ou il n'existe pas : l'écart ne peut qu'être classé sans suite.",
        ),
    )
}

/// The change of a difference.
pub fn entry(kind: &'static str, difference: &PaymentDifference) -> Entry {
    let change = Change {
        kind,
        operator: None,
        name: &difference.name.to_string(),
        revision: difference.revision,
    };
    Entry::new(change, &wire::PaymentDifference::from(difference))
}

impl From<&PaymentDifference> for wire::PaymentDifference {
    fn from(difference: &PaymentDifference) -> Self {
        let settlement = difference.settlement.as_ref();
        let cause = match difference.cause {
            Cause::Amount => wire::PaymentDifferenceCause::Amount,
            Cause::State => wire::PaymentDifferenceCause::State,
            Cause::Confirmation => wire::PaymentDifferenceCause::Confirmation,
            Cause::Reference => wire::PaymentDifferenceCause::Reference,
        };
        let outcome = match settlement.map(|settlement| settlement.outcome) {
            None => wire::PaymentDifferenceOutcome::Unspecified,
            Some(Outcome::PaidInFull) => wire::PaymentDifferenceOutcome::PaidInFull,
            Some(Outcome::Dismissed) => wire::PaymentDifferenceOutcome::Dismissed,
        };
        let (slip, instalment, ordered, reference) = match &difference.subject {
            Subject::Order { slip, key, ordered } => {
                let reference = String::new();
                (
                    slip.to_string(),
                    key.0.to_string(),
                    Some(*ordered),
                    reference,
                )
            }
            Subject::Reference(reference) => {
                (String::new(), String::new(), None, reference.clone())
            }
        };
        Self {
            name: difference.name.to_string(),
            return_file: difference.return_file.to_string(),
            slip,
            instalment,
            stated_reference: reference,
            cause: cause.into(),
            message_fr: difference.text.fr.to_string(),
            message_en: difference.text.en.to_string(),
            ordered_amount: ordered.map(to_money),
            stated_amount: difference.stated_amount.map(to_money),
            stated_date: difference.stated_date.map(to_date),
            outcome: outcome.into(),
            explanation: settlement
                .map(|settlement| settlement.explanation.clone())
                .unwrap_or_default(),
            settler: settlement
                .map(|settlement| settlement.actor.clone())
                .unwrap_or_default(),
            settle_time: settlement.map(|settlement| to_timestamp(settlement.time)),
            create_time: Some(to_timestamp(difference.create_time)),
            update_time: Some(to_timestamp(difference.update_time)),
            etag: etag::of(difference.revision),
        }
    }
}

#[tonic::async_trait]
impl PaymentDifferenceService for Differences {
    async fn get_payment_difference(
        &self,
        request: Request<GetPaymentDifferenceRequest>,
    ) -> Result<Response<wire::PaymentDifference>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_payment_differences(
        &self,
        request: Request<ListPaymentDifferencesRequest>,
    ) -> Result<Response<ListPaymentDifferencesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn settle_payment_difference(
        &self,
        request: Request<SettlePaymentDifferenceRequest>,
    ) -> Result<Response<wire::PaymentDifference>, Status> {
        Ok(Response::new(self.settle(request).await?))
    }
}
