//! The steps in `payments`: from the plan to the last transfer.

use anyhow::Context as _;
use nonrecours_contracts::payments::{
    self, CallInstalmentRequest, CertifyInstalmentRequest, ConfirmInstalmentRequest,
    DocumentReference, Instalment, InstalmentState, OrderInstalmentRequest,
};
use nonrecours_kernel::Money;
use nonrecours_rpc::convert::money;
use tonic::Status;

use super::{Journey, Report, convening::call, eventually, papers::known, refused};
use crate::client::{Client, answered};

impl Journey {
    pub(super) async fn open_plan(&mut self, report: Report) -> anyhow::Result<Report> {
        let instalments = self
            .instalments_when("the plan is open", |instalments| instalments.len() == 2)
            .await?;
        let [advance, balance] = instalments.as_slice() else {
            anyhow::bail!("two instalments");
        };
        let amounts = (
            money(advance.amount.as_ref())?,
            money(balance.amount.as_ref())?,
        );
        anyhow::ensure!(
            amounts == (Money::from_cents(920_000), Money::from_cents(230_000)),
            "{amounts:?}"
        );
        self.facts.advance = advance.name.clone();
        self.facts.balance = balance.name.clone();
        Ok(report
            .line(format!("acompte {}", amounts.0.french()))
            .line(format!("solde {}", amounts.1.french())))
    }

    pub(super) async fn call_balance_too_early(
        &mut self,
        report: Report,
    ) -> anyhow::Result<Report> {
        let balance = self.facts.balance.clone();
        let details = refused(
            self.call_instalment(&balance, "AF-2025-00").await?,
            "CALL_BLOCKED",
        )?;
        anyhow::ensure!(
            details.blocker_reasons() == ["ACTIONS_NOT_COMPLETED", "EARLIER_INSTALMENT_UNPAID"],
            "unexpected blockers {:?}",
            details.blocker_reasons()
        );
        Ok(report.refusal(&details))
    }

    pub(super) async fn call_advance(&mut self, report: Report) -> anyhow::Result<Report> {
        let advance = self.facts.advance.clone();
        let mut wrong = self.example.bank_account.clone();
        wrong.iban = wrong.iban.replace("041", "042");
        let refusal = refused(
            self.call_with(&advance, "AF-2025-01", wrong, Vec::new())
                .await?,
            "INVALID_REQUEST",
        )?;
        anyhow::ensure!(
            refusal.fields() == ["bank_account.iban"],
            "{:?}",
            refusal.fields()
        );
        let papers = self.papers_of_advance().await?;
        let approved = self.approved_account(&papers).await?;
        let called = self
            .call_justified(&advance, "AF-2025-01", papers.documents)
            .await?;
        anyhow::ensure!(called.blockers.is_empty(), "{:?}", called.blockers);
        anyhow::ensure!(called.bank_account_name == approved.name, "the account");
        anyhow::ensure!(
            called.state() == InstalmentState::Called,
            "{:?}",
            called.state()
        );
        let account = called.bank_account.context("the account")?;
        let step = |step: Option<payments::Step>| step.map(|step| step.actor_name);
        Ok(report
            .refusal(&refusal)
            .line(format!(
                "compte saisi par {}, approuvé par {}",
                step(approved.entry).context("who entered it")?,
                step(approved.approval).context("who approved it")?
            ))
            .line(format!(
                "appel AF-2025-01, {} au nom de {}, {} pièces",
                account.iban,
                account.holder,
                called.documents.len()
            )))
    }

    pub(super) async fn certify_advance(&mut self, report: Report) -> anyhow::Result<Report> {
        let advance = self.facts.advance.clone();
        let certified = certify(&self.cast.officer()?, &advance, self.request_id()).await?;
        anyhow::ensure!(
            certified.state() == InstalmentState::Certified,
            "{:?}",
            certified.state()
        );
        Ok(report.line(format!(
            "service fait certifié pour {}",
            money(certified.amount.as_ref())?.french()
        )))
    }

