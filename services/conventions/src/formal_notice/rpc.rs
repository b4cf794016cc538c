//! Formal notices (mises en demeure, art. 7), over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, ApplyFormalNoticeRequest, CreateFormalNoticeRequest, GetFormalNoticeRequest,
        ListFormalNoticesRequest, ListFormalNoticesResponse, RemedyFormalNoticeRequest,
        WithdrawFormalNoticeRequest,
        formal_notice_service_server::{FormalNoticeService, FormalNoticeServiceServer},
    },
};
use nonrecours_kernel::{ConventionName, FormalNoticeName, IdSource, paris_date};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, to_date, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{FormalNotice, State},
    store,
};
use crate::{
    activity_report,
    convention::{
        self,
        measures::{Cause, Ground},
        party::{Party, acts_for},
        wire::{party, to_party},
    },
    error::Error,
    programme,
    refusal::within,
    text::{required, text},
};

/// The formal notice service.
pub struct FormalNotices {
    db: Db,
    ids: IdSource,
}

struct Give {
    party: Party,
    ground: Ground,
    motives: String,
    letter: String,
    sent: Date,
}

impl FormalNotices {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> FormalNoticeServiceServer<Self> {
        FormalNoticeServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateFormalNoticeRequest>,
    ) -> Result<wire::FormalNotice, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let command = command(&request)?;
        acts_for(&caller, command.party)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &parent).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let now = tx.now();
        within(
            paris_date(convention.running()?.since),
            paris_date(now),
            command.sent,
        )?;
        let programme = convention.terms.framework_convention.parent();
        let programme = programme::store::get(&mut tx, &programme).await?;
        let formal_notice = FormalNotice {
            name: FormalNoticeName {
                operator: parent.operator,
                convention: parent.convention,
                formal_notice: self.ids.next(),
            },
            party: command.party,
            ground: command.ground,
            motives: command.motives,
            letter: command.letter,
            sent: command.sent,
            notice_days: programme.terms.notice_days,
            state: State::Sent,
            revision: 1,
            create_time: now,
            update_time: now,
        };
        store::insert(&mut tx, &formal_notice).await?;
        finish(tx, &request, "formal_notice.sent", &formal_notice).await
    }

    async fn get(
        &self,
        request: Request<GetFormalNoticeRequest>,
    ) -> Result<wire::FormalNotice, Error> {
        let (caller, request) = open(request)?;
        let name: FormalNoticeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListFormalNoticesRequest>,
    ) -> Result<ListFormalNoticesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ConventionName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListFormalNotices", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let rows = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.name.formal_notice.to_string());
        Ok(ListFormalNoticesResponse {
            formal_notices: rows.iter().map(message).collect(),
            next_page_token,
        })
    }

    async fn remedy(
        &self,
        request: Request<RemedyFormalNoticeRequest>,
    ) -> Result<wire::FormalNotice, Error> {
        let (caller, request) = open(request)?;
        let name: FormalNoticeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let day = check.take("remedy_date", date(request.remedy_date.as_ref()));
        let day = check.finish(|| day)?;
        let mut tx = self.db.begin(&scope).await?;
        convention::store::lock(&mut tx, &name.parent()).await?;
        let formal_notice = store::get(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, formal_notice.revision)?;
        acts_for(&caller, formal_notice.party)?;
        let formal_notice = formal_notice.remedy(day, paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &formal_notice).await?;
        finish(tx, &request, "formal_notice.remedied", &formal_notice).await
    }

    async fn withdraw(
        &self,
        request: Request<WithdrawFormalNoticeRequest>,
    ) -> Result<wire::FormalNotice, Error> {
        let (caller, request) = open(request)?;
        let name: FormalNoticeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.begin(&scope).await?;
        convention::store::lock(&mut tx, &name.parent()).await?;
        let formal_notice = store::get(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, formal_notice.revision)?;
        acts_for(&caller, formal_notice.party)?;
        let formal_notice = formal_notice.withdraw(paris_date(tx.now()), tx.now())?;
        store::update(&mut tx, &formal_notice).await?;
        finish(tx, &request, "formal_notice.withdrawn", &formal_notice).await
    }

    async fn apply(
        &self,
        request: Request<ApplyFormalNoticeRequest>,
    ) -> Result<wire::FormalNotice, Error> {
        let (caller, request) = open(request)?;
        let name: FormalNoticeName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        let formal_notice = store::get(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&request.etag, formal_notice.revision)?;
        acts_for(&caller, formal_notice.party)?;
        let (now, today) = (tx.now(), paris_date(tx.now()));
        let formal_notice = formal_notice.apply(today, now)?;
        let cause = Cause::Notice(name.formal_notice, formal_notice.ground);
        let spent = activity_report::store::spent(&mut tx, &convention).await?;
        let before = convention.held();
        let convention = convention.terminate(today, cause, spent, now)?;
        store::update(&mut tx, &formal_notice).await?;
        convention::rpc::follow_up(&mut tx, "convention.terminated", before, &convention).await?;
        finish(tx, &request, "formal_notice.effective", &formal_notice).await
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    formal_notice: &FormalNotice,
) -> Result<wire::FormalNotice, Error> {
    let name = formal_notice.name.to_string();
    let change = Change {
        kind,
        operator: Some(formal_notice.name.operator),
        name: &name,
        revision: formal_notice.revision,
    };
    Ok(tx.finish(request, change, message(formal_notice)).await?)
}

