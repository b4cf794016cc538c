//! Taking a file that was read: what it says is written whole, or not at all.

use std::collections::BTreeSet;

use nonrecours_kernel::{
    IdSource, Money, PaymentDifferenceName, ProgrammeName, ReturnFileName, Scope, SlipName, Text,
    french_date,
};
use nonrecours_pg::{Db, Entry, Tx};
use nonrecours_rpc::Failure;
use tonic::Code;

use super::{
    About, Divergence, Heard, OrderKey, Reading, ReturnFile, Statement, Stranger, Target, hear,
    store,
    upload::Upload,
    wire::{entry, slip_entry},
};
use crate::{
    correction::{self, Acceptance, Correction},
    error::{DOMAIN, Error},
    instalment,
    payment_difference::{self, Cause, PaymentDifference, Subject},
    posting_codes,
    slip::{self, Order},
};

/// For whom a file is taken.
pub(super) struct Taking<'a> {
    pub db: &'a Db,
    pub ids: &'a IdSource,
    pub scope: &'a Scope,
    pub programme: &'a ProgrammeName,
}

/// What a file has done so far.
#[derive(Default)]
struct Done {
    changed: usize,
    slips: BTreeSet<SlipName>,
    diverging: Vec<(Subject, Divergence)>,
}

impl Taking<'_> {
    /// Takes it.
    pub async fn take(&self, upload: Upload) -> Result<ReturnFile, Error> {
        let (reading, programme) = (&upload.reading, self.programme);
        let mut tx = self.db.begin(self.scope).await?;
        check_subject(&mut tx, programme, reading).await?;
        // In the order of the years, as whoever else locks several.
        for year in &reading.years {
            slip::store::lock_register(&mut tx, programme.programme, *year).await?;
        }
        let earlier = store::by_digest(&mut tx, programme.programme, &upload.digest).await?;
        if let Some(earlier) = earlier {
            return Ok(earlier);
        }
        let flow_name = reading.flow_name.clone();
        let from = match reading.about {
            About::Budget { .. } => "du comptable",
            About::Account { .. } => "de la banque",
        };
        tx.because(format!("Fichier {from} {flow_name}").trim_end());
        let name = ReturnFileName {
            programme: programme.programme,
            return_file: self.ids.next(),
        };
        let mut done = Done::default();
        // First what is taken off orders: the same file may state that the rest was paid.
        self.corrections(&mut tx, reading, &mut done).await?;
        self.orders(&mut tx, reading, &mut done).await?;
        let strange = strangers(&mut tx, programme, reading).await?;
        done.diverging.extend(strange.into_iter().map(|stranger| {
            let divergence = stranger.divergence();
            (Subject::Reference(stranger.reference), divergence)
        }));
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let file = ReturnFile {
            name,
            kind: reading.kind,
            flow_name,
            digest: upload.digest,
            size: upload.size,
            changed: count(done.changed),
            unchanged: count(reading.statements.len() - done.changed),
            unknown: reading.unknown,
            differences: count(done.diverging.len()),
            importer: self.scope.actor().to_owned(),
            create_time: tx.now(),
        };
        store::insert(&mut tx, &file).await?;
        let mut entries = vec![entry("return_file.imported", &file)];
        entries.extend(
            self.open_differences(&mut tx, &name, done.diverging)
                .await?,
        );
        for slip in &done.slips {
            entries.push(slip_entry(&slip::store::touch(&mut tx, slip).await?));
        }
        tx.record_all(&entries).await?;
        tx.commit().await?;
        Ok(file)
    }

    async fn orders(&self, tx: &mut Tx, reading: &Reading, done: &mut Done) -> Result<(), Error> {
        let keys = reading.statements.keys().filter_map(|target| match target {
            Target::Order(key) => Some(*key),
            Target::Correction(_) => None,
        });
        let keys: Vec<_> = keys.collect();
        for (slip, _, order) in slip::orders::get(tx, &keys).await? {
            let target = Target::Order((order.instalment, order.attempt));
            if let Some(said) = reading.statements.get(&target) {
                let heard = hear(&order, said);
                self.apply(tx, &slip, &order, heard, done).await?;
            }
        }
        Ok(())
    }

    async fn corrections(
        &self,
        tx: &mut Tx,
        reading: &Reading,
        done: &mut Done,
    ) -> Result<(), Error> {
        let keys = reading.statements.keys().filter_map(|target| match target {
            Target::Order(_) => None,
            Target::Correction(key) => Some(*key),
        });
        let keys: Vec<_> = keys.collect();
        for (slip, correction) in correction::store::get(tx, &keys).await? {
            let target = Target::Correction(correction.key());
            if let Some(said) = reading.statements.get(&target) {
                self.correct(tx, &slip, &correction, said, done).await?;
            }
        }
        Ok(())
    }

    /// Writes what became of an order, and confirms its instalment when it was paid, or takes that back.
    async fn apply(
        &self,
        tx: &mut Tx,
        slip: &SlipName,
        order: &Order,
        heard: Heard,
        done: &mut Done,
    ) -> Result<(), Error> {
        let (mut next, mut divergence) = (heard.next, heard.divergence);
        if let Some(date) = heard.paid {
            let name = &order.instalment;
            match instalment::rpc::confirm(tx, self.ids, self.scope, name, date).await? {
                Ok(confirmed) if confirmed == date => next = next.pay(date),
                other => {
                    let text = match other {
                        Ok(confirmed) => other_day(&french_date(confirmed)),
                        Err(refusal) => refusal.text(),
                    };
                    divergence = Some(Divergence {
                        cause: Cause::Confirmation,
                        text,
                        amount: Some(order.due()),
                        date: Some(date),
                        came_back: false,
                    });
                }
            }
        }
        if next.return_date.is_some() && order.return_date.is_none() {
            let name = &order.instalment;
            if let Err(text) = instalment::returning::take_back(tx, self.ids, name).await? {
                divergence = Some(Divergence {
                    cause: Cause::Confirmation,
                    text,
                    amount: Some(order.kept()),
                    date: next.return_date,
                    came_back: true,
                });
                next = order.clone();
            }
        }
        if next != *order {
            slip::orders::update(tx, &next).await?;
            done.slips.insert(*slip);
            done.changed += 1;
        }
        let key = (order.instalment, order.attempt);
        let about = (*slip, key, order.amount);
        self.diverge(tx, about, divergence, done).await
    }

    /// Writes what became of a correction; once it is taken in charge, its order, its instalment and the books follow.
    async fn correct(
        &self,
        tx: &mut Tx,
        slip: &SlipName,
        correction: &Correction,
        said: &Statement,
        done: &mut Done,
    ) -> Result<(), Error> {
        let (mut next, mut divergence) = correction::hear(correction, said);
        if next.stage == slip::Stage::TakenInCharge && correction.acceptance.is_none() {
            if correction.issuer == self.scope.actor() {
                return Err(issued_by_importer().into());
            }
            match correction::take_in_charge(tx, self.ids, correction).await? {
                Ok(corrected) => {
                    done.slips.insert(corrected);
                    next.acceptance = Some(Acceptance {
                        actor: self.scope.actor().to_owned(),
                        time: tx.now(),
                    });
                }
                Err(found) => {
                    divergence = Some(found);
                    next = correction.clone();
                }
            }
        }
        if next != *correction {
            correction::store::update(tx, &next).await?;
            done.slips.insert(*slip);
            done.changed += 1;
        }
        let found = slip::orders::get(tx, &[correction.order]).await?.pop();
        let gone = || Failure::bug("the order of a correction is not there");
        let (of, _, order) = found.ok_or_else(gone)?;
        let about = (of, correction.order, order.amount);
        self.diverge(tx, about, divergence, done).await
    }

    /// Notes what does not fit of an order, unless the same was stated before.
    async fn diverge(
        &self,
        tx: &mut Tx,
        (slip, key, ordered): (SlipName, OrderKey, Money),
        divergence: Option<Divergence>,
        done: &mut Done,
    ) -> Result<(), Error> {
        let Some(divergence) = divergence else {
            return Ok(());
        };
        if !payment_difference::store::stated(tx, &key, &divergence).await? {
            let subject = Subject::Order { slip, key, ordered };
            done.diverging.push((subject, divergence));
        }
        Ok(())
    }

    /// Opens a difference for each divergence.
    async fn open_differences(
        &self,
        tx: &mut Tx,
        file: &ReturnFileName,
        diverging: Vec<(Subject, Divergence)>,
    ) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::with_capacity(diverging.len());
        for (subject, divergence) in diverging {
            let difference = PaymentDifference {
                name: PaymentDifferenceName {
                    programme: file.programme,
                    payment_difference: self.ids.next(),
                },
                return_file: *file,
                subject,
                cause: divergence.cause,
                text: divergence.text,
                stated_amount: divergence.amount,
                stated_date: divergence.date,
                came_back: divergence.came_back,
                settlement: None,
                revision: 1,
                create_time: tx.now(),
                update_time: tx.now(),
            };
            payment_difference::store::insert(tx, &difference).await?;
            entries.push(payment_difference::rpc::entry(
                "payment_difference.opened",
                &difference,
            ));
        }
        Ok(entries)
    }
}

