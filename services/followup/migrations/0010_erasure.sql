-- Erasing persons. What was counted of them stays as sums, of which nothing leads back to one of them; the records go.
-- Nothing else of the follow-up is ever deleted, and nothing here without a row of `erasure` that says why.

-- What erased persons counted for, in sums of one dimension and code a month: no more than the roll-ups already keep. No
-- row stands for a person, no reference, no day, no two dimensions together.
CREATE TABLE indicator_residue (
    LIKE indicator_rollup INCLUDING CONSTRAINTS,
    PRIMARY KEY (operator_id, convention_id, dimension, code, month)
);

-- What erased records and those of other operators made of the programme's figures while they were known to be of one
-- person: to be added where `indicator_shared` is. No operator's own, like `indicator_release_shared`.
CREATE TABLE indicator_residue_shared (
    LIKE indicator_release_shared INCLUDING CONSTRAINTS,
    PRIMARY KEY (dimension, code, month)
);

-- What each record counts for, as before; and what erased ones did, which are nobody's.
ALTER VIEW indicator_contribution RENAME TO indicator_of_records;
CREATE VIEW indicator_contribution WITH (security_invoker = true) AS
SELECT * FROM indicator_of_records
UNION ALL
SELECT operator_id, convention_id, NULL::uuid, dimension, code, month, persons_spotted, persons_informed,
       persons_oriented, persons_supported, persons_followed, persons_opened, persons_decided, persons_in_autonomy,
       persons_on_behalf, persons_avoiding, persons_notified, persons_estimated, entitlements_followed,
       entitlements_opened, entitlements_decided, decision_days, in_autonomy, on_behalf, interruptions_avoided,
       sessions_held, persons_met, amount_notified, amount_estimated, notified_squares, estimated_squares
FROM indicator_residue;

-- What several records of one person make of the programme's figures, in rows to be summed: the person once, less each
-- of the records. `pseudonyms` narrows it to some persons; the records `left_out` of an operator are taken not to be there.
CREATE FUNCTION indicator_shared(counts_with text, pseudonyms bytea[], left_out_of uuid, left_out uuid[])
RETURNS TABLE (dimension text, code text, month date, persons_spotted bigint, persons_informed bigint,
               persons_oriented bigint, persons_supported bigint, persons_followed bigint, persons_opened bigint,
               persons_decided bigint, persons_in_autonomy bigint, persons_on_behalf bigint, persons_avoiding bigint,
               persons_notified bigint, persons_estimated bigint, notified_squares numeric, estimated_squares numeric)
LANGUAGE sql STABLE AS $$
    -- Records by person: those that are, or were, there when their own quarter was released.
    WITH held AS (
        SELECT known.pseudonym, person.operator_id, person.beneficiary_id,
               min(date_trunc('month', person.spotted_date::timestamp)::date)
                   OVER (PARTITION BY known.pseudonym) AS first_month,
               count(*) OVER (PARTITION BY known.pseudonym) AS records
        FROM pseudonym AS known
        JOIN beneficiary AS person USING (operator_id, beneficiary_id)
        LEFT JOIN indicator_release_quarter AS past
               ON past.budget_year = extract(year FROM person.spotted_date)
              AND past.quarter = extract(quarter FROM person.spotted_date)
        WHERE known.key_id = counts_with AND (pseudonyms IS NULL OR known.pseudonym = ANY (pseudonyms))
          AND (left_out IS NULL OR known.operator_id <> left_out_of OR known.beneficiary_id <> ALL (left_out))
          AND (past.release_time IS NULL OR person.create_time <= past.release_time)
    ),
    part AS (
        SELECT held.pseudonym, held.first_month, counted.*
        FROM held
        JOIN indicator_of_records AS counted
          ON counted.operator_id = held.operator_id AND counted.subject_id = held.beneficiary_id
        WHERE held.records > 1
    )
    -- A person once, in the first month, as far as the furthest of their records.
    SELECT part.dimension, part.code, part.first_month,
           max(part.persons_spotted)::bigint, max(part.persons_informed)::bigint, max(part.persons_oriented)::bigint,
           max(part.persons_supported)::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint,
           0::bigint, 0::bigint, 0::numeric, 0::numeric
    FROM part GROUP BY part.pseudonym, part.first_month, part.dimension, part.code
    UNION ALL
    -- Behind the rights of a month, each person once, with all of their amounts.
    SELECT part.dimension, part.code, part.month, 0, 0, 0, 0,
           max(part.persons_followed), max(part.persons_opened), max(part.persons_decided),
           max(part.persons_in_autonomy), max(part.persons_on_behalf), max(part.persons_avoiding),
           max(part.persons_notified), max(part.persons_estimated),
           sum(part.amount_notified) * sum(part.amount_notified),
           sum(part.amount_estimated) * sum(part.amount_estimated)
    FROM part GROUP BY part.pseudonym, part.month, part.dimension, part.code
    UNION ALL
    SELECT part.dimension, part.code, part.month,
           -part.persons_spotted, -part.persons_informed, -part.persons_oriented, -part.persons_supported,
           -part.persons_followed, -part.persons_opened, -part.persons_decided, -part.persons_in_autonomy,
           -part.persons_on_behalf, -part.persons_avoiding, -part.persons_notified, -part.persons_estimated,
           -part.notified_squares, -part.estimated_squares
    FROM part