#[tonic::async_trait]
impl FormalNoticeService for FormalNotices {
    async fn create_formal_notice(
        &self,
        request: Request<CreateFormalNoticeRequest>,
    ) -> Result<Response<wire::FormalNotice>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_formal_notice(
        &self,
        request: Request<GetFormalNoticeRequest>,
    ) -> Result<Response<wire::FormalNotice>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_formal_notices(
        &self,
        request: Request<ListFormalNoticesRequest>,
    ) -> Result<Response<ListFormalNoticesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn remedy_formal_notice(
        &self,
        request: Request<RemedyFormalNoticeRequest>,
    ) -> Result<Response<wire::FormalNotice>, Status> {
        Ok(Response::new(self.remedy(request).await?))
    }

    async fn withdraw_formal_notice(
        &self,
        request: Request<WithdrawFormalNoticeRequest>,
    ) -> Result<Response<wire::FormalNotice>, Status> {
        Ok(Response::new(self.withdraw(request).await?))
    }

    async fn apply_formal_notice(
        &self,
        request: Request<ApplyFormalNoticeRequest>,
    ) -> Result<Response<wire::FormalNotice>, Status> {
        Ok(Response::new(self.apply(request).await?))
    }
}

fn command(request: &CreateFormalNoticeRequest) -> Result<Give, Failure> {
    let mut check = Check::of(request);
    let command = request.formal_notice.as_ref().and_then(|given| {
        let party = check.take("formal_notice.party", party(given.party()));
        let ground = match given.ground() {
            wire::FormalNoticeGround::Unspecified => Err(required()),
            wire::FormalNoticeGround::Breach => Ok(Ground::Breach),
            wire::FormalNoticeGround::SubstantialChange => Ok(Ground::SubstantialChange),
        };
        let ground = check.take("formal_notice.ground", ground);
        let motives = check.take("formal_notice.motives", text(&given.motives));
        let letter = check.take(
            "formal_notice.letter_reference",
            text(&given.letter_reference),
        );
        let sent = check.take("formal_notice.sent_date", date(given.sent_date.as_ref()));
        Some(Give {
            party: party?,
            ground: ground?,
            motives: motives?,
            letter: letter?,
            sent: sent?,
        })
    });
    check.finish(|| command)
}

fn message(formal_notice: &FormalNotice) -> wire::FormalNotice {
    let ground = match formal_notice.ground {
        Ground::Breach => wire::FormalNoticeGround::Breach,
        Ground::SubstantialChange => wire::FormalNoticeGround::SubstantialChange,
    };
    let state = match formal_notice.state {
        State::Sent => wire::FormalNoticeState::Sent,
        State::Remedied(_) => wire::FormalNoticeState::Remedied,
        State::Withdrawn(_) => wire::FormalNoticeState::Withdrawn,
        State::Effective(_) => wire::FormalNoticeState::Effective,
    };
    wire::FormalNotice {
        name: formal_notice.name.to_string(),
        party: to_party(formal_notice.party).into(),
        ground: ground.into(),
        motives: formal_notice.motives.clone(),
        letter_reference: formal_notice.letter.clone(),
        sent_date: Some(to_date(formal_notice.sent)),
        remedy_deadline: Some(to_date(formal_notice.deadline())),
        applicable_date: Some(to_date(formal_notice.applicable())),
        state: state.into(),
        close_date: formal_notice.state.closed().map(to_date),
        create_time: Some(to_timestamp(formal_notice.create_time)),
        update_time: Some(to_timestamp(formal_notice.update_time)),
        etag: etag::of(formal_notice.revision),
    }
}
