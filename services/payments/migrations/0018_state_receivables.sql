-- What the State owes the programme: the receivable side of the books; and the steps of every instalment, so that what was
-- ordered or planned on any day can be told.

CREATE TABLE state_receivable (
    programme_id        uuid          NOT NULL,
    state_funding_id    uuid          NOT NULL,
    budget_year         smallint      NOT NULL CHECK (budget_year BETWEEN 2000 AND 2100),
    agreement_reference text          NOT NULL CHECK (agreement_reference <> ''),
    advance_amount      numeric(14,2) NOT NULL CHECK (advance_amount >= 0),
    advance_expected    date          NOT NULL,
    balance_amount      numeric(14,2) NOT NULL CHECK (balance_amount >= 0),
    balance_expected    date          NOT NULL,
    report_sent_date    date,
    funding_revision    bigint        NOT NULL CHECK (funding_revision > 0),
    revision            bigint        NOT NULL CHECK (revision > 0),
    create_time         timestamptz   NOT NULL,
    update_time         timestamptz   NOT NULL,
    PRIMARY KEY (programme_id, state_funding_id),
    CONSTRAINT state_receivable_grant CHECK (advance_amount + balance_amount > 0)
);

-- Money received, and what takes a receipt back: each written once.
CREATE TABLE state_receipt (
    programme_id     uuid          NOT NULL,
    state_funding_id uuid          NOT NULL,
    position         smallint      NOT NULL CHECK (position BETWEEN 1 AND 100),
    reverses         smallint      CHECK (reverses < position),
    amount           numeric(14,2) NOT NULL CHECK (amount > 0),
    receipt_date     date          NOT NULL,
    reference        text          NOT NULL CHECK (reference <> ''),
    evidence_name    text          CHECK (evidence_name <> ''),
    evidence_sha256  bytea         CHECK (length(evidence_sha256) = 32),
    reason           text          CHECK (reason <> ''),
    actor            text          NOT NULL CHECK (actor <> ''),
    actor_name       text          NOT NULL,
    receipt_time     timestamptz   NOT NULL,
    PRIMARY KEY (programme_id, state_funding_id, position),
    FOREIGN KEY (programme_id, state_funding_id) REFERENCES state_receivable,
    FOREIGN KEY (programme_id, state_funding_id, reverses) REFERENCES state_receipt,
    CONSTRAINT state_receipt_reversed_key UNIQUE (programme_id, state_funding_id, reverses),
    CONSTRAINT state_receipt_kind CHECK
        (CASE WHEN reverses IS NULL THEN num_nonnulls(evidence_name, evidence_sha256) = 2 AND reason IS NULL
              ELSE num_nonnulls(evidence_name, evidence_sha256) = 0 AND reason IS NOT NULL END)
);

-- The books of a programme itself; those of its operators are in ledger_entry. One entry a revision of a receivable at most.
CREATE TABLE state_ledger_entry (
    programme_id     uuid          NOT NULL,
    state_funding_id uuid          NOT NULL,
    ledger_entry_id  uuid          NOT NULL,
    revision         bigint        NOT NULL CHECK (revision > 0),
    debit            text          NOT NULL,
    credit           text          NOT NULL,
    amount           numeric(14,2) NOT NULL CHECK (amount > 0),
    label            text          NOT NULL CHECK (label <> ''),
    actor            text          NOT NULL CHECK (actor <> ''),
    book_time        timestamptz   NOT NULL,
    PRIMARY KEY (programme_id, state_funding_id, ledger_entry_id),
    FOREIGN KEY (programme_id, state_funding_id) REFERENCES state_receivable,
    CONSTRAINT state_ledger_entry_revision_key UNIQUE (programme_id, state_funding_id, revision),
    CONSTRAINT state_ledger_entry_movement CHECK
        ((debit, credit) IN (('STATE_RECEIVABLE', 'STATE_GRANT'), ('TREASURY', 'STATE_RECEIVABLE'),
                             ('STATE_RECEIVABLE', 'TREASURY')))
);

