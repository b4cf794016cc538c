-- What persons ask of their own data, and whose records are only stored since. The register refers to persons by their
-- id, without a foreign key: it outlives their records (RGPD art. 5.2).

CREATE TABLE subject_request (
    operator_id        uuid        NOT NULL,
    subject_request_id uuid        NOT NULL,
    beneficiary_id     uuid        NOT NULL,
    subject_right      text        NOT NULL CHECK (subject_right IN ('ACCESS', 'RECTIFICATION', 'ERASURE', 'RESTRICTION',
                                                                     'OBJECTION')),
    identity_check     text        NOT NULL CHECK (identity_check IN ('IN_PERSON', 'DOCUMENT_SHOWN',
                                                                      'CONTACT_CONFIRMED')),
    received_date      date        NOT NULL,
    due_date           date        NOT NULL CHECK (due_date > received_date),
    reminded           boolean     NOT NULL,
    state              text        NOT NULL CHECK (state IN ('OPEN', 'FULFILLED', 'REFUSED')),
    extension_reason   text        CHECK (extension_reason <> ''),
    decided_date       date,
    lifted_date        date,
    refusal_basis      text,
    refusal_reason     text        CHECK (refusal_reason <> ''),
    revision           bigint      NOT NULL CHECK (revision > 0),
    create_time        timestamptz NOT NULL,
    update_time        timestamptz NOT NULL,
    PRIMARY KEY (operator_id, subject_request_id),
    CONSTRAINT subject_request_state CHECK (
        (state = 'OPEN') = (decided_date IS NULL)
        AND (state = 'REFUSED') = (refusal_basis IS NOT NULL)
        AND (state = 'REFUSED') = (refusal_reason IS NOT NULL)
        AND (lifted_date IS NULL OR (state = 'FULFILLED' AND subject_right IN ('RESTRICTION', 'OBJECTION'))))
);
CREATE INDEX subject_request_open ON subject_request (operator_id, due_date) WHERE state = 'OPEN';
CREATE INDEX subject_request_of ON subject_request (operator_id, beneficiary_id);

-- Persons whose records are stored and nothing else, each by the request that asked for it.
CREATE TABLE processing_limit (
    operator_id        uuid NOT NULL,
    beneficiary_id     uuid NOT NULL,
    subject_request_id uuid NOT NULL,
    PRIMARY KEY (operator_id, beneficiary_id, subject_request_id),
    CONSTRAINT processing_limit_request FOREIGN KEY (operator_id, subject_request_id)
        REFERENCES subject_request (operator_id, subject_request_id)
);

ALTER TABLE subject_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE processing_limit ENABLE ROW LEVEL SECURITY;
CREATE POLICY subject_request_operator ON subject_request
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY processing_limit_operator ON processing_limit
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    -- What was asked, by whom and when never changes.
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (due_date, reminded, state, extension_reason, decided_date, lifted_date,
                                                  refusal_basis, refusal_reason, revision, update_time)
                    ON subject_request TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON processing_limit TO %I', app);
END
$$;
