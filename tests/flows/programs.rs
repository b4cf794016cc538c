//! The services as programs: migrations, a schema that does not fit, and a graceful end.

use std::{pin::pin, process::Stdio, time::Duration};

use futures_util::future::{Either, select};
use nonrecours_contracts::feed::{
    PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient,
};
use nonrecours_rpc::{auth::TokenSource, client};
use sqlx::Connection as _;
use tokio::process::Command;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::processes::{Processes, SERVICES, signal};

/// Longest time a program may take to end.
const END: Duration = Duration::from_secs(10);

async fn serving(processes: &Processes, service: &str) {
    let ready = async {
        loop {
            let asked = async {
                let mut health = HealthClient::new(processes.anonymous(service));
                let answer = health.check(HealthCheckRequest::default()).await.ok()?;
                Some(answer.into_inner().status())
            };
            if asked.await == Some(ServingStatus::Serving) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ready)
        .await
        .expect("the service becomes ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_told_to_end_answers_what_it_has_in_hand_and_ends_well() {
    let mut processes = Processes::prepare().await;
    for service in SERVICES {
        processes.run(service);
    }
    for service in SERVICES {
        serving(&processes, service).await;
        // A call that is in hand: it waits for changes that never come, on a connection that is in use already.
        let channel = client::connect(
            &processes.url(service),
            TokenSource::none(),
            processes.tls_of("payments").await,
        )
        .unwrap();
        let mut feed = ChangeFeedServiceClient::new(channel);
        let all = feed
            .pull_changes(PullChangesRequest::default())
            .await
            .unwrap();
        assert!(all.into_inner().changes.is_empty());
        let mut beside = feed.clone();
        let mut waiting = pin!(feed.pull_changes(PullChangesRequest {
            wait: tonic_wait(15),
            ..Default::default()
        }));
        // Sent before it on the same connection, so in hand once this one is answered.
        let answered = pin!(beside.pull_changes(PullChangesRequest::default()));
        let Either::Right((answered, _)) = select(&mut waiting, answered).await else {
            panic!("there is nothing to wait for");
        };
        answered.unwrap();
        let idle = processes.anonymous(service);
        let child = processes.child(service);
        signal(child, "TERM").await;
        let status = tokio::time::timeout(END, child.wait())
            .await
            .expect("it ends within its drain time")
            .unwrap();
        assert!(status.success(), "{service}: {status}");
        let answer = waiting.await.expect("answered, not cut off");
        assert!(answer.into_inner().changes.is_empty());
        drop(idle);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_service_tells_its_health_and_its_own_rpcs_in_both_reflections() {
    let processes = Processes::start().await;
    for (service, own, foreign) in [
        (
            "conventions",
            "nonrecours.conventions.v1.ConventionService",
            "nonrecours.payments.v1.LedgerService",
        ),
        (
            "followup",
            "nonrecours.followup.v1.PushService",
            "nonrecours.conventions.v1.ActService",
        ),
        (
            "payments",
            "nonrecours.payments.v1.InstalmentService",
            "nonrecours.followup.v1.PushService",
        ),
    ] {
        serving(&processes, service).await;
        let mut health = HealthClient::new(processes.anonymous(service));
        let asked = HealthCheckRequest {
            service: own.to_owned(),
        };
        let status = health.check(asked).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{own}");

        let listed = reflected_v1(processes.anonymous(service)).await;
        assert_eq!(
            listed,
            reflected_v1alpha(processes.anonymous(service)).await
        );
        assert!(listed.iter().any(|name| name == own), "{own} in {listed:?}");
        assert!(
            listed
                .iter()
                .any(|name| name == "nonrecours.feed.v1.ChangeFeedService")
        );
        assert!(
            !listed.iter().any(|name| name == foreign),
            "{foreign} in {listed:?}"
        );
    }
}

/// The services that a server tells of, by one version of reflection.
macro_rules! reflected {
    ($name:ident, $version:ident) => {
        async fn $name(channel: Channel) -> Vec<String> {
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest,
                server_reflection_response::MessageResponse,
            };
            let mut client = ServerReflectionClient::new(channel);
            let request = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let mut answers = client
                .server_reflection_info(tokio_stream::once(request))
                .await
                .unwrap()
                .into_inner();
            let answer = answers.message().await.unwrap().unwrap();
            let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
                panic!("a list of services");
            };
            list.service
                .into_iter()
                .map(|service| service.name)
                .collect()
        }
    };
}
reflected!(reflected_v1, v1);
reflected!(reflected_v1alpha, v1alpha);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_command_asks_under_tls_and_tells_when_nobody_answers() {
    let mut processes = Processes::start().await;
    for service in SERVICES {
        serving(&processes, service).await;
        let asked = processes.command(service, "health").status().await.unwrap();
        assert!(asked.success(), "{service}: {asked}");
        let child = processes.child(service);
        child.kill().await.unwrap();
        let asked = processes.command(service, "health").status().await.unwrap();
        assert!(!asked.success(), "{service}: {asked}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrate_runs_again_without_effect_and_serve_refuses_another_schema() {
    let processes = Processes::prepare().await;
    for service in SERVICES {
        for _ in 0..2 {
            let status = processes
                .command(service, "migrate")
                .status()
                .await
                .unwrap();
            assert!(status.success(), "{service} migrate");
        }
        let admin = processes.postgres().superuser_url(service);
        let mut connection = sqlx::PgConnection::connect(&admin).await.unwrap();
        sqlx::query("UPDATE _migrations SET version = version + 1000")
            .execute(&mut connection)
            .await
            .unwrap();
        let refused = processes.command(service, "serve").status();
        let status = tokio::time::timeout(END, refused)
            .await
            .expect("it ends at once")
            .unwrap();
        assert!(
            !status.success(),
            "{service} must not serve on a schema that is not its own"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_finds_a_suite_well_and_says_what_is_missing() {
    let processes = Processes::start().await;
    for service in SERVICES {
        serving(&processes, service).await;
    }
    let said = async |mut command: Command| {
        let output = command.output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text)
    };
    for service in SERVICES {
        let mut command = processes.command(service, "doctor");
        command.stdout(Stdio::piped());
        let (is_well, text) = said(command).await;
        assert!(is_well && text.ends_with("Tout va bien.\n"), "{text}");
    }
    let (is_well, text) = said(processes.doctor()).await;
    assert!(is_well, "{text}");
    for service in SERVICES {
        assert!(text.lines().any(|line| line == service), "{text}");
    }

    let mut without = processes.doctor();
    without
        .env_remove("AUTH_ISSUER")
        .env_remove("PAYMENTS_DATABASE_URL");
    let (is_well, text) = said(without).await;
    assert!(!is_well && text.contains("✗ réglages"), "{text}");
    assert!(
        text.contains("auth-issuer") && !text.contains("payments\n"),
        "{text}"
    );
}

fn tonic_wait(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}
