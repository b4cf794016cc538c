-- What the operator is to achieve under a convention, as agreed: persons to spot, of them persons to support, rights to
-- open; 0 where there is no target.

ALTER TABLE convention
    ADD COLUMN targets integer[] NOT NULL DEFAULT '{0,0,0}'
        CONSTRAINT convention_targets CHECK (
            cardinality(targets) = 3 AND array_position(targets, NULL) IS NULL AND 0 <= ALL (targets)
            AND (targets[1] = 0 OR targets[2] <= targets[1]));
ALTER TABLE convention
    ALTER COLUMN targets DROP DEFAULT;

-- New targets, all of them; none: they stay.
ALTER TABLE amendment
    ADD COLUMN targets integer[]
        CONSTRAINT amendment_targets CHECK (
            cardinality(targets) = 3 AND array_position(targets, NULL) IS NULL AND 0 <= ALL (targets)
            AND (targets[1] = 0 OR targets[2] <= targets[1]));

ALTER TABLE convention_version
    ADD COLUMN targets integer[] NOT NULL DEFAULT '{0,0,0}';
ALTER TABLE convention_version
    ALTER COLUMN targets DROP DEFAULT;

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (targets) ON amendment TO %I', app);
END
$$;
