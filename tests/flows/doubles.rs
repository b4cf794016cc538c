//! Effects that came more than once, whatever happened: there are none.

use sqlx::{Connection as _, PgConnection};

use crate::processes::Processes;

/// A revision recorded twice in a history.
const REVISIONS: &str = "SELECT resource || ' ' || kind FROM outbox GROUP BY resource, revision, kind HAVING count(*) > 1";
/// What must find nothing, each in a service's database.
const DOUBLED: [(&str, &str); 6] = [
    ("conventions", REVISIONS),
    ("followup", REVISIONS),
    ("payments", REVISIONS),
    (
        "payments",
        "SELECT instalment_id::text FROM instalment GROUP BY instalment_id, position HAVING count(*) > 1
         UNION ALL SELECT convention_id::text FROM instalment GROUP BY convention_id, position HAVING count(*) > 1",
    ),
    (
        "payments",
        "SELECT instalment_id::text FROM ledger_entry GROUP BY instalment_id, debit, credit HAVING count(*) > 1",
    ),
    (
        "followup",
        "SELECT external_reference FROM beneficiary GROUP BY external_reference HAVING count(*) > 1
         UNION ALL SELECT external_reference FROM entitlement GROUP BY external_reference HAVING count(*) > 1
         UNION ALL SELECT external_reference FROM session GROUP BY external_reference HAVING count(*) > 1",
    ),
];

/// Looks into the databases of one journey: nothing came twice.
pub async fn assert_none(processes: &Processes) {
    for (service, query) in DOUBLED {
        let url = processes.postgres().superuser_url(service);
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let found: Vec<String> = sqlx::query_scalar(query)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, Vec::<String>::new(), "{service}: {query}");
    }
}
