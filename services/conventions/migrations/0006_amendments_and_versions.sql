-- Amendments, the versions of a convention that they and its signature bring into force, the commitments that they
-- release; and what is engaged of an envelope: what is, or may still become, due.

ALTER TABLE convention
    -- Of the terms in force; 0 before there are any.
    ADD COLUMN version integer NOT NULL DEFAULT 0 CHECK (version >= 0),
    -- Held of the envelope: what is due, or may still become so, and no less than what is paid, as far as it goes.
    ADD COLUMN engaged_amount numeric(14,2) NOT NULL DEFAULT 0 CHECK (engaged_amount >= 0),
    -- An amendment may grant less than what is paid already.
    DROP CONSTRAINT convention_check;
UPDATE convention
SET version = 1,
    engaged_amount = greatest(paid_amount, CASE
        WHEN state = 'SETTLED' THEN 0
        WHEN state = 'TERMINATED' AND accepted_report_id IS NOT NULL THEN termination_due_amount
        ELSE coalesce(reduced_amount, grant_amount)
    END)
WHERE in_force_time IS NOT NULL;
ALTER TABLE convention
    ALTER COLUMN version DROP DEFAULT,
    ALTER COLUMN engaged_amount DROP DEFAULT,
    ADD CONSTRAINT convention_versioned CHECK (
        (version > 0) = (in_force_time IS NOT NULL)
        AND (version > 0 OR engaged_amount = 0));

-- New values; where there is none the term stays. Of instalments and commitments one entry each, same places.
CREATE TABLE amendment (
    operator_id                  uuid        NOT NULL,
    convention_id                uuid        NOT NULL,
    amendment_id                 uuid        NOT NULL,
    amendment_number             integer     NOT NULL CHECK (amendment_number > 0),
    object                       text        NOT NULL CHECK (object <> ''),
    title                        text        CHECK (title <> ''),
    grant_amount                 numeric(14,2) CHECK (grant_amount > 0),
    instalment_kinds             text[],
    instalment_shares            numeric(7,6)[],
    instalment_conditions        text[],
    instalment_due_dates         date[],
    advance_without_call         boolean,
    target_publics               text[]      CHECK (cardinality(target_publics) > 0),
    objectives                   text[]      CHECK (cardinality(objectives) > 0),
    commitment_codes             text[]      CHECK (cardinality(commitment_codes) > 0),
    commitment_texts             text[],
    indicative_end_date          date,
    authority_signatory_name     text,
    authority_signatory_capacity text,
    authority_decision_date      date,
    operator_signatory_name      text,
    operator_signatory_capacity  text,
    operator_decision_date       date,
    state                        text        NOT NULL,
    authority_sign_time          timestamptz,
    authority_signed_by          text,
    operator_sign_time           timestamptz,
    operator_signed_by           text,
    in_force_time                timestamptz,
    -- The version it brought into force.
    version                      integer     CHECK (version > 1),
    withdraw_time                timestamptz,
    withdraw_reason              text        CHECK (withdraw_reason <> ''),
    revision                     bigint      NOT NULL CHECK (revision > 0),
    create_time                  timestamptz NOT NULL,
    update_time                  timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, amendment_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT amendment_number_key UNIQUE (operator_id, convention_id, amendment_number),
    CONSTRAINT amendment_version_key UNIQUE (operator_id, convention_id, version),
    CONSTRAINT amendment_instalments CHECK (
        num_nonnulls(instalment_kinds, instalment_shares, instalment_conditions, instalment_due_dates) IN (0, 4)
        AND cardinality(instalment_kinds) BETWEEN 1 AND 12
        AND cardinality(instalment_shares) = cardinality(instalment_kinds)
        AND cardinality(instalment_conditions) = cardinality(instalment_kinds)
        AND cardinality(instalment_due_dates) = cardinality(instalment_kinds)),
    CONSTRAINT amendment_commitments CHECK (
        (commitment_codes IS NULL) = (commitment_texts IS NULL)
        AND cardinality(commitment_texts) = cardinality(commitment_codes)),
    CONSTRAINT amendment_signatories CHECK (
        (authority_signatory_name IS NULL) = (authority_signatory_capacity IS NULL)
        AND (operator_signatory_name IS NULL) = (operator_signatory_capacity IS NULL)
        AND (authority_decision_date IS NULL OR authority_signatory_name IS NOT NULL)
        AND (operator_decision_date IS NULL OR operator_signatory_name IS NOT NULL)
        AND (state IN ('DRAFT', 'WITHDRAWN') OR num_nulls(authority_decision_date, operator_decision_date) = 0)),
    CONSTRAINT amendment_signatures CHECK (
        (authority_sign_time IS NULL) = (authority_signed_by IS NULL)
        AND (operator_sign_time IS NULL) = (operator_signed_by IS NULL)),
    CONSTRAINT amendment_state CHECK (
        CASE state
            WHEN 'DRAFT' THEN
                num_nonnulls(authority_sign_time, operator_sign_time, in_force_time, version, withdraw_time,
                             withdraw_reason) = 0
            WHEN 'PARTLY_SIGNED' THEN
                num_nonnulls(authority_sign_time, operator_sign_time) = 1
                AND num_nonnulls(in_force_time, version, withdraw_time, withdraw_reason) = 0
            WHEN 'IN_FORCE' THEN
                num_nulls(authority_sign_time, operator_sign_time, in_force_time, version) = 0
                AND num_nonnulls(withdraw_time, withdraw_reason) = 0
            WHEN 'WITHDRAWN' THEN
                num_nonnulls(authority_sign_time, operator_sign_time) < 2
                AND num_nulls(withdraw_time, withdraw_reason) = 0
                AND num_nonnulls(in_force_time, version) = 0
            ELSE false
        END)
);
-- One open at a time.
CREATE UNIQUE INDEX amendment_open_key ON amendment (operator_id, convention_id)
    WHERE state IN ('DRAFT', 'PARTLY_SIGNED');

