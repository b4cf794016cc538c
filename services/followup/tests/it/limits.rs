//! Who has asked that their records be stored and nothing else is not reached by any rpc, whatever it is.

use std::collections::BTreeSet;

use nonrecours_contracts::{
    feed::{ListHistoryRequest, PullChangesRequest},
    followup::{
        AcceptReceivedReferralRequest, AcceptReferralRequest, ApplyRetentionRequest,
        BeneficiaryMerge, CreateLegalHoldRequest, CreateReferralRequest,
        CreateSubjectRequestRequest, EraseBeneficiaryRequest, ErasureReason,
        ExportPersonalDataRequest, ExtendSubjectRequestRequest, FulfilSubjectRequestRequest,
        GetBeneficiaryIdentityRequest, GetBeneficiaryMergeRequest, GetBeneficiaryRequest,
        GetEntitlementRequest, GetErasureRequest, GetLegalHoldRequest, GetNoteRequest,
        GetReceivedReferralRequest, GetReferralRequest, GetRenewalAlertRequest,
        GetRetentionNoticeRequest, GetStepRequest, GetSubjectRequestRequest, IdentityCheck,
        LiftLegalHoldRequest, LiftSubjectRequestRequest, ListAccessesRequest,
        ListBeneficiariesRequest, ListDuplicateCandidatesRequest, ListEntitlementsRequest,
        ListErasuresRequest, ListLegalHoldsRequest, ListNotesRequest, ListReceivedReferralsRequest,
        ListReferralsRequest, ListRenewalsRequest, ListStepsRequest, ListSubjectRequestsRequest,
        MergeBeneficiariesRequest, MergeReason, PreviewRetentionRequest, PushRecordsOnceRequest,
        Referral, RefusalBasis, RefuseReceivedReferralRequest, RefuseReferralRequest,
        RefuseSubjectRequestRequest, ReleaseErasedReferenceRequest, RevokeReferralRequest,
        SubjectRequest, SubjectRight, UndoMergeRequest,
        beneficiary_merge_service_client::BeneficiaryMergeServiceClient,
        referral_service_client::ReferralServiceClient,
        retention_service_client::RetentionServiceClient,
        subject_request_service_client::SubjectRequestServiceClient,
    },
};
use nonrecours_followup::subject_request::limit;
use nonrecours_kernel::ConventionName;
use nonrecours_rpc::{auth::journalled_table, client::PeerChannel, details::Details};
use nonrecours_testkit::request_id;
use prost::{
    Message,
    bytes::{Buf, BufMut, Bytes},
};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};

use crate::{renewals, support::*};

/// Bytes in, bytes out: an answer is searched as it is on the wire.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let left = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(left)))
    }
}

/// All answers to these messages, one after the other.
async fn call(channel: PeerChannel, path: &str, messages: Vec<Vec<u8>>) -> Result<Vec<u8>, Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    let path: PathAndQuery = path.parse().unwrap();
    let request = Request::new(tokio_stream::iter(messages));
    let mut answers = grpc.streaming(request, path, Raw).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(answer) = answers.message().await? {
        bytes.extend_from_slice(&answer);
    }
    Ok(bytes)
}

/// What becomes of an rpc that meets a person whose records are stored only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    /// Refused with `PROCESSING_LIMITED`.
    Refused,
    /// Done; the person is left out.
    LeftOut,
    /// Done; the record is rejected, or the field.
    Rejected,
    /// Done; tells that there were changes, not what they showed.
    Veiled,
    /// Done as for anybody: what the person asks for, and claims.
    Open,
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    Agent,
    Manager,
    /// An agent of the operator that received the referrals.
    Recipient,
}

struct Row {
    path: String,
    by: As,
    becomes: Becomes,
    messages: Vec<Vec<u8>>,
}

fn row(of: &str, by: As, becomes: Becomes, message: &impl Message) -> Row {
    Row {
        path: format!("/nonrecours.followup.v1.{of}"),
        by,
        becomes,
        messages: vec![message.encode_to_vec()],
    }
}

/// A person of whom there is everything, among others, and all that leads to them.
struct Scene {
    suite: Suite,
    recipient: ConventionName,
    person: String,
    right: String,
    step: String,
    note: String,
    alert: String,
    merge: BeneficiaryMerge,
    /// Of whom the pseudonym is the same.
    twin: String,
    accepted: Referral,
    proposed: Referral,
    to_partner: Referral,
    revocable: Referral,
}

