-- How long records are kept after the last contact, who is held back from erasure, and what is announced before it.

-- What an operator's programme has set; without a row, 24 months and by hand.
CREATE TABLE retention_policy (
    operator_id uuid        PRIMARY KEY,
    months      integer     NOT NULL CHECK (months BETWEEN 1 AND 120),
    automatic   boolean     NOT NULL,
    revision    bigint      NOT NULL CHECK (revision > 0),
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);

-- Why a person may not be erased for now: a claim before a court, an inspection.
CREATE TABLE legal_hold (
    operator_id    uuid        NOT NULL,
    hold_id        uuid        NOT NULL,
    beneficiary_id uuid        NOT NULL,
    reason         text        NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 500),
    put_by         text        NOT NULL CHECK (put_by <> ''),
    lift_reason    text        CHECK (char_length(lift_reason) BETWEEN 1 AND 500),
    lifted_by      text        CHECK (lifted_by <> ''),
    lift_time      timestamptz,
    revision       bigint      NOT NULL CHECK (revision > 0),
    create_time    timestamptz NOT NULL,
    update_time    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, hold_id),
    CONSTRAINT legal_hold_beneficiary FOREIGN KEY (operator_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, beneficiary_id),
    CONSTRAINT legal_hold_lifted CHECK (num_nonnulls(lift_reason, lifted_by, lift_time) IN (0, 3))
);
CREATE INDEX legal_hold_of ON legal_hold (operator_id, beneficiary_id);

-- That a person's records are about to be erased; withdrawn when there was contact again, or a hold.
CREATE TABLE retention_notice (
    operator_id       uuid        NOT NULL,
    notice_id         uuid        NOT NULL,
    beneficiary_id    uuid        NOT NULL,
    last_contact_date date        NOT NULL,
    due_date          date        NOT NULL,
    state             text        NOT NULL CHECK (state IN ('OPEN', 'WITHDRAWN')),
    revision          bigint      NOT NULL CHECK (revision > 0),
    create_time       timestamptz NOT NULL,
    update_time       timestamptz NOT NULL,
    PRIMARY KEY (operator_id, notice_id),
    CONSTRAINT retention_notice_beneficiary FOREIGN KEY (operator_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, beneficiary_id)
);
CREATE INDEX retention_notice_of ON retention_notice (operator_id, beneficiary_id);
CREATE UNIQUE INDEX retention_notice_open_key ON retention_notice (operator_id, beneficiary_id) WHERE state = 'OPEN';

-- Of each person, the day of the last contact and the one from which nothing is kept. Contact is what the records say of it:
-- the day somebody was spotted, a right filed or decided, a step, a note, a consent; and the day on which the record or a
-- right of theirs was changed after it had come. When a record first came is not one: old ones are brought together.
CREATE VIEW retention WITH (security_invoker = true) AS
SELECT person.operator_id, person.beneficiary_id, person.external_reference, last.contact AS last_contact_date,
       (last.contact + make_interval(months => policy.months))::date AS due_date,
       -- Not after the due date: found without looking at the rest.
       (person.spotted_date + make_interval(months => policy.months))::date AS due_at_the_earliest,
       EXISTS (SELECT FROM legal_hold AS hold
               WHERE hold.operator_id = person.operator_id AND hold.beneficiary_id = person.beneficiary_id
                 AND hold.lift_time IS NULL) AS is_held,
       notice.notice_id, notice.due_date AS notice_due_date, notice.create_time AS notice_time
FROM beneficiary AS person
CROSS JOIN LATERAL (
    SELECT coalesce(max(own.months), 24) AS months FROM retention_policy AS own
    WHERE own.operator_id = person.operator_id
) AS policy
CROSS JOIN LATERAL (
    SELECT greatest(
        person.spotted_date,
        CASE WHEN person.update_time > person.create_time
             THEN (person.update_time AT TIME ZONE 'Europe/Paris')::date END,
        (SELECT max(greatest(claim.filed_date, claim.decided_date,
                             CASE WHEN claim.update_time > claim.create_time
                                  THEN (claim.update_time AT TIME ZONE 'Europe/Paris')::date END))
         FROM entitlement AS claim
         WHERE claim.operator_id = person.operator_id AND claim.convention_id = person.convention_id
           AND claim.beneficiary_id = person.beneficiary_id),
        (SELECT max(step_date) FROM step
         WHERE step.operator_id = person.operator_id AND step.convention_id = person.convention_id
           AND step.beneficiary_id = person.beneficiary_id),
        (SELECT max(written_date) FROM note
         WHERE note.operator_id = person.operator_id AND note.convention_id = person.convention_id
           AND note.beneficiary_id = person.beneficiary_id),
        (SELECT max(consent_date) FROM referral
         WHERE referral.operator_id = person.operator_id AND referral.beneficiary_id = person.beneficiary_id)
    ) AS contact
) AS last
LEFT JOIN retention_notice AS notice
       ON notice.operator_id = person.operator_id AND notice.beneficiary_id = person.beneficiary_id
      AND notice.state = 'OPEN';

ALTER TABLE retention_policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE legal_hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE retention_notice ENABLE ROW LEVEL SECURITY;
CREATE POLICY retention_policy_operator ON retention_policy
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY legal_hold_operator ON legal_hold
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY retention_notice_operator ON retention_notice
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON retention_policy TO %I', app);
    -- They go with their person, and only then.
    EXECUTE format('GRANT SELECT, INSERT, DELETE, UPDATE (lift_reason, lifted_by, lift_time, revision, update_time)
                    ON legal_hold TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, DELETE, UPDATE (state, revision, update_time) ON retention_notice TO %I', app);
    EXECUTE format('GRANT SELECT ON retention TO %I', app);
END
$$;
