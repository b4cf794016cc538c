//! The steps in `conventions`: from the programme to the signature, and the report.

use anyhow::Context as _;
use nonrecours_contracts::conventions::{
    AcceptActivityReportRequest, ActivityReport, CompleteActionsRequest, Convention,
    ConventionState, CreateActRequest, CreateActivityReportRequest, CreateConventionRequest,
    CreateFrameworkConventionRequest, CreateOperatorRequest, CreateProgrammeRequest,
    ListOperatorsRequest, ListProgrammesRequest, Operator, Party, Programme,
    RecordActPublicationRequest, SignConventionRequest, SubmitActivityReportRequest,
};
use nonrecours_kernel::{Money, Siret};
use nonrecours_rpc::{
    convert::{money, to_money},
    details::Details,
};
use tonic::Status;

use super::{Journey, Report, refused};
use crate::client::answered;

/// Calls an rpc of a client, again when a part of the suite was away.
macro_rules! call {
    ($client:expr, $rpc:ident, $request:expr) => {{
        let (client, request) = ($client, $request);
        answered(|| {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.$rpc(request).await }
        })
        .await
    }};
}
pub(super) use call;

impl Journey {
    pub(super) async fn open_programme(&mut self, report: Report) -> anyhow::Result<Report> {
        let officer = self.cast.officer()?;
        let created = call!(
            officer.programmes(),
            create_programme,
            CreateProgrammeRequest {
                programme: Some(self.example.programme.clone()),
                request_id: self.request_id(),
            }
        );
        let programme = match created {
            Ok(programme) => programme,
            Err(status) if already_exists(&status) => self.existing_programme().await?,
            Err(status) => return Err(status.into()),
        };
        let framework = call!(
            officer.framework_conventions(),
            create_framework_convention,
            CreateFrameworkConventionRequest {
                parent: programme.name.clone(),
                framework_convention: Some(self.example.framework_convention.clone()),
                request_id: self.request_id(),
            }
        )?;
        self.facts.programme = programme.name.clone();
        self.facts.framework_convention = framework.name;
        let envelope = programme.envelopes.first().context("an envelope")?;
        Ok(report
            .line(format!(
                "{} (SIRET {})",
                programme.authority_name, programme.authority_siret
            ))
            .line(format!(
                "enveloppe {} : {}, {} communes",
                envelope.budget_year,
                money(envelope.voted_amount.as_ref())?.french(),
                programme.commune_codes.len()
            ))
            .line("convention-cadre votée le 25/09/2025"))
    }

    pub(super) async fn register_operator(&mut self, report: Report) -> anyhow::Result<Report> {
        let created = call!(
            self.cast.officer()?.operators(),
            create_operator,
            CreateOperatorRequest {
                operator: Some(self.example.operator.clone()),
                request_id: self.request_id(),
            }
        );
        let operator = match created {
            Ok(operator) => operator,
            Err(status) if already_exists(&status) => self.existing_operator().await?,
            Err(status) => return Err(status.into()),
        };
        self.facts.operator = operator.name;
        Ok(report.line(format!(
            "{}, SIRET {}, INSEE {}",
            operator.legal_name, operator.siret, operator.insee_code
        )))
    }

    /// The programme of an earlier journey on the same databases.
    async fn existing_programme(&self) -> anyhow::Result<Programme> {
        let page = call!(
            self.cast.officer()?.programmes(),
            list_programmes,
            ListProgrammesRequest::default()
        )?;
        let ours =
            |programme: &Programme| programme.display_name == self.example.programme.display_name;
        page.programmes
            .into_iter()
            .find(ours)
            .context("the programme of an earlier journey")
    }

    /// The operator of an earlier journey on the same databases.
    async fn existing_operator(&self) -> anyhow::Result<Operator> {
        let siret: Siret = self.example.operator.siret.parse()?;
        let page = call!(
            self.cast.officer()?.operators(),
            list_operators,
            ListOperatorsRequest::default()
        )?;
        let ours = |operator: &Operator| operator.siret == siret.to_string();
        page.operators
            .into_iter()
            .find(ours)
            .context("the operator of an earlier journey")
    }

