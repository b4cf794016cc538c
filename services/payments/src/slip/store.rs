//! Slips and their numbers in the database.

use std::collections::HashMap;

use nonrecours_kernel::{
    BudgetYear, ConventionName, Invalid, Money, OperatorId, ProgrammeId, ProgrammeName, SlipId,
    SlipName, Warning,
};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Issued, Kind, Order, Payer, Register, Slip, ThirdParty, orders};
use crate::{
    correction::{self, Correction},
    posting_codes::PayeeCategory,
};

/// Locks the numbers of a budget year until the end of the transaction: everything that writes slips of the year does so
/// first.
pub async fn lock_register(
    tx: &mut Tx,
    programme: ProgrammeId,
    year: BudgetYear,
) -> Result<Register, Error> {
    sqlx::query!(
        "INSERT INTO slip_register (programme_id, budget_year, last_slip, last_piece)
         VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING",
        programme.uuid(),
        year.get()
    )
    .execute(tx.conn())
    .await?;
    let row = sqlx::query!(
        "SELECT last_slip, last_correction, last_piece FROM slip_register
         WHERE programme_id = $1 AND budget_year = $2 FOR UPDATE",
        programme.uuid(),
        year.get()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Register {
        last_slip: row.last_slip,
        last_correction: row.last_correction,
        last_piece: row.last_piece,
    })
}

/// Writes a slip with its file, its orders and the register after it.
pub async fn insert(tx: &mut Tx, issued: &Issued) -> Result<(), Error> {
    let slip = &issued.slip;
    let column = |value: fn(&Warning) -> &str| -> Vec<String> {
        let warnings = slip.warnings.iter();
        warnings.map(|warning| value(warning).to_owned()).collect()
    };
    sqlx::query!(
        "UPDATE slip_register SET last_slip = $3, last_piece = $4, last_correction = $5
         WHERE programme_id = $1 AND budget_year = $2",
        slip.name.programme.uuid(),
        slip.budget_year.get(),
        issued.register.last_slip,
        issued.register.last_piece,
        issued.register.last_correction
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "INSERT INTO slip (programme_id, slip_id, budget_year, number, issue_date, amount, file_name, file,
                           posting_codes_version, warning_fields, warning_texts_en, warning_texts_fr, issuer, revision,
                           create_time, update_time, kind)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        slip.name.programme.uuid(),
        slip.name.slip.uuid(),
        slip.budget_year.get(),
        slip.number,
        slip.issue_date,
        slip.amount.amount(),
        slip.file_name,
        issued.file,
        slip.posting_codes_version,
        &column(|warning| &warning.field),
        &column(|warning| &warning.text.en),
        &column(|warning| &warning.text.fr),
        slip.issuer,
        slip.revision,
        slip.create_time,
        slip.update_time,
        slip.kind.code()
    )
    .execute(tx.conn())
    .await?;
    correction::store::insert(tx, slip).await?;
    // A hundred at most.
    for (position, order) in (1_i16..).zip(&slip.orders) {
        sqlx::query!(
            "INSERT INTO slip_order (operator_id, convention_id, instalment_id, attempt, programme_id, slip_id, position,
                                     piece, amount, state, taken_in_charge, reason_code, reason_text, payment_date,
                                     return_date)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            order.instalment.operator.uuid(),
            order.instalment.convention.uuid(),
            order.instalment.instalment.uuid(),
            order.attempt,
            slip.name.programme.uuid(),
            slip.name.slip.uuid(),
            position,
            order.piece,
            order.amount.amount(),
            order.stage.code(),
            order.taken_in_charge,
            order.reason.code,
            order.reason.text,
            order.payment_date,
            order.return_date
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// One slip.
pub async fn get(tx: &mut Tx, name: &SlipName) -> Result<Option<Slip>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT slip_id, kind, budget_year, number, issue_date, amount, file_name, posting_codes_version, warning_fields,
                  warning_texts_en, warning_texts_fr, issuer, revision, slip.create_time, update_time,
                  codes.debtor_iban IS NOT NULL AS "by_bank!"
           FROM slip JOIN posting_codes AS codes
                ON codes.programme_id = slip.programme_id AND codes.version = posting_codes_version
           WHERE slip.programme_id = $1 AND slip_id = $2"#,
        name.programme.uuid(),
        name.slip.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let slips = with_orders(tx, name.programme, row.into_iter().collect()).await?;
    Ok(slips.into_iter().next())
}

/// Slips of a programme after one, oldest first, in three statements whatever their number.
pub async fn list(
    tx: &mut Tx,
    programme: &ProgrammeName,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Slip>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT slip_id, kind, budget_year, number, issue_date, amount, file_name, posting_codes_version, warning_fields,
                  warning_texts_en, warning_texts_fr, issuer, revision, slip.create_time, update_time,
                  codes.debtor_iban IS NOT NULL AS "by_bank!"
           FROM slip JOIN posting_codes AS codes
                ON codes.programme_id = slip.programme_id AND codes.version = posting_codes_version
           WHERE slip.programme_id = $1 AND ($2::uuid IS NULL OR slip_id > $2)
           ORDER BY slip_id LIMIT $3"#,
        programme.programme.uuid(),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    with_orders(tx, programme.programme, rows).await
}

