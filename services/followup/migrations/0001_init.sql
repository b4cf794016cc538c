-- Follow-up records, each under its operator, and what this service knows of conventions.
-- A row is one record of the operator's software, found again by its own reference; the rules of the states stand here
-- a second time, as constraints. Nothing here names a person.

-- Conventions as their own service last told them: records are accepted under one in force only.
CREATE TABLE convention (
    operator_id   uuid        NOT NULL,
    convention_id uuid        NOT NULL,
    revision      bigint      NOT NULL CHECK (revision > 0),
    in_force      boolean     NOT NULL,
    update_time   timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id)
);

CREATE TABLE beneficiary (
    operator_id        uuid        NOT NULL,
    beneficiary_id     uuid        NOT NULL,
    -- No foreign key: every row of a batch would check, and lock, the same one row, which the batch holds already.
    convention_id      uuid        NOT NULL,
    external_reference text        NOT NULL CHECK (char_length(external_reference) BETWEEN 1 AND 100),
    publics            text[]      NOT NULL CHECK (cardinality(publics) BETWEEN 1 AND 10),
    commune_code       text        NOT NULL CHECK (commune_code ~ '^(\d{5}|2[AB]\d{3})$'),
    age_band           text        CHECK (age_band IN ('UNDER_18', 'FROM_18_TO_24', 'FROM_25_TO_59', 'FROM_60_TO_74',
                                                       'FROM_75')),
    state              text        NOT NULL CHECK (state IN ('SPOTTED', 'INFORMED', 'ORIENTED', 'IN_SUPPORT', 'CLOSED')),
    closing_reason     text        CHECK (closing_reason IN ('RIGHTS_OPENED', 'NO_FOLLOW_UP', 'RENUNCIATION',
                                                             'LOST_CONTACT', 'REORIENTED', 'DECEASED')),
    spotted_date       date        NOT NULL,
    version            bigint      NOT NULL CHECK (version >= 0),
    revision           bigint      NOT NULL CHECK (revision > 0),
    create_time        timestamptz NOT NULL,
    update_time        timestamptz NOT NULL,
    PRIMARY KEY (operator_id, beneficiary_id),
    CONSTRAINT beneficiary_reference UNIQUE (operator_id, external_reference),
    CONSTRAINT beneficiary_convention UNIQUE (operator_id, convention_id, beneficiary_id),
    CONSTRAINT beneficiary_closed CHECK ((state = 'CLOSED') = (closing_reason IS NOT NULL))
);

CREATE TABLE entitlement (
    operator_id        uuid          NOT NULL,
    entitlement_id     uuid          NOT NULL,
    convention_id      uuid          NOT NULL,
    beneficiary_id     uuid          NOT NULL,
    external_reference text          NOT NULL CHECK (char_length(external_reference) BETWEEN 1 AND 100),
    right_code         text          NOT NULL CHECK (right_code <> ''),
    state              text          NOT NULL CHECK (state IN ('IDENTIFIED', 'ELIGIBILITY_ESTIMATED', 'PREPARED',
                                                               'FILED', 'MORE_INFORMATION', 'OPENED', 'REFUSED',
                                                               'APPEALED', 'CONFIRMED_REFUSAL')),
    amount             numeric(14,2) CHECK (amount >= 0),
    amount_kind        text          CHECK (amount_kind IN ('ESTIMATED', 'NOTIFIED')),
    amount_unit        text          CHECK (amount_unit IN ('MONTHLY', 'ANNUAL', 'ONE_OFF')),
    filed_date         date,
    decided_date       date,
    renewal_date       date,
    support_mode       text          CHECK (support_mode IN ('AUTONOMY', 'ON_BEHALF')),
    non_take_up_reason text          CHECK (non_take_up_reason <> ''),
    version            bigint        NOT NULL CHECK (version >= 0),
    revision           bigint        NOT NULL CHECK (revision > 0),
    create_time        timestamptz   NOT NULL,
    update_time        timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, entitlement_id),
    CONSTRAINT entitlement_reference UNIQUE (operator_id, external_reference),
    -- A right and its person fall under the same convention: figures never mix two.
    CONSTRAINT entitlement_beneficiary FOREIGN KEY (operator_id, convention_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, convention_id, beneficiary_id),
    CONSTRAINT entitlement_amount CHECK (num_nonnulls(amount, amount_kind, amount_unit) IN (0, 3)),
    CONSTRAINT entitlement_opened CHECK (state <> 'OPENED' OR amount IS NULL OR amount_kind = 'NOTIFIED'),
    CONSTRAINT entitlement_filed CHECK (state IN ('IDENTIFIED', 'ELIGIBILITY_ESTIMATED', 'PREPARED')
                                        OR filed_date IS NOT NULL),
    CONSTRAINT entitlement_decided CHECK (state NOT IN ('OPENED', 'REFUSED', 'APPEALED', 'CONFIRMED_REFUSAL')
                                          OR decided_date IS NOT NULL),
    CONSTRAINT entitlement_dates CHECK (decided_date >= filed_date AND renewal_date >= decided_date)
);
CREATE INDEX entitlement_of ON entitlement (operator_id, convention_id, beneficiary_id);

CREATE TABLE session (
    operator_id        uuid        NOT NULL,
    session_id         uuid        NOT NULL,
    convention_id      uuid        NOT NULL,
    external_reference text        NOT NULL CHECK (char_length(external_reference) BETWEEN 1 AND 100),
    venue              text        NOT NULL CHECK (char_length(venue) BETWEEN 1 AND 200),
    commune_code       text        NOT NULL CHECK (commune_code ~ '^(\d{5}|2[AB]\d{3})$'),
    held_date          date        NOT NULL,
    channel            text        NOT NULL CHECK (channel IN ('PARTNER_SESSION', 'HOME_VISIT', 'PHONE', 'DESK',
                                                               'OTHER')),
    persons_met        integer     NOT NULL CHECK (persons_met BETWEEN 0 AND 10000),
    version            bigint      NOT NULL CHECK (version >= 0),
    revision           bigint      NOT NULL CHECK (revision > 0),
    create_time        timestamptz NOT NULL,
    update_time        timestamptz NOT NULL,
    PRIMARY KEY (operator_id, session_id),
    CONSTRAINT session_reference UNIQUE (operator_id, external_reference)
);
CREATE INDEX session_of ON session (operator_id, convention_id);

ALTER TABLE convention ENABLE ROW LEVEL SECURITY;
ALTER TABLE beneficiary ENABLE ROW LEVEL SECURITY;
ALTER TABLE entitlement ENABLE ROW LEVEL SECURITY;
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
CREATE POLICY convention_operator ON convention
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY beneficiary_operator ON beneficiary
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY entitlement_operator ON entitlement
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY session_operator ON session
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON convention, beneficiary, entitlement, session TO %I', app);
END
$$;
