-- Slips of payment orders, the codes they are issued under, and what the accountant sends back.
--
-- Slips belong to the programme: its side alone reads them (their files hold bank accounts). An order in a slip belongs to
-- the operator who is paid. Nothing is deleted; a slip, once issued, changes in its revision only.

-- As `conventions` tells it, from its next word on each.
ALTER TABLE operator
    ADD COLUMN siret    text CHECK (siret ~ '^\d{14}$'),
    ADD COLUMN category text CHECK (category IN
        ('COMMUNE', 'CCAS', 'GROUPING', 'OTHER_PUBLIC', 'ASSOCIATION', 'OTHER_PRIVATE')),
    ADD CONSTRAINT operator_identified CHECK (num_nonnulls(siret, category) <> 1);
ALTER TABLE payment_plan ADD COLUMN programme_id uuid;

-- A budget at an accountant's numbers the slips of one programme.
CREATE TABLE posting_budget (
    posting_office    text NOT NULL,
    collectivity_code text NOT NULL,
    budget_code       text NOT NULL,
    programme_id      uuid NOT NULL,
    PRIMARY KEY (posting_office, collectivity_code, budget_code)
);

-- Every version that was in force; the last is.
CREATE TABLE posting_codes (
    programme_id        uuid        NOT NULL,
    version             integer     NOT NULL CHECK (version > 0),
    authority_siret     text        NOT NULL CHECK (authority_siret ~ '^\d{14}$'),
    posting_office      text        NOT NULL,
    collectivity_code   text        NOT NULL,
    budget_code         text        NOT NULL,
    function_code       text        CHECK (function_code <> ''),
    payee_categories    text[]      NOT NULL CHECK (cardinality(payee_categories) BETWEEN 1 AND 6),
    payee_natures       text[]      NOT NULL,
    payee_third_parties text[]      NOT NULL,
    payee_legal_natures text[]      NOT NULL,
    actor               text        NOT NULL CHECK (actor <> ''),
    create_time         timestamptz NOT NULL,
    PRIMARY KEY (programme_id, version),
    FOREIGN KEY (posting_office, collectivity_code, budget_code) REFERENCES posting_budget,
    CONSTRAINT posting_codes_payees CHECK
        (cardinality(payee_natures) = cardinality(payee_categories)
         AND cardinality(payee_third_parties) = cardinality(payee_categories)
         AND cardinality(payee_legal_natures) = cardinality(payee_categories))
);

-- The last numbers given in a budget year. Its row is locked by all that writes slips of the year, and given back with the
-- transaction that fails: hence no gap.
CREATE TABLE slip_register (
    programme_id uuid     NOT NULL,
    budget_year  smallint NOT NULL CHECK (budget_year BETWEEN 2000 AND 2100),
    last_slip    integer  NOT NULL CHECK (last_slip BETWEEN 0 AND 9999999),
    last_piece   integer  NOT NULL CHECK (last_piece BETWEEN 0 AND 99999999),
    PRIMARY KEY (programme_id, budget_year)
);

CREATE TABLE slip (
    programme_id          uuid          NOT NULL,
    slip_id               uuid          NOT NULL,
    budget_year           smallint      NOT NULL,
    number                integer       NOT NULL CHECK (number > 0),
    issue_date            date          NOT NULL,
    amount                numeric(14,2) NOT NULL CHECK (amount > 0),
    file_name             text          NOT NULL CHECK (file_name <> ''),
    file                  bytea         NOT NULL,
    posting_codes_version integer       NOT NULL,
    warning_fields        text[]        NOT NULL,
    warning_texts_en      text[]        NOT NULL,
    warning_texts_fr      text[]        NOT NULL,
    issuer                text          NOT NULL CHECK (issuer <> ''),
    revision              bigint        NOT NULL CHECK (revision > 0),
    create_time           timestamptz   NOT NULL,
    update_time           timestamptz   NOT NULL,
    PRIMARY KEY (programme_id, slip_id),
    FOREIGN KEY (programme_id, budget_year) REFERENCES slip_register,
    FOREIGN KEY (programme_id, posting_codes_version) REFERENCES posting_codes,
    CONSTRAINT slip_number_key UNIQUE (programme_id, budget_year, number),
    CONSTRAINT slip_file_name_key UNIQUE (file_name),
    CONSTRAINT slip_warnings CHECK
        (cardinality(warning_texts_en) = cardinality(warning_fields)
         AND cardinality(warning_texts_fr) = cardinality(warning_fields))
);

