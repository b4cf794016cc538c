-- The journal of accesses: who has read or written which records of persons, when and why. Never who the persons are.
-- Entries are added by the transactions that read and write, without a common lock; a pass of the service links what is
-- behind the horizon of running transactions into one chain (ADR 0018).

CREATE TABLE access_entry (
    -- Whose records; the nil UUID when none was met.
    operator_id    uuid        NOT NULL,
    position       bigint      GENERATED ALWAYS AS IDENTITY,
    era            integer     NOT NULL,
    xid            xid8        NOT NULL DEFAULT pg_current_xact_id(),
    actor          text        NOT NULL CHECK (actor <> ''),
    actor_operator uuid,
    -- Joined by commas; empty: a service acting on its own.
    roles          text        NOT NULL,
    -- The rpc; empty: a service acting on its own.
    rpc            text        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('READ', 'WRITE')),
    occur_time     timestamptz NOT NULL,
    traceparent    text        NOT NULL,
    why            text        NOT NULL,
    -- How many records, and the digest of all their names; the ids of the first ones, so many of each collection.
    record_count   integer     NOT NULL CHECK (record_count >= 0),
    digest         bytea       NOT NULL CHECK (octet_length(digest) = 32),
    collections    text[]      NOT NULL,
    counts         integer[]   NOT NULL CHECK (cardinality(counts) = cardinality(collections)),
    records        uuid[]      NOT NULL CHECK (cardinality(records) <= 1000),
    PRIMARY KEY (operator_id, position)
);
-- Sealing and verifying go over all operators, in this order.
CREATE INDEX access_entry_order ON access_entry (era, xid, position);

-- The chain, over all operators: each link is a digest of the one before and of an entry.
CREATE TABLE access_link (
    number    bigint      PRIMARY KEY CHECK (number > 0),
    era       integer     NOT NULL,
    xid       xid8        NOT NULL,
    position  bigint      NOT NULL,
    link      bytea       NOT NULL CHECK (octet_length(link) = 32),
    seal_time timestamptz NOT NULL,
    CONSTRAINT access_link_entry UNIQUE (era, xid, position)
);

-- Where the chain begins once its first links are purged. Nothing is purged without such a row, which stays.
CREATE TABLE access_checkpoint (
    number     bigint      PRIMARY KEY CHECK (number > 0),
    link       bytea       NOT NULL CHECK (octet_length(link) = 32),
    kept_from  timestamptz NOT NULL,
    purge_time timestamptz NOT NULL,
    -- CNIL: six months at least.
    CONSTRAINT access_checkpoint_retention CHECK (kept_from <= purge_time - interval '6 months')
);

ALTER TABLE access_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_checkpoint ENABLE ROW LEVEL SECURITY;
CREATE POLICY access_entry_operator ON access_entry
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY access_link_service ON access_link USING (current_setting('nonrecours.operator', true) = '*');
CREATE POLICY access_checkpoint_service ON access_checkpoint
    USING (current_setting('nonrecours.operator', true) = '*');
-- Only what a checkpoint stands for may go.
CREATE POLICY access_entry_purge ON access_entry AS RESTRICTIVE FOR DELETE
    USING (EXISTS (SELECT FROM access_link AS sealed
                   WHERE sealed.era = access_entry.era AND sealed.xid = access_entry.xid
                     AND sealed.position = access_entry.position
                     AND sealed.number <= (SELECT max(number) FROM access_checkpoint)));
CREATE POLICY access_link_purge ON access_link AS RESTRICTIVE FOR DELETE
    USING (number <= (SELECT max(number) FROM access_checkpoint));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    -- Nothing of it is ever changed.
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON access_entry, access_link TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON access_checkpoint TO %I', app);
END
$$;