/// Who the person is, and what their software calls what is about them.
const SECRETS: [&str; 4] = ["Quillacq", "Bapaume", "Revient lundi", "ZZ31"];

impl Scene {
    async fn set() -> Self {
        let suite = Suite::start().await;
        let recipient = convention_name(2, 1);
        suite.learn(recipient, 1, true).await;
        let opened = right_with("E-ZZ31", "P-ZZ31", |right| {
            right.state = nonrecours_contracts::followup::EntitlementState::Opened.into();
            right.amount_kind = nonrecours_contracts::followup::AmountKind::Notified.into();
            right.decided_date = date(2025, 10, 3);
            right.renewal_date = date(2025, 11, 1);
        });
        let records = vec![
            known("P-ZZ31", |_| {}),
            opened,
            step("T-ZZ31", "P-ZZ31"),
            note("N-ZZ31", "P-ZZ31", "Revient lundi."),
            person("P-1"),
            known("P-2", |_| {}),
            known("P-3", |_| {}),
        ];
        let names: Vec<String> = suite
            .push(records)
            .await
            .results
            .into_iter()
            .map(|result| result.name)
            .collect();
        let [person, right, step, note, _, twin, duplicate] = names.try_into().unwrap();
        let merging = merging(&suite, &person, &duplicate);
        let mut merges = BeneficiaryMergeServiceClient::new(suite.agent());
        let merge = merges
            .merge_beneficiaries(merging)
            .await
            .unwrap()
            .into_inner();
        renewals::watch(&suite).await;
        let alert: String =
            sqlx::query_scalar("SELECT resource FROM outbox WHERE kind = 'renewal_alert.raised'")
                .fetch_one(&suite.owner)
                .await
                .unwrap();
        let mut referrals = ReferralServiceClient::new(suite.agent());
        let mut made = Vec::new();
        for to in [true, true, false, true] {
            let request = referring(&suite, &person, to.then_some(&recipient));
            let referral = referrals.create_referral(request).await.unwrap();
            made.push(referral.into_inner());
        }
        let [accepted, proposed, to_partner, revocable] = made.try_into().unwrap();
        let scene = Self {
            suite,
            recipient,
            person,
            right,
            step,
            note,
            alert,
            merge,
            twin,
            accepted,
            proposed,
            to_partner,
            revocable,
        };
        let accept = AcceptReceivedReferralRequest {
            name: scene.received(&scene.accepted),
            request_id: request_id(),
            ..Default::default()
        };
        let accept = row(
            "ReceivedReferralService/AcceptReceivedReferral",
            As::Recipient,
            Becomes::Open,
            &accept,
        );
        scene.call(&accept).await.unwrap();
        scene
    }

    /// The name of a referral for who receives it.
    fn received(&self, referral: &Referral) -> String {
        let (_, id) = referral.name.rsplit_once('/').unwrap();
        format!("{}/receivedReferrals/{id}", self.recipient.parent())
    }

    async fn call(&self, row: &Row) -> Result<Vec<u8>, Status> {
        let operator = self.suite.convention.operator;
        let channel = match row.by {
            As::Agent => self.suite.agent(),
            As::Manager => self
                .suite
                .serving
                .channel(self.suite.tokens.manager(operator)),
            As::Recipient => self.suite.agent_of(self.recipient.operator),
        };
        call(channel, &row.path, row.messages.clone()).await
    }

    /// Every rpc that has to do with persons, asked about this one, and what becomes of it.
    fn rows(&self, limiting: &SubjectRequest) -> Vec<Row> {
        let mut rows = self.reads();
        rows.extend(self.writes());
        rows.extend(self.pushes_and_feed());
        rows.extend(self.open(limiting));
        rows
    }

