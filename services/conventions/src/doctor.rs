//! What `doctor` looks at.

use nonrecours_host::doctor::{self, Finding, Peer, Subject, Surroundings};

use crate::{Config, MIGRATOR, SERVICE};

/// Tables whose rows are never changed nor deleted.
const APPEND_ONLY: [&str; 8] = [
    "activity_report_verdict",
    "activity_report_version",
    "convention_version",
    "decision",
    "document",
    "envelope_vote",
    "framework_convention",
    "grant_publication",
];

/// Looks at what the service stands on.
pub async fn examine(config: Config, around: Surroundings) -> Vec<Finding> {
    let subject = Subject {
        service: SERVICE,
        migrator: &MIGRATOR,
        append_only: &APPEND_ONLY,
        database_url: &config.database_url,
        settings: &config.host,
        peers: vec![
            Peer {
                service: "payments",
                url: &config.payments_url,
                followed: true,
            },
            Peer {
                service: "followup",
                url: &config.followup_url,
                followed: false,
            },
        ],
    };
    doctor::examine(&subject, &around).await.findings
}
