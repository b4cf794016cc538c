-- Files brought under a convention: what is known of them. Their bytes are kept apart, under their digest.

CREATE TABLE attachment (
    operator_id     uuid        NOT NULL,
    convention_id   uuid        NOT NULL,
    attachment_id   uuid        NOT NULL,
    -- Resource name of what it is about: the convention's own, or one under it.
    subject         text        NOT NULL,
    kind            text        NOT NULL
                                CHECK (kind IN ('EVIDENCE', 'SCAN_OF_ORIGINAL', 'ACT', 'LETTER_RECEIPT', 'OTHER')),
    file_name       text        NOT NULL CHECK (file_name <> ''),
    media_type      text        NOT NULL CHECK (media_type <> ''),
    size_bytes      bigint      NOT NULL CHECK (size_bytes BETWEEN 1 AND 20971520),
    sha256          bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    party           text        NOT NULL CHECK (party IN ('AUTHORITY', 'OPERATOR')),
    uploaded_by     text        NOT NULL,
    state           text        NOT NULL,
    withdraw_time   timestamptz,
    withdrawn_by    text,
    withdraw_reason text        CHECK (withdraw_reason <> ''),
    revision        bigint      NOT NULL CHECK (revision > 0),
    create_time     timestamptz NOT NULL,
    update_time     timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, attachment_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT attachment_subject CHECK (
        starts_with(subject || '/', 'operators/' || operator_id || '/conventions/' || convention_id || '/')),
    CONSTRAINT attachment_state CHECK (
        CASE state
            WHEN 'ACTIVE' THEN num_nonnulls(withdraw_time, withdrawn_by, withdraw_reason) = 0
            WHEN 'WITHDRAWN' THEN num_nulls(withdraw_time, withdrawn_by, withdraw_reason) = 0
            ELSE false
        END)
);
-- The same bytes stand once under a subject.
CREATE UNIQUE INDEX attachment_content_key ON attachment (operator_id, convention_id, subject, sha256)
    WHERE state = 'ACTIVE';

-- Whether the evidence of a commitment rests on an attachment.
CREATE INDEX commitment_evidence ON commitment (operator_id, convention_id, evidence_ref) WHERE evidence_ref <> '';

ALTER TABLE attachment ENABLE ROW LEVEL SECURITY;
CREATE POLICY attachment_operator ON attachment
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (state, withdraw_time, withdrawn_by, withdraw_reason, revision,
                                  update_time) ON attachment TO %I', app);
END
$$;
