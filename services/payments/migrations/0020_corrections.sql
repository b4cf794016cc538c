-- Corrections of orders (mandats d'annulation ou de réduction): on slips of their own, numbered in a series of their own.

ALTER TABLE slip_register
    ADD COLUMN last_correction integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT slip_register_last_correction CHECK (last_correction BETWEEN 0 AND 9999999);
-- rolling: slip_register_last_correction: the version before leaves it as it is.

-- rolling: slip_kind: the version before issues ordinary slips only.
-- rolling: slip_number_key: among ordinary slips the numbers are unique as before.
ALTER TABLE slip
    ADD COLUMN kind text NOT NULL DEFAULT 'ORDINARY',
    ADD CONSTRAINT slip_kind CHECK (kind IN ('ORDINARY', 'CORRECTION')),
    DROP CONSTRAINT slip_number_key,
    ADD CONSTRAINT slip_number_key UNIQUE (programme_id, budget_year, kind, number);

-- By how much an order was reduced; by all of it: cancelled, which the version before reads as rejected after it was taken in
-- charge. Nothing more is to be expected of either.
-- rolling: slip_order_reduced: the version before rejects orders, and never makes one live that was cancelled.
ALTER TABLE slip_order
    ADD COLUMN reduced_amount numeric(14,2) NOT NULL DEFAULT 0,
    ADD CONSTRAINT slip_order_reduced CHECK
        (reduced_amount BETWEEN 0 AND amount AND (reduced_amount = 0 OR taken_in_charge)
         AND (reduced_amount < amount OR state = 'REJECTED'));

-- What a slip of corrections takes off an order; once rejected, the same may be asked again.
CREATE TABLE slip_correction (
    operator_id         uuid          NOT NULL,
    convention_id       uuid          NOT NULL,
    instalment_id       uuid          NOT NULL,
    attempt             smallint      NOT NULL,
    round               smallint      NOT NULL CHECK (round > 0),
    programme_id        uuid          NOT NULL,
    slip_id             uuid          NOT NULL,
    position            smallint      NOT NULL CHECK (position BETWEEN 1 AND 100),
    piece               integer       NOT NULL CHECK (piece > 0),
    amount              numeric(14,2) NOT NULL CHECK (amount > 0),
    cancels             boolean       NOT NULL,
    motive              text          NOT NULL CHECK (motive <> ''),
    state               text          NOT NULL CHECK (state IN
        ('TRANSMITTED', 'ACKNOWLEDGED', 'FLOW_REJECTED', 'PENDING', 'TAKEN_IN_CHARGE', 'REJECTED')),
    reason_code         text          NOT NULL,
    reason_text         text          NOT NULL,
    -- Who called and certified what is corrected, as it was then.
    call_actor          text,
    certification_actor text          NOT NULL,
    issue_actor         text          NOT NULL CHECK (issue_actor <> ''),
    acceptance_actor    text,
    acceptance_time     timestamptz,
    PRIMARY KEY (operator_id, convention_id, instalment_id, attempt, round),
    FOREIGN KEY (operator_id, convention_id, instalment_id, attempt) REFERENCES slip_order,
    FOREIGN KEY (programme_id, slip_id) REFERENCES slip,
    CONSTRAINT slip_correction_position_key UNIQUE (programme_id, slip_id, position),
    CONSTRAINT slip_correction_piece_key UNIQUE (programme_id, slip_id, piece),
    CONSTRAINT slip_correction_acceptance CHECK
        (num_nonnulls(acceptance_actor, acceptance_time) = CASE state WHEN 'TAKEN_IN_CHARGE' THEN 2 ELSE 0 END),
    -- Who corrects an order has not called or certified it, and does not take the correction in charge. What is not there
    -- compares as unknown and passes.
    CONSTRAINT slip_correction_separation_of_duties CHECK
        (issue_actor <> call_actor AND issue_actor <> certification_actor AND issue_actor <> acceptance_actor)
);
-- One correction of an order waits for its answer at a time.
CREATE UNIQUE INDEX slip_correction_open_key ON slip_correction (operator_id, convention_id, instalment_id, attempt)
    WHERE state IN ('TRANSMITTED', 'ACKNOWLEDGED', 'PENDING');

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (last_correction) ON slip_register TO %I', app);
    EXECUTE format('GRANT UPDATE (reduced_amount) ON slip_order TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (state, reason_code, reason_text, acceptance_actor, acceptance_time)
                    ON slip_correction TO %I', app);
END
$$;
ALTER TABLE slip_correction ENABLE ROW LEVEL SECURITY;
CREATE POLICY slip_correction_operator ON slip_correction
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
