-- What decisions, formal notices and terminations (art. 7 and 8) leave of a plan, as `conventions` tells it.

ALTER TABLE payment_plan
    ADD COLUMN suspended      boolean       NOT NULL DEFAULT false,
    ADD COLUMN terminated     boolean       NOT NULL DEFAULT false,
    -- What is due in all; none: the whole grant.
    ADD COLUMN due_amount     numeric(14,2) CHECK (due_amount BETWEEN 0 AND grant_amount),
    ADD COLUMN claimed_amount numeric(14,2) NOT NULL DEFAULT 0 CHECK (claimed_amount BETWEEN 0 AND grant_amount);

DO $$
BEGIN
    EXECUTE format('GRANT UPDATE (suspended, terminated, due_amount, claimed_amount) ON payment_plan TO %I',
                   regexp_replace(current_user, '_owner$', '_app'));
END
$$;
