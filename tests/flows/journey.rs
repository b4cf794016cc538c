//! The whole journey in one process, with the days of 2025.

use std::sync::Arc;

use nonrecours_cli::{
    demo::ROOT_SPAN,
    journey::{Cast, Journey, Step, StoryClock},
    suite::{Databases, Suite, SuiteOptions},
    trace_tree::TraceTree,
};
use nonrecours_kernel::Clock;
use nonrecours_rpc::telemetry::{self, LogFormat, SpanCapture, TelemetryConfig};
use tracing::Instrument as _;

use crate::{PRIVATE, books};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_draft_to_settled_in_one_trace() {
    let capture = SpanCapture::default();
    let _telemetry = telemetry::init(TelemetryConfig {
        service: "flows",
        log: LogFormat::None,
        capture: Some(capture.clone()),
    })
    .unwrap();
    let story = StoryClock::default();
    let clock: Arc<dyn Clock> = Arc::new(story.clone());
    let suite = Suite::start(SuiteOptions {
        databases: Databases::Private,
        clock: Arc::clone(&clock),
        data: None,
        postgres_programs: None,
        ports: [0; 3],
        certificates: false,
    })
    .await
    .unwrap();
    let cast = Cast {
        addresses: suite.addresses.clone(),
        issuer: Arc::clone(&suite.issuer),
        clock,
    };
    let mut journey = Journey::new(cast.clone(), Some(story)).unwrap();
    let root = tracing::info_span!(target: "nonrecours::flows", "journey", otel.name = ROOT_SPAN);
    async {
        for step in Step::ALL {
            let report = journey.play(step).await.unwrap();
            assert!(!report.lines.is_empty(), "{step:?} says what it did");
        }
    }
    .instrument(root.clone())
    .await;
    drop(root);
    assert_eq!(
        journey.facts.stored, 52,
        "every record of the example is stored"
    );
    books::read(&cast, &journey.facts).await.check();
    suite.stop().await.unwrap();

    let spans = capture.spans();
    // Neither persons, nor accounts, nor tokens, in any span of the whole suite.
    let written = format!("{spans:?}");
    for private in PRIVATE {
        assert!(!written.contains(private), "{private} is in a span");
    }
    let tree = TraceTree::of_root(&spans, ROOT_SPAN).unwrap();
    let summary = tree.summary();
    assert_eq!(summary.services, ["conventions", "followup", "payments"]);
    assert_eq!(summary.orphans, 0, "every span hangs in the one tree");
    assert!(summary.applied_changes > 10, "{summary:?}");
    assert_eq!(
        summary.linked, summary.applied_changes,
        "each links to the batch that brought it"
    );
    // A payment confirmed in `payments` goes on in `conventions`, two feeds later, in the same tree.
    let drawn = tree.draw();
    for line in [
        "SignConvention",
        "[payments] ⇠ flux : convention.in_force",
        "[conventions] ⇠ flux : payment_plan.paid",
        "IndicatorService/GetIndicators",
        "PushRecords",
    ] {
        assert!(drawn.contains(line), "{line} is missing in\n{drawn}");
    }
}