/// Name and bytes of the file of a slip.
pub async fn file(tx: &mut Tx, name: &SlipName) -> Result<Option<(String, Vec<u8>)>, Error> {
    let row = sqlx::query!(
        "SELECT file_name, file FROM slip WHERE programme_id = $1 AND slip_id = $2",
        name.programme.uuid(),
        name.slip.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.file_name, row.file)))
}

/// Counts a change of a slip whose orders were written; the slip after it.
pub async fn touch(tx: &mut Tx, name: &SlipName) -> Result<Slip, Error> {
    let now = tx.now();
    sqlx::query!(
        "UPDATE slip SET revision = revision + 1, update_time = $3 WHERE programme_id = $1 AND slip_id = $2",
        name.programme.uuid(),
        name.slip.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    get(tx, name)
        .await?
        .ok_or_else(|| Error::Damaged(format!("{name} is not there")))
}

/// These slips with their orders and corrections, in their order.
async fn with_orders(
    tx: &mut Tx,
    programme: ProgrammeId,
    rows: Vec<Row>,
) -> Result<Vec<Slip>, Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.slip_id).collect();
    let mut by_slip: HashMap<SlipId, Vec<Order>> = HashMap::with_capacity(rows.len());
    for (slip, _, order) in orders::of_slips(tx, programme, &ids).await? {
        by_slip.entry(slip.slip).or_default().push(order);
    }
    let mut corrected: HashMap<SlipId, Vec<Correction>> = HashMap::new();
    for (slip, one) in correction::store::of_slips(tx, programme, &ids).await? {
        corrected.entry(slip.slip).or_default().push(one);
    }
    rows.into_iter()
        .map(|row| {
            let slip = SlipId::from_uuid(row.slip_id);
            let orders = by_slip.remove(&slip).unwrap_or_default();
            let corrections = corrected.remove(&slip).unwrap_or_default();
            row.slip(programme, orders, corrections)
                .ok_or_else(|| Error::Damaged(format!("slip {slip}")))
        })
        .collect()
}

/// What is known of the payee of a convention, and of which programme it is.
pub async fn known(
    tx: &mut Tx,
    convention: &ConventionName,
) -> Result<(Option<ProgrammeId>, Option<ThirdParty>), Error> {
    let row = sqlx::query!(
        "SELECT programme_id, siret, category, address
         FROM payment_plan JOIN operator USING (operator_id)
         WHERE operator_id = $1 AND convention_id = $2",
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    let damaged = || Error::Damaged(format!("operator {}", convention.operator));
    let third_party = match (row.siret, row.category) {
        (Some(siret), Some(category)) => Some(ThirdParty {
            siret: siret.parse().map_err(|_| damaged())?,
            category: PayeeCategory::of(&category).ok_or_else(damaged)?,
            address: row.address,
        }),
        _ => None,
    };
    Ok((row.programme_id.map(ProgrammeId::from_uuid), third_party))
}

/// Learns how the accountant knows an operator, unless something newer is known already.
pub async fn learn_third_party(
    tx: &mut Tx,
    operator: OperatorId,
    third_party: &ThirdParty,
    revision: i64,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE operator SET siret = $2, category = $3, address = $5 WHERE operator_id = $1 AND revision <= $4",
        operator.uuid(),
        third_party.siret.to_string(),
        third_party.category.code(),
        revision,
        third_party.address
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Learns of which programme a convention is; it never changes.
pub async fn learn_programme(
    tx: &mut Tx,
    convention: &ConventionName,
    programme: ProgrammeId,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE payment_plan SET programme_id = $3
         WHERE operator_id = $1 AND convention_id = $2 AND programme_id IS NULL",
        convention.operator.uuid(),
        convention.convention.uuid(),
        programme.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    slip_id: Uuid,
    kind: String,
    budget_year: i16,
    number: i32,
    issue_date: Date,
    amount: Decimal,
    file_name: String,
    posting_codes_version: i32,
    warning_fields: Vec<String>,
    warning_texts_en: Vec<String>,
    warning_texts_fr: Vec<String>,
    issuer: String,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
    by_bank: bool,
}

impl Row {
    /// Nothing when it is none that the table's constraints allow.
    fn slip(
        self,
        programme: ProgrammeId,
        orders: Vec<Order>,
        corrections: Vec<Correction>,
    ) -> Option<Slip> {
        let texts = self.warning_texts_en.into_iter().zip(self.warning_texts_fr);
        let warnings = self
            .warning_fields
            .into_iter()
            .zip(texts)
            .map(|(field, (en, fr))| Warning::at(field, Invalid::new("TRUNCATED", en, fr)));
        Some(Slip {
            name: SlipName {
                programme,
                slip: SlipId::from_uuid(self.slip_id),
            },
            kind: Kind::ALL
                .into_iter()
                .find(|kind| kind.code() == self.kind)?,
            budget_year: BudgetYear::try_from(self.budget_year).ok()?,
            number: self.number,
            issue_date: self.issue_date,
            amount: Money::try_from(self.amount).ok()?,
            payer: if self.by_bank {
                Payer::Bank
            } else {
                Payer::Accountant
            },
            file_name: self.file_name,
            posting_codes_version: self.posting_codes_version,
            warnings: warnings.collect(),
            orders,
            corrections,
            issuer: self.issuer,
            revision: self.revision,
            create_time: self.create_time,
            update_time: self.update_time,
        })
    }
}
