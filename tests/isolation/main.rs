//! Every rpc of the contracts, called by every kind of caller: who gets in, who does not, and why. The services know each
//! other by certificates, as where they are deployed.
//!
//! The table is compared with `golden.txt`, which people read in review. An rpc that is new, or opened to somebody,
//! changes it: run with `UPDATE_GOLDEN=1` to write it anew, then read the difference.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod rpcs;

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use nonrecours_cli::suite::{Databases, Suite, SuiteOptions};
use nonrecours_issuer::{DevIssuer, IssuerError, TokenSpec};
use nonrecours_kernel::{Clock, IdSource, ManualClock, OperatorId, Role};
use nonrecours_rpc::{
    auth::{TokenSource, access_table},
    client::{self, PeerChannel},
    details::Details,
    rules::POOL,
    tls::ClientTls,
};
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};
use tonic::{Code, Status};

/// Audience of the suite's tokens.
const AUDIENCE: &str = "nonrecours";

/// A caller, and what it shows.
struct Caller {
    name: &'static str,
    shows: Shows,
    /// Whether no rpc may let it in.
    barred: bool,
    /// Whether it is bound to another operator than the one that requests name.
    foreign: bool,
}

/// What a caller is known by.
enum Shows {
    Token(String),
    /// The certificate of a service.
    Certificate(ClientTls),
}

fn methods() -> Vec<MethodDescriptor> {
    let mut methods: Vec<_> = POOL
        .services()
        .filter(|service| service.full_name().starts_with("nonrecours."))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    methods.sort_by_key(rpcs::path);
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

/// The callers: first those whom no rpc lets in, then each role.
async fn callers(suite: &Suite, operator: OperatorId, other: OperatorId) -> Vec<Caller> {
    let issuer = &suite.issuer;
    let bad = |name, token: Result<String, IssuerError>| Caller {
        name,
        shows: Shows::Token(token.unwrap()),
        barred: true,
        foreign: false,
    };
    let stranger = DevIssuer::generate(issuer.url(), AUDIENCE, Arc::clone(&suite.clock))
        .unwrap()
        .with_kid(issuer.kid());
    let now = suite.clock.now().unix_timestamp();
    let claims = |changes: Value| {
        let mut claims = json!({
            "iss": issuer.url(), "aud": AUDIENCE, "sub": "x", "roles": ["programme_officer"],
            "iat": now - 7200, "nbf": now - 7200, "exp": now + 3600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let signed = |changes| issuer.token_with_claims(&claims(changes));
    let mut callers = vec![
        bad("expired", signed(json!({ "exp": now - 3600 }))),
        bad("early", signed(json!({ "nbf": now + 3600 }))),
        bad("audience", signed(json!({ "aud": "elsewhere" }))),
        bad("issuer", signed(json!({ "iss": "https://elsewhere.test" }))),
        bad("no-role", signed(json!({ "roles": ["king"] }))),
        bad("forged", stranger.token_with_claims(&claims(json!({})))),
        bad("alg-none", Ok(unsigned(issuer, &claims(json!({}))))),
        bad("alg-hmac", Ok(by_public_key(issuer, &claims(json!({}))))),
    ];
    let of = |name, role: Role, bound: Option<OperatorId>| Caller {
        // Where peers are known by certificates, no token makes one.
        barred: role == Role::PeerService,
        foreign: bound == Some(other),
        ..bad(
            name,
            issuer.token(&TokenSpec {
                operator: bound,
                ..TokenSpec::new(format!("{name}@test"), [role])
            }),
        )
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
        of("peer-token", Role::PeerService, None),
    ]);
    let certificate = suite.tls("followup").client(&suite.clock).await.unwrap();
    callers.push(Caller {
        name: "peer",
        shows: Shows::Certificate(certificate),
        barred: false,
        foreign: false,
    });
    callers
}

/// A token that says it needs no signature.
fn unsigned(issuer: &DevIssuer, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = json!({ "alg": "none", "kid": issuer.kid() });
    format!("{}.{}.", part(&header), part(claims))
}

/// A token signed with what everybody knows: the issuer's public key as if it were a shared secret.
fn by_public_key(issuer: &DevIssuer, claims: &Value) -> String {
    let jwks = issuer.jwks().unwrap();
    let public = URL_SAFE_NO_PAD
        .decode(jwks["keys"][0]["x"].as_str().unwrap())
        .unwrap();
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(issuer.kid().to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(&public)).unwrap()
}

/// A connection of a caller; of nobody without one.
fn connection(url: &str, caller: Option<&Caller>, trusted: &ClientTls) -> PeerChannel {
    let (token, tls) = match caller.map(|caller| &caller.shows) {
        Some(Shows::Token(token)) => (TokenSource::fixed(token.as_str()), trusted),
        Some(Shows::Certificate(certificate)) => (TokenSource::none(), certificate),
        None => (TokenSource::none(), trusted),
    };
    client::connect(url, token, tls.clone()).unwrap()
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
        certificates: true,
    })
    .await
    .unwrap();
    let (operator, other): (OperatorId, OperatorId) = (ids.next(), ids.next());
    let named = format!("operators/{operator}");
    let callers = callers(&suite, operator, other).await;
    let trusted = ClientTls::trusting(suite.addresses.authorities.clone());

    let mut table = format!("{:<80} {:<9}", "service: rpc", "none");
    for caller in &callers {
        write!(table, " {:<13}", caller.name).unwrap();
    }
    let mut faults = Vec::new();
    let mut connections = HashMap::new();
    for (service, url, method) in rows(&suite) {
        let path = rpcs::path(&method);
        let row = format!("{service}: {}", path.trim_start_matches("/nonrecours."));
        let message = rpcs::naming(&method, &named);
        let scoped = message.is_some();
        let message = message.unwrap_or_else(|| DynamicMessage::new(method.input()));
        let nobody = connections
            .entry((service, "nobody"))
            .or_insert_with(|| connection(url, None, &trusted));
        let nobody = outcome(rpcs::call(nobody.clone(), &method, &message).await);
        if nobody != "no-token" {
            faults.push(format!("{row}: nobody gets {nobody}"));
        }
        write!(table, "\n{row:<80} {nobody:<9}").unwrap();
        for caller in &callers {
            // One connection of each caller to each service.
            let channel = connections
                .entry((service, caller.name))
                .or_insert_with(|| connection(url, Some(caller), &trusted));
            let met = outcome(rpcs::call(channel.clone(), &method, &message).await);
            if caller.barred && met != "no-token" {
                faults.push(format!("{row}: {} gets {met}", caller.name));
            }
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
        let path = rpcs::path(&method);
        let roles = table
            .get(&path)
            .unwrap_or_else(|| panic!("{path} is not in the access table"));
        assert!(!roles.is_empty(), "{path} is closed to everybody");
    }
    assert_eq!(table.len(), methods().len());
}
