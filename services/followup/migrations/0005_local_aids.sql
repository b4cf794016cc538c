-- Local extra-legal aids: rights beside the catalogue, each operator's own. Never removed, only given an end.

CREATE TABLE local_aid (
    operator_id  uuid        NOT NULL,
    local_aid_id uuid        NOT NULL,
    code         text        NOT NULL CHECK (code ~ '^local:\d{9}:[a-z0-9-]{1,40}$'),
    label        text        NOT NULL CHECK (char_length(label) BETWEEN 1 AND 200),
    unit         text        CHECK (unit IN ('MONTHLY', 'ANNUAL', 'ONE_OFF')),
    valid_from   date        NOT NULL,
    valid_to     date        CHECK (valid_to >= valid_from),
    revision     bigint      NOT NULL CHECK (revision > 0),
    create_time  timestamptz NOT NULL,
    update_time  timestamptz NOT NULL,
    PRIMARY KEY (operator_id, local_aid_id),
    CONSTRAINT local_aid_code UNIQUE (operator_id, code)
);

ALTER TABLE local_aid ENABLE ROW LEVEL SECURITY;
CREATE POLICY local_aid_operator ON local_aid
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (valid_to, revision, update_time) ON local_aid TO %I', app);
END
$$;