-- Which state and amount an instalment had from a moment on, one row a revision.
CREATE TABLE instalment_step (
    operator_id   uuid          NOT NULL,
    convention_id uuid          NOT NULL,
    instalment_id uuid          NOT NULL,
    revision      bigint        NOT NULL CHECK (revision > 0),
    state         text          NOT NULL CHECK
                  (state IN ('PLANNED', 'CALLED', 'CERTIFIED', 'ORDERED', 'PAID', 'CANCELLED')),
    amount        numeric(14,2) NOT NULL CHECK (amount > 0),
    step_time     timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id, instalment_id, revision),
    FOREIGN KEY (operator_id, convention_id, instalment_id) REFERENCES instalment
);
-- Until now steps are known by their times; the last has the instalment's revision, those before it the revisions below. The
-- amounts before an amendment are not known: they are taken as they are.
INSERT INTO instalment_step (operator_id, convention_id, instalment_id, revision, state, amount, step_time)
SELECT operator_id, convention_id, instalment_id,
       revision + 1 - row_number() OVER (PARTITION BY operator_id, convention_id, instalment_id ORDER BY place DESC),
       step.state, amount, step.step_time
FROM instalment
     CROSS JOIN LATERAL (VALUES (1, 'PLANNED', create_time), (2, 'CALLED', call_time),
                                (3, 'CERTIFIED', certification_time), (4, 'ORDERED', order_time),
                                (5, 'PAID', confirmation_time), (6, 'CANCELLED', cancel_time))
         AS step (place, state, step_time)
WHERE step.step_time IS NOT NULL;

-- When a termination was learned: from then on nothing more is engaged. Not known where the version before has learned it since,
-- beside this one: then the plan's last change stands for it.
-- rolling: payment_plan_terminated: the version before leaves the time out, of plans that are terminated and of others.
ALTER TABLE payment_plan ADD COLUMN terminated_time timestamptz;
UPDATE payment_plan SET terminated_time = update_time WHERE terminated;
ALTER TABLE payment_plan
    ADD CONSTRAINT payment_plan_terminated CHECK (terminated OR terminated_time IS NULL);

-- The whole ledger of a programme: what is booked of its operators' conventions, and of its own receivables.
CREATE VIEW ledger WITH (security_invoker = true) AS
SELECT plan.programme_id, ledger_entry_id, entry.operator_id, entry.convention_id, instalment_id, recovery_id,
       NULL::uuid AS state_funding_id, debit, credit, amount, label, actor, book_time
FROM ledger_entry AS entry JOIN payment_plan AS plan USING (operator_id, convention_id)
UNION ALL
SELECT programme_id, ledger_entry_id, NULL, NULL, NULL, NULL, state_funding_id, debit, credit, amount, label, actor, book_time
FROM state_ledger_entry;

-- Fundings were passed over until now: the feed is read once more from its beginning.
DELETE FROM feed_cursor WHERE source = 'conventions';

ALTER TABLE instalment_step ENABLE ROW LEVEL SECURITY;
CREATE POLICY instalment_step_operator ON instalment_step
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
    programme_side text;
BEGIN
    FOREACH programme_side IN ARRAY ARRAY ['state_receivable', 'state_receipt', 'state_ledger_entry']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', programme_side);
        EXECUTE format('CREATE POLICY %I ON %I USING (current_setting(''nonrecours.operator'', true) = ''*'')',
                       programme_side || '_programme', programme_side);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO %I', programme_side, app);
    END LOOP;
    EXECUTE format('GRANT UPDATE (report_sent_date, funding_revision, revision, update_time) ON state_receivable TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON instalment_step TO %I', app);
    EXECUTE format('GRANT UPDATE (terminated_time) ON payment_plan TO %I', app);
    EXECUTE format('GRANT SELECT ON ledger TO %I', app);
END
$$;
