//! Acts in the database.

use nonrecours_kernel::{ActName, AmendmentName, ConventionName, Id, Text};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::domain::{Act, Failure as Failed, Publication, Publicity, Received, Transmission};
use crate::{
    convention::party::{ByParty, Party},
    error::Error,
    stored::{damaged, one_of, parse},
};

/// Adds an act. Refuses a second one for the same party.
pub async fn insert(tx: &mut Tx, act: &Act) -> Result<(), Error> {
    let inserted = sqlx::query!(
        "INSERT INTO act (operator_id, convention_id, act_record_id, party, act_id, decision_date, transmission_date,
                          publication_date, transmission_state, publicity, publication_reference, revision, create_time,
                          update_time, amendment_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        act.name.operator.uuid(),
        act.name.convention.uuid(),
        act.name.act.uuid(),
        act.party.as_str(),
        act.act_id.to_string(),
        act.act_id.date(),
        act.transmission.day(),
        act.publication.as_ref().map(|it| it.day),
        act.transmission.as_str(),
        act.publication.as_ref().map(|it| it.publicity.as_str()),
        act.publication.as_ref().and_then(|it| it.reference.as_deref()),
        act.revision,
        act.create_time,
        act.update_time,
        act.amendment.map(|amendment| amendment.uuid())
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint }) if constraint == "act_party_key" => {
            Err(Error::from(Failure::already_exists(
                "party",
                Text::new(
                    "The party's act is recorded already.",
                    "L'acte de cette partie est déjà enregistré.",
                ),
            )))
        }
        inserted => Ok(inserted.map(|_| ())?),
    }
}

/// One act. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &ActName) -> Result<Act, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM act WHERE operator_id = $1 AND convention_id = $2 AND act_record_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.act.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Locks one act and reads it.
pub async fn lock(tx: &mut Tx, name: &ActName) -> Result<Act, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT * FROM act WHERE operator_id = $1 AND convention_id = $2 AND act_record_id = $3 FOR UPDATE",
        name.operator.uuid(),
        name.convention.uuid(),
        name.act.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Writes the steps of a locked act.
pub async fn update(tx: &mut Tx, act: &Act) -> Result<(), Error> {
    let (acknowledged, acknowledgement) = match &act.transmission {
        Transmission::Acknowledged { day, reference, .. } => (Some(*day), Some(reference.as_str())),
        _ => (None, None),
    };
    let (failed, failure) = match &act.transmission {
        Transmission::Failed { day, reason, .. } => (Some(*day), Some(reason.as_str())),
        _ => (None, None),
    };
    sqlx::query!(
        "UPDATE act
         SET transmission_date = $4, publication_date = $5, revision = $6, update_time = $7, transmission_state = $8,
             posting_date = $9, acknowledgement_date = $10, acknowledgement_reference = $11, failure_date = $12,
             failure_reason = $13, publicity = $14, publication_reference = $15
         WHERE operator_id = $1 AND convention_id = $2 AND act_record_id = $3",
        act.name.operator.uuid(),
        act.name.convention.uuid(),
        act.name.act.uuid(),
        act.transmission.day(),
        act.publication.as_ref().map(|it| it.day),
        act.revision,
        act.update_time,
        act.transmission.as_str(),
        act.transmission.posting(),
        acknowledged,
        acknowledgement,
        failed,
        failure,
        act.publication.as_ref().map(|it| it.publicity.as_str()),
        act.publication.as_ref().and_then(|it| it.reference.as_deref())
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Acts of a convention and of its amendments after one, oldest first.
pub async fn list(
    tx: &mut Tx,
    convention: &ConventionName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Act>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM act
         WHERE operator_id = $1 AND convention_id = $2 AND ($3::uuid IS NULL OR act_record_id > $3)
         ORDER BY act_record_id LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Act::try_from)
        .collect::<Result<_, _>>()?)
}

