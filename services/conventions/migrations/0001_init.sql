-- The conventions of the territory and what they rest on. The amounts are euros, the dates days in Paris.
--
-- Whatever belongs to an operator has operator_id first in its keys and is shown to that operator alone (row-level
-- security). Programmes, envelopes and framework conventions belong to the territory: everybody may read them.
-- Nothing is ever deleted. The states below are those of the programs, written a second time as constraints.

CREATE TABLE programme (
    programme_id    uuid        PRIMARY KEY,
    display_name    text        NOT NULL CHECK (display_name <> ''),
    authority_name  text        NOT NULL CHECK (authority_name <> ''),
    authority_siret text        NOT NULL CHECK (authority_siret ~ '^\d{14}$'),
    commune_codes   text[]      NOT NULL,
    revision        bigint      NOT NULL CHECK (revision > 0),
    create_time     timestamptz NOT NULL,
    update_time     timestamptz NOT NULL,
    CONSTRAINT programme_name_key UNIQUE (authority_siret, display_name)
);

-- Money voted for one budget year. engaged: grants of the conventions in force; paid: what was paid under them.
CREATE TABLE envelope (
    programme_id   uuid          NOT NULL REFERENCES programme,
    budget_year    smallint      NOT NULL CHECK (budget_year BETWEEN 2000 AND 2100),
    voted_amount   numeric(14,2) NOT NULL CHECK (voted_amount > 0),
    engaged_amount numeric(14,2) NOT NULL CHECK (engaged_amount BETWEEN 0 AND voted_amount),
    paid_amount    numeric(14,2) NOT NULL CHECK (paid_amount BETWEEN 0 AND engaged_amount),
    PRIMARY KEY (programme_id, budget_year)
);

CREATE TABLE framework_convention (
    programme_id            uuid        NOT NULL REFERENCES programme,
    framework_convention_id uuid        NOT NULL,
    title                   text        NOT NULL CHECK (title <> ''),
    vote_date               date        NOT NULL,
    revision                bigint      NOT NULL CHECK (revision > 0),
    create_time             timestamptz NOT NULL,
    update_time             timestamptz NOT NULL,
    PRIMARY KEY (programme_id, framework_convention_id)
);

CREATE TABLE operator (
    operator_id uuid        PRIMARY KEY,
    legal_name  text        NOT NULL CHECK (legal_name <> ''),
    -- The operator's own natural key: the one unique constraint that spans operators.
    siret       text        NOT NULL CHECK (siret ~ '^\d{14}$') CONSTRAINT operator_siret_key UNIQUE,
    category    text        NOT NULL CHECK (category IN
                    ('COMMUNE', 'CCAS', 'GROUPING', 'OTHER_PUBLIC', 'ASSOCIATION', 'OTHER_PRIVATE')),
    insee_code  text        NOT NULL CHECK (insee_code ~ '^(\d{5}|2[AB]\d{3})$'),
    address     text        NOT NULL CHECK (address <> ''),
    revision    bigint      NOT NULL CHECK (revision > 0),
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);