    pub(super) async fn order_advance(&mut self, report: Report) -> anyhow::Result<Report> {
        let advance = self.facts.advance.clone();
        // The one who certified holds the other role too: two duties for one person are refused all the same.
        let both = self.cast.client(
            &super::Actor {
                roles: &[
                    nonrecours_kernel::Role::ProgrammeOfficer,
                    nonrecours_kernel::Role::AuthorisingOfficer,
                ],
                ..super::actors::OFFICER
            },
            None,
        )?;
        let refusal = refused(
            order(&both, &advance, self.request_id()).await,
            "SEPARATION_OF_DUTIES",
        )?;
        let ordered = order(
            &self.cast.authorising_officer()?,
            &advance,
            self.request_id(),
        )
        .await?;
        anyhow::ensure!(
            ordered.state() == InstalmentState::Ordered,
            "{:?}",
            ordered.state()
        );
        Ok(report.refusal(&refusal).line(format!(
            "mandat de {}",
            money(ordered.amount.as_ref())?.french()
        )))
    }

    pub(super) async fn pay_advance(&mut self, report: Report) -> anyhow::Result<Report> {
        let advance = self.facts.advance.clone();
        let paid = self.confirm(&advance).await?;
        anyhow::ensure!(paid.state() == InstalmentState::Paid, "{:?}", paid.state());
        let convention = self
            .convention_when("the convention shows the advance", |convention| {
                money(convention.paid_amount.as_ref())
                    .is_ok_and(|paid| paid == Money::from_cents(920_000))
            })
            .await?;
        Ok(report
            .line(format!("virement du {}", self.today_in_french()))
            .line(format!(
                "visible dans la convention : {} payés",
                money(convention.paid_amount.as_ref())?.french()
            )))
    }

    pub(super) async fn pay_balance(&mut self, report: Report) -> anyhow::Result<Report> {
        let balance = self.facts.balance.clone();
        let documents = self.papers_of_balance().await?;
        self.call_justified(&balance, "AF-2025-02", documents)
            .await?;
        certify(&self.cast.officer()?, &balance, self.request_id()).await?;
        order(
            &self.cast.authorising_officer()?,
            &balance,
            self.request_id(),
        )
        .await?;
        let paid = self.confirm(&balance).await?;
        anyhow::ensure!(paid.state() == InstalmentState::Paid, "{:?}", paid.state());
        let mut report = report;
        for (what, step) in [
            ("appelé", &paid.call),
            ("certifié", &paid.certification),
            ("mandaté", &paid.order),
            ("payé", &paid.confirmation),
        ] {
            let step = step.as_ref().context("every step is recorded")?;
            report = report.line(format!("{what} par {}", step.actor_name));
        }
        Ok(report)
    }

    async fn call_instalment(
        &self,
        name: &str,
        reference: &str,
    ) -> anyhow::Result<Result<Instalment, Status>> {
        self.call_with(
            name,
            reference,
            self.example.bank_account.clone(),
            Vec::new(),
        )
        .await
    }

    /// A call with its documents, once `payments` has learned of their files.
    async fn call_justified(
        &self,
        name: &str,
        reference: &str,
        documents: Vec<DocumentReference>,
    ) -> anyhow::Result<Instalment> {
        eventually("the files are known", async || {
            let rib = self.example.bank_account.clone();
            let called = self.call_with(name, reference, rib, documents.clone());
            known(called.await?)
        })
        .await
    }

    async fn call_with(
        &self,
        name: &str,
        reference: &str,
        bank_account: payments::AccountDetails,
        documents: Vec<DocumentReference>,
    ) -> anyhow::Result<Result<Instalment, Status>> {
        let manager = self.cast.manager(self.operator()?)?;
        Ok(call!(
            manager.instalments(),
            call_instalment,
            CallInstalmentRequest {
                name: name.to_owned(),
                reference: reference.to_owned(),
                bank_account: Some(bank_account.clone()),
                documents: documents.clone(),
                request_id: self.request_id(),
                ..CallInstalmentRequest::default()
            }
        ))
    }

    async fn confirm(&self, name: &str) -> anyhow::Result<Instalment> {
        Ok(call!(
            self.cast.accountant()?.instalments(),
            confirm_instalment,
            ConfirmInstalmentRequest {
                name: name.to_owned(),
                transfer_date: Some(self.today()),
                etag: String::new(),
                request_id: self.request_id(),
            }
        )?)
    }
}

async fn certify(client: &Client, name: &str, request_id: String) -> Result<Instalment, Status> {
    call!(
        client.instalments(),
        certify_instalment,
        CertifyInstalmentRequest {
            name: name.to_owned(),
            request_id,
            ..CertifyInstalmentRequest::default()
        }
    )
}

async fn order(client: &Client, name: &str, request_id: String) -> Result<Instalment, Status> {
    call!(
        client.instalments(),
        order_instalment,
        OrderInstalmentRequest {
            name: name.to_owned(),
            etag: String::new(),
            request_id,
        }
    )
}
