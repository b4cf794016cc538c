//! Files from the accountant or the bank over gRPC.

use std::collections::{BTreeMap, BTreeSet};

use nonrecours_contracts::payments::{
    self as wire, GetReturnFileRequest, ListReturnFilesRequest, ListReturnFilesResponse,
    PushReturnFileRequest, Slip as WireSlip,
    push_return_file_request::Message,
    return_file_service_server::{ReturnFileService, ReturnFileServiceServer},
};
use nonrecours_kernel::{
    IdSource, Invalid, PaymentDifferenceName, ProgrammeName, ReturnFileName, Scope, SlipName, Text,
    french_date,
};
use nonrecours_pg::{Change, Db, Entry, Tx};
use nonrecours_rpc::{Check, Failure, Page, convert::to_timestamp, field, open};
use tonic::{Code, Request, Response, Status, Streaming};
use uuid::Uuid;

use super::{
    About, Divergence, FileKind, Heard, Known, OrderKey, Reading, ReturnFile, Stranger, hear,
    store,
    upload::{Upload, receive, refused},
};
use crate::{
    error::{DOMAIN, Error},
    instalment,
    payment_difference::{self, Cause, PaymentDifference, Subject},
    posting_codes,
    slip::{self, Order},
};

/// Orders of a programme that a file is held against, the newest; some hundred are made a year.
const MAX_KNOWN_ORDERS: i64 = 100_000;

/// The rpcs about files from the accountant.
pub struct ReturnFiles {
    db: Db,
    ids: IdSource,
}

impl ReturnFiles {
    /// Serves them over the service's database.
    pub fn server(db: Db, ids: IdSource) -> ReturnFileServiceServer<Self> {
        ReturnFileServiceServer::new(Self { db, ids })
    }

    async fn push(
        &self,
        request: Request<Streaming<PushReturnFileRequest>>,
    ) -> Result<wire::ReturnFile, Status> {
        let (caller, mut messages) = open(request)?;
        let first = messages.message().await?.unwrap_or_default();
        let Some(Message::Opening(opening)) = &first.message else {
            return Err(refused("opening", opening_missing()));
        };
        let programme: ProgrammeName = field("opening.parent", &opening.parent)?;
        Check::of(&first).finish(|| Some(()))?;
        let scope = caller.scope();
        let known = self.known(&scope, &programme).await?;
        let upload = receive(known, messages).await?;
        let file = self.take(&scope, &programme, upload).await?;
        Ok(wire::ReturnFile::from(&file))
    }

    /// The orders that a file may be about; no transaction stays open while it comes.
    async fn known(&self, scope: &Scope, programme: &ProgrammeName) -> Result<Known, Error> {
        let mut tx = self.db.read(scope).await?;
        let accounts = posting_codes::store::accounts(&mut tx, programme.programme).await?;
        let orders = slip::orders::known(&mut tx, programme.programme, MAX_KNOWN_ORDERS);
        Ok(Known::of(orders.await?, accounts))
    }

    /// Takes a file that was read, whole.
    async fn take(
        &self,
        scope: &Scope,
        programme: &ProgrammeName,
        upload: Upload,
    ) -> Result<ReturnFile, Error> {
        let reading = &upload.reading;
        let mut tx = self.db.begin(scope).await?;
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
        let keys: Vec<OrderKey> = reading.statements.keys().copied().collect();
        for (slip, _, order) in slip::orders::get(&mut tx, &keys).await? {
            let key = (order.instalment, order.attempt);
            if let Some(said) = reading.statements.get(&key) {
                let heard = hear(&order, said);
                self.apply(&mut tx, scope, &slip, &order, heard, &mut done)
                    .await?;
            }
        }
        let strangers = strangers(&mut tx, programme, reading).await?;
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let file = ReturnFile {
            name,
            kind: reading.kind,
            flow_name,
            digest: upload.digest,
            size: upload.size,
            changed: count(done.changed),
            unchanged: count(keys.len() - done.changed),
            unknown: reading.unknown,
            differences: count(done.divergences.len() + strangers.len()),
            importer: scope.actor().to_owned(),
            create_time: tx.now(),
        };
        store::insert(&mut tx, &file).await?;
        let mut entries = vec![entry("return_file.imported", &file)];
        entries.extend(
            self.open_differences(&mut tx, &name, &done, strangers)
                .await?,
        );
        for slip in &done.slips {
            entries.push(slip_entry(&slip::store::touch(&mut tx, slip).await?));
        }
        tx.record_all(&entries).await?;
        tx.commit().await?;
        Ok(file)
    }

