//! A programme that pays from its own bank account, and what its bank says back.

use nonrecours_contracts::payments::{BankTransfers, SetPostingCodesRequest, Slip};
use nonrecours_testkit::request_id;

use crate::{treasury::Treasury, world::World, xsd::Schema};

/// The account that pays.
pub const DEBTOR: &str = "FR7630006000011234567890189";
const TRANSFERS: &str =
    include_str!("../../../../crates/sepa/tests/it/schemas/pain.001.001.09.xsd");
const STATEMENT: &str =
    include_str!("../../../../crates/sepa/tests/it/schemas/camt.053.001.08.xsd");
const NOTIFICATION: &str =
    include_str!("../../../../crates/sepa/tests/it/schemas/camt.054.001.08.xsd");

impl<'a> Treasury<'a> {
    /// A programme that a private funder pays for.
    pub async fn of_a_bank(world: &'a World) -> Self {
        let treasury = Self::bare(world);
        treasury.set(treasury.transfers()).await.unwrap();
        treasury
    }

    pub fn transfers(&self) -> SetPostingCodesRequest {
        SetPostingCodesRequest {
            name: format!("{}/postingCodes", self.programme),
            bank_transfers: Some(BankTransfers {
                debtor_name: "Fondation « Bien-être & Œuvres »".to_owned(),
                iban: "fr76 3000 6000 0112 3456 7890 189".to_owned(),
                bic: "AGRIFRPPXXX".to_owned(),
                ..Default::default()
            }),
            request_id: request_id(),
            ..Default::default()
        }
    }

    /// The file of a slip, once the schema has accepted it.
    pub async fn transfer_file(&self, slip: &Slip) -> String {
        let file = self.file(slip).await;
        assert_eq!(file.file_name, slip.file_name);
        let text = String::from_utf8(file.content).unwrap();
        assert_eq!(Schema::read(TRANSFERS).faults(&text), Vec::<String>::new());
        text
    }
}

/// What stands for the first order of a slip.
pub fn reference(slip: &Slip) -> &str {
    &slip.orders[0].end_to_end_id
}

/// What stands for the file of a slip.
pub fn message_id(slip: &Slip) -> String {
    slip.name.rsplit_once('/').unwrap().1.replace('-', "")
}

/// A pain.002 about this file, with this said of its transfers.
pub fn report(message: &str, group: &str, transfers: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.002.001.10\">\n\
         <CstmrPmtStsRpt><OrgnlGrpInfAndSts><OrgnlMsgId>{message}</OrgnlMsgId>{group}</OrgnlGrpInfAndSts>\n\
         <OrgnlPmtInfAndSts><OrgnlPmtInfId>{message}</OrgnlPmtInfId>{transfers}</OrgnlPmtInfAndSts>\n\
         </CstmrPmtStsRpt></Document>\n"
    )
}

/// What a pain.002 says of a transfer: its status, with this besides.
pub fn of_transfer(reference: &str, status: &str, besides: &str) -> String {
    format!(
        "<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>{status}</TxSts>{besides}</TxInfAndSts>\n"
    )
}

/// Why.
pub fn why(code: &str, words: &str) -> String {
    format!("<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn><AddtlInf>{words}</AddtlInf></StsRsnInf>")
}

/// A camt.053 of an account with these movements, as the schema wants it.
pub fn statement(account: &str, entries: &str) -> String {
    let file = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">\n\
         <BkToCstmrStmt><GrpHdr><MsgId>B1</MsgId><CreDtTm>2025-10-09T05:00:00Z</CreDtTm></GrpHdr><Stmt><Id>S1</Id>\
         <Acct><Id><IBAN>{account}</IBAN></Id></Acct><Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>\
         <Amt Ccy=\"EUR\">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2025-10-08</Dt></Dt></Bal>\n{entries}</Stmt>\
         </BkToCstmrStmt></Document>\n"
    );
    assert_eq!(Schema::read(STATEMENT).faults(&file), Vec::<String>::new());
    file
}

/// A camt.054 of the account that pays with these movements, as the schema wants it.
pub fn notification(entries: &str) -> String {
    let file = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\">\n\
         <BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>B2</MsgId><CreDtTm>2025-10-08T14:00:00Z</CreDtTm></GrpHdr><Ntfctn>\
         <Id>N1</Id><Acct><Id><IBAN>{DEBTOR}</IBAN></Id></Acct>\n{entries}</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>\n"
    );
    assert_eq!(
        Schema::read(NOTIFICATION).faults(&file),
        Vec::<String>::new()
    );
    file
}

/// A booked movement of 7 October 2025.
fn movement(reference: &str, direction: &str, amount: &str, returned: &str) -> String {
    format!(
        "<Ntry><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>\
         <BookgDt><Dt>2025-10-07</Dt></BookgDt><BkTxCd><Prtry><Cd>SCT</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs>\
         <EndToEndId>{reference}</EndToEndId></Refs>{returned}</TxDtls></NtryDtls></Ntry>\n"
    )
}

/// Money that has left.
pub fn debit(reference: &str, amount: &str) -> String {
    movement(reference, "DBIT", amount, "")
}

/// Money that came back, for this reason.
pub fn credit(reference: &str, amount: &str, reason: &str) -> String {
    let returned = format!("<RtrInf><Rsn><Cd>{reason}</Cd></Rsn></RtrInf>");
    movement(reference, "CRDT", amount, &returned)
}
