-- Two records of one person become one: what hung on the duplicate hangs on the survivor, and the duplicate's reference leads
-- there. Nothing is thrown away until the person is erased, so that it can be undone exactly.

CREATE TABLE beneficiary_merge (
    operator_id    uuid        NOT NULL,
    merge_id       uuid        NOT NULL,
    survivor_id    uuid        NOT NULL,
    duplicate_id   uuid        NOT NULL,
    reason         text        NOT NULL CHECK (reason IN ('SAME_PSEUDONYM', 'CONFIRMED_BY_PERSON', 'OTHER')),
    state          text        NOT NULL CHECK (state IN ('MERGED', 'UNDONE')),
    -- Something was stored under the duplicate's reference since: whose it would be is not known any more.
    is_used        boolean     NOT NULL,
    -- The survivor, of whom no identity was held, was given that of the duplicate.
    identity_given boolean     NOT NULL,
    entitlements   integer     NOT NULL CHECK (entitlements >= 0),
    steps          integer     NOT NULL CHECK (steps >= 0),
    notes          integer     NOT NULL CHECK (notes >= 0),
    referrals      integer     NOT NULL CHECK (referrals >= 0),
    revision       bigint      NOT NULL CHECK (revision > 0),
    create_time    timestamptz NOT NULL,
    update_time    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, merge_id),
    CONSTRAINT beneficiary_merge_apart CHECK (survivor_id <> duplicate_id)
);
CREATE INDEX beneficiary_merge_of ON beneficiary_merge (operator_id, survivor_id);

-- The duplicate's record as it stood; its identity and key stay where they are.
CREATE TABLE merged_beneficiary (
    LIKE beneficiary INCLUDING CONSTRAINTS,
    merge_id    uuid NOT NULL,
    survivor_id uuid NOT NULL,
    PRIMARY KEY (operator_id, beneficiary_id),
    CONSTRAINT merged_beneficiary_reference UNIQUE (operator_id, external_reference),
    CONSTRAINT merged_beneficiary_merge FOREIGN KEY (operator_id, merge_id)
        REFERENCES beneficiary_merge (operator_id, merge_id)
);
CREATE INDEX merged_beneficiary_into ON merged_beneficiary (operator_id, survivor_id);

-- What was the duplicate's.
CREATE TABLE merged_record (
    operator_id uuid NOT NULL,
    merge_id    uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('ENTITLEMENT', 'STEP', 'NOTE', 'REFERRAL', 'LEGAL_HOLD')),
    record_id   uuid NOT NULL,
    PRIMARY KEY (operator_id, merge_id, kind, record_id),
    CONSTRAINT merged_record_merge FOREIGN KEY (operator_id, merge_id)
        REFERENCES beneficiary_merge (operator_id, merge_id)
);

-- Who somebody was stays sealed under their own key while their record is apart.
ALTER TABLE person_key DROP CONSTRAINT person_key_beneficiary;
ALTER TABLE identity DROP CONSTRAINT identity_beneficiary;
ALTER TABLE pseudonym DROP CONSTRAINT pseudonym_beneficiary;

ALTER TABLE beneficiary_merge ENABLE ROW LEVEL SECURITY;
ALTER TABLE merged_beneficiary ENABLE ROW LEVEL SECURITY;
ALTER TABLE merged_record ENABLE ROW LEVEL SECURITY;
CREATE POLICY beneficiary_merge_operator ON beneficiary_merge
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY merged_beneficiary_operator ON merged_beneficiary
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY merged_record_operator ON merged_record
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, DELETE, UPDATE (state, is_used, revision, update_time) ON beneficiary_merge
                    TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON merged_beneficiary, merged_record TO %I', app);
    EXECUTE format('GRANT UPDATE (beneficiary_id) ON referral, legal_hold TO %I', app);
END
$$;