    pub(super) async fn draft_convention(&mut self, report: Report) -> anyhow::Result<Report> {
        let draft = Convention {
            framework_convention: self.facts.framework_convention.clone(),
            ..self.example.convention.clone()
        };
        let convention = self.draft(draft.clone()).await?;
        // A second draft, which is never signed: for what must be refused outside a convention in force.
        let title = "Projet non signé".to_owned();
        let other = self.draft(Convention { title, ..draft }).await?;
        self.facts.convention = convention.name;
        self.facts.other_convention = other.name;
        let mut report = report.line(format!(
            "{} pour {}, {} publics, {} engagements",
            money(convention.grant_amount.as_ref())?.french(),
            convention.budget_year,
            convention.target_publics.len(),
            convention.commitments.len()
        ));
        for term in &convention.instalment_terms {
            report = report.line(format!(
                "{:?} : part {} soit {}",
                term.kind(),
                term.share,
                money(term.amount.as_ref())?.french()
            ));
        }
        Ok(report)
    }

    async fn draft(&self, convention: Convention) -> anyhow::Result<Convention> {
        Ok(call!(
            self.cast.officer()?.conventions(),
            create_convention,
            CreateConventionRequest {
                parent: self.facts.operator.clone(),
                convention: Some(convention),
                request_id: self.request_id(),
            }
        )?)
    }

    pub(super) async fn sign_draft(&mut self, report: Report) -> anyhow::Result<Report> {
        let details = refused(self.sign_for(Party::Authority).await?, "SIGNING_BLOCKED")?;
        anyhow::ensure!(
            details.blocker_reasons()
                == ["ACT_MISSING", "ACT_MISSING", "EMPOWERING_DECISION_MISSING"],
            "unexpected blockers {:?}",
            details.blocker_reasons()
        );
        Ok(report.refusal(&details))
    }

    pub(super) async fn record_acts(&mut self, mut report: Report) -> anyhow::Result<Report> {
        for act in self.example.acts.clone() {
            let party = act.party();
            let act = call!(
                self.cast.officer()?.acts(),
                create_act,
                CreateActRequest {
                    parent: self.facts.convention.clone(),
                    act: Some(act),
                    request_id: self.request_id(),
                }
            )?;
            let published = if act.publication_date.is_some() {
                "publié"
            } else {
                "non publié"
            };
            report = report.line(format!("{} : transmis, {published}", act.act_id));
            if party == Party::Operator {
                self.facts.commune_act = act.name;
            }
        }
        Ok(report)
    }

    pub(super) async fn sign_unpublished(&mut self, report: Report) -> anyhow::Result<Report> {
        let details = refused(self.sign_for(Party::Operator).await?, "SIGNING_BLOCKED")?;
        anyhow::ensure!(
            details.blocker_reasons() == ["ACT_NOT_PUBLISHED"],
            "unexpected blockers {:?}",
            details.blocker_reasons()
        );
        Ok(report.refusal(&details))
    }

    pub(super) async fn sign(&mut self, report: Report) -> anyhow::Result<Report> {
        let act = call!(
            self.cast.officer()?.acts(),
            record_act_publication,
            RecordActPublicationRequest {
                name: self.facts.commune_act.clone(),
                publication_date: Some(self.today()),
                etag: String::new(),
                request_id: self.request_id(),
                ..Default::default()
            }
        )?;
        anyhow::ensure!(
            act.enforceable_date.is_some(),
            "a published act is enforceable"
        );
        let first = self.sign_for(Party::Operator).await??;
        anyhow::ensure!(
            first.state() == ConventionState::PartlySigned,
            "{:?}",
            first.state()
        );
        let second = self.sign_for(Party::Authority).await??;
        anyhow::ensure!(
            second.state() == ConventionState::InForce,
            "{:?}",
            second.state()
        );
        let mut report = report.line(format!(
            "publication enregistrée le {}",
            self.today_in_french()
        ));
        for signature in &second.signatures {
            report = report.line(format!(
                "signé par {}, {}",
                signature.full_name, signature.capacity
            ));
        }
        Ok(report.line("la convention est en vigueur"))
    }

