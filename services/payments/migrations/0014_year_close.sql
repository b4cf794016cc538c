-- Budget years closed: what was not ordered by 31 January is carried over to the year after.

-- The later year that a plan is carried over to; none: its own.
ALTER TABLE payment_plan
    ADD COLUMN carried_to smallint,
    ADD CONSTRAINT payment_plan_carried_to CHECK (carried_to > budget_year AND carried_to <= 2100);
CREATE INDEX payment_plan_programme ON payment_plan (programme_id, budget_year);

CREATE TABLE budget_year (
    programme_id  uuid          NOT NULL,
    budget_year   smallint      NOT NULL CHECK (budget_year BETWEEN 2000 AND 2099),
    carried_count integer       NOT NULL CHECK (carried_count >= 0),
    carried_amount numeric(14,2) NOT NULL CHECK (carried_amount >= 0),
    closer        text          NOT NULL CHECK (closer <> ''),
    revision      bigint        NOT NULL CHECK (revision > 0),
    create_time   timestamptz   NOT NULL,
    update_time   timestamptz   NOT NULL,
    PRIMARY KEY (programme_id, budget_year),
    FOREIGN KEY (programme_id, budget_year) REFERENCES slip_register
);
ALTER TABLE budget_year ENABLE ROW LEVEL SECURITY;
CREATE POLICY budget_year_programme ON budget_year
    USING (current_setting('nonrecours.operator', true) = '*');

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (carried_to) ON payment_plan TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (carried_count, carried_amount, closer, revision, update_time)
                    ON budget_year TO %I', app);
END
$$;
