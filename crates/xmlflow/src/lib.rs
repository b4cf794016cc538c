//! The XML of files that accountants and banks send, as tokens, and where a file cannot be read further: a stream within
//! limits, whoever made it. What the elements mean is for `nonrecours-pes` and `nonrecours-sepa`.

mod fault;
mod scanner;

pub use fault::{Fault, MAX_ITEMS, Problem};
pub use scanner::{
    Charset, Close, MAX_ATTRIBUTES, MAX_DEPTH, MAX_TOKEN, MAX_VALUE, Open, Scanner, Token,
};