/// The acts of each convention itself, in the order of the conventions.
pub async fn of_conventions(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<Vec<ByParty<Option<Act>>>, Error> {
    let operators: Vec<Uuid> = conventions
        .iter()
        .map(|name| name.operator.uuid())
        .collect();
    let ids: Vec<Uuid> = conventions
        .iter()
        .map(|name| name.convention.uuid())
        .collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT act.* FROM act
         JOIN UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
              USING (operator_id, convention_id)
         WHERE act.amendment_id IS NULL",
        &operators,
        &ids
    )
    .all(tx.conn())
    .await?;
    let mut acts: Vec<ByParty<Option<Act>>> = vec![ByParty::default(); conventions.len()];
    for row in rows {
        let act = Act::try_from(row)?;
        let place = conventions
            .iter()
            .position(|name| *name == act.name.parent());
        let of_convention = place
            .and_then(|place| acts.get_mut(place))
            .ok_or_else(|| damaged(act.name))?;
        let party = act.party;
        *of_convention.get_mut(party) = Some(act);
    }
    Ok(acts)
}

/// The acts of one convention.
pub async fn of_convention(
    tx: &mut Tx,
    name: &ConventionName,
) -> Result<ByParty<Option<Act>>, Error> {
    let mut acts = of_conventions(tx, &[*name]).await?;
    Ok(acts.pop().unwrap_or_default())
}

/// The acts of one amendment.
pub async fn of_amendment(
    tx: &mut Tx,
    name: &AmendmentName,
) -> Result<ByParty<Option<Act>>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM act WHERE operator_id = $1 AND convention_id = $2 AND amendment_id = $3",
        name.operator.uuid(),
        name.convention.uuid(),
        name.amendment.uuid()
    )
    .all(tx.conn())
    .await?;
    let mut acts = ByParty::default();
    for row in rows {
        let act = Act::try_from(row)?;
        let party = act.party;
        *acts.get_mut(party) = Some(act);
    }
    Ok(acts)
}

struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    act_record_id: Uuid,
    party: String,
    act_id: String,
    decision_date: Date,
    transmission_date: Option<Date>,
    publication_date: Option<Date>,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
    transmission_state: String,
    posting_date: Option<Date>,
    acknowledgement_date: Option<Date>,
    acknowledgement_reference: Option<String>,
    failure_date: Option<Date>,
    failure_reason: Option<String>,
    publicity: Option<String>,
    publication_reference: Option<String>,
    amendment_id: Option<Uuid>,
}

impl Row {
    fn transmission(&self) -> Result<Transmission, pg::Error> {
        let received = self.transmission_date.map(|day| Received {
            posting: self.posting_date,
            day,
        });
        let failed = |failure| {
            let (day, reason) = self.failure_date.zip(self.failure_reason.clone())?;
            Some(Transmission::Failed {
                failure,
                posting: self.posting_date,
                transmission: self.transmission_date,
                day,
                reason,
            })
        };
        let read = match self.transmission_state.as_str() {
            "TO_TRANSMIT" => Some(Transmission::ToTransmit),
            "POSTED" => self
                .posting_date
                .map(|posting| Transmission::Posted { posting }),
            "TRANSMITTED" => received.map(Transmission::Transmitted),
            "ACKNOWLEDGED" => received
                .zip(self.acknowledgement_date)
                .zip(self.acknowledgement_reference.clone())
                .map(|((received, day), reference)| Transmission::Acknowledged {
                    received,
                    day,
                    reference,
                }),
            "REFUSED" => failed(Failed::Refused),
            "ERROR" => failed(Failed::Error),
            _ => None,
        };
        read.ok_or_else(|| damaged(format_args!("an act in state {}", self.transmission_state)))
    }

    fn publication(&self) -> Result<Option<Publication>, pg::Error> {
        let Some((day, publicity)) = self.publication_date.zip(self.publicity.as_deref()) else {
            return Ok(None);
        };
        Ok(Some(Publication {
            publicity: one_of(&Publicity::ALL, Publicity::as_str, publicity)?,
            day,
            reference: self.publication_reference.clone(),
        }))
    }
}

impl TryFrom<Row> for Act {
    type Error = pg::Error;

    fn try_from(row: Row) -> Result<Self, pg::Error> {
        let act = Self {
            name: ActName {
                operator: Id::from_uuid(row.operator_id),
                convention: Id::from_uuid(row.convention_id),
                act: Id::from_uuid(row.act_record_id),
            },
            party: one_of(&Party::ALL, Party::as_str, &row.party)?,
            amendment: row.amendment_id.map(Id::from_uuid),
            act_id: parse(&row.act_id)?,
            transmission: row.transmission()?,
            publication: row.publication()?,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        };
        if act.act_id.date() != row.decision_date {
            return Err(damaged(format_args!("the decision date of {}", act.name)));
        }
        Ok(act)
    }
}
