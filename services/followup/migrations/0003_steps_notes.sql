-- Acts of support, notes, and the day from which a right is open.

ALTER TABLE entitlement ADD COLUMN start_date date;
ALTER TABLE entitlement ADD CONSTRAINT entitlement_start
    CHECK (start_date IS NULL OR (state = 'OPENED' AND (renewal_date IS NULL OR renewal_date >= start_date)));

CREATE TABLE step (
    operator_id        uuid        NOT NULL,
    step_id            uuid        NOT NULL,
    convention_id      uuid        NOT NULL,
    beneficiary_id     uuid        NOT NULL,
    entitlement_id     uuid,
    external_reference text        NOT NULL CHECK (char_length(external_reference) BETWEEN 1 AND 100),
    step_date          date        NOT NULL,
    mode               text        NOT NULL CHECK (mode IN ('AUTONOMY', 'ON_BEHALF')),
    channel            text        NOT NULL CHECK (channel IN ('PARTNER_SESSION', 'HOME_VISIT', 'PHONE', 'DESK', 'OTHER')),
    partner            text        CHECK (partner <> ''),
    renewal            boolean     NOT NULL,
    minutes            integer     NOT NULL CHECK (minutes BETWEEN 0 AND 1440),
    version            bigint      NOT NULL CHECK (version >= 0),
    revision           bigint      NOT NULL CHECK (revision > 0),
    create_time        timestamptz NOT NULL,
    update_time        timestamptz NOT NULL,
    PRIMARY KEY (operator_id, step_id),
    CONSTRAINT step_reference UNIQUE (operator_id, external_reference),
    CONSTRAINT step_beneficiary FOREIGN KEY (operator_id, convention_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, convention_id, beneficiary_id),
    CONSTRAINT step_entitlement FOREIGN KEY (operator_id, entitlement_id)
        REFERENCES entitlement (operator_id, entitlement_id),
    CONSTRAINT step_renewal CHECK (NOT renewal OR entitlement_id IS NOT NULL)
);
CREATE INDEX step_of ON step (operator_id, convention_id, beneficiary_id);
CREATE INDEX step_for ON step (operator_id, entitlement_id) WHERE entitlement_id IS NOT NULL;

CREATE TABLE note (
    operator_id        uuid        NOT NULL,
    note_id            uuid        NOT NULL,
    convention_id      uuid        NOT NULL,
    beneficiary_id     uuid        NOT NULL,
    external_reference text        NOT NULL CHECK (char_length(external_reference) BETWEEN 1 AND 100),
    written_date       date        NOT NULL,
    version            bigint      NOT NULL CHECK (version >= 0),
    revision           bigint      NOT NULL CHECK (revision > 0),
    create_time        timestamptz NOT NULL,
    update_time        timestamptz NOT NULL,
    PRIMARY KEY (operator_id, note_id),
    CONSTRAINT note_reference UNIQUE (operator_id, external_reference),
    CONSTRAINT note_beneficiary FOREIGN KEY (operator_id, convention_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, convention_id, beneficiary_id)
);
CREATE INDEX note_of ON note (operator_id, convention_id, beneficiary_id);

-- What a note says, sealed under the key of its person.
CREATE TABLE note_text (
    operator_id    uuid  NOT NULL,
    note_id        uuid  NOT NULL,
    beneficiary_id uuid  NOT NULL,
    sealed         bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 30 AND 16384),
    PRIMARY KEY (operator_id, note_id),
    CONSTRAINT note_text_note FOREIGN KEY (operator_id, note_id) REFERENCES note (operator_id, note_id)
);
CREATE INDEX note_text_of ON note_text (operator_id, beneficiary_id);

ALTER TABLE step ENABLE ROW LEVEL SECURITY;
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
ALTER TABLE note_text ENABLE ROW LEVEL SECURITY;
CREATE POLICY step_operator ON step
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY note_operator ON note
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY note_text_operator ON note_text
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON step, note, note_text TO %I', app);
END
$$;
