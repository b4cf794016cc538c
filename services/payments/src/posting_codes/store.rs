//! Posting codes in the database: each version written once.

use nonrecours_kernel::{PostingCodesName, ProgrammeId};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{BudgetCodes, Channel, PayeeCategory, PayeeCodes, PostingCodes};
use crate::{
    bank_account::Details,
    error::Error,
    instalment::{DocumentKind, Requirements},
};

/// The codes in force.
pub async fn current(
    tx: &mut Tx,
    name: &PostingCodesName,
) -> Result<Option<PostingCodes>, pg::Error> {
    last(tx, name, i32::MAX).await
}

/// The codes of a version.
pub async fn version(
    tx: &mut Tx,
    name: &PostingCodesName,
    version: i32,
) -> Result<Option<PostingCodes>, pg::Error> {
    let found = last(tx, name, version).await?;
    Ok(found.filter(|codes| codes.version == version))
}

/// The last version up to this one.
async fn last(
    tx: &mut Tx,
    name: &PostingCodesName,
    until: i32,
) -> Result<Option<PostingCodes>, pg::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT version, authority_siret, posting_office, collectivity_code, budget_code, function_code,
                  payee_categories, payee_natures, payee_third_parties, payee_legal_natures,
                  debtor_name, debtor_iban, debtor_bic,
                  (SELECT first.create_time FROM posting_codes AS first
                   WHERE first.programme_id = codes.programme_id AND first.version = 1) AS "create_time!",
                  create_time AS update_time,
                  rules.first_kinds AS "first_kinds?", rules.later_kinds AS "later_kinds?"
           FROM posting_codes AS codes LEFT JOIN document_rules AS rules USING (programme_id, version)
           WHERE programme_id = $1 AND version <= $2
           ORDER BY version DESC LIMIT 1"#,
        name.programme.uuid(),
        until
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let version = row.version;
        row.codes(*name)
            .ok_or_else(|| pg::Error::Damaged(format!("version {version} of {name}")))
    })
    .transpose()
}

/// The programme that numbers its slips in the budget of these codes: this one from now on, unless it is another's.
pub async fn claim_budget(
    tx: &mut Tx,
    name: &PostingCodesName,
    codes: &BudgetCodes,
) -> Result<ProgrammeId, pg::Error> {
    sqlx::query!(
        "INSERT INTO posting_budget (posting_office, collectivity_code, budget_code, programme_id)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        codes.posting_office,
        codes.collectivity_code,
        codes.budget_code,
        name.programme.uuid()
    )
    .execute(tx.conn())
    .await?;
    let holder = sqlx::query_scalar!(
        "SELECT programme_id FROM posting_budget
         WHERE posting_office = $1 AND collectivity_code = $2 AND budget_code = $3",
        codes.posting_office,
        codes.collectivity_code,
        codes.budget_code
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(ProgrammeId::from_uuid(holder))
}

/// Writes a version. Refuses with CONCURRENT_UPDATE when somebody else has just written it.
pub async fn insert(tx: &mut Tx, codes: &PostingCodes) -> Result<(), Error> {
    let (budget, debtor) = match &codes.channel {
        Channel::Accountant(budget) => (Some(budget), None),
        Channel::Bank(debtor) => (None, Some(debtor)),
    };
    let actor = tx.actor().to_owned();
    let column = |value: fn(&PayeeCodes) -> &str| -> Option<Vec<String>> {
        let payees = budget?.payees.iter();
        Some(payees.map(|payee| value(payee).to_owned()).collect())
    };
    let inserted = sqlx::query!(
        "INSERT INTO posting_codes (programme_id, version, authority_siret, posting_office, collectivity_code,
                                    budget_code, function_code, payee_categories, payee_natures, payee_third_parties,
                                    payee_legal_natures, debtor_name, debtor_iban, debtor_bic, actor, create_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        codes.name.programme.uuid(),
        codes.version,
        budget.map(|budget| budget.authority_siret.to_string()),
        budget.map(|budget| budget.posting_office.as_str()),
        budget.map(|budget| budget.collectivity_code.as_str()),
        budget.map(|budget| budget.budget_code.as_str()),
        budget.and_then(|budget| budget.function_code.as_deref()),
        column(|payee| payee.category.code()) as Option<Vec<String>>,
        column(|payee| &payee.nature) as Option<Vec<String>>,
        column(|payee| &payee.third_party_category) as Option<Vec<String>>,
        column(|payee| &payee.legal_nature) as Option<Vec<String>>,
        debtor.map(|debtor| debtor.holder.as_str()),
        debtor.map(|debtor| debtor.iban.as_str()),
        debtor.map(|debtor| debtor.bic.to_string()),
        actor,
        codes.update_time
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        // Nothing can be locked before the first version is there: its key decides who was first.
        Err(pg::Error::Duplicate { constraint }) if constraint == "posting_codes_pkey" => {
            return Err(Failure::concurrent_update().into());
        }
        inserted => inserted.map(|_| ())?,
    }
    let column = |kinds: &[DocumentKind]| -> Vec<&'static str> {
        kinds.iter().map(|kind| kind.code()).collect()
    };
    sqlx::query!(
        "INSERT INTO document_rules (programme_id, version, first_kinds, later_kinds) VALUES ($1, $2, $3, $4)",
        codes.name.programme.uuid(),
        codes.version,
        &column(&codes.requirements.first) as &[&str],
        &column(&codes.requirements.later) as &[&str]
    )
    .execute(tx.conn())
    .await
    .map_err(pg::Error::from)?;
    Ok(())
}

