//! What benches share: PostgreSQL's own bench to measure against, and the table of goals.

pub mod pgbench;
pub mod report;
