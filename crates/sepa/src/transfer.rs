//! Credit transfers as a bank takes them: `pain.001.001.09`.

use std::fmt::Write as _;

use nonrecours_kernel::{Bic, Iban, Invalid, Money, Violation, Warning};
use quick_xml::escape::escape;
use time::{Date, OffsetDateTime};

use crate::latin::latin;

/// Most transfers of one file.
pub const MAX_TRANSFERS: usize = 100;
/// Namespace of the message.
const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";
/// Longest name that banks carry.
const MAX_NAME: usize = 70;
/// Longest identifier.
const MAX_ID: usize = 35;
/// Longest remittance information.
const MAX_REMITTANCE: usize = 140;

/// An account and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Name of the holder.
    pub name: String,
    /// IBAN.
    pub iban: Iban,
    /// BIC of the bank.
    pub bic: Bic,
}

/// One order to a bank: transfers from one account on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What stands for the file at the bank, at most 35 characters; never used twice.
    pub message_id: String,
    /// When it was made.
    pub create_time: OffsetDateTime,
    /// The account that pays.
    pub debtor: Account,
    /// Day on which it pays.
    pub execution_date: Date,
    /// The transfers, at least one and at most [`MAX_TRANSFERS`].
    pub transfers: Vec<Transfer>,
}

/// One transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What stands for it on all statements, at most 35 characters; see [`end_to_end_id`].
    pub end_to_end_id: String,
    /// Amount, positive.
    pub amount: Money,
    /// Who is paid.
    pub creditor: Account,
    /// What it is for; cut at 140 characters.
    pub remittance: String,
}

/// A file, and what had to be cut to fit in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file, in UTF-8.
    pub file: Vec<u8>,
    /// The texts that were cut (`TRUNCATED`), for somebody to look at.
    pub warnings: Vec<Warning>,
}

/// What stands for a thing with a UUID on statements: the same without hyphens, 32 characters.
pub fn end_to_end_id(uuid: &impl std::fmt::Display) -> String {
    uuid.to_string().replace('-', "")
}

/// The file of an order, in UTF-8, of the characters of [`latin`] alone. Refuses, all at once: no transfer or too many, an
/// identifier that is empty, too long, twice or of other characters, an amount that is not positive, a name of which nothing
/// is left. Texts are cut at the lengths that banks carry, with a warning.
pub fn write(order: &Order) -> Result<Written, Vec<Violation>> {
    let violations = check(order);
    if !violations.is_empty() {
        return Err(violations);
    }
    let Some(total) = Money::sum(order.transfers.iter().map(|transfer| transfer.amount)) else {
        return Err(vec![Violation::at("transfers", beyond())]);
    };
    Ok(Written {
        file: render(order, total).into_bytes(),
        warnings: cut(order),
    })
}

/// What is longer than banks carry.
fn cut(order: &Order) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut look = |path: String, text: &str, most: usize| {
        if latin(text, usize::MAX).len() > most {
            found.push(Warning::at(
                path,
                Invalid::new(
                    "TRUNCATED",
                    format!("cut at {most} characters"),
                    format!("Texte coupé à {most} caractères, le plus que portent les banques."),
                ),
            ));
        }
    };
    look("debtor.name".to_owned(), &order.debtor.name, MAX_NAME);
    for (index, transfer) in order.transfers.iter().enumerate() {
        let at = |field: &str| format!("transfers[{index}].{field}");
        look(at("creditor.name"), &transfer.creditor.name, MAX_NAME);
        look(at("remittance"), &transfer.remittance, MAX_REMITTANCE);
    }
    found
}

fn check(order: &Order) -> Vec<Violation> {
    let mut found = Vec::new();
    let count = order.transfers.len();
    if count == 0 || count > MAX_TRANSFERS {
        found.push(Violation::at(
            "transfers",
            Invalid::new(
                "TRANSFER_COUNT",
                format!("a file has 1 to {MAX_TRANSFERS} transfers"),
                format!("Un fichier porte de 1 à {MAX_TRANSFERS} virements."),
            ),
        ));
    }
    check_id(&mut found, "message_id", &order.message_id);
    check_name(&mut found, "debtor.name", &order.debtor.name);
    for (index, transfer) in order.transfers.iter().enumerate() {
        let at = |field: &str| format!("transfers[{index}].{field}");
        check_id(&mut found, &at("end_to_end_id"), &transfer.end_to_end_id);
        let earlier = order.transfers.iter().take(index);
        let mut same = earlier.filter(|other| other.end_to_end_id == transfer.end_to_end_id);
        if same.next().is_some() {
            found.push(Violation::at(
                at("end_to_end_id"),
                Invalid::new(
                    "DUPLICATE",
                    "the transfer stands twice",
                    "Ce virement figure deux fois dans le fichier : retirez l'un des deux.",
                ),
            ));
        }
        if !transfer.amount.is_positive() {
            found.push(Violation::at(
                at("amount"),
                Invalid::new(
                    "NOT_POSITIVE",
                    "the amount must be positive",
                    "Le montant doit être supérieur à zéro.",
                ),
            ));
        }
        check_name(&mut found, &at("creditor.name"), &transfer.creditor.name);
    }
    found
}

