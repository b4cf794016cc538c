-- Referrals: one row, seen by two operators. A recipient reads it while the person's consent stands.

CREATE TABLE referral (
    operator_id    uuid        NOT NULL,
    referral_id    uuid        NOT NULL,
    beneficiary_id uuid        NOT NULL,
    recipient_id   uuid        CHECK (recipient_id <> operator_id),
    partner        text        CHECK (partner <> ''),
    right_code     text        CHECK (right_code <> ''),
    consent_date   date        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('PROPOSED', 'ACCEPTED', 'REFUSED', 'REVOKED')),
    revision       bigint      NOT NULL CHECK (revision > 0),
    create_time    timestamptz NOT NULL,
    update_time    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, referral_id),
    CONSTRAINT referral_beneficiary FOREIGN KEY (operator_id, beneficiary_id)
        REFERENCES beneficiary (operator_id, beneficiary_id),
    CONSTRAINT referral_target CHECK (num_nonnulls(recipient_id, partner) = 1)
);
CREATE INDEX referral_of ON referral (operator_id, beneficiary_id);
-- The recipient is an operator too: its own id first.
CREATE INDEX referral_received ON referral (recipient_id, referral_id) WHERE recipient_id IS NOT NULL;

ALTER TABLE referral ENABLE ROW LEVEL SECURITY;
CREATE POLICY referral_operator ON referral
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY referral_recipient ON referral FOR SELECT
    USING (current_setting('nonrecours.operator', true) = recipient_id::text AND state <> 'REVOKED');

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    -- Only how far it has come changes.
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (state, revision, update_time) ON referral TO %I', app);
END
$$;