struct Row {
    version: i32,
    authority_siret: Option<String>,
    posting_office: Option<String>,
    collectivity_code: Option<String>,
    budget_code: Option<String>,
    function_code: Option<String>,
    payee_categories: Option<Vec<String>>,
    payee_natures: Option<Vec<String>>,
    payee_third_parties: Option<Vec<String>>,
    payee_legal_natures: Option<Vec<String>>,
    debtor_name: Option<String>,
    debtor_iban: Option<String>,
    debtor_bic: Option<String>,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
    first_kinds: Option<Vec<String>>,
    later_kinds: Option<Vec<String>>,
}

impl Row {
    /// Nothing when it is none that the table's constraints allow.
    fn codes(self, name: PostingCodesName) -> Option<PostingCodes> {
        let nomenclature = Requirements::default();
        // Versions set before the programme could say what it asks for ask for what the nomenclature does.
        let kinds = |codes: &Option<Vec<String>>, otherwise| match codes {
            Some(codes) => codes.iter().map(|code| DocumentKind::of(code)).collect(),
            None => Some(otherwise),
        };
        let requirements = Requirements {
            first: kinds(&self.first_kinds, nomenclature.first)?,
            later: kinds(&self.later_kinds, nomenclature.later)?,
        };
        let (version, create_time, update_time) =
            (self.version, self.create_time, self.update_time);
        Some(PostingCodes {
            name,
            channel: self.channel()?,
            requirements,
            version,
            create_time,
            update_time,
        })
    }

    fn channel(self) -> Option<Channel> {
        if let Some(holder) = self.debtor_name {
            return Some(Channel::Bank(Details {
                iban: self.debtor_iban?.parse().ok()?,
                bic: self.debtor_bic?.parse().ok()?,
                holder,
            }));
        }
        let columns = self
            .payee_natures?
            .into_iter()
            .zip(self.payee_third_parties?)
            .zip(self.payee_legal_natures?);
        let payees = self
            .payee_categories?
            .iter()
            .zip(columns)
            .map(
                |(category, ((nature, third_party_category), legal_nature))| {
                    Some(PayeeCodes {
                        category: PayeeCategory::of(category)?,
                        nature,
                        third_party_category,
                        legal_nature,
                    })
                },
            )
            .collect::<Option<_>>()?;
        Some(Channel::Accountant(BudgetCodes {
            authority_siret: self.authority_siret?.parse().ok()?,
            posting_office: self.posting_office?,
            collectivity_code: self.collectivity_code?,
            budget_code: self.budget_code?,
            function_code: self.function_code,
            payees,
        }))
    }
}

/// The IBANs of the accounts that the programme has paid from, those of earlier versions included.
pub async fn accounts(tx: &mut Tx, programme: ProgrammeId) -> Result<Vec<String>, pg::Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT debtor_iban AS "iban!" FROM posting_codes
           WHERE programme_id = $1 AND debtor_iban IS NOT NULL"#,
        programme.uuid()
    )
    .all(tx.conn())
    .await?)
}

/// Whether the codes of any version of the programme are these, as far as they are given.
pub async fn orders_under(
    tx: &mut Tx,
    programme: ProgrammeId,
    posting_office: Option<&str>,
    collectivity_code: Option<&str>,
    budget_code: Option<&str>,
) -> Result<bool, pg::Error> {
    let programme: Uuid = programme.uuid();
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM posting_budget
                          WHERE programme_id = $1 AND ($2::text IS NULL OR posting_office = $2)
                            AND ($3::text IS NULL OR collectivity_code = $3)
                            AND ($4::text IS NULL OR budget_code = $4)) AS "found!""#,
        programme,
        posting_office,
        collectivity_code,
        budget_code
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}
