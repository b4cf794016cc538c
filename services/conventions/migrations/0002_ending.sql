-- How conventions end otherwise than by being settled: formal notices (art. 7), inspections, hearings and decisions
-- (art. 8), disputes (art. 9), and what they leave on the convention.

ALTER TABLE convention
    ADD COLUMN suspended               boolean       NOT NULL DEFAULT false,
    ADD COLUMN reduced_amount          numeric(14,2) CHECK (reduced_amount > 0 AND reduced_amount < grant_amount),
    ADD COLUMN recover_amount          numeric(14,2) NOT NULL DEFAULT 0
                                       CHECK (recover_amount BETWEEN 0 AND paid_amount),
    ADD COLUMN open_disputes           integer       NOT NULL DEFAULT 0 CHECK (open_disputes >= 0),
    ADD COLUMN termination_date        date,
    ADD COLUMN termination_ground      text
                                       CHECK (termination_ground IN ('BREACH', 'SUBSTANTIAL_CHANGE', 'DECISION')),
    -- One of the two terminated it.
    ADD COLUMN termination_notice_id   uuid,
    ADD COLUMN termination_decision_id uuid,
    ADD COLUMN termination_due_amount  numeric(14,2)
                                       CHECK (termination_due_amount BETWEEN 0 AND coalesce(reduced_amount, grant_amount)),
    DROP CONSTRAINT convention_state;

ALTER TABLE convention
    ADD CONSTRAINT convention_termination CHECK (
        CASE state
            WHEN 'TERMINATED' THEN
                num_nulls(termination_date, termination_ground, termination_due_amount) = 0
                AND num_nonnulls(termination_notice_id, termination_decision_id) = 1
                AND (termination_decision_id IS NOT NULL) = (termination_ground = 'DECISION')
            ELSE
                num_nonnulls(termination_date, termination_ground, termination_notice_id, termination_decision_id,
                             termination_due_amount) = 0
        END),
    ADD CONSTRAINT convention_measures CHECK (
        state NOT IN ('DRAFT', 'PARTLY_SIGNED')
        OR (NOT suspended AND reduced_amount IS NULL AND recover_amount = 0 AND open_disputes = 0)),
    ADD CONSTRAINT convention_state CHECK (
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
                -- Paid and yet not settled: something keeps it from being so.
                AND (NOT plan_settled OR suspended OR open_disputes > 0)
            WHEN 'SETTLED' THEN
                num_nulls(authority_sign_time, operator_sign_time, in_force_time, accepted_report_id,
                          completion_date, settle_time) = 0
                AND plan_settled AND NOT suspended
            WHEN 'TERMINATED' THEN
                num_nulls(authority_sign_time, operator_sign_time, in_force_time) = 0
                AND (completion_date IS NULL OR accepted_report_id IS NOT NULL)
                AND settle_time IS NULL
            ELSE false
        END);

CREATE TABLE formal_notice (
    operator_id      uuid        NOT NULL,
    convention_id    uuid        NOT NULL,
    formal_notice_id uuid        NOT NULL,
    party            text        NOT NULL CHECK (party IN ('AUTHORITY', 'OPERATOR')),
    ground           text        NOT NULL CHECK (ground IN ('BREACH', 'SUBSTANTIAL_CHANGE')),
    motives          text        NOT NULL CHECK (motives <> ''),
    letter_reference text        NOT NULL CHECK (letter_reference <> ''),
    sent_date        date        NOT NULL,
    notice_days      smallint    NOT NULL CHECK (notice_days BETWEEN 1 AND 365),
    state            text        NOT NULL,
    close_date       date        CHECK (close_date >= sent_date),
    revision         bigint      NOT NULL CHECK (revision > 0),
    create_time      timestamptz NOT NULL,
    update_time      timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, formal_notice_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT formal_notice_state CHECK (
        CASE state
            WHEN 'SENT' THEN close_date IS NULL
            WHEN 'REMEDIED' THEN close_date IS NOT NULL
            WHEN 'WITHDRAWN' THEN close_date IS NOT NULL
            -- Never within the delay.
            WHEN 'EFFECTIVE' THEN close_date IS NOT NULL AND close_date > sent_date + notice_days
            ELSE false
        END)
);

CREATE TABLE inspection (
    operator_id   uuid        NOT NULL,
    convention_id uuid        NOT NULL,
    inspection_id uuid        NOT NULL,
    subject       text        NOT NULL CHECK (subject <> ''),
    open_date     date        NOT NULL,
    state         text        NOT NULL,
    findings      text        CHECK (findings <> ''),
    close_date    date        CHECK (close_date >= open_date),
    revision      bigint      NOT NULL CHECK (revision > 0),
    create_time   timestamptz NOT NULL,
    update_time   timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, inspection_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT inspection_state CHECK (
        CASE state
            WHEN 'OPEN' THEN num_nonnulls(findings, close_date) = 0
            WHEN 'CLOSED' THEN num_nulls(findings, close_date) = 0
            ELSE false
        END)
);