    /// Writes what became of an order, and confirms its instalment when it was paid, or takes that back.
    async fn apply(
        &self,
        tx: &mut Tx,
        scope: &Scope,
        slip: &SlipName,
        order: &Order,
        heard: Heard,
        done: &mut Done,
    ) -> Result<(), Error> {
        let (mut next, mut divergence) = (heard.next, heard.divergence);
        if let Some(date) = heard.paid {
            let name = &order.instalment;
            match instalment::rpc::confirm(tx, &self.ids, scope, name, date).await? {
                Ok(confirmed) if confirmed == date => next = next.pay(date),
                other => {
                    let text = match other {
                        Ok(confirmed) => other_day(&french_date(confirmed)),
                        Err(refusal) => refusal.text(),
                    };
                    divergence = Some(Divergence {
                        cause: Cause::Confirmation,
                        text,
                        amount: Some(order.amount),
                        date: Some(date),
                    });
                }
            }
        }
        if next.return_date.is_some() && order.return_date.is_none() {
            let name = &order.instalment;
            if let Err(text) = instalment::returning::take_back(tx, &self.ids, name).await? {
                divergence = Some(Divergence {
                    cause: Cause::Confirmation,
                    text,
                    amount: Some(order.amount),
                    date: next.return_date,
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
        if let Some(divergence) = divergence {
            let (amount, date) = (divergence.amount, divergence.date);
            let cause = divergence.cause;
            if !payment_difference::store::stated(tx, &key, cause, amount, date).await? {
                done.divergences.insert(key, (*slip, next, divergence));
            }
        }
        Ok(())
    }

    /// Opens a difference for each divergence.
    async fn open_differences(
        &self,
        tx: &mut Tx,
        file: &ReturnFileName,
        done: &Done,
        strangers: Vec<Stranger>,
    ) -> Result<Vec<Entry>, Error> {
        let diverging = done.divergences.iter();
        let diverging = diverging.map(|(key, (slip, order, divergence))| {
            let subject = Subject::Order {
                slip: *slip,
                key: *key,
                ordered: order.amount,
            };
            (subject, divergence.clone())
        });
        let strange = strangers.into_iter().map(|stranger| {
            let divergence = stranger.divergence();
            (Subject::Reference(stranger.reference), divergence)
        });
        let mut entries = Vec::with_capacity(done.divergences.len());
        for (subject, divergence) in diverging.chain(strange) {
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

    async fn get(&self, request: Request<GetReturnFileRequest>) -> Result<wire::ReturnFile, Error> {
        let (caller, request) = open(request)?;
        let name: ReturnFileName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let file = store::get(&mut tx, &name).await?;
        Ok(wire::ReturnFile::from(
            &file.ok_or_else(|| Failure::not_found(name))?,
        ))
    }

    async fn list(
        &self,
        request: Request<ListReturnFilesRequest>,
    ) -> Result<ListReturnFilesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListReturnFiles", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let files = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (files, next_page_token) = page.cut(files, |file| file.name.return_file.to_string());
        Ok(ListReturnFilesResponse {
            return_files: files.iter().map(wire::ReturnFile::from).collect(),
            next_page_token,
        })
    }
}

/// What a file has done so far.
#[derive(Default)]
struct Done {
    changed: usize,
    slips: BTreeSet<SlipName>,
    divergences: BTreeMap<OrderKey, (SlipName, Order, Divergence)>,
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

fn opening_missing() -> Invalid {
    Invalid::new(
        "OPENING_MISSING",
        "the first message opens the stream",
        "Le premier message ouvre l'envoi : il nomme le programme.",
    )
}

fn entry(kind: &'static str, file: &ReturnFile) -> Entry {
    let change = Change {
        kind,
        operator: None,
        name: &file.name.to_string(),
        revision: 1,
    };
    Entry::new(change, &wire::ReturnFile::from(file))
}

/// The change of a slip about whose orders something was said.
pub fn slip_entry(slip: &slip::Slip) -> Entry {
    let change = Change {
        kind: "slip.returned",
        operator: None,
        name: &slip.name.to_string(),
        revision: slip.revision,
    };
    Entry::new(change, &WireSlip::from(slip))
}

impl From<&ReturnFile> for wire::ReturnFile {
    fn from(file: &ReturnFile) -> Self {
        let kind = match file.kind {
            FileKind::Acknowledgement => wire::ReturnFileKind::Acknowledgement,
            FileKind::Return => wire::ReturnFileKind::Return,
            FileKind::StatusReport => wire::ReturnFileKind::StatusReport,
            FileKind::Statement => wire::ReturnFileKind::Statement,
            FileKind::Notification => wire::ReturnFileKind::Notification,
        };
        Self {
            name: file.name.to_string(),
            kind: kind.into(),
            flow_name: file.flow_name.clone(),
            digest: file
                .digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            size: file.size,
            changed_count: file.changed,
            unchanged_count: file.unchanged,
            unknown_count: file.unknown,
            difference_count: file.differences,
            importer: file.importer.clone(),
            create_time: Some(to_timestamp(file.create_time)),
        }
    }
}

#[tonic::async_trait]
impl ReturnFileService for ReturnFiles {
    async fn push_return_file(
        &self,
        request: Request<Streaming<PushReturnFileRequest>>,
    ) -> Result<Response<wire::ReturnFile>, Status> {
        Ok(Response::new(self.push(request).await?))
    }

    async fn get_return_file(
        &self,
        request: Request<GetReturnFileRequest>,
    ) -> Result<Response<wire::ReturnFile>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_return_files(
        &self,
        request: Request<ListReturnFilesRequest>,
    ) -> Result<Response<ListReturnFilesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
