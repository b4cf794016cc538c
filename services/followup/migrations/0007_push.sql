-- Streams that can be resumed, and room in the roll-ups, whose rows change with every batch.

-- One row a batch that is done, of a stream to which the client gave an id: written with the batch, so that it is there
-- exactly when the batch is. Forgotten after a month.
CREATE TABLE push_batch (
    operator_id   uuid        NOT NULL,
    convention_id uuid        NOT NULL,
    stream_id     uuid        NOT NULL,
    sequence      bigint      NOT NULL CHECK (sequence > 0),
    -- SHA-256 of what was sent.
    digest        bytea       NOT NULL CHECK (octet_length(digest) = 32),
    -- What is answered when it comes again.
    answer        bytea       NOT NULL,
    create_time   timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, stream_id, sequence)
);
CREATE INDEX push_batch_age ON push_batch (create_time);

ALTER TABLE push_batch ENABLE ROW LEVEL SECURITY;
CREATE POLICY push_batch_operator ON push_batch
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

-- A changed row stays on its page, and its index is left alone.
ALTER TABLE indicator_rollup SET (fillfactor = 50);

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON push_batch TO %I', app);
END
$$;