-- One row is one whole convention: its terms, its signatures, its end, and what `payments` reports.
CREATE TABLE convention (
    operator_id                  uuid          NOT NULL REFERENCES operator,
    convention_id                uuid          NOT NULL,
    programme_id                 uuid          NOT NULL,
    framework_convention_id      uuid          NOT NULL,
    -- Terms, open to change in DRAFT only.
    title                        text          NOT NULL CHECK (title <> ''),
    budget_year                  smallint      NOT NULL CHECK (budget_year BETWEEN 2000 AND 2100),
    grant_amount                 numeric(14,2) NOT NULL CHECK (grant_amount > 0),
    instalment_kinds             text[]        NOT NULL CHECK (instalment_kinds <@ ARRAY['ADVANCE', 'BALANCE']),
    instalment_shares            numeric(7,6)[] NOT NULL,
    advance_without_call         boolean       NOT NULL,
    target_publics               text[]        NOT NULL CHECK (cardinality(target_publics) > 0),
    objectives                   text[]        NOT NULL CHECK (cardinality(objectives) > 0),
    commitment_codes             text[]        NOT NULL CHECK (cardinality(commitment_codes) > 0),
    commitment_texts             text[]        NOT NULL,
    indicative_end_date          date          NOT NULL,
    authority_signatory_name     text,
    authority_signatory_capacity text,
    authority_decision_date      date,
    operator_signatory_name      text,
    operator_signatory_capacity  text,
    operator_decision_date       date,
    -- State, and the data that go with it.
    state                        text          NOT NULL,
    authority_sign_time          timestamptz,
    authority_signed_by          text,
    operator_sign_time           timestamptz,
    operator_signed_by           text,
    in_force_time                timestamptz,
    accepted_report_id           uuid,
    completion_date              date,
    settle_time                  timestamptz,
    -- As `payments` reported last: revision of its plan, 0 before the first report.
    plan_revision                bigint        NOT NULL CHECK (plan_revision >= 0),
    paid_amount                  numeric(14,2) NOT NULL CHECK (paid_amount BETWEEN 0 AND grant_amount),
    plan_settled                 boolean       NOT NULL,
    revision                     bigint        NOT NULL CHECK (revision > 0),
    create_time                  timestamptz   NOT NULL,
    update_time                  timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id),
    FOREIGN KEY (programme_id, framework_convention_id) REFERENCES framework_convention,
    CONSTRAINT convention_instalments CHECK (
        cardinality(instalment_kinds) BETWEEN 1 AND 12
        AND cardinality(instalment_shares) = cardinality(instalment_kinds)
        AND instalment_kinds[cardinality(instalment_kinds)] = 'BALANCE'),
    CONSTRAINT convention_commitments CHECK (cardinality(commitment_texts) = cardinality(commitment_codes)),
    CONSTRAINT convention_dates CHECK (indicative_end_date >= make_date(budget_year, 1, 1)),
    CONSTRAINT convention_signatories CHECK (
        (authority_signatory_name IS NULL) = (authority_signatory_capacity IS NULL)
        AND (operator_signatory_name IS NULL) = (operator_signatory_capacity IS NULL)
        AND (authority_decision_date IS NULL OR authority_signatory_name IS NOT NULL)
        AND (operator_decision_date IS NULL OR operator_signatory_name IS NOT NULL)
        AND (state = 'DRAFT' OR num_nulls(authority_decision_date, operator_decision_date) = 0)),
    CONSTRAINT convention_signatures CHECK (
        (authority_sign_time IS NULL) = (authority_signed_by IS NULL)
        AND (operator_sign_time IS NULL) = (operator_signed_by IS NULL)),
    CONSTRAINT convention_plan CHECK (plan_revision > 0 OR (paid_amount = 0 AND NOT plan_settled)),
    CONSTRAINT convention_state CHECK (
        CASE state
            WHEN 'DRAFT' THEN
                num_nonnulls(authority_sign_time, operator_sign_time, in_force_time, accepted_report_id,
                             completion_date, settle_time) = 0
                AND plan_revision = 0
            WHEN 'PARTLY_SIGNED' THEN
                num_nonnulls(authority_sign_time, operator_sign_time) = 1
                AND num_nonnulls(in_force_time, accepted_report_id, completion_date, settle_time) = 0
                AND plan_revision = 0
            WHEN 'IN_FORCE' THEN
                num_nulls(authority_sign_time, operator_sign_time, in_force_time) = 0
                AND num_nonnulls(completion_date, settle_time) = 0
            WHEN 'COMPLETED' THEN
                num_nulls(authority_sign_time, operator_sign_time, in_force_time, accepted_report_id,
                          completion_date) = 0
                AND settle_time IS NULL
                AND NOT plan_settled
            WHEN 'SETTLED' THEN
                num_nulls(authority_sign_time, operator_sign_time, in_force_time, accepted_report_id,
                          completion_date, settle_time) = 0
                AND plan_settled
            ELSE false
        END)
);
-- The programme's side lists the conventions of all operators, oldest first.
CREATE INDEX convention_age ON convention (convention_id);

