-- What an amendment or a decision makes of a plan: other terms, instalments planned again or cancelled, entries reversed.

-- The terms in force, to tell an amendment from a revision that changes nothing of the payments. What a decision leaves or
-- claims back was decided on the grant of its day: an amendment may have lowered the grant since.
ALTER TABLE payment_plan
    ADD COLUMN term_kinds   text[],
    ADD COLUMN term_amounts numeric(14,2)[],
    DROP CONSTRAINT payment_plan_check,
    DROP CONSTRAINT payment_plan_check1,
    ADD CONSTRAINT payment_plan_due_amount_check CHECK (due_amount >= 0),
    ADD CONSTRAINT payment_plan_claimed_amount_check CHECK (claimed_amount >= 0);
-- Until now the instalments were the terms.
UPDATE payment_plan AS plan
SET term_kinds = terms.kinds, term_amounts = terms.amounts
FROM (SELECT operator_id, convention_id, array_agg(kind ORDER BY position) AS kinds,
             array_agg(amount ORDER BY position) AS amounts
      FROM instalment GROUP BY operator_id, convention_id) AS terms
WHERE terms.operator_id = plan.operator_id AND terms.convention_id = plan.convention_id;
ALTER TABLE payment_plan
    ALTER COLUMN term_kinds SET NOT NULL,
    ALTER COLUMN term_amounts SET NOT NULL,
    ADD CONSTRAINT payment_plan_terms CHECK
        (cardinality(term_kinds) BETWEEN 1 AND 12 AND cardinality(term_amounts) = cardinality(term_kinds)
         AND term_kinds <@ ARRAY ['ADVANCE', 'INTERIM', 'BALANCE'] AND 0 < ALL (term_amounts));

-- Those that are cancelled keep their place: a plan has more places than terms.
ALTER TABLE instalment
    ADD COLUMN cancel_cause text CHECK (cancel_cause IN ('AMENDMENT', 'DECISION')),
    ADD COLUMN cancel_time  timestamptz,
    DROP CONSTRAINT instalment_position_check,
    DROP CONSTRAINT instalment_state_check,
    DROP CONSTRAINT instalment_account,
    DROP CONSTRAINT instalment_call,
    ADD CONSTRAINT instalment_position_check CHECK (position BETWEEN 1 AND 99),
    ADD CONSTRAINT instalment_state_check CHECK
        (state IN ('PLANNED', 'CALLED', 'CERTIFIED', 'ORDERED', 'PAID', 'CANCELLED')),
    ADD CONSTRAINT instalment_account CHECK
        (num_nonnulls(iban, bic, holder) = CASE WHEN state IN ('PLANNED', 'CANCELLED') THEN 0 ELSE 3 END),
    ADD CONSTRAINT instalment_call CHECK
        (CASE num_nonnulls(call_reference, call_actor, call_actor_name, call_time)
             WHEN 4 THEN state NOT IN ('PLANNED', 'CANCELLED')
             WHEN 0 THEN state IN ('PLANNED', 'CANCELLED') OR (kind = 'ADVANCE' AND state <> 'CALLED')
             ELSE false
         END),
    ADD CONSTRAINT instalment_cancellation CHECK
        (num_nonnulls(cancel_cause, cancel_time) = CASE state WHEN 'CANCELLED' THEN 2 ELSE 0 END);

-- An instalment may now be certified again after a reversal: each of its revisions is booked once, and its payment once.
ALTER TABLE ledger_entry ADD COLUMN instalment_revision bigint CHECK (instalment_revision > 0);
-- Until now a certification made revision 2, or 3 after a call, and the payment came two revisions later.
UPDATE ledger_entry AS entry
SET instalment_revision = 2 + num_nonnulls(instalment.call_time) + CASE entry.credit WHEN 'TREASURY' THEN 2 ELSE 0 END
FROM instalment
WHERE instalment.operator_id = entry.operator_id AND instalment.convention_id = entry.convention_id
  AND instalment.instalment_id = entry.instalment_id;
ALTER TABLE ledger_entry
    ALTER COLUMN instalment_revision SET NOT NULL,
    DROP CONSTRAINT ledger_entry_operator_id_convention_id_instalment_id_debit__key,
    DROP CONSTRAINT ledger_entry_movement,
    ADD CONSTRAINT ledger_entry_revision_key UNIQUE (operator_id, convention_id, instalment_id, instalment_revision),
    ADD CONSTRAINT ledger_entry_movement CHECK
        ((debit, credit) IN (('GRANT_EXPENSE', 'OPERATOR_PAYABLE'), ('OPERATOR_PAYABLE', 'GRANT_EXPENSE'),
                             ('OPERATOR_PAYABLE', 'TREASURY')));
CREATE UNIQUE INDEX ledger_entry_payment_key ON ledger_entry (operator_id, convention_id, instalment_id)
    WHERE credit = 'TREASURY';

-- The amounts of the books stay out of reach; those of what is not ordered follow the terms.
DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (grant_amount, advance_without_call, term_kinds, term_amounts) ON payment_plan TO %I', app);
    EXECUTE format('GRANT UPDATE (amount, cancel_cause, cancel_time) ON instalment TO %I', app);
END
$$;
