-- A part of a transfer that comes back: what somebody makes of it when settling the difference that it is.

-- How much of a paid order came back, as far as it was booked; the rest stays paid.
-- rolling: slip_order_returned_part: the version before rejects an order whose money came back, and books no part.
ALTER TABLE slip_order
    ADD COLUMN returned_amount numeric(14,2) NOT NULL DEFAULT 0,
    ADD CONSTRAINT slip_order_returned_part CHECK
        (returned_amount BETWEEN 0 AND amount - reduced_amount
         AND (returned_amount = 0 OR return_date IS NOT NULL
              OR (state = 'PAID' AND returned_amount < amount - reduced_amount)));

-- What was booked in settling it, as money that came back or as a receipt of a recovery. The version before reads either as
-- dismissed: for it, too, nothing more is to be done.
-- rolling: payment_difference_settled_amount: the version before books nothing in settling money that came back.
-- rolling: payment_difference_settled_amount_check: it leaves the amount out.
-- rolling: payment_difference_recovery: it leaves the recovery out.
ALTER TABLE payment_difference
    ADD COLUMN came_back              boolean NOT NULL DEFAULT false,
    ADD COLUMN settled_amount         numeric(14,2) CHECK (settled_amount > 0),
    ADD COLUMN recovery_convention_id uuid,
    ADD COLUMN recovery_id            uuid,
    ADD CONSTRAINT payment_difference_recovery
        FOREIGN KEY (operator_id, recovery_convention_id, recovery_id) REFERENCES recovery,
    ADD CONSTRAINT payment_difference_settled_amount CHECK
        (num_nonnulls(recovery_convention_id, recovery_id) IN (0, 2)
         AND (settled_amount IS NOT NULL OR recovery_id IS NULL)
         AND (settled_amount IS NULL OR (came_back AND outcome IS NOT DISTINCT FROM 'DISMISSED')));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (returned_amount) ON slip_order TO %I', app);
    EXECUTE format('GRANT UPDATE (settled_amount, recovery_convention_id, recovery_id) ON payment_difference TO %I', app);
END
$$;
