//! Fundings by the State over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CreateStateFundingRequest, GetStateFundingRequest, ListStateFundingsRequest,
        ListStateFundingsResponse, RecordStateReceiptRequest, RecordStateReportRequest,
        state_funding_service_server::{StateFundingService, StateFundingServiceServer},
    },
};
use nonrecours_kernel::{
    BudgetYear, IdSource, Invalid, ProgrammeName, Rate, StateFundingName, paris_date,
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
    domain::{DEFAULT_ADVANCE_SHARE, Receipt, StateFunding, StateInstalment, Terms},
    store,
};
use crate::{
    error::Error,
    programme::{self, wire::before_budget_year},
    text::{past, positive, required, text},
};

/// The service of the State's fundings.
pub struct StateFundings {
    db: Db,
    ids: IdSource,
}

impl StateFundings {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> StateFundingServiceServer<Self> {
        StateFundingServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateStateFundingRequest>,
    ) -> Result<wire::StateFunding, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        let terms = command(&request)?;
        let mut tx = self.db.begin(&caller.scope()).await?;
        // Locked, so that the same request twice at once waits here and finds the answer of the first.
        programme::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let funding = StateFunding {
            name: StateFundingName {
                programme: parent.programme,
                state_funding: self.ids.next(),
            },
            terms,
            advance: None,
            balance: None,
            report_sent: None,
            revision: 1,
            create_time: tx.now(),
            update_time: tx.now(),
        };
        store::insert(&mut tx, &funding).await?;
        finish(tx, &request, "state_funding.recorded", &funding).await
    }

    async fn get(
        &self,
        request: Request<GetStateFundingRequest>,
    ) -> Result<wire::StateFunding, Error> {
        let (caller, request) = open(request)?;
        let name: StateFundingName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListStateFundingsRequest>,
    ) -> Result<ListStateFundingsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListStateFundings", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |it| it.name.state_funding.to_string());
        Ok(ListStateFundingsResponse {
            state_fundings: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn receive(
        &self,
        request: Request<RecordStateReceiptRequest>,
    ) -> Result<wire::StateFunding, Error> {
        let (caller, request) = open(request)?;
        let name: StateFundingName = field("name", &request.name)?;
        let today = paris_date(self.db.clock().now());
        let mut check = Check::of(&request);
        let kind = check.take("kind", kind(request.kind()));
        let amount = money(request.received_amount.as_ref()).and_then(positive);
        let amount = check.take("received_amount", amount);
        let day = date(request.received_date.as_ref()).and_then(|day| past(day, today));
        let day = check.take("received_date", day);
        let (kind, receipt) = check.finish(|| {
            let (amount, date) = (amount?, day?);
            Some((kind?, Receipt { amount, date }))
        })?;
        let mut tx = self.db.begin(&caller.scope()).await?;
        let funding = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, funding.revision)?;
        let funding = funding.receive(kind, receipt, tx.now())?;
        store::update(&mut tx, &funding).await?;
        finish(tx, &request, "state_funding.received", &funding).await
    }

    async fn report(
        &self,
        request: Request<RecordStateReportRequest>,
    ) -> Result<wire::StateFunding, Error> {
        let (caller, request) = open(request)?;
        let name: StateFundingName = field("name", &request.name)?;
        let today = paris_date(self.db.clock().now());
        let mut check = Check::of(&request);
        let day = date(request.sent_date.as_ref()).and_then(|day| past(day, today));
        let day = check.take("sent_date", day);
        let day = check.finish(|| day)?;
        let mut tx = self.db.begin(&caller.scope()).await?;
        let funding = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, funding.revision)?;
        let mut check = Check::default();
        check.take("sent_date", not_before(day, funding.terms.budget_year));
        check.finish(|| Some(()))?;
        let funding = funding.report(day, tx.now())?;
        store::update(&mut tx, &funding).await?;
        finish(tx, &request, "state_funding.reported", &funding).await
    }
}

#[tonic::async_trait]
impl StateFundingService for StateFundings {
    async fn create_state_funding(
        &self,
        request: Request<CreateStateFundingRequest>,
    ) -> Result<Response<wire::StateFunding>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_state_funding(
        &self,
        request: Request<GetStateFundingRequest>,
    ) -> Result<Response<wire::StateFunding>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_state_fundings(
        &self,
        request: Request<ListStateFundingsRequest>,
    ) -> Result<Response<ListStateFundingsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn record_state_receipt(
        &self,
        request: Request<RecordStateReceiptRequest>,
    ) -> Result<Response<wire::StateFunding>, Status> {
        Ok(Response::new(self.receive(request).await?))
    }

