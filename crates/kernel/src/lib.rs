//! The vocabulary every other crate speaks: money, dates, identifiers, resource names, callers.
//!
//! Pure values only: nothing here waits, opens a connection or knows a wire format. Every type
//! is checked when it is made, so a value that exists is a valid one; a value that is refused
//! gives an [`Invalid`]: a machine reason and a sentence in English and in French. Messages never
//! repeat the refused value, which may be personal data.

pub mod act_id;
pub mod blocker;
pub mod call;
pub mod caller;
pub mod catalogue;
pub mod changes;
pub mod clock;
pub mod dates;
pub mod digest;
pub mod iban;
pub mod id;
pub mod identifier;
pub mod insee;
pub mod invalid;
pub mod letters;
pub mod money;
pub mod names;
pub mod nir;
pub mod rate;
pub mod rna;
pub mod siren;
mod text;

pub use act_id::{ActId, ActNature};
pub use blocker::Blocker;
pub use call::Call;
pub use caller::{Caller, OutOfReach, Role, Scope};
pub use changes::change_label;
pub use clock::{Clock, ManualClock, SystemClock};
pub use dates::{
    BudgetYear, french_date, long_french_date, months_after, paris_date, paris_midnight, parse_date,
};
pub use digest::{Digest, Digester};
pub use iban::{Bic, Iban, holder_warning};
pub use id::*;
pub use identifier::IdentifierKind;
pub use insee::InseeCode;
pub use invalid::{Invalid, Text, Violation, Warning};
pub use letters::money_in_words;
pub use money::Money;
pub use names::*;
pub use nir::{contains_nir, screen};
pub use rate::Rate;
pub use rna::Rna;
pub use siren::{Siren, Siret, insee_warning};
