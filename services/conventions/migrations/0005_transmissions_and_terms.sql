-- The transmission of acts step by step and how they are made known; instalments between the advance and the balance,
-- originals, and the convention that one renews.

ALTER TABLE act
    ADD COLUMN transmission_state        text,
    ADD COLUMN posting_date              date CHECK (posting_date >= decision_date),
    ADD COLUMN acknowledgement_date      date CHECK (acknowledgement_date >= transmission_date),
    ADD COLUMN acknowledgement_reference text,
    ADD COLUMN failure_date              date CHECK (failure_date >= COALESCE(transmission_date, posting_date)),
    ADD COLUMN failure_reason            text,
    ADD COLUMN publicity                 text CHECK (publicity IN ('PUBLICATION', 'NOTIFICATION')),
    ADD COLUMN publication_reference     text;
UPDATE act
SET transmission_state = CASE WHEN transmission_date IS NULL THEN 'TO_TRANSMIT' ELSE 'TRANSMITTED' END,
    publicity = CASE WHEN publication_date IS NOT NULL THEN 'PUBLICATION' END;
ALTER TABLE act
    ALTER COLUMN transmission_state SET NOT NULL,
    ADD CONSTRAINT act_posting CHECK (transmission_date >= posting_date),
    ADD CONSTRAINT act_publicity CHECK (
        (publicity IS NULL) = (publication_date IS NULL)
        AND (publication_reference IS NULL OR publication_date IS NOT NULL)),
    ADD CONSTRAINT act_transmission CHECK (
        CASE transmission_state
            WHEN 'TO_TRANSMIT' THEN
                num_nonnulls(posting_date, transmission_date, acknowledgement_date, acknowledgement_reference,
                             failure_date, failure_reason) = 0
            WHEN 'POSTED' THEN
                posting_date IS NOT NULL
                AND num_nonnulls(transmission_date, acknowledgement_date, acknowledgement_reference, failure_date,
                                 failure_reason) = 0
            WHEN 'TRANSMITTED' THEN
                transmission_date IS NOT NULL
                AND num_nonnulls(acknowledgement_date, acknowledgement_reference, failure_date, failure_reason) = 0
            WHEN 'ACKNOWLEDGED' THEN
                num_nulls(transmission_date, acknowledgement_date, acknowledgement_reference) = 0
                AND num_nonnulls(failure_date, failure_reason) = 0
            WHEN 'REFUSED' THEN
                num_nulls(failure_date, failure_reason) = 0
                AND num_nonnulls(posting_date, transmission_date) > 0
                AND num_nonnulls(acknowledgement_date, acknowledgement_reference) = 0
            WHEN 'ERROR' THEN
                num_nulls(failure_date, failure_reason) = 0
                AND num_nonnulls(posting_date, transmission_date) > 0
                AND num_nonnulls(acknowledgement_date, acknowledgement_reference) = 0
            ELSE false
        END);

-- Of instalments one entry each, same places; a condition stands with INTERIM alone.
ALTER TABLE convention
    ADD COLUMN originals            smallint CHECK (originals BETWEEN 2 AND 20),
    ADD COLUMN instalment_conditions text[],
    ADD COLUMN instalment_due_dates  date[],
    ADD COLUMN renewed_from_id      uuid,
    DROP CONSTRAINT convention_instalment_kinds_check;
-- An advance after the first is what is called an interim from now on: nobody's sum or turn changes.
UPDATE convention
SET originals = 3,
    instalment_kinds = ARRAY(
        SELECT CASE WHEN kind = 'ADVANCE' AND place > 1 THEN 'INTERIM' ELSE kind END
        FROM UNNEST(instalment_kinds) WITH ORDINALITY AS term (kind, place) ORDER BY place),
    instalment_conditions = ARRAY(
        SELECT CASE WHEN kind = 'ADVANCE' AND place > 1 THEN 'Après paiement des échéances précédentes.' END
        FROM UNNEST(instalment_kinds) WITH ORDINALITY AS term (kind, place) ORDER BY place),
    instalment_due_dates = array_fill(NULL::date, ARRAY[cardinality(instalment_kinds)]);
ALTER TABLE convention
    ALTER COLUMN originals SET NOT NULL,
    ALTER COLUMN instalment_conditions SET NOT NULL,
    ALTER COLUMN instalment_due_dates SET NOT NULL,
    ADD CONSTRAINT convention_split CHECK (
        instalment_kinds <@ ARRAY['ADVANCE', 'INTERIM', 'BALANCE']
        AND NOT 'ADVANCE' = ANY (instalment_kinds[2:])
        AND cardinality(array_positions(instalment_kinds, 'BALANCE')) = 1),
    ADD CONSTRAINT convention_split_conditions CHECK (
        cardinality(instalment_conditions) = cardinality(instalment_kinds)
        AND cardinality(instalment_due_dates) = cardinality(instalment_kinds)
        AND cardinality(array_positions(instalment_conditions, NULL))
            = cardinality(instalment_kinds) - cardinality(array_positions(instalment_kinds, 'INTERIM'))),
    -- One renewal a convention.
    ADD CONSTRAINT convention_renewal_key UNIQUE (operator_id, renewed_from_id),
    ADD FOREIGN KEY (operator_id, renewed_from_id) REFERENCES convention;
