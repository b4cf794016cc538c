//! Every rpc of the contracts, called by every kind of caller: who gets in, who does not, and why.
//!
//! The table is compared with `golden.txt`, which people read in review. An rpc that is new, or opened to somebody,
//! changes it: run with `UPDATE_GOLDEN=1` to write it anew, then read the difference.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod raw;

use std::{fmt::Write as _, sync::Arc};

use nonrecours_cli::suite::{Databases, Suite, SuiteOptions};
use nonrecours_issuer::{DevIssuer, TokenSpec};
use nonrecours_kernel::{Clock, IdSource, ManualClock, OperatorId, Role};
use nonrecours_rpc::{
    auth::{TokenSource, access_table},
    client,
    details::Details,
    rules::POOL,
    tls::ClientTls,
};
use prost_reflect::{DynamicMessage, MethodDescriptor};
use tonic::{Code, Status};

/// A caller, and how it gets its token.
struct Caller {
    name: &'static str,
    token: String,
    /// Whether it is bound to another operator than the one that requests name.
    foreign: bool,
}

fn methods() -> Vec<MethodDescriptor> {
    let mut methods: Vec<_> = POOL
        .services()
        .filter(|service| service.full_name().starts_with("nonrecours."))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    methods.sort_by_key(raw::path);
    methods
}

/// Every rpc on every service that serves it: the feed's on all three.
fn rows(suite: &Suite) -> Vec<(&'static str, &str, MethodDescriptor)> {
    let services = [
        ("conventions", suite.addresses.conventions.as_str()),
        ("followup", suite.addresses.followup.as_str()),
        ("payments", suite.addresses.payments.as_str()),
    ];
    let mut rows = Vec::new();
    for method in methods() {
        for (service, url) in services {
            let package = method.parent_service().package_name().to_owned();
            if package == "nonrecours.feed.v1" || package == format!("nonrecours.{service}.v1") {
                rows.push((service, url, method.clone()));
            }
        }
    }
    rows
}

fn callers(suite: &Suite, operator: OperatorId, other: OperatorId) -> Vec<Caller> {
    let issuer = &suite.issuer;
    let now = suite.clock.now().unix_timestamp();
    let claims = |issuer: &str, audience: &str, expiry: i64| {
        serde_json::json!({
            "iss": issuer, "aud": audience, "sub": "x", "roles": ["programme_officer", "peer_service"],
            "iat": now - 7200, "nbf": now - 7200, "exp": expiry,
        })
    };
    let stranger = DevIssuer::generate(issuer.url(), "nonrecours", Arc::clone(&suite.clock))
        .unwrap()
        .with_kid(issuer.kid());
    let bad = |name, token| Caller {
        name,
        token,
        foreign: false,
    };
    let mut callers = vec![
        bad(
            "expired",
            issuer
                .token_with_claims(&claims(issuer.url(), "nonrecours", now - 3600))
                .unwrap(),
        ),
        bad(
            "audience",
            issuer
                .token_with_claims(&claims(issuer.url(), "elsewhere", now + 3600))
                .unwrap(),
        ),
        bad(
            "issuer",
            issuer
                .token_with_claims(&claims("https://elsewhere.test", "nonrecours", now + 3600))
                .unwrap(),
        ),
        bad(
            "forged",
            stranger
                .token(&TokenSpec::new("x", [Role::ProgrammeOfficer]))
                .unwrap(),
        ),
    ];
    let of = |name, role: Role, bound: Option<OperatorId>| Caller {
        name,
        token: issuer
            .token(&TokenSpec {
                operator: bound,
                ..TokenSpec::new(format!("{name}@test"), [role])
            })
            .unwrap(),
        foreign: bound == Some(other),
    };
    callers.extend([
        of("officer", Role::ProgrammeOfficer, None),
        of("authoriser", Role::AuthorisingOfficer, None),
        of("accountant", Role::Accountant, None),
        of("auditor", Role::Auditor, None),
        of("agent", Role::OperatorAgent, Some(operator)),
        of("manager", Role::OperatorManager, Some(operator)),
        of("other-agent", Role::OperatorAgent, Some(other)),
        of("other-manager", Role::OperatorManager, Some(other)),
        of("peer", Role::PeerService, None),
    ]);
    callers
}

/// What a caller met, in a word.
fn outcome(result: Result<(), Status>) -> String {
    let Err(status) = result else {
        return "in".to_owned();
    };
    let details = Details::of(&status);
    match (status.code(), details.reason.as_str()) {
        (Code::Unauthenticated, "UNAUTHENTICATED") => "no-token".to_owned(),
        (Code::PermissionDenied, "ROLE_MISSING") => "role".to_owned(),
        (Code::PermissionDenied, "OUT_OF_REACH") => "reach".to_owned(),
        // Past the door: the empty request is then refused for what it lacks, or names what is not there.
        (Code::InvalidArgument, "INVALID_REQUEST") | (Code::NotFound, "NOT_FOUND") => {
            "in".to_owned()
        }
        (code, reason) => format!("{code:?}/{reason}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rpc_by_every_caller_is_as_the_golden_table_says() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(nonrecours_testkit::START));
    let ids = IdSource::new(Arc::clone(&clock));
    let suite = Suite::start(SuiteOptions {
        databases: Databases::Private,
        clock,
        data: None,
        postgres_programs: None,
        ports: [0; 3],
    })
    .await
    .unwrap();
    let (operator, other): (OperatorId, OperatorId) = (ids.next(), ids.next());
    let named = format!("operators/{operator}");
    let callers = callers(&suite, operator, other);

    let mut table = format!("{:<80} {:<9}", "service: rpc", "none");
    for caller in &callers {
        write!(table, " {:<13}", caller.name).unwrap();
    }
    let mut faults = Vec::new();
    for (service, url, method) in rows(&suite) {
        let path = raw::path(&method);
        let row = format!("{service}: {}", path.trim_start_matches("/nonrecours."));
        let message = raw::naming(&method, &named);
        let scoped = message.is_some();
        let message = message.unwrap_or_else(|| DynamicMessage::new(method.input()));
        let anonymous = nonrecours_testkit::anonymous(url).await;
        let nobody = outcome(raw::call_anonymously(anonymous, &method, &message).await);
        if nobody != "no-token" {
            faults.push(format!("{row}: nobody gets {nobody}"));
        }
        write!(table, "\n{row:<80} {nobody:<9}").unwrap();
        for caller in &callers {
            let channel = client::connect(
                url,
                TokenSource::fixed(&*caller.token),
                ClientTls::default(),
            )
            .unwrap();
            let met = outcome(raw::call(channel, &method, &message).await);
            // An operator's caller never gets past the door of another operator's resource.
            if scoped && caller.foreign && met == "in" {
                faults.push(format!(
                    "{row}: {} reached another operator's resource",
                    caller.name
                ));
            }
            write!(table, " {met:<13}").unwrap();
        }
    }
    let table: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    suite.stop().await.unwrap();

    assert_eq!(faults, Vec::<String>::new(), "{table}");
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("isolation/golden.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(
        table, expected,
        "run with UPDATE_GOLDEN=1 and read the difference"
    );
}

#[test]
fn every_rpc_says_who_may_call_it() {
    let table = access_table();
    for method in methods() {
        let path = raw::path(&method);
        let roles = table
            .get(&path)
            .unwrap_or_else(|| panic!("{path} is not in the access table"));
        assert!(!roles.is_empty(), "{path} is closed to everybody");
    }
    assert_eq!(table.len(), methods().len());
}