    /// Signs for a party as the one who may. The outer error is one of the journey, the inner one the suite's answer.
    async fn sign_for(&self, party: Party) -> anyhow::Result<Result<Convention, Status>> {
        let client = match party {
            Party::Operator => self.cast.manager(self.operator()?)?,
            _ => self.cast.authorising_officer()?,
        };
        Ok(call!(
            client.conventions(),
            sign_convention,
            SignConventionRequest {
                name: self.facts.convention.clone(),
                party: party.into(),
                etag: String::new(),
                request_id: self.request_id(),
            }
        ))
    }

    pub(super) async fn report(&mut self, report: Report) -> anyhow::Result<Report> {
        let manager = self.cast.manager(self.operator()?)?.activity_reports();
        // Completing before a report is accepted is refused.
        let early = refused(self.complete().await?, "REPORT_NOT_ACCEPTED")?;
        let drafted = call!(
            manager.clone(),
            create_activity_report,
            CreateActivityReportRequest {
                parent: self.facts.convention.clone(),
                activity_report: Some(ActivityReport {
                    narrative:
                        "Quatre permanences à la Cité des Métiers d'Arras, suivies de rendez-vous \
                                individuels à la Maison France Services de Dainville."
                            .to_owned(),
                    spent_amount: Some(to_money(Money::from_cents(1_149_350))),
                    ..Default::default()
                }),
                request_id: self.request_id(),
            }
        )?;
        let figures = drafted.figures.clone().context("the figures of followup")?;
        call!(
            manager,
            submit_activity_report,
            SubmitActivityReportRequest {
                name: drafted.name.clone(),
                etag: String::new(),
                request_id: self.request_id(),
            }
        )?;
        call!(
            self.cast.officer()?.activity_reports(),
            accept_activity_report,
            AcceptActivityReportRequest {
                name: drafted.name,
                etag: String::new(),
                request_id: self.request_id(),
            }
        )?;
        Ok(report
            .refusal(&early)
            .line(format!(
                "{} personnes repérées, {} accompagnées, {} droits ouverts, {} par an, {} permanences",
                figures.persons_spotted,
                figures.persons_supported,
                figures.entitlements_opened,
                money(figures.yearly_amount_opened.as_ref())?.french(),
                figures.sessions_held
            ))
            .line("bilan remis par la commune, accepté par la CUA"))
    }

    pub(super) async fn complete_actions(&mut self, report: Report) -> anyhow::Result<Report> {
        let completed = self.complete().await??;
        anyhow::ensure!(
            completed.state() == ConventionState::Completed,
            "{:?}",
            completed.state()
        );
        let instalments = self
            .instalments_when("the balance becomes callable", |instalments| {
                instalments.last().is_some_and(|balance| {
                    balance
                        .blockers
                        .iter()
                        .all(|blocker| blocker.reason != "ACTIONS_NOT_COMPLETED")
                })
            })
            .await?;
        let balance = instalments.last().context("a balance")?;
        Ok(report
            .line(format!("actions achevées le {}", self.today_in_french()))
            .line(format!(
                "solde de {} appelable",
                money(balance.amount.as_ref())?.french()
            )))
    }

    async fn complete(&self) -> anyhow::Result<Result<Convention, Status>> {
        Ok(call!(
            self.cast.officer()?.conventions(),
            complete_actions,
            CompleteActionsRequest {
                name: self.facts.convention.clone(),
                completion_date: Some(self.today()),
                etag: String::new(),
                request_id: self.request_id(),
            }
        ))
    }

    pub(super) async fn settle(&mut self, report: Report) -> anyhow::Result<Report> {
        let convention = self
            .convention_when("the convention is settled", |convention| {
                convention.state() == ConventionState::Settled
            })
            .await?;
        let paid = money(convention.paid_amount.as_ref())?;
        anyhow::ensure!(paid == Money::from_cents(1_150_000), "paid {paid}");
        Ok(report.line(format!(
            "11 500,00 € = 9 200,00 € + 2 300,00 € : payé {}",
            paid.french()
        )))
    }
}

fn already_exists(status: &Status) -> bool {
    Details::of(status).reason == "ALREADY_EXISTS"
}
