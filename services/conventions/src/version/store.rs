//! Versions in the database: added, never changed.

use nonrecours_kernel::{
    ActName, AmendmentId, AmendmentName, ConventionName, ConventionVersionName, Id,
};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    act::domain::Act,
    convention::{
        domain::{Convention, Signature},
        party::{ByParty, Party},
        row::row_of_terms,
        terms::{Signatory, Terms},
    },
    error::Error,
    stored::one_of,
};

/// What made a version binding.
pub struct Signed<'a> {
    /// The amendment, of any but the first.
    pub amendment: Option<AmendmentId>,
    /// Who signed.
    pub signatories: &'a ByParty<Option<Signatory>>,
    /// Their signatures.
    pub signatures: &'a ByParty<Signature>,
    /// The acts that authorised it.
    pub acts: &'a ByParty<Option<Act>>,
}

/// A version as it came into force.
#[derive(Clone, Debug)]
pub struct Version {
    /// Resource name.
    pub name: ConventionVersionName,
    /// The amendment that brought it into force, of any but the first.
    pub amendment: Option<AmendmentName>,
    /// The terms; their signatories are those of this version.
    pub terms: Terms,
    /// The signatures.
    pub signatures: ByParty<Signature>,
    /// The acts.
    pub acts: Vec<VersionAct>,
    /// When.
    pub since: OffsetDateTime,
}

/// An act as it stood when a version came into force.
#[derive(Clone, Debug)]
pub struct VersionAct {
    /// Party it empowers.
    pub party: Party,
    /// The act.
    pub name: ActName,
    /// Its number.
    pub act_id: String,
    /// From when it was enforceable.
    pub enforceable: Option<Date>,
}

/// Reads rows of versions. All columns are named for the sake of those whose type or nullability the database does not
/// tell.
macro_rules! rows {
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"SELECT operator_id, convention_id, version, amendment_id, programme_id, framework_convention_id, title,
                      budget_year, grant_amount, instalment_kinds,
                      instalment_shares AS "instalment_shares: Vec<Decimal>",
                      instalment_conditions AS "instalment_conditions: Vec<Option<String>>",
                      instalment_due_dates AS "instalment_due_dates: Vec<Option<Date>>",
                      advance_without_call, originals, target_publics, objectives, commitment_codes, commitment_texts,
                      targets, indicative_end_date, authority_signatory_name AS "authority_signatory_name?",
                      authority_signatory_capacity AS "authority_signatory_capacity?",
                      authority_decision_date AS "authority_decision_date?",
                      operator_signatory_name AS "operator_signatory_name?",
                      operator_signatory_capacity AS "operator_signatory_capacity?",
                      operator_decision_date AS "operator_decision_date?",
                      authority_sign_time, authority_signed_by, operator_sign_time, operator_signed_by, in_force_time,
                      act_parties, act_record_ids, act_ids,
                      act_enforceable_dates AS "act_enforceable_dates: Vec<Option<Date>>"
               FROM convention_version "# + $condition,
            $($argument),+
        )
    };
}

