//! Local extra-legal aids, and rights followed with codes that are not in the catalogue, or not any more.

use nonrecours_contracts::{
    followup::{
        AmountUnit, CreateLocalAidRequest, EndLocalAidRequest, EntitlementState,
        GetEntitlementRequest, GetIndicatorsRequest, GetLocalAidRequest, ListEntitlementsRequest,
        ListLocalAidsRequest, LocalAid, Record, RecordOutcome,
        entitlement_service_client::EntitlementServiceClient,
        indicator_service_client::IndicatorServiceClient,
        local_aid_service_client::LocalAidServiceClient,
    },
    google::r#type::Date,
};
use nonrecours_rpc::{client::PeerChannel, details::Details};
use nonrecours_testkit::request_id;
use tonic::Code;

use crate::support::*;

use RecordOutcome::{Rejected, Stored, Unchanged};

const CODE: &str = "local:216202630:aide-au-permis";

fn aid() -> LocalAid {
    LocalAid {
        code: CODE.to_owned(),
        label: "Aide au permis de conduire".to_owned(),
        unit: AmountUnit::OneOff.into(),
        valid_from: date(2025, 9, 1),
        ..LocalAid::default()
    }
}

fn creation(suite: &Suite, aid: LocalAid) -> CreateLocalAidRequest {
    CreateLocalAidRequest {
        parent: suite.convention.parent().to_string(),
        local_aid: Some(aid),
        request_id: request_id(),
    }
}

fn ending(name: &str, valid_to: Option<Date>, etag: &str) -> EndLocalAidRequest {
    EndLocalAidRequest {
        name: name.to_owned(),
        valid_to,
        etag: etag.to_owned(),
        request_id: request_id(),
    }
}

fn client(suite: &Suite) -> LocalAidServiceClient<PeerChannel> {
    LocalAidServiceClient::new(suite.agent())
}

/// A right followed with the local aid, filed on 2 October 2025.
fn local(reference: &str) -> Record {
    right_with(reference, "B1", |right| {
        right.right = CODE.to_owned();
        right.amount_unit = AmountUnit::OneOff.into();
    })
}

#[tokio::test]
async fn a_local_aid_is_followed_like_any_right_until_its_last_day() {
    let suite = Suite::start().await;
    let before = suite.push(vec![person("B1"), local("E1")]).await;
    assert_eq!(outcomes(&before), [Stored, Rejected]);
    assert_eq!(
        faults(&before.results[1]),
        ["entitlement.right UNKNOWN_CODE"]
    );

    let request = creation(&suite, aid());
    let mut client = client(&suite);
    let created = client
        .create_local_aid(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((created.code.as_str(), created.revision), (CODE, 1));
    assert_eq!(
        (created.valid_from, created.valid_to),
        (date(2025, 9, 1), None)
    );
    let again = client.create_local_aid(request).await.unwrap().into_inner();
    assert_eq!(again, created);
    let status = client
        .create_local_aid(creation(&suite, aid()))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::AlreadyExists, "ALREADY_EXISTS".to_owned())
    );

    let answer = suite.push(vec![local("E1")]).await;
    assert_eq!(outcomes(&answer), [Stored]);
    let name = answer.results[0].name.clone();

    // It ends before the filing of the next one.
    let stale = client
        .end_local_aid(ending(&created.name, date(2025, 10, 1), "9"))
        .await;
    let expected = (Code::Aborted, "ETAG_MISMATCH".to_owned());
    assert_eq!(refusal(&stale.unwrap_err()), expected);
    let request = ending(&created.name, date(2025, 10, 1), &created.etag);
    let ended = client
        .end_local_aid(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((ended.valid_to, ended.revision), (date(2025, 10, 1), 2));
    let again = client.end_local_aid(request).await.unwrap().into_inner();
    assert_eq!(again, ended);
    let answer = suite.push(vec![local("E2")]).await;
    assert_eq!(
        faults(&answer.results[0]),
        ["entitlement.right UNKNOWN_CODE"]
    );
    // What was followed with it is still read.
    let mut entitlements = EntitlementServiceClient::new(suite.agent());
    let read = entitlements
        .get_entitlement(GetEntitlementRequest { name })
        .await;
    assert_eq!(read.unwrap().into_inner().right, CODE);
    // Its end may be moved.
    let request = ending(&created.name, date(2025, 12, 31), "");
    client.end_local_aid(request).await.unwrap();
    assert_eq!(outcomes(&suite.push(vec![local("E1")]).await), [Unchanged]);

    let changes = suite.changes().await;
    let kinds = changes.iter().map(|change| change.kind.as_str());
    let kinds: Vec<&str> = kinds.filter(|kind| kind.starts_with("local_aid")).collect();
    assert_eq!(
        kinds,
        ["local_aid.created", "local_aid.ended", "local_aid.ended"]
    );
}

