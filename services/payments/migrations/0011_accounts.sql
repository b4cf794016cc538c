-- Bank accounts that one person enters and another approves, the supporting documents of a payment, and where a payee is.

-- As `conventions` tells it.
ALTER TABLE operator ADD COLUMN address text CHECK (address <> '');

-- The accounts that operators are paid on. Nothing is deleted; IBAN, BIC and holder never change.
CREATE TABLE bank_account (
    operator_id         uuid        NOT NULL REFERENCES operator,
    bank_account_id     uuid        NOT NULL,
    iban                text        NOT NULL,
    bic                 text        NOT NULL,
    holder              text        NOT NULL CHECK (holder <> ''),
    rib_convention_id   uuid,
    rib_attachment_id   uuid,
    state               text        NOT NULL CHECK (state IN ('ENTERED', 'APPROVED', 'SUPERSEDED', 'REVOKED')),
    entry_actor         text        NOT NULL CHECK (entry_actor <> ''),
    entry_actor_name    text        NOT NULL,
    approval_actor      text,
    approval_actor_name text,
    approval_time       timestamptz,
    ending_actor        text,
    ending_actor_name   text,
    ending_time         timestamptz,
    revoke_reason       text        CHECK (revoke_reason <> ''),
    revision            bigint      NOT NULL CHECK (revision > 0),
    create_time         timestamptz NOT NULL,
    update_time         timestamptz NOT NULL,
    PRIMARY KEY (operator_id, bank_account_id),
    CONSTRAINT bank_account_rib CHECK (num_nonnulls(rib_convention_id, rib_attachment_id) IN (0, 2)),
    CONSTRAINT bank_account_approval CHECK
        (CASE num_nonnulls(approval_actor, approval_actor_name, approval_time)
             WHEN 3 THEN state <> 'ENTERED'
             WHEN 0 THEN state IN ('ENTERED', 'REVOKED')
             ELSE false
         END),
    CONSTRAINT bank_account_ending CHECK
        (num_nonnulls(ending_actor, ending_actor_name, ending_time)
         = CASE WHEN state IN ('SUPERSEDED', 'REVOKED') THEN 3 ELSE 0 END),
    CONSTRAINT bank_account_revocation CHECK ((revoke_reason IS NOT NULL) = (state = 'REVOKED')),
    -- Who enters an account never approves it; one not approved compares as unknown and passes.
    CONSTRAINT bank_account_separation_of_duties CHECK (entry_actor <> approval_actor)
);
-- One account of an operator is paid on at a time; the same account does not wait or stand twice.
CREATE UNIQUE INDEX bank_account_approved_key ON bank_account (operator_id) WHERE state = 'APPROVED';
CREATE UNIQUE INDEX bank_account_live_key ON bank_account (operator_id, iban, bic, holder)
    WHERE state IN ('ENTERED', 'APPROVED');

-- Which account an instalment is paid on; none for those called before accounts were kept.
ALTER TABLE instalment
    ADD COLUMN bank_account_id uuid,
    ADD CONSTRAINT instalment_bank_account FOREIGN KEY (operator_id, bank_account_id) REFERENCES bank_account,
    ADD CONSTRAINT instalment_bank_account_known CHECK (bank_account_id IS NULL OR iban IS NOT NULL);

-- The files of `conventions` that may justify a payment, by their digests.
CREATE TABLE known_file (
    operator_id   uuid    NOT NULL,
    convention_id uuid    NOT NULL,
    file_id       uuid    NOT NULL,
    collection    text    NOT NULL CHECK (collection IN ('attachments', 'documents')),
    file_name     text    NOT NULL CHECK (file_name <> ''),
    sha256        bytea   NOT NULL CHECK (length(sha256) = 32),
    withdrawn     boolean NOT NULL,
    PRIMARY KEY (operator_id, convention_id, file_id)
);

-- The documents that justify a payment. One that stands no more (the call it came with was for another sum, the account has
-- another RIB) is dropped, not deleted.
CREATE TABLE supporting_document (
    operator_id        uuid        NOT NULL,
    convention_id      uuid        NOT NULL,
    instalment_id      uuid        NOT NULL,
    kind               text        NOT NULL CHECK (kind IN
                       ('ACT', 'CONVENTION', 'CALL', 'RIB', 'REPORT', 'STATEMENT', 'OTHER')),
    document_id        uuid        NOT NULL,
    -- The convention its file is under; none for a statement drawn from the books.
    file_convention_id uuid,
    file_name          text        NOT NULL CHECK (file_name <> ''),
    sha256             bytea       NOT NULL CHECK (length(sha256) = 32),
    dropped            boolean     NOT NULL,
    actor              text        NOT NULL CHECK (actor <> ''),
    attach_time        timestamptz NOT NULL,
    PRIMARY KEY (operator_id, convention_id, instalment_id, kind, document_id),
    FOREIGN KEY (operator_id, convention_id, instalment_id) REFERENCES instalment,
    FOREIGN KEY (operator_id, file_convention_id, document_id) REFERENCES known_file,
    CONSTRAINT supporting_document_file CHECK (file_convention_id IS NOT NULL OR kind = 'STATEMENT')
);

-- What the accountant of a programme wants to see, with each version of its codes. Operators read it too: it says what their
-- calls wait for.
CREATE TABLE document_rules (
    programme_id uuid    NOT NULL,
    version      integer NOT NULL,
    first_kinds  text[]  NOT NULL,
    later_kinds  text[]  NOT NULL,
    PRIMARY KEY (programme_id, version),
    FOREIGN KEY (programme_id, version) REFERENCES posting_codes
);

-- Addresses and files were passed over until now: the feed is read once more from its beginning. What is known already is
-- not newer, and does nothing.
DELETE FROM feed_cursor WHERE source = 'conventions';

ALTER TABLE bank_account        ENABLE ROW LEVEL SECURITY;
ALTER TABLE known_file          ENABLE ROW LEVEL SECURITY;
ALTER TABLE supporting_document ENABLE ROW LEVEL SECURITY;
ALTER TABLE document_rules      ENABLE ROW LEVEL SECURITY;
CREATE POLICY bank_account_operator ON bank_account
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY known_file_operator ON known_file
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY supporting_document_operator ON supporting_document
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY document_rules_read ON document_rules FOR SELECT USING (true);
CREATE POLICY document_rules_programme ON document_rules FOR INSERT
    WITH CHECK (current_setting('nonrecours.operator', true) = '*');

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT UPDATE (address) ON operator TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (state, approval_actor, approval_actor_name, approval_time,
                                                  ending_actor, ending_actor_name, ending_time, revoke_reason,
                                                  revision, update_time)
                    ON bank_account TO %I', app);
    EXECUTE format('GRANT UPDATE (bank_account_id) ON instalment TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (withdrawn) ON known_file TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE (dropped) ON supporting_document TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON document_rules TO %I', app);
END
$$;
