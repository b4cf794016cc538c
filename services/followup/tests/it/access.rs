//! What a person who asks for access receives (art. 15): whatever is held on them, of every kind.

use nonrecours_contracts::followup::{
    AmountKind, CreateReferralRequest, EntitlementState, GetBeneficiaryRequest, MergeState,
    RetentionNoticeState, SubjectRight, beneficiary_service_client::BeneficiaryServiceClient,
    referral_service_client::ReferralServiceClient,
};
use nonrecours_testkit::request_id;
use time::macros::datetime;

use crate::{
    merges::{merge, merging},
    renewals, retention,
    subject_requests::{export, received},
    support::*,
};

/// Within thirty days of the end of storing: nothing was heard of the person for nearly two years.
const NEARLY_OVER: time::OffsetDateTime = datetime!(2027-09-20 12:00 +2);

#[tokio::test]
async fn every_kind_of_record_on_a_person_is_exported() {
    let suite = Suite::start().await;
    let opened = right_with("E1", "B1", |right| {
        right.state = EntitlementState::Opened.into();
        right.amount_kind = AmountKind::Notified.into();
        right.decided_date = date(2025, 10, 3);
        right.renewal_date = date(2025, 11, 1);
    });
    let records = vec![
        known("B1", |_| {}),
        opened,
        known("B2", |identity| {
            identity.usual_name = "Quillacq-Delmotte".to_owned()
        }),
        note("N2", "B2", "Rappeler en mai."),
        known("B3", |identity| {
            identity.birth_name = "Tournemine".to_owned()
        }),
        right("E3", "B3"),
    ];
    let pushed = suite.push(records).await;
    let [one, two] = [0, 2].map(|place| pushed.results[place].name.clone());
    let other = pushed.results[4].name.clone();
    renewals::watch(&suite).await;
    let proposal = CreateReferralRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: one.clone(),
        partner: "CAF".to_owned(),
        right: "RSA".to_owned(),
        consent_date: date(2025, 10, 6),
        request_id: request_id(),
        ..CreateReferralRequest::default()
    };
    let mut referrals = ReferralServiceClient::new(suite.agent());
    let referral = referrals
        .create_referral(proposal)
        .await
        .unwrap()
        .into_inner();

    // Under the record that is a duplicate: a request of hers, and a look at it.
    let earlier = received(&suite, &two, SubjectRight::Rectification).await;
    let mut persons = BeneficiaryServiceClient::new(suite.agent());
    let look = GetBeneficiaryRequest { name: two.clone() };
    persons.get_beneficiary(look).await.unwrap();
    let merged = merge(&suite, merging(&suite.convention, &one, &two))
        .await
        .unwrap();

    suite.clock.set(NEARLY_OVER);
    retention::watch(&suite).await;
    let reason = "Recours devant le tribunal judiciaire.";
    let hold = retention::hold(&suite, retention::holding(&suite, &one, reason))
        .await
        .unwrap();

    let request = received(&suite, &one, SubjectRight::Access).await;
    let data = export(&suite, &request).await.unwrap();
    assert_eq!(data.next_page_token, "");
    assert_eq!(data.beneficiary.as_ref().unwrap().name, one);
    assert_eq!(data.identity.as_ref().unwrap().usual_name, "Quillacq");
    let [entitlement] = &data.entitlements[..] else {
        panic!("{:?}", data.entitlements)
    };
    let [alert] = &data.renewal_alerts[..] else {
        panic!("{:?}", data.renewal_alerts)
    };
    assert_eq!(alert.entitlement, entitlement.name);
    assert_eq!(alert.renewal_date, date(2025, 11, 1));
    let [note] = &data.notes[..] else {
        panic!("{:?}", data.notes)
    };
    assert_eq!(note.text, "Rappeler en mai.");
    assert_eq!(data.referrals, [referral]);
    assert_eq!(data.legal_holds, [hold]);
    let [notice] = &data.retention_notices[..] else {
        panic!("{:?}", data.retention_notices)
    };
    assert_eq!(notice.beneficiary, one);
    assert!(notice.state() != RetentionNoticeState::Unspecified);
    assert_eq!(data.merges, [merged]);
    assert_eq!(data.merges[0].state(), MergeState::Merged);
    let [aside] = &data.merged_beneficiaries[..] else {
        panic!("{:?}", data.merged_beneficiaries)
    };
    let record = aside.beneficiary.as_ref().unwrap();
    assert_eq!(
        (record.name.as_str(), record.external_reference.as_str()),
        (two.as_str(), "B2")
    );
    assert_eq!(
        aside.identity.as_ref().unwrap().usual_name,
        "Quillacq-Delmotte"
    );
    assert_eq!(data.subject_requests, [earlier, request.clone()]);
    let looks = data
        .accesses
        .iter()
        .filter(|access| access.rpc.ends_with("/GetBeneficiary"));
    assert_eq!(looks.count(), 1, "{:?}", data.accesses);

    let json: serde_json::Value = serde_json::from_slice(&data.json).unwrap();
    assert_eq!(json["legalHolds"][0]["reason"], reason);
    assert_eq!(
        json["mergedBeneficiaries"][0]["identity"]["usualName"],
        "Quillacq-Delmotte"
    );
    // That the duplicate's record was told is in the journal as well.
    let told: bool = sqlx::query_scalar(
        "SELECT bool_or($1::uuid = ANY(records)) FROM access_entry WHERE rpc LIKE '%/ExportPersonalData'",
    )
    .bind(two.rsplit_once('/').unwrap().1.parse::<uuid::Uuid>().unwrap())
    .fetch_one(&suite.owner)
    .await
    .unwrap();
    assert!(told);

    // Of somebody else, what is held on them and no more.
    let request = received(&suite, &other, SubjectRight::Access).await;
    let data = export(&suite, &request).await.unwrap();
    assert_eq!(data.entitlements.len(), 1);
    let others = [
        data.renewal_alerts.len(),
        data.referrals.len(),
        data.legal_holds.len(),
        data.merges.len(),
        data.merged_beneficiaries.len(),
    ];
    assert_eq!(others, [0; 5]);
    assert_eq!(data.subject_requests, [request]);
}
