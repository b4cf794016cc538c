-- What every service of the suite needs beside its own tables: the outbox that its change feed is served from, the
-- answers already given, and the places reached in the feeds of others.
-- Run by the owner role; the application role's name is that of the database's owner with `_app` for `_owner`.

-- One row an era of this database. Transaction ids order the outbox only within one cluster: a logical dump restored
-- into another cluster starts a new era, so that the rows before it keep their order and those after it follow.
CREATE TABLE feed_era (
    era               integer     PRIMARY KEY,
    system_identifier bigint      NOT NULL,
    start_time        timestamptz NOT NULL
);

CREATE TABLE outbox (
    operator_id  uuid        NOT NULL,  -- the nil UUID for what belongs to no operator
    position     bigint      GENERATED ALWAYS AS IDENTITY,
    era          integer     NOT NULL,
    xid          xid8        NOT NULL DEFAULT pg_current_xact_id(),
    resource     text        NOT NULL CHECK (resource <> ''),
    revision     bigint      NOT NULL CHECK (revision > 0),
    kind         text        NOT NULL CHECK (kind <> ''),
    actor        text        NOT NULL CHECK (actor <> ''),
    occur_time   timestamptz NOT NULL,
    traceparent  text        NOT NULL,
    type_url     text        NOT NULL,
    snapshot     bytea       NOT NULL,
    PRIMARY KEY (operator_id, position)
);
-- Readers page by (era, xid, position), behind the horizon of running transactions.
CREATE INDEX outbox_feed ON outbox (era, xid, position);
CREATE INDEX outbox_history ON outbox (operator_id, resource text_pattern_ops, position);

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY outbox_operator ON outbox
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

-- Answers already given: the same request of the same caller gets the same answer.
CREATE TABLE request_replay (
    actor        text        NOT NULL,
    request_id   uuid        NOT NULL,
    request_hash bytea       NOT NULL,
    response     bytea       NOT NULL,
    create_time  timestamptz NOT NULL,
    PRIMARY KEY (actor, request_id)
);
CREATE INDEX request_replay_age ON request_replay (create_time);

-- Where this service stands in the feeds it follows.
CREATE TABLE feed_cursor (
    source      text        PRIMARY KEY,
    cursor      text        NOT NULL,
    update_time timestamptz NOT NULL
);

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', app);
    EXECUTE format('GRANT SELECT ON feed_era TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON outbox TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON request_replay TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON feed_cursor TO %I', app);
END
$$;
