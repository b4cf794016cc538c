//! Indicators on the wire.

use nonrecours_contracts::followup::{
    Count, Figures as WireFigures, GetIndicatorsRequest, Indicators as WireIndicators,
    PublicFigures, QueryIndicatorsRequest, QueryIndicatorsResponse,
    RightFigures as WireRightFigures, count,
    indicator_service_server::{IndicatorService, IndicatorServiceServer},
};
use nonrecours_kernel::ConventionName;
use nonrecours_pg::Db;
use nonrecours_rpc::{Check, Failure, convert::to_money, field, open};
use tonic::{Request, Response, Status};

use super::{
    cache::Cache,
    domain::{Figures, Indicators, RightFigures},
    query, store,
    targets::Aim,
};
use crate::{convention, error::Error};

/// Counts for the operator itself, the programme's side and peers.
pub struct IndicatorReads {
    db: Db,
    tables: Cache,
}

impl IndicatorReads {
    /// The rpc over the service's database.
    pub fn server(db: Db) -> IndicatorServiceServer<Self> {
        IndicatorServiceServer::new(Self {
            db,
            tables: Cache::default(),
        })
    }

    async fn get(&self, request: Request<GetIndicatorsRequest>) -> Result<WireIndicators, Error> {
        let (caller, request) = open(request)?;
        let name: ConventionName = field("convention", &request.convention)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.read(&scope).await?;
        if convention::store::in_force(&mut tx, &name).await?.is_none() {
            return Err(Failure::not_found(name).into());
        }
        let indicators = store::count(&mut tx, &name).await?;
        let terms = convention::store::terms(&mut tx, &name).await?;
        let opened = Count {
            figure: Some(count::Figure::Value(indicators.total.entitlements_opened)),
        };
        let signed = terms.filter(|terms| terms.signed);
        Ok(WireIndicators {
            targets: signed.map(|terms| Aim::of(&terms).wire(Some(&opened))),
            ..wire(&name, indicators)
        })
    }

    async fn query(
        &self,
        request: Request<QueryIndicatorsRequest>,
    ) -> Result<QueryIndicatorsResponse, Error> {
        let (caller, request) = open(request)?;
        query::answer(&self.db, &self.tables, &caller, &request).await
    }
}

#[tonic::async_trait]
impl IndicatorService for IndicatorReads {
    async fn get_indicators(
        &self,
        request: Request<GetIndicatorsRequest>,
    ) -> Result<Response<WireIndicators>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn query_indicators(
        &self,
        request: Request<QueryIndicatorsRequest>,
    ) -> Result<Response<QueryIndicatorsResponse>, Status> {
        Ok(Response::new(self.query(request).await?))
    }
}

fn wire(name: &ConventionName, indicators: Indicators) -> WireIndicators {
    WireIndicators {
        convention: name.to_string(),
        total: Some(indicators.total.into()),
        publics: indicators
            .publics
            .into_iter()
            .map(|(public, figures)| PublicFigures {
                public,
                figures: Some(figures.into()),
            })
            .collect(),
        rights: indicators
            .rights
            .into_iter()
            .map(WireRightFigures::from)
            .collect(),
        sessions_held: indicators.sessions.held,
        persons_met: indicators.sessions.persons_met,
        targets: None,
    }
}

impl From<Figures> for WireFigures {
    fn from(figures: Figures) -> Self {
        Self {
            persons_spotted: figures.persons_spotted,
            persons_informed: figures.persons_informed,
            persons_oriented: figures.persons_oriented,
            persons_supported: figures.persons_supported,
            entitlements_followed: figures.entitlements_followed,
            entitlements_opened: figures.entitlements_opened,
            yearly_amount_notified: Some(to_money(figures.yearly_amount_notified)),
            yearly_amount_estimated: Some(to_money(figures.yearly_amount_estimated)),
        }
    }
}

impl From<RightFigures> for WireRightFigures {
    fn from(figures: RightFigures) -> Self {
        Self {
            right: figures.right,
            followed: figures.followed,
            opened: figures.opened,
            yearly_amount_notified: Some(to_money(figures.yearly_amount_notified)),
        }
    }
}
