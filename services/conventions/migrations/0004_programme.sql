-- The programme widened: votes on its envelopes, its territory with days, thresholds and calendar, what the State
-- funds, and the publications of its grants. None of it belongs to an operator; nothing is ever deleted.

ALTER TABLE programme
    -- What the programmes opened before went by.
    ADD COLUMN deviation_rate numeric(7,6) NOT NULL DEFAULT 0.1 CHECK (deviation_rate BETWEEN 0 AND 1),
    ADD COLUMN notice_days    smallint     NOT NULL DEFAULT 15 CHECK (notice_days BETWEEN 1 AND 365),
    -- When reports are due: one entry a budget year, same places.
    ADD COLUMN report_years   smallint[]   NOT NULL DEFAULT '{}',
    ADD COLUMN report_dates   date[]       NOT NULL DEFAULT '{}',
    ADD CONSTRAINT programme_calendar CHECK (cardinality(report_dates) = cardinality(report_years));
ALTER TABLE programme
    ALTER COLUMN deviation_rate DROP DEFAULT,
    ALTER COLUMN notice_days DROP DEFAULT,
    ALTER COLUMN report_years DROP DEFAULT,
    ALTER COLUMN report_dates DROP DEFAULT;

-- A commune of the territory from valid_from (none: since before the programme) until before valid_to.
CREATE TABLE territory_commune (
    programme_id uuid NOT NULL REFERENCES programme,
    insee_code   text NOT NULL CHECK (insee_code ~ '^(\d{5}|2[AB]\d{3})$'),
    valid_from   date,
    valid_to     date CHECK (valid_to >= valid_from),
    CONSTRAINT territory_commune_key UNIQUE NULLS NOT DISTINCT (programme_id, insee_code, valid_from)
);
INSERT INTO territory_commune (programme_id, insee_code)
    SELECT programme_id, unnest(commune_codes) FROM programme;
ALTER TABLE programme DROP COLUMN commune_codes;

-- Votes are added, never changed: envelope.voted_amount is their sum, written in the same transaction.
CREATE TABLE envelope_vote (
    programme_id  uuid          NOT NULL,
    budget_year   smallint      NOT NULL,
    vote_number   integer       NOT NULL CHECK (vote_number > 0),
    amount        numeric(14,2) NOT NULL CHECK (amount <> 0),
    vote_date     date,
    act_reference text          NOT NULL,
    recorded_by   text          NOT NULL CHECK (recorded_by <> ''),
    record_time   timestamptz   NOT NULL,
    PRIMARY KEY (programme_id, budget_year, vote_number),
    FOREIGN KEY (programme_id, budget_year) REFERENCES envelope,
    -- The first opens the envelope, and may be known by its amount alone.
    CONSTRAINT envelope_vote_first CHECK (
        CASE vote_number WHEN 1 THEN amount > 0 ELSE vote_date IS NOT NULL AND act_reference <> '' END)
);
INSERT INTO envelope_vote (programme_id, budget_year, vote_number, amount, act_reference, recorded_by, record_time)
    SELECT programme_id, budget_year, 1, voted_amount, '', 'service:conventions', create_time
    FROM envelope JOIN programme USING (programme_id);

CREATE TABLE state_funding (
    programme_id             uuid          NOT NULL REFERENCES programme,
    state_funding_id         uuid          NOT NULL,
    budget_year              smallint      NOT NULL CHECK (budget_year BETWEEN 2000 AND 2100),
    grant_amount             numeric(14,2) NOT NULL CHECK (grant_amount > 0),
    agreement_reference      text          NOT NULL CHECK (agreement_reference <> ''),
    advance_share            numeric(7,6)  NOT NULL CHECK (advance_share > 0 AND advance_share < 1),
    advance_expected_date    date          NOT NULL,
    balance_expected_date    date          NOT NULL,
    report_due_date          date          NOT NULL,
    advance_received_amount  numeric(14,2) CHECK (advance_received_amount > 0),
    advance_received_date    date,
    balance_received_amount  numeric(14,2) CHECK (balance_received_amount > 0),
    balance_received_date    date,
    report_sent_date         date,
    revision                 bigint        NOT NULL CHECK (revision > 0),
    create_time              timestamptz   NOT NULL,
    update_time              timestamptz   NOT NULL,
    PRIMARY KEY (programme_id, state_funding_id),
    CONSTRAINT state_funding_year_key UNIQUE (programme_id, budget_year),
    CONSTRAINT state_funding_dates CHECK (
        LEAST(advance_expected_date, balance_expected_date, report_due_date, report_sent_date)
            >= make_date(budget_year, 1, 1)),
    CONSTRAINT state_funding_receipts CHECK (
        (advance_received_amount IS NULL) = (advance_received_date IS NULL)
        AND (balance_received_amount IS NULL) = (balance_received_date IS NULL)
        AND (balance_received_date IS NULL OR report_sent_date IS NOT NULL)
        AND COALESCE(advance_received_amount, 0) + COALESCE(balance_received_amount, 0) <= grant_amount)
);

-- The file of a budget year was published: every convention signed by that day is.
CREATE TABLE grant_publication (
    programme_id         uuid        NOT NULL REFERENCES programme,
    grant_publication_id uuid        NOT NULL,
    budget_year          smallint    NOT NULL CHECK (budget_year BETWEEN 2000 AND 2100),
    publication_date     date        NOT NULL,
    location             text        NOT NULL CHECK (location <> ''),
    row_count            integer     NOT NULL CHECK (row_count > 0),
    revision             bigint      NOT NULL CHECK (revision > 0),
    create_time          timestamptz NOT NULL,
    update_time          timestamptz NOT NULL,
    PRIMARY KEY (programme_id, grant_publication_id)
);

-- Roll-up, export and agenda of a programme read its conventions of a budget year.
CREATE INDEX convention_programme ON convention (programme_id, budget_year);

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (display_name, authority_name, deviation_rate, notice_days, report_years, report_dates,
                                  revision, update_time) ON programme TO %I', app);
    EXECUTE format('GRANT UPDATE (voted_amount) ON envelope TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON envelope_vote, grant_publication, territory_commune TO %I', app);
    EXECUTE format('GRANT UPDATE (valid_to) ON territory_commune TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON state_funding TO %I', app);
    EXECUTE format('GRANT UPDATE (advance_received_amount, advance_received_date, balance_received_amount,
                                  balance_received_date, report_sent_date, revision, update_time)
                    ON state_funding TO %I', app);
END
$$;
