-- Events that matter to security, counted by instance and window, in one chain: each link is made of the one before and of
-- every field. The application adds events, and deletes what a checkpoint stands for; it never changes one.

CREATE TABLE security_event (
    number      bigint      PRIMARY KEY CHECK (number > 0),
    kind        text        NOT NULL CHECK (kind ~ '^[A-Z_]{1,40}$'),
    cause       text        NOT NULL,
    subject     text        NOT NULL,
    rpc         text        NOT NULL,
    count       bigint      NOT NULL CHECK (count > 0),
    first_time  timestamptz NOT NULL,
    last_time   timestamptz NOT NULL CHECK (last_time >= first_time),
    record_time timestamptz NOT NULL,
    link        bytea       NOT NULL CHECK (octet_length(link) = 32)
);

-- The last event that each purge removed.
CREATE TABLE security_checkpoint (
    number     bigint      PRIMARY KEY CHECK (number > 0),
    link       bytea       NOT NULL CHECK (octet_length(link) = 32),
    purge_time timestamptz NOT NULL
);

ALTER TABLE security_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY security_event_read ON security_event FOR SELECT USING (true);
CREATE POLICY security_event_add ON security_event FOR INSERT WITH CHECK (true);
CREATE POLICY security_event_purge ON security_event FOR DELETE
    USING (number <= (SELECT max(number) FROM security_checkpoint));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON security_event TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON security_checkpoint TO %I', app);
END
$$;
