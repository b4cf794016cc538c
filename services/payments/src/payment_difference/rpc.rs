//! Differences over gRPC.

use nonrecours_contracts::payments::{
    self as wire, GetPaymentDifferenceRequest, ListPaymentDifferencesRequest,
    ListPaymentDifferencesResponse, SettlePaymentDifferenceRequest,
    payment_difference_service_server::{PaymentDifferenceService, PaymentDifferenceServiceServer},
};
use nonrecours_kernel::{
    BudgetYear, IdSource, PaymentDifferenceName, ProgrammeName, SlipName, Text,
};
use nonrecours_pg::{Change, Db, Entry, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{to_date, to_money, to_timestamp},
    etag, field, open,
};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::{
    Cause, Outcome, PaymentDifference, Settlement, Subject,
    settling::{self, Settling},
    store,
};
use crate::{
    error::{DOMAIN, Error},
    instalment,
    return_file::OrderKey,
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
        let asked = settling::asked(&mut check, &request);
        let (explanation, asked) = check.finish(|| Some((explanation?, asked?)))?;
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
            outcome: asked.outcome(),
            explanation,
            actor: scope.actor().to_owned(),
            time: tx.now(),
        };
        let settled = difference
            .settle(settlement.clone())
            .ok_or_else(already_settled)?;
        let mut entries = vec![entry("payment_difference.settled", &settled)];
        let settling = Settling {
            ids: &self.ids,
            scope: &scope,
            difference: &settled,
        };
        entries.extend(settling.book(&mut tx, asked).await?);
        // What was booked has said why in its own words.
        tx.because(&settlement.explanation);
        store::settle(&mut tx, &settled, &settlement).await?;
        tx.record_all(&entries).await?;
        let answer = wire::PaymentDifference::from(&settled);
        Ok(tx.answer(&request, answer).await?)
    }
}

/// The order of a difference, with its slip and budget year.
pub(super) async fn ordered(
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
            Some(Outcome::Returned(_)) => wire::PaymentDifferenceOutcome::Returned,
            Some(Outcome::Recovered(..)) => wire::PaymentDifferenceOutcome::Recovered,
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
            came_back: difference.came_back,
            settled_amount: settlement
                .and_then(|settlement| settlement.outcome.booked())
                .map(to_money),
            recovery: settlement
                .and_then(|settlement| settlement.outcome.recovery())
                .map(|recovery| recovery.to_string())
                .unwrap_or_default(),
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