/// Adds the version that a convention, written just before, has in force.
pub async fn insert(
    tx: &mut Tx,
    convention: &Convention,
    signed: &Signed<'_>,
) -> Result<(), Error> {
    let acts: Vec<&Act> = Party::ALL
        .into_iter()
        .filter_map(|party| signed.acts.get(party).as_ref())
        .collect();
    let parties: Vec<&str> = acts.iter().map(|act| act.party.as_str()).collect();
    let records: Vec<Uuid> = acts.iter().map(|act| act.name.act.uuid()).collect();
    let numbers: Vec<String> = acts.iter().map(|act| act.act_id.to_string()).collect();
    let enforceable: Vec<Option<Date>> = acts
        .iter()
        .map(|act| act.enforceability().map(|it| it.day))
        .collect();
    let (authority, operator) = (
        signed.signatories.authority.as_ref(),
        signed.signatories.operator.as_ref(),
    );
    sqlx::query!(
        "INSERT INTO convention_version
         SELECT operator_id, convention_id, version, $3, programme_id, framework_convention_id, title, budget_year,
                grant_amount, instalment_kinds, instalment_shares, instalment_conditions, instalment_due_dates,
                advance_without_call, originals, target_publics, objectives, commitment_codes, commitment_texts,
                indicative_end_date, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, targets
         FROM convention
         WHERE operator_id = $1 AND convention_id = $2",
        convention.name.operator.uuid(),
        convention.name.convention.uuid(),
        signed.amendment.map(|amendment| amendment.uuid()),
        authority.map(|signatory| signatory.full_name.as_str()),
        authority.map(|signatory| signatory.capacity.as_str()),
        authority.and_then(|signatory| signatory.empowering_decision),
        operator.map(|signatory| signatory.full_name.as_str()),
        operator.map(|signatory| signatory.capacity.as_str()),
        operator.and_then(|signatory| signatory.empowering_decision),
        signed.signatures.authority.time,
        signed.signatures.authority.by,
        signed.signatures.operator.time,
        signed.signatures.operator.by,
        tx.now(),
        &parties as &[&str],
        &records,
        &numbers,
        &enforceable as &[Option<Date>]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One version, after the one before it where there is one. Refuses one that does not exist.
pub async fn get(
    tx: &mut Tx,
    name: &ConventionVersionName,
) -> Result<(Option<Version>, Version), Error> {
    let first = (name.version - 1).max(1);
    let count = i64::from(name.version - first) + 1;
    let mut versions = from(tx, &name.convention, first, count).await?;
    let asked = versions.pop().filter(|version| version.name == *name);
    let asked = asked.ok_or_else(|| Failure::not_found(name))?;
    Ok((versions.pop(), asked))
}

/// Versions of a convention from a number on, in their order.
pub async fn from(
    tx: &mut Tx,
    convention: &ConventionName,
    number: i32,
    limit: i64,
) -> Result<Vec<Version>, Error> {
    let rows = rows!(
        "WHERE operator_id = $1 AND convention_id = $2 AND version >= $3 ORDER BY version LIMIT $4",
        convention.operator.uuid(),
        convention.convention.uuid(),
        number,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Version::try_from)
        .collect::<Result<_, _>>()?)
}

row_of_terms! {
    /// A version.
    Row {
        operator_id: Uuid,
        convention_id: Uuid,
        version: i32,
        amendment_id: Option<Uuid>,
        authority_sign_time: OffsetDateTime,
        authority_signed_by: String,
        operator_sign_time: OffsetDateTime,
        operator_signed_by: String,
        in_force_time: OffsetDateTime,
        act_parties: Vec<String>,
        act_record_ids: Vec<Uuid>,
        act_ids: Vec<String>,
        act_enforceable_dates: Vec<Option<Date>>,
    }
}

impl TryFrom<Row> for Version {
    type Error = pg::Error;

    fn try_from(mut row: Row) -> Result<Self, pg::Error> {
        let convention = ConventionName {
            operator: Id::from_uuid(row.operator_id),
            convention: Id::from_uuid(row.convention_id),
        };
        let acts = std::mem::take(&mut row.act_parties)
            .into_iter()
            .zip(std::mem::take(&mut row.act_record_ids))
            .zip(std::mem::take(&mut row.act_ids))
            .zip(std::mem::take(&mut row.act_enforceable_dates))
            .map(|(((party, record), act_id), enforceable)| {
                Ok(VersionAct {
                    party: one_of(&Party::ALL, Party::as_str, &party)?,
                    name: ActName {
                        operator: convention.operator,
                        convention: convention.convention,
                        act: Id::from_uuid(record),
                    },
                    act_id,
                    enforceable,
                })
            })
            .collect::<Result<_, pg::Error>>()?;
        Ok(Self {
            name: ConventionVersionName {
                convention,
                version: row.version,
            },
            amendment: row.amendment_id.map(|amendment| AmendmentName {
                operator: convention.operator,
                convention: convention.convention,
                amendment: Id::from_uuid(amendment),
            }),
            signatures: ByParty {
                authority: Signature {
                    time: row.authority_sign_time,
                    by: std::mem::take(&mut row.authority_signed_by),
                },
                operator: Signature {
                    time: row.operator_sign_time,
                    by: std::mem::take(&mut row.operator_signed_by),
                },
            },
            acts,
            since: row.in_force_time,
            terms: row.terms()?,
        })
    }
}
