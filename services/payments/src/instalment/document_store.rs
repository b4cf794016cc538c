//! Supporting documents, and which ones are wanted, in the database.

use std::collections::{BTreeMap, HashMap};

use nonrecours_kernel::{
    AttachmentId, AttachmentName, ConventionId, ConventionName, DocumentId, DocumentName,
    OperatorId,
};
use nonrecours_pg::{All as _, Error, Tx};
use uuid::Uuid;

use super::{DocumentKind, Instalment, Requirements, Source, SupportingDocument, document::sort};
use crate::{
    known_file::{FileName, store::digest},
    payment_plan,
};

/// The documents of the instalments of these conventions, by instalment.
pub async fn of(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<HashMap<Uuid, Vec<SupportingDocument>>, Error> {
    let (operators, conventions) = payment_plan::store::keys(conventions);
    let rows = sqlx::query!(
        r#"SELECT document.operator_id, document.instalment_id, document.kind, document.document_id,
                  document.file_convention_id, document.file_name, document.sha256,
                  file.collection AS "collection?", coalesce(file.withdrawn, false) AS "withdrawn!"
           FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
                JOIN supporting_document AS document USING (operator_id, convention_id)
                LEFT JOIN known_file AS file ON file.operator_id = document.operator_id
                     AND file.convention_id = document.file_convention_id AND file.file_id = document.document_id
           WHERE NOT document.dropped"#,
        &operators,
        &conventions
    )
    .all(tx.conn())
    .await?;
    let mut found: HashMap<Uuid, Vec<SupportingDocument>> = HashMap::new();
    for row in rows {
        let operator = OperatorId::from_uuid(row.operator_id);
        let source = match row.file_convention_id {
            None => Some(Source::Books(row.document_id)),
            Some(convention) => {
                let convention = ConventionName {
                    operator,
                    convention: ConventionId::from_uuid(convention),
                };
                file(convention, row.collection.as_deref(), row.document_id).map(Source::File)
            }
        };
        let damaged = || Error::Damaged(format!("supporting document {}", row.document_id));
        let document = SupportingDocument {
            kind: DocumentKind::of(&row.kind).ok_or_else(damaged)?,
            source: source.ok_or_else(damaged)?,
            file_name: row.file_name,
            digest: digest(&row.sha256).ok_or_else(damaged)?,
            withdrawn: row.withdrawn,
        };
        found.entry(row.instalment_id).or_default().push(document);
    }
    found.values_mut().for_each(|documents| sort(documents));
    Ok(found)
}

fn file(convention: ConventionName, collection: Option<&str>, id: Uuid) -> Option<FileName> {
    let (operator, convention) = (convention.operator, convention.convention);
    match collection? {
        "attachments" => Some(FileName::Attachment(AttachmentName {
            operator,
            convention,
            attachment: AttachmentId::from_uuid(id),
        })),
        "documents" => Some(FileName::Document(DocumentName {
            operator,
            convention,
            document: DocumentId::from_uuid(id),
        })),
        _ => None,
    }
}

/// Writes the documents of an instalment whose plan is locked: those that it has no more are dropped.
pub async fn write(tx: &mut Tx, instalment: &Instalment) -> Result<(), Error> {
    let (actor, now) = (tx.actor().to_owned(), tx.now());
    let documents = &instalment.documents;
    let ids: Vec<Uuid> = documents.iter().map(SupportingDocument::id).collect();
    let kinds: Vec<&str> = documents.iter().map(|one| one.kind.code()).collect();
    sqlx::query!(
        "UPDATE supporting_document AS document SET dropped = true
         WHERE operator_id = $1 AND convention_id = $2 AND instalment_id = $3 AND NOT dropped
           AND NOT EXISTS (SELECT FROM UNNEST($4::uuid[], $5::text[]) AS kept (document_id, kind)
                           WHERE kept.document_id = document.document_id AND kept.kind = document.kind)",
        instalment.name.operator.uuid(),
        instalment.name.convention.uuid(),
        instalment.name.instalment.uuid(),
        &ids,
        &kinds as &[&str]
    )
    .execute(tx.conn())
    .await?;
    // MAX_DOCUMENTS at most.
    for document in documents {
        sqlx::query!(
            "INSERT INTO supporting_document (operator_id, convention_id, instalment_id, kind, document_id,
                                              file_convention_id, file_name, sha256, dropped, actor, attach_time)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9, $10)
             ON CONFLICT (operator_id, convention_id, instalment_id, kind, document_id) DO UPDATE SET dropped = false",
            instalment.name.operator.uuid(),
            instalment.name.convention.uuid(),
            instalment.name.instalment.uuid(),
            document.kind.code(),
            document.id(),
            document.convention().map(|convention| convention.uuid()),
            document.file_name,
            document.digest.as_bytes(),
            actor,
            now
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// What the accountants of these conventions' programmes want to see, where a programme has said so.
pub async fn requirements(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<BTreeMap<ConventionName, Requirements>, Error> {
    let (operators, conventions) = payment_plan::store::keys(conventions);
    let rows = sqlx::query!(
        "SELECT plan.operator_id, plan.convention_id, rules.first_kinds, rules.later_kinds
         FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
              JOIN payment_plan AS plan USING (operator_id, convention_id)
              JOIN LATERAL (SELECT first_kinds, later_kinds FROM document_rules
                            WHERE document_rules.programme_id = plan.programme_id
                            ORDER BY version DESC LIMIT 1) AS rules ON true",
        &operators,
        &conventions
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let name = ConventionName {
                operator: OperatorId::from_uuid(row.operator_id),
                convention: ConventionId::from_uuid(row.convention_id),
            };
            let kinds = |codes: &[String]| {
                let kinds = codes.iter().map(|code| DocumentKind::of(code));
                kinds
                    .collect::<Option<Vec<_>>>()
                    .ok_or_else(|| Error::Damaged(format!("the document rules of {name}")))
            };
            let requirements = Requirements {
                first: kinds(&row.first_kinds)?,
                later: kinds(&row.later_kinds)?,
            };
            Ok((name, requirements))
        })
        .collect()
}
