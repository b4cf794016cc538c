-- What the law asks of operators, the commitments of conventions in force, and budgets.

-- Representatives: one entry each, same places; representative_acts has '' for a decision that is not transmitted.
ALTER TABLE operator
    ADD COLUMN rna                        text   CHECK (rna ~ '^W\d{9}$'),
    ADD COLUMN representative_names       text[] NOT NULL DEFAULT '{}',
    ADD COLUMN representative_capacities  text[] NOT NULL DEFAULT '{}',
    ADD COLUMN representative_acts        text[] NOT NULL DEFAULT '{}',
    ADD COLUMN representative_decisions   date[] NOT NULL DEFAULT '{}',
    ADD COLUMN republican_commitment_date date,
    ADD CONSTRAINT operator_representatives CHECK (
        cardinality(representative_names) <= 20
        AND cardinality(representative_capacities) = cardinality(representative_names)
        AND cardinality(representative_acts) = cardinality(representative_names)
        AND cardinality(representative_decisions) = cardinality(representative_names));
-- The defaults were for the rows there are: from here on the program says each value.
ALTER TABLE operator
    ALTER COLUMN representative_names DROP DEFAULT,
    ALTER COLUMN representative_capacities DROP DEFAULT,
    ALTER COLUMN representative_acts DROP DEFAULT,
    ALTER COLUMN representative_decisions DROP DEFAULT;

CREATE TABLE commitment (
    operator_id     uuid        NOT NULL,
    convention_id   uuid        NOT NULL,
    commitment_id   uuid        NOT NULL,
    code            text        NOT NULL CHECK (code <> ''),
    text            text        NOT NULL CHECK (text <> ''),
    due_date        date        NOT NULL,
    state           text        NOT NULL,
    evidence_text   text        CHECK (evidence_text <> ''),
    evidence_ref    text,
    evidence_time   timestamptz,
    evidence_by     text,
    validate_time   timestamptz,
    validated_by    text,
    reopen_reason   text        CHECK (reopen_reason <> ''),
    revision        bigint      NOT NULL CHECK (revision > 0),
    create_time     timestamptz NOT NULL,
    update_time     timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, commitment_id),
    CONSTRAINT commitment_code_key UNIQUE (operator_id, convention_id, code),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT commitment_state CHECK (
        CASE state
            WHEN 'PENDING' THEN
                num_nonnulls(evidence_text, evidence_ref, evidence_time, evidence_by, validate_time, validated_by) = 0
            WHEN 'EVIDENCED' THEN
                num_nulls(evidence_text, evidence_ref, evidence_time, evidence_by) = 0
                AND num_nonnulls(validate_time, validated_by, reopen_reason) = 0
            WHEN 'DONE' THEN
                num_nulls(evidence_text, evidence_ref, evidence_time, evidence_by, validate_time, validated_by) = 0
                AND reopen_reason IS NULL
            ELSE false
        END)
);
-- The programme's side lists those of all operators, oldest first, and those that are due.
CREATE INDEX commitment_age ON commitment (commitment_id);
CREATE INDEX commitment_due ON commitment (due_date) WHERE state <> 'DONE';

-- The conventions that are in force already: their commitments are followed too.
INSERT INTO commitment (operator_id, convention_id, commitment_id, code, text, due_date, state, revision, create_time,
                        update_time)
SELECT operator_id, convention_id, gen_random_uuid(), worded.code, worded.text, indicative_end_date, 'PENDING', 1,
       in_force_time, in_force_time
FROM convention, UNNEST(commitment_codes, commitment_texts) AS worded (code, text)
WHERE state IN ('IN_FORCE', 'COMPLETED', 'SETTLED');

-- Lines: one entry each, same places. Nothing realised: empty arrays.
CREATE TABLE budget (
    operator_id         uuid          NOT NULL,
    convention_id       uuid          NOT NULL,
    planned_classes     smallint[]    NOT NULL CHECK (cardinality(planned_classes) BETWEEN 1 AND 21),
    planned_amounts     numeric(14,2)[] NOT NULL CHECK (0 <= ALL (planned_amounts)),
    realised_classes    smallint[]    NOT NULL CHECK (cardinality(realised_classes) <= 21),
    realised_amounts    numeric(14,2)[] NOT NULL CHECK (0 <= ALL (realised_amounts)),
    deviation_threshold numeric(7,6)  NOT NULL CHECK (deviation_threshold BETWEEN 0 AND 1),
    revision            bigint        NOT NULL CHECK (revision > 0),
    create_time         timestamptz   NOT NULL,
    update_time         timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT budget_lines CHECK (
        cardinality(planned_amounts) = cardinality(planned_classes)
        AND cardinality(realised_amounts) = cardinality(realised_classes))
);

CREATE TABLE deviation_case (
    operator_id   uuid        NOT NULL,
    convention_id uuid        NOT NULL,
    case_number   integer     NOT NULL CHECK (case_number > 0),
    subjects      text[]      NOT NULL CHECK (cardinality(subjects) > 0),
    open_time     timestamptz NOT NULL,
    close_time    timestamptz CHECK (close_time >= open_time),
    closed_by     text,
    close_reason  text        CHECK (close_reason <> ''),
    PRIMARY KEY (operator_id, convention_id, case_number),
    FOREIGN KEY (operator_id, convention_id) REFERENCES budget,
    CONSTRAINT deviation_case_closed CHECK (num_nonnulls(close_time, closed_by, close_reason) IN (0, 3))
);
-- One open at a time.
CREATE UNIQUE INDEX deviation_case_open_key ON deviation_case (operator_id, convention_id) WHERE close_time IS NULL;

ALTER TABLE commitment ENABLE ROW LEVEL SECURITY;
CREATE POLICY commitment_operator ON commitment
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE budget ENABLE ROW LEVEL SECURITY;
CREATE POLICY budget_operator ON budget
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE deviation_case ENABLE ROW LEVEL SECURITY;
CREATE POLICY deviation_case_operator ON deviation_case
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

-- What was agreed or decided is not rewritten: each table opens to change what may change, and nothing else.
DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (legal_name, category, insee_code, address, rna, representative_names,
                                  representative_capacities, representative_acts, representative_decisions,
                                  republican_commitment_date, revision, update_time) ON operator TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (due_date, state, evidence_text, evidence_ref, evidence_time,
                                  evidence_by, validate_time, validated_by, reopen_reason, revision, update_time)
                    ON commitment TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (planned_classes, planned_amounts, realised_classes,
                                  realised_amounts, revision, update_time) ON budget TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (close_time, closed_by, close_reason) ON deviation_case TO %I', app);
END
$$;