$$;

-- That a person was erased, when, and why: no more is known of them than the id that other systems may hold.
CREATE TABLE erasure (
    operator_id    uuid        NOT NULL,
    erasure_id     uuid        NOT NULL,
    beneficiary_id uuid        NOT NULL,
    reason         text        NOT NULL CHECK (reason IN ('SUBJECT_REQUEST', 'OBJECTION', 'RETENTION', 'MISTAKE')),
    entitlements   integer     NOT NULL CHECK (entitlements >= 0),
    steps          integer     NOT NULL CHECK (steps >= 0),
    notes          integer     NOT NULL CHECK (notes >= 0),
    referrals      integer     NOT NULL CHECK (referrals >= 0),
    revision       bigint      NOT NULL CHECK (revision > 0),
    create_time    timestamptz NOT NULL,
    update_time    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, erasure_id),
    CONSTRAINT erasure_once UNIQUE (operator_id, beneficiary_id)
);

-- The key under which an operator's erased references are digested, wrapped like the persons' keys.
CREATE TABLE erasure_key (
    operator_id uuid        PRIMARY KEY,
    key_id      text        NOT NULL CHECK (key_id ~ '^[a-z0-9-]{1,32}$'),
    wrapped     bytea       NOT NULL CHECK (octet_length(wrapped) = 61),
    create_time timestamptz NOT NULL
);

-- References that lead to nobody any more, so that software that sends one again brings nobody back by accident.
CREATE TABLE erased_reference (
    operator_id uuid  NOT NULL,
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    erasure_id  uuid  NOT NULL,
    PRIMARY KEY (operator_id, digest),
    CONSTRAINT erased_reference_erasure FOREIGN KEY (operator_id, erasure_id)
        REFERENCES erasure (operator_id, erasure_id)
);

ALTER TABLE indicator_residue ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE erased_reference ENABLE ROW LEVEL SECURITY;
CREATE POLICY indicator_residue_operator ON indicator_residue
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY erasure_operator ON erasure
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY erasure_key_operator ON erasure_key
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY erased_reference_operator ON erased_reference
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    -- The records of an erased person; nothing else may be deleted.
    EXECUTE format('GRANT DELETE ON beneficiary, entitlement, step, note, note_text, referral, renewal_alert TO %I', app);
    -- What a history shows of an erased person is emptied. That something happened, when and by whom, stays.
    EXECUTE format('GRANT UPDATE (snapshot, why) ON outbox TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON indicator_residue, indicator_residue_shared TO %I', app);
    EXECUTE format('GRANT SELECT ON indicator_of_records, indicator_contribution TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (revision, update_time) ON erasure TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (key_id, wrapped) ON erasure_key TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON erased_reference TO %I', app);
END
$$;
