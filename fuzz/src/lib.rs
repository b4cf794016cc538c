//! What every fuzz target does with bytes from outside, and the laws that hold whatever they are. The ordinary tests run the
//! same functions for a moment (`tests/fuzz`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot go on is a finding"
)]

use std::{
    fmt::{Debug, Display},
    str::FromStr,
    sync::{Arc, OnceLock},
};

use nonrecours_cli::import::{convert, layout::Layout, rows};
use nonrecours_conventions::attachment::media::MediaType;
use nonrecours_issuer::DevIssuer;
use nonrecours_kernel as kernel;
use nonrecours_pes::{Returns, validate};
use nonrecours_pg::Cursor;
use nonrecours_rpc::{
    Page,
    auth::{AuthConfig, JwksSource, Verifier},
};
use nonrecours_sepa::Reader;
use time::macros::datetime;
use tokio::runtime::Runtime;

/// A target: its name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 9] = [
    ("identifiers", identifiers),
    ("names", names),
    ("tokens", tokens),
    ("page_tokens", page_tokens),
    ("import_csv", import_csv),
    ("import_xlsx", import_xlsx),
    ("pes_returns", pes_returns),
    ("bank_files", bank_files),
    ("attachments", attachments),
];

/// Identifiers and amounts as people write them.
pub fn identifiers(bytes: &[u8]) {
    let text = &String::from_utf8_lossy(bytes);
    read_back::<kernel::Siren>(text);
    read_back::<kernel::Siret>(text);
    read_back::<kernel::Rna>(text);
    read_back::<kernel::InseeCode>(text);
    read_back::<kernel::Money>(text);
    read_back::<kernel::Rate>(text);
    if let Ok(iban) = text.parse::<kernel::Iban>() {
        assert_eq!(iban.as_str().parse::<kernel::Iban>(), Ok(iban.clone()));
        assert_eq!(iban.spaced().parse::<kernel::Iban>(), Ok(iban.clone()));
        assert!(!iban.masked().contains(iban.as_str()));
    }
    if let Ok(bic) = text.parse::<kernel::Bic>() {
        assert_eq!(bic.as_str().parse::<kernel::Bic>(), Ok(bic.clone()));
    }
    let _ = text.parse::<kernel::ActId>();
    let _ = kernel::parse_date(text);
    assert_eq!(kernel::contains_nir(text), kernel::screen(text).is_err());
}

/// What is read is written, and what is written is read as the same.
fn read_back<T: FromStr + Display + PartialEq + Debug>(text: &str)
where
    T::Err: Debug,
{
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().expect("read back"), value);
    }
}

/// Names of resources: written as they were read, but for the case of their UUIDs, which is read either way and written in one;
/// cursors to the letter.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    exact::<kernel::ProgrammeName>(text);
    exact::<kernel::OperatorName>(text);
    exact::<kernel::ConventionName>(text);
    exact::<kernel::ConventionVersionName>(text);
    exact::<kernel::BudgetYearName>(text);
    exact::<kernel::AttachmentName>(text);
    exact::<kernel::InstalmentName>(text);
    exact::<kernel::BeneficiaryIdentityName>(text);
    if let Ok(cursor) = text.parse::<Cursor>() {
        // The empty text is the beginning of every feed.
        assert!(
            cursor.to_string() == text || text.is_empty(),
            "{text:?} became {cursor}"
        );
    }
}

fn exact<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        let written = name.to_string();
        assert!(
            written.eq_ignore_ascii_case(text),
            "{text:?} became {written}"
        );
        let again = written.parse::<T>().ok().expect("read back");
        assert_eq!(again.to_string(), written);
    }
}

/// Access tokens: nobody but the issuer makes one.
pub fn tokens(bytes: &[u8]) {
    static DOOR: OnceLock<(Runtime, Verifier)> = OnceLock::new();
    let (runtime, verifier) = DOOR.get_or_init(|| {
        let clock = Arc::new(kernel::ManualClock::at(datetime!(2025-10-06 08:00 UTC)));
        let issuer = DevIssuer::generate("https://issuer.test", "nonrecours", clock.clone());
        let folder = tempfile::tempdir().expect("a folder");
        let keys = folder.path().join("jwks.json");
        // Of a kid that a corpus can name.
        let issuer = issuer.expect("a key").with_kid("kid");
        issuer.write_jwks(&keys).expect("the keys are written");
        let config = AuthConfig {
            issuer: "https://issuer.test".to_owned(),
            audience: "nonrecours".to_owned(),
            jwks: Some(JwksSource::File(keys)),
            claims: None,
        };
        let runtime = Runtime::new().expect("a runtime");
        let verifier = runtime.block_on(Verifier::new(config, clock));
        (runtime, verifier.expect("the keys are read"))
    });
    let token = &String::from_utf8_lossy(bytes);
    assert!(runtime.block_on(verifier.verify(token)).is_err());
}

/// Tokens of pages, of another list or of none.
pub fn page_tokens(bytes: &[u8]) {
    let token = &String::from_utf8_lossy(bytes);
    if let Ok(page) = Page::read(&["conventions", "operators/-"], 50, token) {
        // Whoever guesses the fingerprint of a list says where it goes on, and no more.
        assert!(token.is_empty() || page.after.is_some());
        let _ = page.after::<kernel::ConventionId>();
        assert_eq!(page.size, 50);
    }
}

/// A text that is imported, whatever its encoding and separator.
pub fn import_csv(bytes: &[u8]) {
    import(bytes, ".csv");
}

/// A workbook that is imported.
pub fn import_xlsx(bytes: &[u8]) {
    import(bytes, ".xlsx");
}

fn import(bytes: &[u8], ending: &str) {
    let layout = Layout::standard().expect("the standard layout");
    let file = tempfile::Builder::new()
        .suffix(ending)
        .tempfile()
        .expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    for only in [None, Some(0)] {
        let Ok(input) = rows::open(file.path(), &layout, only) else {
            continue;
        };
        for row in input.rows {
            // A row that cannot be read is the last.
            let Ok(row) = row else { break };
            assert!(row.cells.len() <= rows::MAX_COLUMNS);
            let sheet = &layout.sheets[row.sheet];
            let bound = input.bound[row.sheet]
                .as_ref()
                .expect("a row of a sheet that is bound");
            match convert::read(sheet, bound, &row.cells) {
                Ok(_) => {}
                Err(faults) => assert!(!faults.is_empty(), "refused without a word"),
            }
        }
    }
}

/// A file that the accountant sends back, and one that we send.
pub fn pes_returns(bytes: &[u8]) {
    let mut faulty = false;
    for item in Returns::new(bytes) {
        assert!(!faulty, "something came after a fault");
        faulty = item.is_err();
    }
    let _ = validate(bytes);
}

/// A file of a bank.
pub fn bank_files(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    while let Ok(Some(_)) = reader.next_item() {}
}

/// A file that is brought under a convention.
pub fn attachments(bytes: &[u8]) {
    let _ = MediaType::of(bytes);
}