-- An act authorises the convention, or one of its amendments.
ALTER TABLE act
    ADD COLUMN amendment_id uuid,
    ADD FOREIGN KEY (operator_id, convention_id, amendment_id) REFERENCES amendment,
    DROP CONSTRAINT act_party_key,
    ADD CONSTRAINT act_party_key UNIQUE NULLS NOT DISTINCT (operator_id, convention_id, amendment_id, party);

-- Append-only: what came into force, when, by which signatures and acts. Of acts one entry each, same places.
CREATE TABLE convention_version (
    operator_id                  uuid          NOT NULL,
    convention_id                uuid          NOT NULL,
    version                      integer       NOT NULL CHECK (version > 0),
    amendment_id                 uuid,
    programme_id                 uuid          NOT NULL,
    framework_convention_id      uuid          NOT NULL,
    title                        text          NOT NULL,
    budget_year                  smallint      NOT NULL,
    grant_amount                 numeric(14,2) NOT NULL CHECK (grant_amount > 0),
    instalment_kinds             text[]        NOT NULL,
    instalment_shares            numeric(7,6)[] NOT NULL,
    instalment_conditions        text[]        NOT NULL,
    instalment_due_dates         date[]        NOT NULL,
    advance_without_call         boolean       NOT NULL,
    originals                    smallint      NOT NULL,
    target_publics               text[]        NOT NULL,
    objectives                   text[]        NOT NULL,
    commitment_codes             text[]        NOT NULL,
    commitment_texts             text[]        NOT NULL,
    indicative_end_date          date          NOT NULL,
    authority_signatory_name     text          NOT NULL,
    authority_signatory_capacity text          NOT NULL,
    authority_decision_date      date          NOT NULL,
    operator_signatory_name      text          NOT NULL,
    operator_signatory_capacity  text          NOT NULL,
    operator_decision_date       date          NOT NULL,
    authority_sign_time          timestamptz   NOT NULL,
    authority_signed_by          text          NOT NULL,
    operator_sign_time           timestamptz   NOT NULL,
    operator_signed_by           text          NOT NULL,
    in_force_time                timestamptz   NOT NULL,
    act_parties                  text[]        NOT NULL,
    act_record_ids               uuid[]        NOT NULL,
    act_ids                      text[]        NOT NULL,
    act_enforceable_dates        date[]        NOT NULL,
    PRIMARY KEY (operator_id, convention_id, version),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    FOREIGN KEY (operator_id, convention_id, amendment_id) REFERENCES amendment,
    CONSTRAINT convention_version_origin CHECK ((version = 1) = (amendment_id IS NULL)),
    CONSTRAINT convention_version_acts CHECK (
        act_parties <@ ARRAY['AUTHORITY', 'OPERATOR']
        AND cardinality(act_record_ids) = cardinality(act_parties)
        AND cardinality(act_ids) = cardinality(act_parties)
        AND cardinality(act_enforceable_dates) = cardinality(act_parties))
);