#[tokio::test]
async fn a_local_aid_that_is_no_sum_of_money_takes_no_amount() {
    let suite = Suite::start().await;
    let service = LocalAid { unit: 0, ..aid() };
    client(&suite)
        .create_local_aid(creation(&suite, service))
        .await
        .unwrap();
    let answer = suite.push(vec![person("B1"), local("E1")]).await;
    assert_eq!(
        faults(&answer.results[1]),
        ["entitlement.amount AMOUNT_INVALID"]
    );
    let without = right_with("E1", "B1", |right| {
        right.right = CODE.to_owned();
        right.amount = None;
        right.amount_kind = 0;
        right.amount_unit = 0;
    });
    assert_eq!(outcomes(&suite.push(vec![without]).await), [Stored]);
}

#[tokio::test]
async fn a_wrong_aid_is_told_all_its_faults() {
    let suite = Suite::start().await;
    let wrong = LocalAid {
        code: "local:216202631:x".to_owned(),
        label: "n° 1 85 02 62 263 001 42".to_owned(),
        valid_to: date(2025, 8, 31),
        ..aid()
    };
    let mut client = client(&suite);
    let status = client
        .create_local_aid(creation(&suite, wrong))
        .await
        .unwrap_err();
    let mut faults: Vec<String> = Details::of(&status)
        .violations
        .iter()
        .map(|violation| format!("{} {}", violation.field, violation.reason))
        .collect();
    faults.sort();
    assert_eq!(
        faults,
        [
            "local_aid.code LOCAL_CODE_INVALID",
            "local_aid.label NIR_FORBIDDEN",
            "local_aid.valid_to DATES_OUT_OF_ORDER"
        ]
    );
    let of_a_person = LocalAid {
        code: "local:216202630:aide-1-85-02-62-263-001".to_owned(),
        ..aid()
    };
    let status = client
        .create_local_aid(creation(&suite, of_a_person))
        .await
        .unwrap_err();
    let details = Details::of(&status);
    let fault = &details.violations[0];
    assert_eq!(
        (fault.field.as_str(), fault.reason.as_str()),
        ("local_aid.code", "NIR_FORBIDDEN")
    );
    let created = client
        .create_local_aid(creation(&suite, aid()))
        .await
        .unwrap()
        .into_inner();
    let early = ending(&created.name, date(2025, 8, 31), "");
    let status = client.end_local_aid(early).await.unwrap_err();
    let details = Details::of(&status);
    assert_eq!(details.violations[0].reason, "DATES_OUT_OF_ORDER");
    let unknown = created.name.replace("localAids/0", "localAids/1");
    let status = client
        .end_local_aid(ending(&unknown, date(2026, 1, 1), ""))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    let get = GetLocalAidRequest { name: unknown };
    let status = client.get_local_aid(get).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn an_aid_is_its_operators_and_the_programme_reads_it() {
    let suite = Suite::start().await;
    let created = client(&suite)
        .create_local_aid(creation(&suite, aid()))
        .await
        .unwrap()
        .into_inner();
    let second = LocalAid {
        code: "local:216202630:aide-au-chauffage".to_owned(),
        ..aid()
    };
    client(&suite)
        .create_local_aid(creation(&suite, second))
        .await
        .unwrap();
    let mut officer = LocalAidServiceClient::new(suite.serving.channel(suite.tokens.officer()));
    let get = GetLocalAidRequest {
        name: created.name.clone(),
    };
    let read = officer
        .get_local_aid(get.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(read, created);
    let list = |page_token| ListLocalAidsRequest {
        parent: suite.convention.parent().to_string(),
        page_size: 1,
        page_token,
    };
    let first = officer
        .list_local_aids(list(String::new()))
        .await
        .unwrap()
        .into_inner();
    let last = officer
        .list_local_aids(list(first.next_page_token))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (first.local_aids.len(), &first.local_aids[0]),
        (1, &created)
    );
    assert_eq!(last.local_aids[0].code, "local:216202630:aide-au-chauffage");
    assert!(last.next_page_token.is_empty());
    let status = officer
        .create_local_aid(creation(&suite, aid()))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::PermissionDenied, "ROLE_MISSING".to_owned())
    );

    let out_of_reach = (Code::PermissionDenied, "OUT_OF_REACH".to_owned());
    let channel = suite.serving.channel(suite.tokens.manager(operator(2)));
    let mut stranger = LocalAidServiceClient::new(channel);
    let status = stranger.get_local_aid(get).await.unwrap_err();
    assert_eq!(refusal(&status), out_of_reach);
    let status = stranger
        .list_local_aids(list(String::new()))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), out_of_reach);
    let status = stranger
        .create_local_aid(creation(&suite, aid()))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), out_of_reach);
    let status = stranger
        .end_local_aid(ending(&created.name, date(2026, 1, 1), ""))
        .await;
    assert_eq!(refusal(&status.unwrap_err()), out_of_reach);
    // A code is the operator's own: another does not follow rights with it.
    let other = convention_name(2, 1);
    suite.learn(other, 1, true).await;
    let answers = suite
        .push_under(&other, vec![vec![person("B1"), local("E1")]])
        .await
        .unwrap();
    assert_eq!(
        faults(&answers[0].results[1]),
        ["entitlement.right UNKNOWN_CODE"]
    );
}

