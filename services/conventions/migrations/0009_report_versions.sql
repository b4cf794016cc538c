-- What operators have handed in: each report as it stood that moment, and what the authority answered. Append-only.

-- report: the ActivityReport of the contract, encoded, as the outbox keeps it.
CREATE TABLE activity_report_version (
    operator_id        uuid        NOT NULL,
    convention_id      uuid        NOT NULL,
    activity_report_id uuid        NOT NULL,
    version_number     integer     NOT NULL CHECK (version_number > 0),
    report             bytea       NOT NULL CHECK (length(report) > 0),
    submit_time        timestamptz NOT NULL,
    submitted_by       text        NOT NULL CHECK (submitted_by <> ''),
    PRIMARY KEY (operator_id, convention_id, activity_report_id, version_number),
    FOREIGN KEY (operator_id, convention_id, activity_report_id) REFERENCES activity_report
);

-- One answer a version: a returned report is handed in again as another version.
CREATE TABLE activity_report_verdict (
    operator_id        uuid        NOT NULL,
    convention_id      uuid        NOT NULL,
    activity_report_id uuid        NOT NULL,
    version_number     integer     NOT NULL,
    verdict            text        NOT NULL CHECK (verdict IN ('RETURNED', 'ACCEPTED')),
    decide_time        timestamptz NOT NULL,
    decided_by         text        NOT NULL CHECK (decided_by <> ''),
    correction         text        CHECK (correction <> ''),
    PRIMARY KEY (operator_id, convention_id, activity_report_id, version_number),
    FOREIGN KEY (operator_id, convention_id, activity_report_id, version_number) REFERENCES activity_report_version,
    CONSTRAINT activity_report_verdict_correction CHECK ((correction IS NOT NULL) = (verdict = 'RETURNED'))
);

-- What was handed in before there were versions is in the outbox, whole and in its order.
INSERT INTO activity_report_version (operator_id, convention_id, activity_report_id, version_number, report, submit_time,
                                     submitted_by)
SELECT report.operator_id, convention_id, activity_report_id,
       row_number() OVER (PARTITION BY activity_report_id ORDER BY era, xid, position), snapshot, occur_time, actor
FROM activity_report AS report
JOIN outbox AS change
    ON change.operator_id = report.operator_id
       AND change.resource = format('operators/%s/conventions/%s/activityReports/%s', report.operator_id, convention_id,
                                    activity_report_id)
WHERE kind = 'activity_report.submitted';

INSERT INTO activity_report_verdict (operator_id, convention_id, activity_report_id, version_number, verdict,
                                     decide_time, decided_by, correction)
SELECT operator_id, convention_id, activity_report_id, version_number,
       CASE kind WHEN 'activity_report.returned' THEN 'RETURNED' ELSE 'ACCEPTED' END, occur_time, actor,
       CASE kind WHEN 'activity_report.returned'
            -- Steps taken before reasons were kept apart: the last one is with the report, the others in its snapshots.
            THEN coalesce(nullif(why, ''), correction, 'Voir l''historique du bilan.')
       END
FROM (SELECT report.operator_id, convention_id, activity_report_id, correction, kind, occur_time, actor, why,
             count(*) FILTER (WHERE kind = 'activity_report.submitted')
                 OVER (PARTITION BY activity_report_id ORDER BY era, xid, position) AS version_number
      FROM activity_report AS report
      JOIN outbox AS change
          ON change.operator_id = report.operator_id
             AND change.resource = format('operators/%s/conventions/%s/activityReports/%s', report.operator_id,
                                          convention_id, activity_report_id)) AS told
WHERE kind IN ('activity_report.returned', 'activity_report.accepted');

ALTER TABLE activity_report_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY activity_report_version_operator ON activity_report_version
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE activity_report_verdict ENABLE ROW LEVEL SECURITY;
CREATE POLICY activity_report_verdict_operator ON activity_report_verdict
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT ON activity_report_version, activity_report_verdict TO %I', app);
END
$$;