-- What is in force has its first version. Its acts are as they stand: one that failed since has lost its day.
INSERT INTO convention_version
SELECT operator_id, convention_id, 1, NULL, programme_id, framework_convention_id, title, budget_year, grant_amount,
       instalment_kinds, instalment_shares, instalment_conditions, instalment_due_dates, advance_without_call, originals,
       target_publics, objectives, commitment_codes, commitment_texts, indicative_end_date, authority_signatory_name,
       authority_signatory_capacity, authority_decision_date, operator_signatory_name, operator_signatory_capacity,
       operator_decision_date, authority_sign_time, authority_signed_by, operator_sign_time, operator_signed_by,
       in_force_time, acts.parties, acts.record_ids, acts.ids, acts.enforceable_dates
FROM convention
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(party ORDER BY party), '{}') AS parties,
           coalesce(array_agg(act_record_id ORDER BY party), '{}') AS record_ids,
           coalesce(array_agg(act_id ORDER BY party), '{}') AS ids,
           coalesce(array_agg(
               CASE WHEN transmission_state IN ('TRANSMITTED', 'ACKNOWLEDGED') AND publication_date IS NOT NULL
                    THEN greatest(transmission_date, publication_date) END ORDER BY party), '{}') AS enforceable_dates
    FROM act
    WHERE act.operator_id = convention.operator_id AND act.convention_id = convention.convention_id) AS acts
WHERE in_force_time IS NOT NULL;

-- A commitment that an amendment leaves out, or words anew, before it is done is due no more: the new wording is a
-- commitment of its own.
ALTER TABLE commitment
    DROP CONSTRAINT commitment_code_key,
    DROP CONSTRAINT commitment_state,
    ADD CONSTRAINT commitment_state CHECK (
        CASE state
            WHEN 'PENDING' THEN
                num_nonnulls(evidence_text, evidence_ref, evidence_time, evidence_by, validate_time, validated_by) = 0
            WHEN 'EVIDENCED' THEN
                num_nulls(evidence_text, evidence_ref, evidence_time, evidence_by) = 0
                AND num_nonnulls(validate_time, validated_by, reopen_reason) = 0
            WHEN 'DONE' THEN
                num_nulls(evidence_text, evidence_ref, evidence_time, evidence_by, validate_time, validated_by) = 0
                AND reopen_reason IS NULL
            WHEN 'RELEASED' THEN
                num_nonnulls(evidence_text, evidence_ref, evidence_time, evidence_by, validate_time, validated_by,
                             reopen_reason) = 0
            ELSE false
        END);
CREATE UNIQUE INDEX commitment_code_key ON commitment (operator_id, convention_id, code)
    WHERE state IN ('PENDING', 'EVIDENCED');
DROP INDEX commitment_due;
CREATE INDEX commitment_due ON commitment (due_date) WHERE state IN ('PENDING', 'EVIDENCED');

-- So far a convention engaged its whole grant whatever became of it: what it does not hold is released.
UPDATE envelope
SET engaged_amount = envelope.engaged_amount - (
    SELECT coalesce(sum(grant_amount - convention.engaged_amount), 0)
    FROM convention
    WHERE convention.programme_id = envelope.programme_id AND convention.budget_year = envelope.budget_year
      AND in_force_time IS NOT NULL);

ALTER TABLE amendment ENABLE ROW LEVEL SECURITY;
CREATE POLICY amendment_operator ON amendment
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE convention_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY convention_version_operator ON convention_version
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT ON amendment, convention_version TO %I', app);
    EXECUTE format('GRANT UPDATE (object, title, grant_amount, instalment_kinds, instalment_shares,
                                  instalment_conditions, instalment_due_dates, advance_without_call, target_publics,
                                  objectives, commitment_codes, commitment_texts, indicative_end_date,
                                  authority_signatory_name, authority_signatory_capacity, authority_decision_date,
                                  operator_signatory_name, operator_signatory_capacity, operator_decision_date, state,
                                  authority_sign_time, authority_signed_by, operator_sign_time, operator_signed_by,
                                  in_force_time, version, withdraw_time, withdraw_reason, revision, update_time)
                    ON amendment TO %I', app);
END
$$;