#[tokio::test]
async fn codes_that_left_the_lists_never_break_a_read() {
    let suite = Suite::start().await;
    let answer = suite
        .push(vec![person("B1"), right("E1", "B1"), step("P1", "B1")])
        .await;
    for statement in [
        "UPDATE beneficiary SET publics = '{ANCIEN_PUBLIC}'",
        "UPDATE entitlement SET right_code = 'ANCIENNE_AIDE', non_take_up_reason = 'ANCIENNE_RAISON'",
        "UPDATE step SET partner = 'ANCIEN_PARTENAIRE'",
        "UPDATE indicator_rollup SET code = CASE dimension WHEN 'PUBLIC' THEN 'ANCIEN_PUBLIC'
             WHEN 'RIGHT' THEN 'ANCIENNE_AIDE' ELSE 'ANCIENNE_RAISON' END
         WHERE dimension IN ('PUBLIC', 'RIGHT', 'REASON')",
    ] {
        sqlx::query(statement).execute(&suite.owner).await.unwrap();
    }
    let mut entitlements = EntitlementServiceClient::new(suite.agent());
    let name = answer.results[1].name.clone();
    let get = GetEntitlementRequest { name };
    let read = entitlements
        .get_entitlement(get)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            read.right.as_str(),
            read.non_take_up_reason.as_str(),
            read.state()
        ),
        ("ANCIENNE_AIDE", "ANCIENNE_RAISON", EntitlementState::Filed)
    );
    let list = ListEntitlementsRequest {
        parent: suite.convention.parent().to_string(),
        ..Default::default()
    };
    let listed = entitlements
        .list_entitlements(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.entitlements, [read]);
    let mut indicators = IndicatorServiceClient::new(suite.agent());
    let ask = GetIndicatorsRequest {
        convention: suite.convention.to_string(),
    };
    let figures = indicators.get_indicators(ask.clone()).await.unwrap();
    let figures = figures.into_inner();
    assert_eq!(figures.rights[0].right, "ANCIENNE_AIDE");
    assert_eq!(figures.publics[0].public, "ANCIEN_PUBLIC");
    // The next push of the record, with a code that is valid, goes on from there.
    assert_eq!(
        outcomes(&suite.push(vec![right("E1", "B1")]).await),
        [Stored]
    );
    let figures = indicators.get_indicators(ask).await.unwrap().into_inner();
    let rights: Vec<&str> = figures
        .rights
        .iter()
        .map(|right| right.right.as_str())
        .collect();
    assert_eq!(rights, ["RSA"]);
}