    fn reads(&self) -> Vec<Row> {
        use {As::Agent, As::Recipient, Becomes::LeftOut, Becomes::Refused};
        let parent = self.suite.convention.parent().to_string();
        let theirs = self.recipient.parent().to_string();
        let name = self.person.clone();
        let identity = format!("{name}/identity");
        vec![
            row(
                "BeneficiaryService/GetBeneficiary",
                Agent,
                Refused,
                &GetBeneficiaryRequest { name },
            ),
            row(
                "BeneficiaryIdentityService/GetBeneficiaryIdentity",
                Agent,
                Refused,
                &GetBeneficiaryIdentityRequest { name: identity },
            ),
            row(
                "EntitlementService/GetEntitlement",
                Agent,
                Refused,
                &GetEntitlementRequest {
                    name: self.right.clone(),
                },
            ),
            row(
                "StepService/GetStep",
                Agent,
                Refused,
                &GetStepRequest {
                    name: self.step.clone(),
                },
            ),
            row(
                "NoteService/GetNote",
                Agent,
                Refused,
                &GetNoteRequest {
                    name: self.note.clone(),
                },
            ),
            row(
                "ReferralService/GetReferral",
                Agent,
                Refused,
                &GetReferralRequest {
                    name: self.proposed.name.clone(),
                },
            ),
            row(
                "ReceivedReferralService/GetReceivedReferral",
                Recipient,
                Refused,
                &GetReceivedReferralRequest {
                    name: self.received(&self.accepted),
                },
            ),
            row(
                "RenewalService/GetRenewalAlert",
                Agent,
                Refused,
                &GetRenewalAlertRequest {
                    name: self.alert.clone(),
                },
            ),
            row(
                "BeneficiaryMergeService/GetBeneficiaryMerge",
                Agent,
                Refused,
                &GetBeneficiaryMergeRequest {
                    name: self.merge.name.clone(),
                },
            ),
            row(
                "BeneficiaryService/ListBeneficiaries",
                Agent,
                LeftOut,
                &ListBeneficiariesRequest {
                    parent: parent.clone(),
                    ..Default::default()
                },
            ),
            row(
                "EntitlementService/ListEntitlements",
                Agent,
                LeftOut,
                &ListEntitlementsRequest {
                    parent: parent.clone(),
                    ..Default::default()
                },
            ),
            row(
                "StepService/ListSteps",
                Agent,
                LeftOut,
                &ListStepsRequest {
                    parent: parent.clone(),
                    ..Default::default()
                },
            ),
            row(
                "NoteService/ListNotes",
                Agent,
                LeftOut,
                &ListNotesRequest {
                    parent: parent.clone(),
                    ..Default::default()
                },
            ),
            row(
                "ReferralService/ListReferrals",
                Agent,
                LeftOut,
                &ListReferralsRequest {
                    parent: parent.clone(),
                    ..Default::default()
                },
            ),
            row(
                "RenewalService/ListRenewals",
                Agent,
                LeftOut,
                &ListRenewalsRequest {
                    parent: parent.clone(),
                    ..Default::default()
                },
            ),
            row(
                "BeneficiaryMergeService/ListDuplicateCandidates",
                Agent,
                LeftOut,
                &ListDuplicateCandidatesRequest {
                    parent,
                    ..Default::default()
                },
            ),
            row(
                "ReceivedReferralService/ListReceivedReferrals",
                Recipient,
                LeftOut,
                &ListReceivedReferralsRequest {
                    parent: theirs,
                    ..Default::default()
                },
            ),
        ]
    }

    fn writes(&self) -> Vec<Row> {
        use {As::Agent, As::Recipient, Becomes::Refused};
        let (etag, proposed) = (String::new(), self.received(&self.proposed));
        vec![
            row(
                "ReferralService/CreateReferral",
                Agent,
                Refused,
                &referring(&self.suite, &self.person, Some(&self.recipient)),
            ),
            row(
                "ReferralService/AcceptReferral",
                Agent,
                Refused,
                &AcceptReferralRequest {
                    name: self.to_partner.name.clone(),
                    etag: etag.clone(),
                    request_id: request_id(),
                },
            ),
            row(
                "ReferralService/RefuseReferral",
                Agent,
                Refused,
                &RefuseReferralRequest {
                    name: self.to_partner.name.clone(),
                    etag: etag.clone(),
                    request_id: request_id(),
                },
            ),
            row(
                "ReceivedReferralService/AcceptReceivedReferral",
                Recipient,
                Refused,
                &AcceptReceivedReferralRequest {
                    name: proposed.clone(),
                    etag: etag.clone(),
                    request_id: request_id(),
                },
            ),
            row(
                "ReceivedReferralService/RefuseReceivedReferral",
                Recipient,
                Refused,
                &RefuseReceivedReferralRequest {
                    name: proposed,
                    etag: etag.clone(),
                    request_id: request_id(),
                },
            ),
            row(
                "BeneficiaryMergeService/MergeBeneficiaries",
                Agent,
                Becomes::Rejected,
                &merging(&self.suite, &self.person, &self.twin),
            ),
            row(
                "BeneficiaryMergeService/UndoMerge",
                Agent,
                Refused,
                &UndoMergeRequest {
                    name: self.merge.name.clone(),
                    etag,
                    request_id: request_id(),
                },
            ),
        ]
    }

