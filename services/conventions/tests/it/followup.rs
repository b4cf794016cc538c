//! `followup` as far as this service asks it: the indicators of a convention.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use nonrecours_contracts::followup::{
    Figures, GetIndicatorsRequest, Indicators, PublicFigures, QueryIndicatorsRequest,
    QueryIndicatorsResponse,
    indicator_service_server::{IndicatorService, IndicatorServiceServer},
};
use nonrecours_testkit::Serving;
use tonic::{Code, Request, Response, Status};

use crate::requests::euros;

/// Answers what the test says, and keeps what it was asked.
#[derive(Clone, Default)]
pub struct FakeFollowup {
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    spotted: i64,
    failure: Option<Code>,
    asked: Vec<String>,
}

impl FakeFollowup {
    /// From now on this many persons were spotted; the other figures follow from it.
    pub fn spotted(&self, persons: i64) {
        self.script.lock().unwrap().spotted = persons;
    }

    /// From now on every question fails so, or none.
    pub fn fails(&self, code: Option<Code>) {
        self.script.lock().unwrap().failure = code;
    }

    /// The conventions that were asked about, in order.
    pub fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap().asked.clone()
    }

    /// Serves it on loopback.
    pub async fn serve(&self) -> Serving {
        let service = IndicatorServiceServer::new(self.clone());
        Serving::start(|listener, shutdown| async move {
            let incoming = tonic::transport::server::TcpIncoming::from(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned())
                .await
                .expect("followup is played");
            Ok::<_, Infallible>(())
        })
        .await
    }
}

#[tonic::async_trait]
impl IndicatorService for FakeFollowup {
    async fn get_indicators(
        &self,
        request: Request<GetIndicatorsRequest>,
    ) -> Result<Response<Indicators>, Status> {
        assert!(
            request.metadata().contains_key("authorization"),
            "a peer shows its token"
        );
        assert!(
            request.metadata().contains_key("grpc-timeout"),
            "a peer sets a deadline"
        );
        let mut script = self.script.lock().unwrap();
        let convention = request.into_inner().convention;
        script.asked.push(convention.clone());
        if let Some(code) = script.failure {
            return Err(Status::new(code, "as the test says"));
        }
        let figures = Figures {
            persons_spotted: script.spotted,
            persons_supported: script.spotted - 1,
            entitlements_opened: 2 * script.spotted,
            yearly_amount_notified: Some(euros(100_000 * script.spotted)),
            yearly_amount_estimated: Some(euros(7)),
            ..Figures::default()
        };
        Ok(Response::new(Indicators {
            convention,
            total: Some(figures.clone()),
            publics: vec![PublicFigures {
                public: "SENIOR".to_owned(),
                figures: Some(figures),
            }],
            sessions_held: 12,
            ..Indicators::default()
        }))
    }

    async fn query_indicators(
        &self,
        _: Request<QueryIndicatorsRequest>,
    ) -> Result<Response<QueryIndicatorsResponse>, Status> {
        Err(Status::failed_precondition(
            "a report asks for the figures of one convention, never for tables",
        ))
    }
}
