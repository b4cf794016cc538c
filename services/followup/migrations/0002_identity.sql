-- Who the persons are, apart from what is followed of them. Each person has a key of their own, stored only as wrapped
-- by a key that the database never holds; without that row, whatever is sealed under it can never be read again.
-- No DELETE is granted on records; here it is: erasing is what the law asks for (RGPD art. 17).

-- Apart from what it opens, so that backups of it can be kept apart and shorter.
CREATE TABLE person_key (
    operator_id    uuid        NOT NULL,
    beneficiary_id uuid        NOT NULL,
    -- The key of the ring that wraps it.
    key_id         text        NOT NULL CHECK (key_id ~ '^[a-z0-9-]{1,32}$'),
    wrapped        bytea       NOT NULL CHECK (octet_length(wrapped) = 61),
    create_time    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, beneficiary_id),
    CONSTRAINT person_key_beneficiary FOREIGN KEY (operator_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, beneficiary_id)
);
-- For rotations, which go over all operators: what an older key wraps.
CREATE INDEX person_key_wrapping ON person_key (key_id, operator_id, beneficiary_id);

CREATE TABLE identity (
    operator_id    uuid        NOT NULL,
    beneficiary_id uuid        NOT NULL,
    sealed         bytea       NOT NULL CHECK (octet_length(sealed) BETWEEN 30 AND 8192),
    revision       bigint      NOT NULL CHECK (revision > 0),
    create_time    timestamptz NOT NULL,
    update_time    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, beneficiary_id),
    CONSTRAINT identity_beneficiary FOREIGN KEY (operator_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, beneficiary_id)
);

-- One row a live pseudonym key: two while that key is being changed, so that at every moment there is one key under
-- which all persons are counted. Whoever has
-- no such row counts as a person of their own.
CREATE TABLE pseudonym (
    operator_id    uuid  NOT NULL,
    beneficiary_id uuid  NOT NULL,
    key_id         text  NOT NULL CHECK (key_id ~ '^[a-z0-9-]{1,32}$'),
    pseudonym      bytea NOT NULL CHECK (octet_length(pseudonym) = 32),
    PRIMARY KEY (operator_id, beneficiary_id, key_id),
    CONSTRAINT pseudonym_beneficiary FOREIGN KEY (operator_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, beneficiary_id)
);
-- For the programme's count, which goes over all operators.
CREATE INDEX pseudonym_of ON pseudonym (key_id, pseudonym);

ALTER TABLE person_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE pseudonym ENABLE ROW LEVEL SECURITY;
CREATE POLICY person_key_operator ON person_key
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY identity_operator ON identity
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY pseudonym_operator ON pseudonym
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON person_key, identity, pseudonym TO %I', app);
END
$$;