CREATE TABLE hearing (
    operator_id   uuid        NOT NULL,
    convention_id uuid        NOT NULL,
    hearing_id    uuid        NOT NULL,
    subject       text        NOT NULL CHECK (subject <> ''),
    convened_date date        NOT NULL,
    inspection_id uuid,
    state         text        NOT NULL,
    outcome_date  date,
    minutes       text        CHECK (minutes <> ''),
    revision      bigint      NOT NULL CHECK (revision > 0),
    create_time   timestamptz NOT NULL,
    update_time   timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, hearing_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    FOREIGN KEY (operator_id, convention_id, inspection_id) REFERENCES inspection,
    CONSTRAINT hearing_state CHECK (
        CASE state
            WHEN 'CONVENED' THEN num_nonnulls(outcome_date, minutes) = 0
            WHEN 'HELD' THEN num_nulls(outcome_date, minutes) = 0
            WHEN 'REFUSED' THEN num_nulls(outcome_date, minutes) = 0
            ELSE false
        END)
);

-- Append-only: what was decided is never changed.
CREATE TABLE decision (
    operator_id   uuid          NOT NULL,
    convention_id uuid          NOT NULL,
    decision_id   uuid          NOT NULL,
    kind          text          NOT NULL CHECK (kind IN ('REDUCE', 'SUSPEND', 'RESUME', 'RECOVER', 'TERMINATE')),
    motives       text          NOT NULL CHECK (motives <> ''),
    decision_date date          NOT NULL,
    amount        numeric(14,2) CHECK (amount > 0),
    -- No decision without a hearing, or a refusal to attend (art. 8).
    hearing_id    uuid          NOT NULL,
    create_time   timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id, decision_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    FOREIGN KEY (operator_id, convention_id, hearing_id) REFERENCES hearing,
    CONSTRAINT decision_amount CHECK ((amount IS NOT NULL) = (kind IN ('REDUCE', 'RECOVER')))
);

CREATE TABLE dispute (
    operator_id   uuid        NOT NULL,
    convention_id uuid        NOT NULL,
    dispute_id    uuid        NOT NULL,
    party         text        NOT NULL CHECK (party IN ('AUTHORITY', 'OPERATOR')),
    subject       text        NOT NULL CHECK (subject <> ''),
    open_date     date        NOT NULL,
    state         text        NOT NULL,
    amicable_date date        CHECK (amicable_date >= open_date),
    amicable_step text        CHECK (amicable_step <> ''),
    referral_date date        CHECK (referral_date >= amicable_date),
    court         text        CHECK (court <> ''),
    close_date    date        CHECK (close_date >= greatest(open_date, amicable_date, referral_date)),
    outcome       text        CHECK (outcome <> ''),
    revision      bigint      NOT NULL CHECK (revision > 0),
    create_time   timestamptz NOT NULL,
    update_time   timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, dispute_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT dispute_steps CHECK (
        (amicable_date IS NULL) = (amicable_step IS NULL)
        AND (referral_date IS NULL) = (court IS NULL)
        -- No court before an amicable attempt (art. 9).
        AND (referral_date IS NULL OR amicable_date IS NOT NULL)),
    CONSTRAINT dispute_state CHECK (
        CASE state
            WHEN 'OPEN' THEN num_nonnulls(amicable_date, referral_date, close_date, outcome) = 0
            WHEN 'AMICABLE' THEN amicable_date IS NOT NULL AND num_nonnulls(referral_date, close_date, outcome) = 0
            WHEN 'IN_COURT' THEN referral_date IS NOT NULL AND num_nonnulls(close_date, outcome) = 0
            WHEN 'CLOSED' THEN num_nulls(close_date, outcome) = 0
            ELSE false
        END)
);

ALTER TABLE convention
    ADD FOREIGN KEY (operator_id, convention_id, termination_notice_id) REFERENCES formal_notice,
    ADD FOREIGN KEY (operator_id, convention_id, termination_decision_id) REFERENCES decision;

ALTER TABLE formal_notice ENABLE ROW LEVEL SECURITY;
CREATE POLICY formal_notice_operator ON formal_notice
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE inspection ENABLE ROW LEVEL SECURITY;
CREATE POLICY inspection_operator ON inspection
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE hearing ENABLE ROW LEVEL SECURITY;
CREATE POLICY hearing_operator ON hearing
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE decision ENABLE ROW LEVEL SECURITY;
CREATE POLICY decision_operator ON decision
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
ALTER TABLE dispute ENABLE ROW LEVEL SECURITY;
CREATE POLICY dispute_operator ON dispute
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT ON formal_notice, inspection, hearing, decision, dispute TO %I', app);
    EXECUTE format('GRANT UPDATE (state, close_date, revision, update_time) ON formal_notice TO %I', app);
    EXECUTE format('GRANT UPDATE (state, findings, close_date, revision, update_time) ON inspection TO %I', app);
    EXECUTE format('GRANT UPDATE (state, outcome_date, minutes, revision, update_time) ON hearing TO %I', app);
    EXECUTE format('GRANT UPDATE (state, amicable_date, amicable_step, referral_date, court, close_date, outcome,
                                  revision, update_time) ON dispute TO %I', app);
END
$$;