-- An ordered instalment in a slip; once rejected, it may be in another.
CREATE TABLE slip_order (
    operator_id     uuid          NOT NULL,
    convention_id   uuid          NOT NULL,
    instalment_id   uuid          NOT NULL,
    attempt         smallint      NOT NULL CHECK (attempt > 0),
    programme_id    uuid          NOT NULL,
    slip_id         uuid          NOT NULL,
    position        smallint      NOT NULL CHECK (position BETWEEN 1 AND 100),
    piece           integer       NOT NULL CHECK (piece > 0),
    amount          numeric(14,2) NOT NULL CHECK (amount > 0),
    state           text          NOT NULL CHECK (state IN
        ('TRANSMITTED', 'ACKNOWLEDGED', 'FLOW_REJECTED', 'PENDING', 'TAKEN_IN_CHARGE', 'REJECTED', 'PAID')),
    -- Whether it ever was: a rejection after that costs its number.
    taken_in_charge boolean       NOT NULL,
    reason_code     text          NOT NULL,
    reason_text     text          NOT NULL,
    payment_date    date,
    PRIMARY KEY (operator_id, convention_id, instalment_id, attempt),
    FOREIGN KEY (operator_id, convention_id, instalment_id) REFERENCES instalment,
    FOREIGN KEY (programme_id, slip_id) REFERENCES slip,
    CONSTRAINT slip_order_position_key UNIQUE (programme_id, slip_id, position),
    CONSTRAINT slip_order_piece_key UNIQUE (programme_id, slip_id, piece),
    CONSTRAINT slip_order_paid CHECK ((payment_date IS NOT NULL) = (state = 'PAID')),
    CONSTRAINT slip_order_charge CHECK
        (CASE WHEN state IN ('TAKEN_IN_CHARGE', 'PAID') THEN taken_in_charge
              WHEN state = 'REJECTED' THEN true
              ELSE NOT taken_in_charge END)
);
-- One order of an instalment is alive at a time: it is paid once.
CREATE UNIQUE INDEX slip_order_live_key ON slip_order (operator_id, convention_id, instalment_id)
    WHERE state NOT IN ('FLOW_REJECTED', 'REJECTED');

-- The files of the accountant: each once, by its content.
CREATE TABLE return_file (
    programme_id     uuid        NOT NULL,
    return_file_id   uuid        NOT NULL,
    digest           bytea       NOT NULL CHECK (length(digest) = 32),
    kind             text        NOT NULL CHECK (kind IN ('ACKNOWLEDGEMENT', 'RETURN')),
    flow_name        text        NOT NULL,
    size             bigint      NOT NULL CHECK (size > 0),
    changed_count    integer     NOT NULL CHECK (changed_count >= 0),
    unchanged_count  integer     NOT NULL CHECK (unchanged_count >= 0),
    unknown_count    bigint      NOT NULL CHECK (unknown_count >= 0),
    difference_count integer     NOT NULL CHECK (difference_count >= 0),
    actor            text        NOT NULL CHECK (actor <> ''),
    create_time      timestamptz NOT NULL,
    PRIMARY KEY (programme_id, return_file_id),
    CONSTRAINT return_file_digest_key UNIQUE (programme_id, digest)
);

-- What the accountant states otherwise than it was ordered, until somebody settles it.
CREATE TABLE payment_difference (
    programme_id          uuid          NOT NULL,
    payment_difference_id uuid          NOT NULL,
    return_file_id        uuid          NOT NULL,
    operator_id           uuid          NOT NULL,
    convention_id         uuid          NOT NULL,
    instalment_id         uuid          NOT NULL,
    attempt               smallint      NOT NULL,
    cause                 text          NOT NULL CHECK (cause IN ('AMOUNT', 'STATE', 'CONFIRMATION')),
    detail_en             text          NOT NULL CHECK (detail_en <> ''),
    detail_fr             text          NOT NULL CHECK (detail_fr <> ''),
    stated_amount         numeric(14,2),
    stated_date           date,
    outcome               text          CHECK (outcome IN ('PAID_IN_FULL', 'DISMISSED')),
    explanation           text          CHECK (explanation <> ''),
    settle_actor          text,
    settle_time           timestamptz,
    revision              bigint        NOT NULL CHECK (revision > 0),
    create_time           timestamptz   NOT NULL,
    update_time           timestamptz   NOT NULL,
    PRIMARY KEY (programme_id, payment_difference_id),
    FOREIGN KEY (programme_id, return_file_id) REFERENCES return_file,
    FOREIGN KEY (operator_id, convention_id, instalment_id, attempt) REFERENCES slip_order,
    CONSTRAINT payment_difference_settled CHECK
        (num_nonnulls(outcome, explanation, settle_actor, settle_time) IN (0, 4))
);
-- Whether an order has one that is open.
CREATE INDEX payment_difference_open ON payment_difference (operator_id, convention_id, instalment_id)
    WHERE outcome IS NULL;

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
    programme_side text;
BEGIN
    FOREACH programme_side IN ARRAY ARRAY
        ['posting_budget', 'posting_codes', 'slip_register', 'slip', 'return_file', 'payment_difference']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', programme_side);
        EXECUTE format('CREATE POLICY %I ON %I USING (current_setting(''nonrecours.operator'', true) = ''*'')',
                       programme_side || '_programme', programme_side);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO %I', programme_side, app);
    END LOOP;
    EXECUTE format('GRANT UPDATE (last_slip, last_piece) ON slip_register TO %I', app);
    EXECUTE format('GRANT UPDATE (revision, update_time) ON slip TO %I', app);
    EXECUTE format('GRANT UPDATE (outcome, explanation, settle_actor, settle_time, revision, update_time)
                    ON payment_difference TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (state, taken_in_charge, reason_code, reason_text, payment_date)
                    ON slip_order TO %I', app);
    EXECUTE format('GRANT UPDATE (siret, category) ON operator TO %I', app);
    EXECUTE format('GRANT UPDATE (programme_id) ON payment_plan TO %I', app);
END
$$;
ALTER TABLE slip_order ENABLE ROW LEVEL SECURITY;
CREATE POLICY slip_order_operator ON slip_order
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
