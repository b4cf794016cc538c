//! What is known of the files of `conventions`: they are kept there, once, and cited here by name and digest.

mod name;
pub mod store;

pub use name::FileName;
pub use store::KnownFile;