    async fn record_state_report(
        &self,
        request: Request<RecordStateReportRequest>,
    ) -> Result<Response<wire::StateFunding>, Status> {
        Ok(Response::new(self.report(request).await?))
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    funding: &StateFunding,
) -> Result<wire::StateFunding, Error> {
    let message = message(funding);
    let name = message.name.clone();
    let change = Change {
        kind,
        operator: None,
        name: &name,
        revision: funding.revision,
    };
    Ok(tx.finish(request, change, message).await?)
}

fn command(request: &CreateStateFundingRequest) -> Result<Terms, Failure> {
    let mut check = Check::of(request);
    let terms = request.state_funding.as_ref().and_then(|given| {
        let path = |name| format!("state_funding.{name}");
        let year = check.take(&path("budget_year"), BudgetYear::new(given.budget_year));
        let grant = money(given.grant_amount.as_ref()).and_then(positive);
        let grant = check.take(&path("grant_amount"), grant);
        let agreement = check.take(
            &path("agreement_reference"),
            text(&given.agreement_reference),
        );
        let share = check.take(&path("advance_share"), share(&given.advance_share));
        let mut day = |name, given| {
            let day =
                date(given).and_then(|day| year.map_or(Ok(day), |year| not_before(day, year)));
            check.take(&path(name), day)
        };
        let advance_expected = day(
            "advance_expected_date",
            given.advance_expected_date.as_ref(),
        );
        let balance_expected = day(
            "balance_expected_date",
            given.balance_expected_date.as_ref(),
        );
        let report_due = day("report_due_date", given.report_due_date.as_ref());
        Some(Terms {
            budget_year: year?,
            grant: grant?,
            agreement_reference: agreement?,
            advance_share: share?,
            advance_expected: advance_expected?,
            balance_expected: balance_expected?,
            report_due: report_due?,
        })
    });
    check.finish(|| terms)
}

fn share(given: &str) -> Result<Rate, Invalid> {
    let share: Rate = match given {
        "" => DEFAULT_ADVANCE_SHARE.parse()?,
        given => given.parse()?,
    };
    if share == Rate::ZERO || share == Rate::ONE {
        return Err(Invalid::new(
            "SHARE_OUT_OF_RANGE",
            "the advance is a part of the grant, neither nothing nor all of it",
            "L'acompte est une part de la subvention, ni nulle ni entière : par exemple 0.8.",
        ));
    }
    Ok(share)
}

fn not_before(day: Date, year: BudgetYear) -> Result<Date, Invalid> {
    if day < year.first_day() {
        Err(before_budget_year())
    } else {
        Ok(day)
    }
}

fn kind(given: wire::InstalmentKind) -> Result<StateInstalment, Invalid> {
    match given {
        wire::InstalmentKind::Unspecified => Err(required()),
        wire::InstalmentKind::Advance => Ok(StateInstalment::Advance),
        wire::InstalmentKind::Balance => Ok(StateInstalment::Balance),
        wire::InstalmentKind::Interim => Err(Invalid::new(
            "VALUE_UNKNOWN",
            "the State pays an advance and a balance",
            "L'État verse un acompte et un solde : choisissez l'un des deux.",
        )),
    }
}

fn to_kind(kind: StateInstalment) -> wire::InstalmentKind {
    match kind {
        StateInstalment::Advance => wire::InstalmentKind::Advance,
        StateInstalment::Balance => wire::InstalmentKind::Balance,
    }
}

fn message(funding: &StateFunding) -> wire::StateFunding {
    let terms = &funding.terms;
    wire::StateFunding {
        name: funding.name.to_string(),
        budget_year: i32::from(terms.budget_year.get()),
        grant_amount: Some(to_money(terms.grant)),
        agreement_reference: terms.agreement_reference.clone(),
        advance_share: terms.advance_share.to_string(),
        advance_expected_date: Some(to_date(terms.advance_expected)),
        balance_expected_date: Some(to_date(terms.balance_expected)),
        report_due_date: Some(to_date(terms.report_due)),
        instalments: StateInstalment::ALL
            .iter()
            .map(|kind| {
                let receipt = funding.receipt(*kind);
                wire::StateInstalment {
                    kind: to_kind(*kind).into(),
                    expected_amount: Some(to_money(terms.expected(*kind))),
                    expected_date: Some(to_date(terms.expected_date(*kind))),
                    received_amount: receipt.map(|receipt| to_money(receipt.amount)),
                    received_date: receipt.map(|receipt| to_date(receipt.date)),
                }
            })
            .collect(),
        report_sent_date: funding.report_sent.map(to_date),
        received_amount: Some(to_money(funding.received())),
        create_time: Some(to_timestamp(funding.create_time)),
        update_time: Some(to_timestamp(funding.update_time)),
        etag: etag::of(funding.revision),
    }
}