fn check_id(found: &mut Vec<Violation>, path: &str, id: &str) {
    if id.is_empty() || latin(id, MAX_ID) != id {
        let invalid = Invalid::new(
            "IDENTIFIER_INVALID",
            format!("an identifier has 1 to {MAX_ID} basic Latin characters"),
            format!(
                "Un identifiant porte de 1 à {MAX_ID} caractères latins, sans accent ni signe particulier."
            ),
        );
        found.push(Violation::at(path.to_owned(), invalid));
    }
}

fn check_name(found: &mut Vec<Violation>, path: &str, name: &str) {
    if !latin(name, MAX_NAME).contains(|character: char| character.is_ascii_alphanumeric()) {
        let invalid = Invalid::new(
            "NAME_INVALID",
            "nothing of the name can be written in basic Latin characters",
            "Le nom doit comporter au moins une lettre ou un chiffre latin.",
        );
        found.push(Violation::at(path.to_owned(), invalid));
    }
}

fn beyond() -> Invalid {
    Invalid::new(
        "MONEY_RANGE",
        "the sum is beyond all amounts",
        "La somme des virements dépasse le montant maximal.",
    )
}

/// An element with text in it.
fn element(out: &mut String, name: &str, text: &str) {
    // Writing to a string never fails.
    let _ = write!(out, "<{name}>{}</{name}>", escape(text));
}

fn render(order: &Order, total: Money) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let count = order.transfers.len().to_string();
    let created = order.create_time.to_offset(time::UtcOffset::UTC);
    let created = format!(
        "{}T{:02}:{:02}:{:02}Z",
        created.date(),
        created.hour(),
        created.minute(),
        created.second()
    );
    let debtor = &order.debtor;
    let name = latin(&debtor.name, MAX_NAME);
    let _ = write!(
        out,
        "<Document xmlns=\"{NAMESPACE}\">\n<CstmrCdtTrfInitn>\n<GrpHdr>"
    );
    element(&mut out, "MsgId", &order.message_id);
    element(&mut out, "CreDtTm", &created);
    element(&mut out, "NbOfTxs", &count);
    element(&mut out, "CtrlSum", &total.to_string());
    let _ = write!(
        out,
        "<InitgPty><Nm>{}</Nm></InitgPty></GrpHdr>\n<PmtInf>",
        escape(&name)
    );
    element(&mut out, "PmtInfId", &order.message_id);
    out.push_str("<PmtMtd>TRF</PmtMtd>");
    element(&mut out, "NbOfTxs", &count);
    element(&mut out, "CtrlSum", &total.to_string());
    out.push_str("<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf>");
    let _ = write!(
        out,
        "<ReqdExctnDt><Dt>{}</Dt></ReqdExctnDt>",
        order.execution_date
    );
    let _ = write!(out, "<Dbtr><Nm>{}</Nm></Dbtr>", escape(&name));
    let _ = write!(
        out,
        "<DbtrAcct><Id><IBAN>{}</IBAN></Id></DbtrAcct>",
        debtor.iban
    );
    let _ = writeln!(
        out,
        "<DbtrAgt><FinInstnId><BICFI>{}</BICFI></FinInstnId></DbtrAgt><ChrgBr>SLEV</ChrgBr>",
        debtor.bic
    );
    for transfer in &order.transfers {
        one(&mut out, transfer);
    }
    out.push_str("</PmtInf>\n</CstmrCdtTrfInitn>\n</Document>\n");
    out
}

fn one(out: &mut String, transfer: &Transfer) {
    let creditor = &transfer.creditor;
    out.push_str("<CdtTrfTxInf><PmtId>");
    element(out, "EndToEndId", &transfer.end_to_end_id);
    let _ = write!(
        out,
        "</PmtId><Amt><InstdAmt Ccy=\"EUR\">{}</InstdAmt></Amt>\
         <CdtrAgt><FinInstnId><BICFI>{}</BICFI></FinInstnId></CdtrAgt>",
        transfer.amount, creditor.bic
    );
    let name = latin(&creditor.name, MAX_NAME);
    let _ = write!(out, "<Cdtr><Nm>{}</Nm></Cdtr>", escape(&name));
    let _ = write!(
        out,
        "<CdtrAcct><Id><IBAN>{}</IBAN></Id></CdtrAcct>",
        creditor.iban
    );
    let remittance = latin(&transfer.remittance, MAX_REMITTANCE);
    if !remittance.is_empty() {
        let _ = write!(
            out,
            "<RmtInf><Ustrd>{}</Ustrd></RmtInf>",
            escape(&remittance)
        );
    }
    out.push_str("</CdtTrfTxInf>\n");
}
