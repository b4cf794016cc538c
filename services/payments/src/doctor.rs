//! What `doctor` looks at.

use nonrecours_host::doctor::{self, Finding, Peer, Subject, Surroundings};

use crate::{Config, MIGRATOR, SERVICE};

/// Tables whose rows are never changed nor deleted.
const APPEND_ONLY: [&str; 9] = [
    "document_rules",
    "instalment_step",
    "ledger_entry",
    "posting_budget",
    "posting_codes",
    "recovery_act",
    "return_file",
    "state_ledger_entry",
    "state_receipt",
];

/// Looks at what the service stands on.
pub async fn examine(config: Config, around: Surroundings) -> Vec<Finding> {
    let subject = Subject {
        service: SERVICE,
        migrator: &MIGRATOR,
        append_only: &APPEND_ONLY,
        database_url: &config.database_url,
        settings: &config.host,
        peers: vec![Peer {
            service: "conventions",
            url: &config.conventions_url,
            followed: true,
        }],
    };
    doctor::examine(&subject, &around).await.findings
}
