//! A person of whom there is everything, and every rpc that could lead to them, as it is on the wire.

use nonrecours_contracts::{
    feed::{ListHistoryRequest, PullChangesRequest},
    followup::{
        AcceptReceivedReferralRequest, AcceptReferralRequest, ApplyRetentionRequest,
        BeneficiaryMerge, CreateLegalHoldRequest, CreateReferralRequest, EraseBeneficiaryRequest,
        ErasureReason, ExportPersonalDataRequest, ExtendSubjectRequestRequest,
        FulfilSubjectRequestRequest, GetBeneficiaryIdentityRequest, GetBeneficiaryMergeRequest,
        GetBeneficiaryRequest, GetEntitlementRequest, GetErasureRequest, GetLegalHoldRequest,
        GetNoteRequest, GetReceivedReferralRequest, GetReferralRequest, GetRenewalAlertRequest,
        GetRetentionNoticeRequest, GetStepRequest, GetSubjectRequestRequest, LiftLegalHoldRequest,
        LiftSubjectRequestRequest, ListAccessesRequest, ListBeneficiariesRequest,
        ListDuplicateCandidatesRequest, ListEntitlementsRequest, ListErasuresRequest,
        ListLegalHoldsRequest, ListNotesRequest, ListReceivedReferralsRequest,
        ListReferralsRequest, ListRenewalsRequest, ListStepsRequest, ListSubjectRequestsRequest,
        MergeBeneficiariesRequest, MergeReason, PreviewRetentionRequest, PushRecordsOnceRequest,
        Referral, RefusalBasis, RefuseReceivedReferralRequest, RefuseReferralRequest,
        RefuseSubjectRequestRequest, ReleaseErasedReferenceRequest, RevokeReferralRequest,
        SubjectRequest, SubjectRight, UndoMergeRequest,
        beneficiary_merge_service_client::BeneficiaryMergeServiceClient,
        referral_service_client::ReferralServiceClient,
    },
};
use nonrecours_kernel::ConventionName;
use nonrecours_testkit::{raw, request_id};
use prost::Message;
use tonic::Status;

use crate::{limits::asking, renewals, support::*};

/// What becomes of an rpc that meets a person whose records are stored only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
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
pub enum As {
    Agent,
    Manager,
    /// An agent of the operator that received the referrals.
    Recipient,
}

pub struct Row {
    pub path: String,
    pub by: As,
    pub becomes: Becomes,
    messages: Vec<Vec<u8>>,
}

pub fn row(of: &str, by: As, becomes: Becomes, message: &impl Message) -> Row {
    Row {
        path: format!("/nonrecours.followup.v1.{of}"),
        by,
        becomes,
        messages: vec![message.encode_to_vec()],
    }
}

/// A person of whom there is everything, among others, and all that leads to them.
pub struct Scene {
    pub suite: Suite,
    recipient: ConventionName,
    pub person: String,
    pub right: String,
    pub step: String,
    pub note: String,
    alert: String,
    merge: BeneficiaryMerge,
    /// Of whom the pseudonym is the same.
    pub twin: String,
    accepted: Referral,
    proposed: Referral,
    to_partner: Referral,
    revocable: Referral,
}

/// Who the person is, and what their software calls what is about them.
pub const SECRETS: [&str; 4] = ["Quillacq", "Bapaume", "Revient lundi", "ZZ31"];

impl Scene {
    pub async fn set() -> Self {
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

    /// All answers, one after the other.
    pub async fn call(&self, row: &Row) -> Result<Vec<u8>, Status> {
        let operator = self.suite.convention.operator;
        let channel = match row.by {
            As::Agent => self.suite.agent(),
            As::Manager => self
                .suite
                .serving
                .channel(self.suite.tokens.manager(operator)),
            As::Recipient => self.suite.agent_of(self.recipient.operator),
        };
        let mut answers = raw::open(channel, &row.path, row.messages.clone()).await?;
        let mut bytes = Vec::new();
        while let Some(answer) = answers.message().await? {
            bytes.extend_from_slice(&answer);
        }
        Ok(bytes)
    }

    /// Every rpc that has to do with persons, asked about this one, and what becomes of it.
    pub fn rows(&self, limiting: &SubjectRequest) -> Vec<Row> {
        let mut rows = self.reads();
        rows.extend(self.writes());
        rows.extend(self.pushes_and_feed());
        rows.extend(self.open(limiting));
        rows
    }

    pub fn reads(&self) -> Vec<Row> {
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

pub fn merging(suite: &Suite, survivor: &str, duplicate: &str) -> MergeBeneficiariesRequest {
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
