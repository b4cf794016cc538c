//! The files that an authorising officer and a public accountant exchange (PES V2, protocole d'échange standard).
//!
//! Out: [`write`] makes a `PES_Aller` of expenses from plain values: slips (bordereaux) of orders (pièces). Back: [`Returns`]
//! reads a `PES_ACQUIT` (the flow was received, slip by slip) or a `PES_Retour` (what the accountant made of each order).
//! [`validate`] holds any `PES_Aller` against the rules of [`layout`]; [`write`] gives nothing that it refuses.
//!
//! The official schema is not part of this repository: `docs/pes.md` says which elements remain to be confirmed with the
//! accountant's own tools before a first real flow.

mod aller;
mod latin;
mod layout;
mod returns;
mod totals;
mod validate;
mod write;

pub use aller::{
    Account, Address, Authority, Corrected, Document, Flow, Line, Payee, Piece, Slip, SlipKind,
};
pub use latin::{Unrepresentable, transliterate};
pub use layout::{
    CATEGORIES, Format, LEGAL_NATURES, MAX_ADDRESS_LINE, MAX_BUDGET_CODE, MAX_COLLECTIVITY_CODE,
    MAX_DOCUMENT_ID, MAX_DOCUMENT_NAME, MAX_FILE_NAME, MAX_FUNCTION, MAX_HOLDER, MAX_LABEL,
    MAX_NAME, MAX_NATURE, MAX_OBJECT, MAX_PIECE_ID, MAX_SLIP_NUMBER, NAMESPACE, POSTING_OFFICE,
};
pub use returns::{
    Anomaly, Header, Item, MAX_REMARKS, PieceRef, PieceState, ReturnKind, Returns, SlipRef, Verdict,
};
pub use validate::{MAX_VIOLATIONS, validate};
pub use write::{Written, write};
