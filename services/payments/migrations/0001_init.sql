-- The payments of every convention in force: what is planned, who made which step, and the books.
-- Run by the owner role; what the application role may do is at the end.

-- What is known of the operators, from the feed of `conventions`: to judge the RIB of a call.
CREATE TABLE operator (
    operator_id uuid        PRIMARY KEY,
    legal_name  text        NOT NULL CHECK (legal_name <> ''),
    siren       text        NOT NULL CHECK (siren ~ '^\d{9}$'),
    is_public   boolean     NOT NULL,
    revision    bigint      NOT NULL CHECK (revision > 0),
    update_time timestamptz NOT NULL
);

-- How the grant of one convention is paid. The sum paid and whether all is paid are in no column: the ledger says it.
CREATE TABLE payment_plan (
    operator_id          uuid          NOT NULL REFERENCES operator,
    convention_id        uuid          NOT NULL,
    convention_title     text          NOT NULL CHECK (convention_title <> ''),
    budget_year          smallint      NOT NULL CHECK (budget_year BETWEEN 2000 AND 2100),
    grant_amount         numeric(14,2) NOT NULL CHECK (grant_amount > 0),
    advance_without_call boolean       NOT NULL,
    actions_completed    boolean       NOT NULL,
    convention_revision  bigint        NOT NULL CHECK (convention_revision > 0),
    revision             bigint        NOT NULL CHECK (revision > 0),
    create_time          timestamptz   NOT NULL,
    update_time          timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id)
);

-- The instalments of a plan. The constraints are the state machine once more: which steps each state has behind it.
CREATE TABLE instalment (
    operator_id              uuid          NOT NULL,
    convention_id            uuid          NOT NULL,
    instalment_id            uuid          NOT NULL,
    position                 smallint      NOT NULL CHECK (position BETWEEN 1 AND 12),
    kind                     text          NOT NULL CHECK (kind IN ('ADVANCE', 'BALANCE')),
    amount                   numeric(14,2) NOT NULL CHECK (amount > 0),
    state                    text          NOT NULL
                             CHECK (state IN ('PLANNED', 'CALLED', 'CERTIFIED', 'ORDERED', 'PAID')),
    iban                     text,
    bic                      text,
    holder                   text,
    call_reference           text,
    call_actor               text,
    call_actor_name          text,
    call_time                timestamptz,
    certification_actor      text,
    certification_actor_name text,
    certification_time       timestamptz,
    order_actor              text,
    order_actor_name         text,
    order_time               timestamptz,
    confirmation_actor       text,
    confirmation_actor_name  text,
    confirmation_time        timestamptz,
    transfer_date            date,
    revision                 bigint        NOT NULL CHECK (revision > 0),
    create_time              timestamptz   NOT NULL,
    update_time              timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id, instalment_id),
    UNIQUE (operator_id, convention_id, position),
    FOREIGN KEY (operator_id, convention_id) REFERENCES payment_plan,
    CONSTRAINT instalment_account CHECK
        (num_nonnulls(iban, bic, holder) = CASE state WHEN 'PLANNED' THEN 0 ELSE 3 END),
    -- Only an advance may have been certified without a call.
    CONSTRAINT instalment_call CHECK
        (CASE num_nonnulls(call_reference, call_actor, call_actor_name, call_time)
             WHEN 4 THEN state <> 'PLANNED'
             WHEN 0 THEN state = 'PLANNED' OR (kind = 'ADVANCE' AND state <> 'CALLED')
             ELSE false
         END),
    CONSTRAINT instalment_certification CHECK
        (num_nonnulls(certification_actor, certification_actor_name, certification_time)
         = CASE WHEN state IN ('CERTIFIED', 'ORDERED', 'PAID') THEN 3 ELSE 0 END),
    CONSTRAINT instalment_order CHECK
        (num_nonnulls(order_actor, order_actor_name, order_time)
         = CASE WHEN state IN ('ORDERED', 'PAID') THEN 3 ELSE 0 END),
    CONSTRAINT instalment_confirmation CHECK
        (num_nonnulls(confirmation_actor, confirmation_actor_name, confirmation_time, transfer_date)
         = CASE state WHEN 'PAID' THEN 4 ELSE 0 END),
    -- Who calls, certifies, orders and confirms are different persons; a step not made compares as unknown and passes.
    CONSTRAINT instalment_separation_of_duties CHECK
        (call_actor <> certification_actor AND call_actor <> order_actor AND call_actor <> confirmation_actor
         AND certification_actor <> order_actor AND certification_actor <> confirmation_actor
         AND order_actor <> confirmation_actor),
    CONSTRAINT instalment_transfer_date CHECK
        (transfer_date BETWEEN (order_time AT TIME ZONE 'Europe/Paris')::date
                           AND (confirmation_time AT TIME ZONE 'Europe/Paris')::date)
);

-- The books. A row moves a sum from one account to another, so they balance whatever is written; the unique key books
-- each step of an instalment once.
CREATE TABLE ledger_entry (
    operator_id     uuid          NOT NULL,
    convention_id   uuid          NOT NULL,
    ledger_entry_id uuid          NOT NULL,
    instalment_id   uuid          NOT NULL,
    debit           text          NOT NULL,
    credit          text          NOT NULL,
    amount          numeric(14,2) NOT NULL CHECK (amount > 0),
    label           text          NOT NULL CHECK (label <> ''),
    actor           text          NOT NULL CHECK (actor <> ''),
    book_time       timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id, ledger_entry_id),
    UNIQUE (operator_id, convention_id, instalment_id, debit, credit),
    FOREIGN KEY (operator_id, convention_id, instalment_id) REFERENCES instalment,
    CONSTRAINT ledger_entry_movement CHECK
        ((debit, credit) IN (('GRANT_EXPENSE', 'OPERATOR_PAYABLE'), ('OPERATOR_PAYABLE', 'TREASURY')))
);

ALTER TABLE operator     ENABLE ROW LEVEL SECURITY;
ALTER TABLE payment_plan ENABLE ROW LEVEL SECURITY;
ALTER TABLE instalment   ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY operator_operator ON operator
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY payment_plan_operator ON payment_plan
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY instalment_operator ON instalment
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY ledger_entry_operator ON ledger_entry
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

-- Amounts, once written, are out of the application's reach: no UPDATE on their columns, nothing is deleted.
DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (legal_name, siren, is_public, revision, update_time)
                    ON operator TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (convention_title, actions_completed, convention_revision, revision,
                                                  update_time)
                    ON payment_plan TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (state, iban, bic, holder,
                                                  call_reference, call_actor, call_actor_name, call_time,
                                                  certification_actor, certification_actor_name, certification_time,
                                                  order_actor, order_actor_name, order_time,
                                                  confirmation_actor, confirmation_actor_name, confirmation_time,
                                                  transfer_date, revision, update_time)
                    ON instalment TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON ledger_entry TO %I', app);
END
$$;
