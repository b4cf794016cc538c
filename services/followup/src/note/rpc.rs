//! Notes on the wire.

use nonrecours_contracts::followup::{
    GetNoteRequest, ListNotesRequest, ListNotesResponse, Note as Wire, NoteContent,
    note_service_server::{NoteService, NoteServiceServer},
};
use nonrecours_kernel::{BeneficiaryName, NoteId, NoteName, OperatorId, OperatorName};
use nonrecours_pg::{Db, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, to_date, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{self, Note},
    store,
};
use crate::{
    error::Error,
    record::{Faults, Record, in_future},
    vault::Vault,
};

/// Reads a pushed content, apart from whom it is on: the day, and the text; notes every fault. `today` is the day in
/// Paris.
pub fn read(
    content: &NoteContent,
    today: Date,
    faults: &mut Faults,
) -> (Option<Date>, Option<String>) {
    let written_date = faults.take("note.written_date", date(content.written_date.as_ref()));
    if written_date.is_some_and(|day| day > today) {
        faults.refuse("note.written_date", in_future());
    }
    let text = faults.take("note.text", domain::text(&content.text));
    (written_date, text)
}

/// Without the text, as changes carry it.
impl From<&Record<Note>> for Wire {
    fn from(record: &Record<Note>) -> Self {
        let beneficiary = BeneficiaryName {
            operator: record.convention.operator,
            beneficiary: record.content.beneficiary,
        };
        Self {
            name: record.name(),
            external_reference: record.reference.to_string(),
            beneficiary: beneficiary.to_string(),
            convention: record.convention.to_string(),
            written_date: Some(to_date(record.content.written_date)),
            text: String::new(),
            version: record.version,
            revision: record.revision,
            create_time: Some(to_timestamp(record.create_time)),
            update_time: Some(to_timestamp(record.update_time)),
            etag: etag::of(record.revision),
        }
    }
}

/// Reads notes, for the operator itself.
pub struct Notes {
    db: Db,
    vault: Vault,
}

impl Notes {
    /// The rpcs over the service's database and keys.
    pub fn server(db: Db, vault: Vault) -> NoteServiceServer<Self> {
        NoteServiceServer::new(Self { db, vault })
    }

    async fn get(&self, request: Request<GetNoteRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: NoteName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let record = store::get(&mut tx, &name).await?;
        let record = record.ok_or_else(|| Failure::not_found(name))?;
        let mut notes = self.with_texts(&mut tx, name.operator, &[record]).await?;
        let note = notes.pop().ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.tell([name.to_string()], note).await?)
    }

    /// Notes with what they say: empty when the key of the person has been erased.
    async fn with_texts(
        &self,
        tx: &mut Tx,
        operator: OperatorId,
        records: &[Record<Note>],
    ) -> Result<Vec<Wire>, Error> {
        let ids: Vec<NoteId> = records.iter().map(|record| record.id).collect();
        let mut texts = store::texts(tx, &self.vault.ring(), operator, &ids).await?;
        let with_text = |record: &Record<Note>| Wire {
            text: texts.remove(&record.id).unwrap_or_default(),
            ..record.into()
        };
        Ok(records.iter().map(with_text).collect())
    }

    async fn list(&self, request: Request<ListNotesRequest>) -> Result<ListNotesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListNotes", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let records = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (records, next_page_token) = page.cut(records, |record| record.id.to_string());
        let answer = ListNotesResponse {
            notes: self.with_texts(&mut tx, parent.operator, &records).await?,
            next_page_token,
        };
        Ok(tx.tell(records.iter().map(Record::name), answer).await?)
    }
}

#[tonic::async_trait]
impl NoteService for Notes {
    async fn get_note(&self, request: Request<GetNoteRequest>) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_notes(
        &self,
        request: Request<ListNotesRequest>,
    ) -> Result<Response<ListNotesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