    fn pushes_and_feed(&self) -> Vec<Row> {
        use {
            As::Agent,
            Becomes::{Rejected, Veiled},
        };
        let convention = &self.suite.convention;
        let records = || {
            vec![
                known("P-ZZ31", |identity| identity.phone.clear()),
                step("T-2", "P-ZZ31"),
            ]
        };
        let once = PushRecordsOnceRequest {
            convention: convention.to_string(),
            records: records(),
            ..Default::default()
        };
        let stream = Row {
            messages: vec![
                opening(convention).encode_to_vec(),
                batch(1, records()).encode_to_vec(),
            ],
            ..row("PushService/PushRecords", Agent, Rejected, &())
        };
        let history = ListHistoryRequest {
            name: self.person.clone(),
            ..Default::default()
        };
        let pull = PullChangesRequest {
            wait: Some(prost_types::Duration {
                seconds: 20,
                nanos: 0,
            }),
            ..Default::default()
        };
        let feed = |rpc: &str, message: &dyn Fn() -> Vec<u8>| Row {
            path: format!("/nonrecours.feed.v1.ChangeFeedService/{rpc}"),
            by: Agent,
            becomes: Veiled,
            messages: vec![message()],
        };
        vec![
            row("PushService/PushRecordsOnce", Agent, Rejected, &once),
            stream,
            feed("ListHistory", &|| history.encode_to_vec()),
            feed("PullChanges", &|| pull.encode_to_vec()),
        ]
    }

