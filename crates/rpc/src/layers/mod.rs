//! Tower layers of the server, outermost first: trace, deadline, shed, access, share.

pub mod access;
pub mod deadline;
pub mod share;
pub mod shed;
pub mod trace;
