-- A programme pays through its public accountant, or from a bank account of its own; and payments that come back.

-- Either the codes of a budget or the account that pays.
ALTER TABLE posting_codes
    ALTER COLUMN authority_siret     DROP NOT NULL,
    ALTER COLUMN posting_office      DROP NOT NULL,
    ALTER COLUMN collectivity_code   DROP NOT NULL,
    ALTER COLUMN budget_code         DROP NOT NULL,
    ALTER COLUMN payee_categories    DROP NOT NULL,
    ALTER COLUMN payee_natures       DROP NOT NULL,
    ALTER COLUMN payee_third_parties DROP NOT NULL,
    ALTER COLUMN payee_legal_natures DROP NOT NULL,
    ADD COLUMN debtor_name text CHECK (debtor_name <> ''),
    ADD COLUMN debtor_iban text CHECK (debtor_iban <> ''),
    ADD COLUMN debtor_bic  text CHECK (debtor_bic <> ''),
    ADD CONSTRAINT posting_codes_channel CHECK
        (CASE num_nonnulls(debtor_name, debtor_iban, debtor_bic)
              WHEN 0 THEN num_nulls(authority_siret, posting_office, collectivity_code, budget_code, payee_categories,
                                    payee_natures, payee_third_parties, payee_legal_natures) = 0
              WHEN 3 THEN num_nonnulls(authority_siret, posting_office, collectivity_code, budget_code, function_code,
                                       payee_categories, payee_natures, payee_third_parties, payee_legal_natures) = 0
              ELSE false END);

-- The day on which the money of an order came back: it was paid, and no longer is.
ALTER TABLE slip_order
    ADD COLUMN return_date date,
    ADD CONSTRAINT slip_order_returned CHECK (return_date IS NULL OR (state = 'REJECTED' AND taken_in_charge));

ALTER TABLE return_file
    DROP CONSTRAINT return_file_kind_check,
    ADD CONSTRAINT return_file_kind_check CHECK
        (kind IN ('ACKNOWLEDGEMENT', 'RETURN', 'STATUS_REPORT', 'STATEMENT', 'NOTIFICATION'));

-- A payment under a reference of ours that no order has is a difference without an order.
ALTER TABLE payment_difference
    ALTER COLUMN operator_id   DROP NOT NULL,
    ALTER COLUMN convention_id DROP NOT NULL,
    ALTER COLUMN instalment_id DROP NOT NULL,
    ALTER COLUMN attempt       DROP NOT NULL,
    ADD COLUMN stated_reference text CHECK (stated_reference <> ''),
    DROP CONSTRAINT payment_difference_cause_check,
    ADD CONSTRAINT payment_difference_cause_check CHECK (cause IN ('AMOUNT', 'STATE', 'CONFIRMATION', 'REFERENCE')),
    ADD CONSTRAINT payment_difference_subject CHECK
        (CASE cause WHEN 'REFERENCE' THEN num_nonnulls(operator_id, convention_id, instalment_id, attempt) = 0
                    ELSE num_nonnulls(operator_id, convention_id, instalment_id, attempt) = 4 END
         AND (stated_reference IS NOT NULL) = (cause = 'REFERENCE'));

-- A payment that comes back is booked the other way round; then the instalment may be paid again, once more.
ALTER TABLE ledger_entry
    ADD COLUMN round smallint NOT NULL DEFAULT 1 CHECK (round > 0),
    DROP CONSTRAINT ledger_entry_movement,
    ADD CONSTRAINT ledger_entry_movement CHECK
        (CASE WHEN recovery_id IS NULL
              THEN (debit, credit) IN (('GRANT_EXPENSE', 'OPERATOR_PAYABLE'), ('OPERATOR_PAYABLE', 'GRANT_EXPENSE'),
                                       ('OPERATOR_PAYABLE', 'TREASURY'), ('TREASURY', 'OPERATOR_PAYABLE'))
              ELSE (debit, credit) IN (('OPERATOR_RECEIVABLE', 'GRANT_RECOVERY'), ('GRANT_RECOVERY', 'OPERATOR_RECEIVABLE'),
                                       ('TREASURY', 'OPERATOR_RECEIVABLE'), ('UNCOLLECTIBLE', 'OPERATOR_RECEIVABLE'))
         END);
DROP INDEX ledger_entry_payment_key;
CREATE UNIQUE INDEX ledger_entry_payment_key ON ledger_entry (operator_id, convention_id, instalment_id, round)
    WHERE credit = 'TREASURY';
CREATE UNIQUE INDEX ledger_entry_return_key ON ledger_entry (operator_id, convention_id, instalment_id, round)
    WHERE credit = 'OPERATOR_PAYABLE' AND debit = 'TREASURY';

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (return_date) ON slip_order TO %I', app);
END
$$;
