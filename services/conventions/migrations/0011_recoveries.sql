-- What of the sums paid is claimed back from the operator, as `payments` reports it, and what became of that.
ALTER TABLE convention
    ADD COLUMN recovery_claimed_amount     numeric(14,2) NOT NULL DEFAULT 0 CHECK (recovery_claimed_amount >= 0),
    ADD COLUMN recovered_amount            numeric(14,2) NOT NULL DEFAULT 0,
    ADD COLUMN recovery_written_off_amount numeric(14,2) NOT NULL DEFAULT 0,
    ADD CONSTRAINT convention_recovered CHECK
        (recovered_amount >= 0 AND recovery_written_off_amount >= 0
         AND recovered_amount + recovery_written_off_amount <= recovery_claimed_amount);

DO $$
BEGIN
    EXECUTE format('GRANT UPDATE (recovery_claimed_amount, recovered_amount, recovery_written_off_amount)
                    ON convention TO %I', regexp_replace(current_user, '_owner$', '_app'));
END
$$;
