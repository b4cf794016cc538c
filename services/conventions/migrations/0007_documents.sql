-- Documents written from what is recorded: what is known of them. Their bytes are kept apart, under their digest.

CREATE TABLE document (
    operator_id    uuid        NOT NULL,
    convention_id  uuid        NOT NULL,
    document_id    uuid        NOT NULL,
    kind           text        NOT NULL
                               CHECK (kind IN ('CONVENTION', 'STATEMENT_OF_PAYMENTS', 'FORMAL_NOTICE', 'DECISION',
                                               'ACTIVITY_REPORT', 'AMENDMENT')),
    -- Resource name of what it is about: the convention's own, or one under it.
    subject        text        NOT NULL,
    version        integer     NOT NULL CHECK (version > 0),
    data_sha256    bytea       NOT NULL CHECK (octet_length(data_sha256) = 32),
    content_sha256 bytea       NOT NULL CHECK (octet_length(content_sha256) = 32),
    size_bytes     bigint      NOT NULL CHECK (size_bytes > 0),
    created_by     text        NOT NULL,
    create_time    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, document_id),
    FOREIGN KEY (operator_id, convention_id) REFERENCES convention,
    CONSTRAINT document_version_key UNIQUE (operator_id, convention_id, subject, kind, version),
    -- The same data give the same document.
    CONSTRAINT document_data_key UNIQUE (operator_id, convention_id, subject, kind, data_sha256),
    CONSTRAINT document_subject CHECK (
        starts_with(subject || '/', 'operators/' || operator_id || '/conventions/' || convention_id || '/'))
);

ALTER TABLE document ENABLE ROW LEVEL SECURITY;
CREATE POLICY document_operator ON document
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    -- Written once: neither changed nor removed.
    EXECUTE format('GRANT SELECT, INSERT ON document TO %I', app);
END
$$;