/// Of the payments under unknown references those that no programme has ordered and that no file has told of before.
async fn strangers(
    tx: &mut Tx,
    programme: &ProgrammeName,
    reading: &Reading,
) -> Result<Vec<Stranger>, Error> {
    let mut strangers = Vec::with_capacity(reading.strangers.len());
    // A hundred at most, and none as a rule.
    for stranger in &reading.strangers {
        let known = payment_difference::store::reference_stated(tx, programme, stranger).await?
            || slip::orders::is_of_another(tx, &stranger.reference).await?;
        if !known {
            strangers.push(stranger.clone());
        }
    }
    Ok(strangers)
}

impl Stranger {
    fn divergence(&self) -> Divergence {
        let (amount, day) = (self.amount, french_date(self.date));
        Divergence {
            cause: Cause::Reference,
            text: Text::new(
                format!(
                    "The bank has paid {amount} under the reference {}, which no order has.",
                    self.reference
                ),
                format!(
                    "La banque a payé {} le {day} sous la référence {}, qui n'est celle d'aucun mandat.",
                    amount.french(),
                    self.reference
                ),
            ),
            amount: Some(amount),
            date: Some(self.date),
            came_back: false,
        }
    }
}

/// Refuses a file about another budget, where it says which, or about another account.
async fn check_subject(
    tx: &mut Tx,
    programme: &ProgrammeName,
    reading: &Reading,
) -> Result<(), Error> {
    let (ours, reason, text) = match &reading.about {
        About::Budget {
            posting_office,
            collectivity_code,
            budget_code,
        } => (
            posting_codes::store::orders_under(
                tx,
                programme.programme,
                posting_office.as_deref(),
                collectivity_code.as_deref(),
                budget_code.as_deref(),
            )
            .await?,
            "RETURN_OTHER_BUDGET",
            Text::new(
                "The file is about another budget than the programme's.",
                "Ce fichier concerne un autre budget que celui du programme : vérifiez lequel vous avez choisi.",
            ),
        ),
        About::Account { ours } => (
            *ours,
            "RETURN_OTHER_ACCOUNT",
            Text::new(
                "The file is about another account than those that the programme pays from.",
                "Ce fichier concerne un autre compte que celui qui paie pour le programme : vérifiez lequel vous avez \
                 choisi.",
            ),
        ),
    };
    if ours {
        return Ok(());
    }
    Err(Failure::new(Code::FailedPrecondition, DOMAIN, reason, text).into())
}

fn other_day(confirmed: &str) -> Text {
    Text::new(
        format!("The transfer is confirmed already, on another day: {confirmed}."),
        format!("Le virement est déjà confirmé, à une autre date : {confirmed}."),
    )
}

/// Who issued a correction does not say that the accountant took it in charge.
fn issued_by_importer() -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        DOMAIN,
        "SEPARATION_OF_DUTIES",
        Text::new(
            "The file takes a correction in charge that you issued: somebody else imports it.",
            "Ce fichier prend en charge une correction que vous avez émise : une autre personne doit l'importer.",
        ),
    )
}
