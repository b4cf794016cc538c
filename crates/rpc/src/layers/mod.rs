//! Tower layers of the server, outermost first: trace, deadline, shed, access.

pub mod access;
pub mod deadline;
pub mod shed;
pub mod trace;
