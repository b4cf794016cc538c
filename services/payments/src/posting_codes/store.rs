//! Posting codes in the database: each version written once.

use nonrecours_kernel::{PostingCodesName, ProgrammeId};
use nonrecours_pg::{self as pg, Tx};
use nonrecours_rpc::Failure;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{BudgetCodes, PayeeCategory, PayeeCodes, PostingCodes};
use crate::{
    error::Error,
    instalment::{DocumentKind, Requirements},
};

/// The codes in force.
pub async fn current(
    tx: &mut Tx,
    name: &PostingCodesName,
) -> Result<Option<PostingCodes>, pg::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT version, authority_siret, posting_office, collectivity_code, budget_code, function_code,
                  payee_categories, payee_natures, payee_third_parties, payee_legal_natures,
                  (SELECT first.create_time FROM posting_codes AS first
                   WHERE first.programme_id = codes.programme_id AND first.version = 1) AS "create_time!",
                  create_time AS update_time,
                  rules.first_kinds AS "first_kinds?", rules.later_kinds AS "later_kinds?"
           FROM posting_codes AS codes LEFT JOIN document_rules AS rules USING (programme_id, version)
           WHERE programme_id = $1
           ORDER BY version DESC LIMIT 1"#,
        name.programme.uuid()
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
    let (budget, actor) = (&codes.codes, tx.actor().to_owned());
    let column = |value: fn(&PayeeCodes) -> &str| -> Vec<String> {
        let payees = budget.payees.iter();
        payees.map(|payee| value(payee).to_owned()).collect()
    };
    let inserted = sqlx::query!(
        "INSERT INTO posting_codes (programme_id, version, authority_siret, posting_office, collectivity_code,
                                    budget_code, function_code, payee_categories, payee_natures, payee_third_parties,
                                    payee_legal_natures, actor, create_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        codes.name.programme.uuid(),
        codes.version,
        budget.authority_siret.to_string(),
        budget.posting_office,
        budget.collectivity_code,
        budget.budget_code,
        budget.function_code,
        &column(|payee| payee.category.code()),
        &column(|payee| &payee.nature),
        &column(|payee| &payee.third_party_category),
        &column(|payee| &payee.legal_nature),
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
        &column(&budget.requirements.first) as &[&str],
        &column(&budget.requirements.later) as &[&str]
    )
    .execute(tx.conn())
    .await
    .map_err(pg::Error::from)?;
    Ok(())
}

struct Row {
    version: i32,
    authority_siret: String,
    posting_office: String,
    collectivity_code: String,
    budget_code: String,
    function_code: Option<String>,
    payee_categories: Vec<String>,
    payee_natures: Vec<String>,
    payee_third_parties: Vec<String>,
    payee_legal_natures: Vec<String>,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
    first_kinds: Option<Vec<String>>,
    later_kinds: Option<Vec<String>>,
}

impl Row {
    /// Nothing when it is none that the table's constraints allow.
    fn codes(self, name: PostingCodesName) -> Option<PostingCodes> {
        let columns = self
            .payee_natures
            .into_iter()
            .zip(self.payee_third_parties)
            .zip(self.payee_legal_natures);
        let payees = self
            .payee_categories
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
        let nomenclature = Requirements::default();
        // Versions set before the programme could say what it asks for ask for what the nomenclature does.
        let kinds = |codes: Option<Vec<String>>, otherwise| match codes {
            Some(codes) => codes.iter().map(|code| DocumentKind::of(code)).collect(),
            None => Some(otherwise),
        };
        Some(PostingCodes {
            name,
            codes: BudgetCodes {
                requirements: Requirements {
                    first: kinds(self.first_kinds, nomenclature.first)?,
                    later: kinds(self.later_kinds, nomenclature.later)?,
                },
                authority_siret: self.authority_siret.parse().ok()?,
                posting_office: self.posting_office,
                collectivity_code: self.collectivity_code,
                budget_code: self.budget_code,
                function_code: self.function_code,
                payees,
            },
            version: self.version,
            create_time: self.create_time,
            update_time: self.update_time,
        })
    }
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
