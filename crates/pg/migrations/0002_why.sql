-- The reason that a step carries, in the words of who took it; empty: it carries none.
ALTER TABLE outbox ADD COLUMN why text NOT NULL DEFAULT '';
ALTER TABLE outbox ALTER COLUMN why DROP DEFAULT;