    fn open(&self, limiting: &SubjectRequest) -> Vec<Row> {
        let parent = self.suite.convention.parent().to_string();
        let (name, etag) = (limiting.name.clone(), String::new());
        let none = |collection: &str| format!("{parent}/{collection}/{}", uuid::Uuid::from_u128(9));
        let reason = || "Recours devant le tribunal.".to_owned();
        let open = |of: &str, message: &dyn Fn() -> Vec<u8>| Row {
            path: format!("/nonrecours.followup.v1.{of}"),
            by: As::Manager,
            becomes: Becomes::Open,
            messages: vec![message()],
        };
        let asked = asking(&self.suite, &self.person, SubjectRight::Access);
        vec![
            open("SubjectRequestService/CreateSubjectRequest", &|| {
                asked.encode_to_vec()
            }),
            open("SubjectRequestService/GetSubjectRequest", &|| {
                GetSubjectRequestRequest { name: name.clone() }.encode_to_vec()
            }),
            open("SubjectRequestService/ListSubjectRequests", &|| {
                ListSubjectRequestsRequest {
                    parent: parent.clone(),
                    ..Default::default()
                }
                .encode_to_vec()
            }),
            open("SubjectRequestService/ExportPersonalData", &|| {
                ExportPersonalDataRequest {
                    name: name.clone(),
                    legal_claim: reason(),
                    ..Default::default()
                }
                .encode_to_vec()
            }),
            open("SubjectRequestService/ExtendSubjectRequest", &|| {
                ExtendSubjectRequestRequest {
                    name: name.clone(),
                    reason: reason(),
                    etag: etag.clone(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("SubjectRequestService/FulfilSubjectRequest", &|| {
                FulfilSubjectRequestRequest {
                    name: name.clone(),
                    etag: etag.clone(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("SubjectRequestService/RefuseSubjectRequest", &|| {
                RefuseSubjectRequestRequest {
                    name: name.clone(),
                    basis: RefusalBasis::NoGroundToRestrict.into(),
                    reason: reason(),
                    etag: etag.clone(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("ReferralService/RevokeReferral", &|| {
                RevokeReferralRequest {
                    name: self.revocable.name.clone(),
                    etag: etag.clone(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("LegalHoldService/CreateLegalHold", &|| {
                CreateLegalHoldRequest {
                    parent: parent.clone(),
                    beneficiary: self.person.clone(),
                    reason: reason(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("LegalHoldService/GetLegalHold", &|| {
                GetLegalHoldRequest {
                    name: none("legalHolds"),
                }
                .encode_to_vec()
            }),
            open("LegalHoldService/LiftLegalHold", &|| {
                LiftLegalHoldRequest {
                    name: none("legalHolds"),
                    reason: reason(),
                    etag: etag.clone(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("LegalHoldService/ListLegalHolds", &|| {
                ListLegalHoldsRequest {
                    parent: parent.clone(),
                    ..Default::default()
                }
                .encode_to_vec()
            }),
            open("RetentionService/PreviewRetention", &|| {
                PreviewRetentionRequest {
                    parent: parent.clone(),
                    ..Default::default()
                }
                .encode_to_vec()
            }),
            open("RetentionService/ApplyRetention", &|| {
                ApplyRetentionRequest {
                    parent: parent.clone(),
                    max_persons: 10,
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("RetentionService/GetRetentionNotice", &|| {
                GetRetentionNoticeRequest {
                    name: none("retentionNotices"),
                }
                .encode_to_vec()
            }),
            open("ErasureService/GetErasure", &|| {
                GetErasureRequest {
                    name: none("erasures"),
                }
                .encode_to_vec()
            }),
            open("ErasureService/ListErasures", &|| {
                ListErasuresRequest {
                    parent: parent.clone(),
                    ..Default::default()
                }
                .encode_to_vec()
            }),
            open("ErasureService/ReleaseErasedReference", &|| {
                ReleaseErasedReferenceRequest {
                    parent: parent.clone(),
                    external_reference: "P-9".to_owned(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("AccessService/ListAccesses", &|| {
                ListAccessesRequest {
                    parent: parent.clone(),
                    ..Default::default()
                }
                .encode_to_vec()
            }),
            // The last ones: the limit ends, or the person does.
            open("SubjectRequestService/LiftSubjectRequest", &|| {
                LiftSubjectRequestRequest {
                    name: name.clone(),
                    etag: etag.clone(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
            open("ErasureService/EraseBeneficiary", &|| {
                EraseBeneficiaryRequest {
                    name: self.twin.clone(),
                    reason: ErasureReason::Mistake.into(),
                    etag: etag.clone(),
                    request_id: request_id(),
                }
                .encode_to_vec()
            }),
        ]
    }
}

fn merging(suite: &Suite, survivor: &str, duplicate: &str) -> MergeBeneficiariesRequest {
    MergeBeneficiariesRequest {
        parent: suite.convention.parent().to_string(),
        survivor: survivor.to_owned(),
        duplicate: duplicate.to_owned(),
        reason: MergeReason::SamePseudonym.into(),
        request_id: request_id(),
        ..Default::default()
    }
}

fn referring(suite: &Suite, person: &str, to: Option<&ConventionName>) -> CreateReferralRequest {
    CreateReferralRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: person.to_owned(),
        recipient: to.map(|to| to.parent().to_string()).unwrap_or_default(),
        partner: to.map_or("CAF", |_| "").to_owned(),
        consent_date: date(2025, 10, 6),
        request_id: request_id(),
        ..Default::default()
    }
}

fn asking(suite: &Suite, person: &str, right: SubjectRight) -> CreateSubjectRequestRequest {
    CreateSubjectRequestRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: person.to_owned(),
        right: right.into(),
        identity_check: IdentityCheck::DocumentShown.into(),
        received_date: date(2025, 10, 6),
        request_id: request_id(),
    }
}

/// A request that is entered.
pub async fn asked(suite: &Suite, person: &str, right: SubjectRight) -> SubjectRequest {
    let mut agent = SubjectRequestServiceClient::new(suite.agent());
    let entered = agent
        .create_subject_request(asking(suite, person, right))
        .await;
    entered.unwrap().into_inner()
}

/// The same once it is fulfilled.
pub async fn fulfilled(suite: &Suite, request: &SubjectRequest) -> Result<SubjectRequest, Status> {
    let token = suite.tokens.manager(suite.convention.operator);
    let mut manager = SubjectRequestServiceClient::new(suite.serving.channel(token));
    let fulfil = FulfilSubjectRequestRequest {
        name: request.name.clone(),
        etag: request.etag.clone(),
        request_id: request_id(),
    };
    Ok(manager.fulfil_subject_request(fulfil).await?.into_inner())
}

/// The end of its effect.
pub async fn lifted(suite: &Suite, request: &SubjectRequest) -> SubjectRequest {
    let token = suite.tokens.manager(suite.convention.operator);
    let mut manager = SubjectRequestServiceClient::new(suite.serving.channel(token));
    let lift = LiftSubjectRequestRequest {
        name: request.name.clone(),
        etag: request.etag.clone(),
        request_id: request_id(),
    };
    manager
        .lift_subject_request(lift)
        .await
        .unwrap()
        .into_inner()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reaches_a_person_whose_records_are_stored_only() {
    let scene = Scene::set().await;
    let [id, right, step, note] =
        [&scene.person, &scene.right, &scene.step, &scene.note].map(|name| {
            let (_, id) = name.rsplit_once('/').unwrap();
            id
        });
    let tells = |answer: &[u8]| {
        let mut of_them = [id, right, step, note].into_iter().chain(SECRETS);
        of_them.any(|one| contains(answer, one))
    };
    // What is asked about can be found, so that what is not told is not told for the limit.
    for row in scene.reads() {
        let answer = scene
            .call(&row)
            .await
            .unwrap_or_else(|status| panic!("{}: {status:?}", row.path));
        assert!(
            tells(&answer) || row.by == As::Recipient && !answer.is_empty(),
            "{}",
            row.path
        );
    }

    let asked = asked(&scene.suite, &scene.person, SubjectRight::Restriction).await;
    let limiting = fulfilled(&scene.suite, &asked).await.unwrap();
    let rows = scene.rows(&limiting);
    let called: BTreeSet<&str> = rows.iter().map(|row| row.path.as_str()).collect();
    let all: BTreeSet<&str> = journalled_table()
        .iter()
        .map(String::as_str)
        .chain([
            "/nonrecours.followup.v1.PushService/PushRecords",
            "/nonrecours.feed.v1.ChangeFeedService/PullChanges",
            "/nonrecours.feed.v1.ChangeFeedService/ListHistory",
        ])
        .collect();
    assert_eq!(
        called, all,
        "an rpc about persons of which this test does not say what becomes"
    );
    let open = rows.iter().filter(|row| row.becomes == Becomes::Open);
    let open: BTreeSet<&str> = open.map(|row| row.path.as_str()).collect();
    let declared: Vec<String> = limit::OPEN
        .iter()
        .map(|(rpc, _)| format!("/nonrecours.followup.v1.{rpc}"))
        .collect();
    assert_eq!(open, declared.iter().map(String::as_str).collect());

    for row in &rows {
        let answer = scene.call(row).await;
        let what = format!("{} {:?}: {answer:?}", row.path, row.becomes);
        match (row.becomes, answer) {
            (Becomes::Refused, answer) => assert_eq!(
                answer.as_ref().map_err(refusal).unwrap_err(),
                (Code::FailedPrecondition, "PROCESSING_LIMITED".to_owned()),
                "{what}"
            ),
            (Becomes::LeftOut, answer) => {
                let answer = answer.expect(&what);
                assert!(!tells(&answer), "{what}");
            }
            (Becomes::Rejected, Ok(answer)) => {
                assert!(contains(&answer, "PROCESSING_LIMITED"), "{what}");
                assert!(
                    !contains(&answer, id) && !contains(&answer, "Quillacq"),
                    "{what}"
                );
            }
            (Becomes::Rejected, Err(status)) => {
                let violations = Details::of(&status).violations;
                assert!(
                    violations
                        .iter()
                        .any(|one| one.reason == "PROCESSING_LIMITED"),
                    "{what}"
                );
            }
            (Becomes::Veiled, answer) => {
                let answer = answer.expect(&what);
                assert!(contains(&answer, id), "{what}");
                assert!(
                    SECRETS.iter().all(|secret| !contains(&answer, secret)),
                    "{what}"
                );
            }
            (Becomes::Open, answer) => {
                let reason = answer.as_ref().err().map(|status| refusal(status).1);
                assert_ne!(reason.as_deref(), Some("PROCESSING_LIMITED"), "{what}");
            }
        }
    }
    // Lifted by the last but one, the person is there again.
    let read = &scene.reads()[0];
    assert!(contains(&scene.call(read).await.unwrap(), "ZZ31"));
}

#[tokio::test]
async fn for_a_legal_claim_the_file_is_read_as_long_as_it_is_limited_and_the_journal_says_why() {
    let scene = Scene::set().await;
    let suite = &scene.suite;
    let asked = asked(suite, &scene.person, SubjectRight::Restriction).await;
    let token = suite.tokens.manager(suite.convention.operator);
    let mut manager = SubjectRequestServiceClient::new(suite.serving.channel(token));
    let export = |legal_claim: &str| ExportPersonalDataRequest {
        name: asked.name.clone(),
        legal_claim: legal_claim.to_owned(),
        ..Default::default()
    };
    let early = manager.export_personal_data(export("Recours.")).await;
    assert_eq!(refusal(&early.unwrap_err()).1, "LIMIT_NOT_IN_EFFECT");
    fulfilled(suite, &asked).await.unwrap();
    let nir = manager
        .export_personal_data(export("1 85 02 62 263 001 42"))
        .await;
    let violations = Details::of(&nir.unwrap_err()).violations;
    assert_eq!(violations[0].field, "legal_claim");
    assert_eq!(violations[0].reason, "NIR_FORBIDDEN");
    let file = manager
        .export_personal_data(export("Recours devant le tribunal."))
        .await;
    assert_eq!(file.unwrap().into_inner().notes[0].text, "Revient lundi.");
    let why: String =
        sqlx::query_scalar("SELECT why FROM access_entry WHERE rpc LIKE '%/ExportPersonalData'")
            .fetch_one(&suite.owner)
            .await
            .unwrap();
    assert_eq!(
        why,
        format!("art. 18.2 : {} : Recours devant le tribunal.", asked.name)
    );
}

#[tokio::test]
async fn a_limit_asked_for_by_a_duplicate_holds_for_who_they_were_merged_into() {
    let scene = Scene::set().await;
    let suite = &scene.suite;
    let asked = asked(suite, &scene.twin, SubjectRight::Objection).await;
    let mut merges = BeneficiaryMergeServiceClient::new(suite.agent());
    let merging = merging(suite, &scene.person, &scene.twin);
    merges.merge_beneficiaries(merging).await.unwrap();
    fulfilled(suite, &asked).await.unwrap();
    let status = scene.call(&scene.reads()[0]).await.unwrap_err();
    assert_eq!(refusal(&status).1, "PROCESSING_LIMITED");
    for table in ["pseudonym", "processing_limit"] {
        let count: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .fetch_one(&suite.owner)
                .await
                .unwrap();
        // The survivor and the two who were merged into them.
        assert_eq!(count, if table == "pseudonym" { 0 } else { 3 }, "{table}");
    }
}

#[tokio::test]
async fn who_asked_for_storage_only_is_kept_by_retention_and_erased_only_when_they_want_it() {
    let scene = Scene::set().await;
    let suite = &scene.suite;
    let restriction = asked(suite, &scene.person, SubjectRight::Restriction).await;
    fulfilled(suite, &restriction).await.unwrap();
    let erase = |reason: ErasureReason| {
        let message = EraseBeneficiaryRequest {
            name: scene.person.clone(),
            reason: reason.into(),
            request_id: request_id(),
            ..Default::default()
        };
        row(
            "ErasureService/EraseBeneficiary",
            As::Manager,
            Becomes::Open,
            &message,
        )
    };
    for reason in [ErasureReason::Mistake, ErasureReason::Retention] {
        let status = scene.call(&erase(reason)).await.unwrap_err();
        assert_eq!(refusal(&status).1, "PROCESSING_LIMITED");
    }
    // Three years later everybody is due, but who is restricted.
    suite
        .clock
        .set(time::macros::datetime!(2028-12-01 09:00 +1));
    let preview = || PreviewRetentionRequest {
        parent: suite.convention.parent().to_string(),
        ..Default::default()
    };
    let mut client = RetentionServiceClient::new(suite.agent());
    let seen = client
        .preview_retention(preview())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((seen.due, seen.held), (2, 1));
    let manager = suite
        .serving
        .channel(suite.tokens.manager(suite.convention.operator));
    let apply = ApplyRetentionRequest {
        parent: suite.convention.parent().to_string(),
        max_persons: 10,
        request_id: request_id(),
    };
    let mut manager = RetentionServiceClient::new(manager);
    assert_eq!(
        manager
            .apply_retention(apply)
            .await
            .unwrap()
            .into_inner()
            .erased,
        2
    );
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM beneficiary")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(left, 1);
    assert!(
        scene
            .call(&erase(ErasureReason::SubjectRequest))
            .await
            .is_ok()
    );
}