CREATE TABLE act (
    operator_id       uuid        NOT NULL,
    convention_id     uuid        NOT NULL,
    act_record_id     uuid        NOT NULL,
    party             text        NOT NULL CHECK (party IN ('AUTHORITY', 'OPERATOR')),
    act_id            text        NOT NULL CHECK (act_id <> ''),
    -- That of act_id, for the constraints.
    decision_date     date        NOT NULL,
    transmission_date date        CHECK (transmission_date >= decision_date),
    publication_date  date        CHECK (publication_date >= decision_date),
    revision          bigint      NOT NULL CHECK (revision > 0),
    create_time       timestamptz NOT NULL,
    update_time       timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, act_record_id),
    CONSTRAINT act_party_key UNIQUE (operator_id, convention_id, party),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention
);

CREATE TABLE activity_report (
    operator_id          uuid          NOT NULL,
    convention_id        uuid          NOT NULL,
    activity_report_id   uuid          NOT NULL,
    narrative            text          NOT NULL CHECK (narrative <> ''),
    spent_amount         numeric(14,2) NOT NULL CHECK (spent_amount >= 0),
    -- Figures of `followup` and sum paid, when the report was last drawn. Of publics: one entry each, same places.
    persons_spotted      bigint        NOT NULL,
    persons_supported    bigint        NOT NULL,
    entitlements_opened  bigint        NOT NULL,
    yearly_amount_opened numeric(14,2) NOT NULL,
    sessions_held        bigint        NOT NULL,
    public_codes         text[]        NOT NULL,
    public_spotted       bigint[]      NOT NULL,
    public_supported     bigint[]      NOT NULL,
    public_opened        bigint[]      NOT NULL,
    public_amounts       numeric(14,2)[] NOT NULL,
    paid_amount          numeric(14,2) NOT NULL CHECK (paid_amount >= 0),
    state                text          NOT NULL,
    submit_time          timestamptz,
    decide_time          timestamptz,
    correction           text,
    revision             bigint        NOT NULL CHECK (revision > 0),
    create_time          timestamptz   NOT NULL,
    update_time          timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id, activity_report_id),
    -- One report a convention: a returned one is corrected, not replaced.
    CONSTRAINT activity_report_convention_key UNIQUE (operator_id, convention_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT activity_report_publics CHECK (
        cardinality(public_spotted) = cardinality(public_codes)
        AND cardinality(public_supported) = cardinality(public_codes)
        AND cardinality(public_opened) = cardinality(public_codes)
        AND cardinality(public_amounts) = cardinality(public_codes)),
    CONSTRAINT activity_report_state CHECK (
        CASE state
            WHEN 'DRAFT' THEN num_nonnulls(submit_time, decide_time, correction) = 0
            WHEN 'SUBMITTED' THEN submit_time IS NOT NULL AND num_nonnulls(decide_time, correction) = 0
            WHEN 'RETURNED' THEN num_nulls(submit_time, decide_time, correction) = 0
            WHEN 'ACCEPTED' THEN num_nulls(submit_time, decide_time) = 0 AND correction IS NULL
            ELSE false
        END)
);
ALTER TABLE convention
    ADD FOREIGN KEY (operator_id, convention_id, accepted_report_id) REFERENCES activity_report;

ALTER TABLE operator ENABLE ROW LEVEL SECURITY;
CREATE POLICY operator_operator ON operator
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE convention ENABLE ROW LEVEL SECURITY;
CREATE POLICY convention_operator ON convention
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE act ENABLE ROW LEVEL SECURITY;
CREATE POLICY act_operator ON act
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE activity_report ENABLE ROW LEVEL SECURITY;
CREATE POLICY activity_report_operator ON activity_report
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT ON programme, framework_convention, operator TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (engaged_amount, paid_amount) ON envelope TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON convention, act, activity_report TO %I', app);
END
$$;
