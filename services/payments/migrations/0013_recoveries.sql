-- Recoveries (titres de recette): what an operator has to give back, claimed, and what becomes of each claim; and the days
-- that a convention runs over, which a recovery in proportion of time counts.

ALTER TABLE payment_plan
    ADD COLUMN period_start date,
    ADD COLUMN period_end   date,
    ADD CONSTRAINT payment_plan_period CHECK
        (num_nonnulls(period_start, period_end) IN (0, 2) AND period_start <= period_end);

-- Numbered like slips, under the same lock.
ALTER TABLE slip_register
    ADD COLUMN last_recovery integer NOT NULL DEFAULT 0 CHECK (last_recovery BETWEEN 0 AND 9999999);

-- What remains of a recovery, and whether it is recovered, are in no column: its acts say it, and the ledger with them.
CREATE TABLE recovery (
    operator_id              uuid          NOT NULL,
    convention_id            uuid          NOT NULL,
    recovery_id              uuid          NOT NULL,
    programme_id             uuid          NOT NULL,
    budget_year              smallint      NOT NULL,
    number                   integer       NOT NULL CHECK (number > 0),
    cause                    text          NOT NULL CHECK
        (cause IN ('TERMINATION', 'REPUBLICAN_COMMITMENT', 'OVERPAYMENT', 'DECISION')),
    amount                   numeric(14,2) NOT NULL CHECK (amount > 0),
    issue_date               date          NOT NULL,
    breach_decision          text          CHECK (breach_decision <> ''),
    breach_date              date,
    breach_kept_amount       numeric(14,2) CHECK (breach_kept_amount >= amount),
    breach_remaining_days    integer       CHECK (breach_remaining_days > 0),
    breach_period_days       integer       CHECK (breach_period_days >= breach_remaining_days),
    issue_actor              text          NOT NULL CHECK (issue_actor <> ''),
    issue_actor_name         text          NOT NULL,
    issue_time               timestamptz   NOT NULL,
    notification_date        date,
    notification_actor       text,
    notification_actor_name  text,
    notification_time        timestamptz,
    revision                 bigint        NOT NULL CHECK (revision > 0),
    create_time              timestamptz   NOT NULL,
    update_time              timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id, recovery_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES payment_plan,
    FOREIGN KEY (programme_id, budget_year) REFERENCES slip_register,
    CONSTRAINT recovery_number_key UNIQUE (programme_id, budget_year, number),
    CONSTRAINT recovery_issuer_key UNIQUE (operator_id, convention_id, recovery_id, issue_actor),
    CONSTRAINT recovery_breach CHECK
        (num_nonnulls(breach_decision, breach_date, breach_kept_amount, breach_remaining_days, breach_period_days)
         = CASE cause WHEN 'REPUBLICAN_COMMITMENT' THEN 5 ELSE 0 END),
    CONSTRAINT recovery_notification CHECK
        (num_nonnulls(notification_date, notification_actor, notification_actor_name, notification_time) IN (0, 4)
         AND notification_date >= issue_date)
);

-- What becomes of it, written once: money received, set off against an instalment, given up, or no longer claimed.
CREATE TABLE recovery_act (
    operator_id              uuid          NOT NULL,
    convention_id            uuid          NOT NULL,
    recovery_id              uuid          NOT NULL,
    position                 smallint      NOT NULL CHECK (position BETWEEN 1 AND 100),
    kind                     text          NOT NULL CHECK (kind IN ('RECEIPT', 'OFFSET', 'WRITE_OFF', 'REDUCTION')),
    amount                   numeric(14,2) NOT NULL CHECK (amount > 0),
    act_date                 date          NOT NULL,
    reference                text          NOT NULL CHECK (reference <> ''),
    instalment_convention_id uuid,
    instalment_id            uuid,
    issue_actor              text          NOT NULL,
    actor                    text          NOT NULL CHECK (actor <> ''),
    actor_name               text          NOT NULL,
    act_time                 timestamptz   NOT NULL,
    PRIMARY KEY (operator_id, convention_id, recovery_id, position),
    FOREIGN KEY (operator_id, convention_id, recovery_id, issue_actor)
        REFERENCES recovery (operator_id, convention_id, recovery_id, issue_actor),
    FOREIGN KEY (operator_id, instalment_convention_id, instalment_id) REFERENCES instalment,
    CONSTRAINT recovery_act_instalment CHECK
        (num_nonnulls(instalment_convention_id, instalment_id) = CASE kind WHEN 'OFFSET' THEN 2 ELSE 0 END),
    -- Who claims never holds the money (décret n° 2012-1246 art. 9).
    CONSTRAINT recovery_act_separation_of_duties CHECK
        (kind NOT IN ('RECEIPT', 'OFFSET') OR actor <> issue_actor)
);
-- A receipt counts once, whoever tells of it again.
CREATE UNIQUE INDEX recovery_act_receipt_key ON recovery_act (operator_id, convention_id, recovery_id, reference)
    WHERE kind = 'RECEIPT';
-- What of an instalment was set off.
CREATE INDEX recovery_act_offset ON recovery_act (operator_id, instalment_convention_id, instalment_id)
    WHERE kind = 'OFFSET';

-- The books of a recovery: one entry a revision of it, as of an instalment.
ALTER TABLE ledger_entry
    ADD COLUMN recovery_id       uuid,
    ADD COLUMN recovery_revision bigint CHECK (recovery_revision > 0),
    ALTER COLUMN instalment_id DROP NOT NULL,
    ALTER COLUMN instalment_revision DROP NOT NULL,
    ADD FOREIGN KEY (operator_id, convention_id, recovery_id) REFERENCES recovery,
    ADD CONSTRAINT ledger_entry_recovery_key UNIQUE (operator_id, convention_id, recovery_id, recovery_revision),
    ADD CONSTRAINT ledger_entry_subject CHECK
        (num_nonnulls(instalment_id, recovery_id) = 1
         AND (instalment_id IS NULL) = (instalment_revision IS NULL)
         AND (recovery_id IS NULL) = (recovery_revision IS NULL)),
    DROP CONSTRAINT ledger_entry_movement,
    ADD CONSTRAINT ledger_entry_movement CHECK
        (CASE WHEN recovery_id IS NULL
              THEN (debit, credit) IN (('GRANT_EXPENSE', 'OPERATOR_PAYABLE'), ('OPERATOR_PAYABLE', 'GRANT_EXPENSE'),
                                       ('OPERATOR_PAYABLE', 'TREASURY'))
              ELSE (debit, credit) IN (('OPERATOR_RECEIVABLE', 'GRANT_RECOVERY'), ('GRANT_RECOVERY', 'OPERATOR_RECEIVABLE'),
                                       ('TREASURY', 'OPERATOR_RECEIVABLE'), ('UNCOLLECTIBLE', 'OPERATOR_RECEIVABLE'))
         END);

ALTER TABLE recovery     ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_act ENABLE ROW LEVEL SECURITY;
CREATE POLICY recovery_operator ON recovery
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY recovery_act_operator ON recovery_act
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (period_start, period_end) ON payment_plan TO %I', app);
    EXECUTE format('GRANT UPDATE (last_recovery) ON slip_register TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (notification_date, notification_actor, notification_actor_name,
                                                  notification_time, revision, update_time)
                    ON recovery TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON recovery_act TO %I', app);
END
$$;
