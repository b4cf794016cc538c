-- Limits of processing reach further: a restriction keeps from erasure by retention too, since who asks for it may need the
-- data (RGPD art. 18.1 b and c); and who receives a referral knows that the person's records are stored only.

CREATE POLICY processing_limit_recipient ON processing_limit FOR SELECT
    USING (EXISTS (SELECT FROM referral
                   WHERE referral.operator_id = processing_limit.operator_id
                     AND referral.beneficiary_id = processing_limit.beneficiary_id
                     AND referral.recipient_id::text = current_setting('nonrecours.operator', true)));

CREATE OR REPLACE VIEW retention WITH (security_invoker = true) AS
SELECT person.operator_id, person.beneficiary_id, person.external_reference, last.contact AS last_contact_date,
       (last.contact + make_interval(months => policy.months))::date AS due_date,
       -- Not after the due date: found without looking at the rest.
       (person.spotted_date + make_interval(months => policy.months))::date AS due_at_the_earliest,
       EXISTS (SELECT FROM legal_hold AS hold
               WHERE hold.operator_id = person.operator_id AND hold.beneficiary_id = person.beneficiary_id
                 AND hold.lift_time IS NULL)
       OR EXISTS (SELECT FROM processing_limit AS held
                  JOIN subject_request AS request USING (operator_id, subject_request_id)
                  WHERE held.operator_id = person.operator_id AND held.beneficiary_id = person.beneficiary_id
                    AND request.subject_right = 'RESTRICTION') AS is_held,
       notice.notice_id, notice.due_date AS notice_due_date, notice.create_time AS notice_time
FROM beneficiary AS person
CROSS JOIN LATERAL (
    SELECT coalesce(max(own.months), 24) AS months FROM retention_policy AS own
    WHERE own.operator_id = person.operator_id
) AS policy
CROSS JOIN LATERAL (
    SELECT greatest(
        person.spotted_date,
        CASE WHEN person.update_time > person.create_time
             THEN (person.update_time AT TIME ZONE 'Europe/Paris')::date END,
        (SELECT max(greatest(claim.filed_date, claim.decided_date,
                             CASE WHEN claim.update_time > claim.create_time
                                  THEN (claim.update_time AT TIME ZONE 'Europe/Paris')::date END))
         FROM entitlement AS claim
         WHERE claim.operator_id = person.operator_id AND claim.convention_id = person.convention_id
           AND claim.beneficiary_id = person.beneficiary_id),
        (SELECT max(step_date) FROM step
         WHERE step.operator_id = person.operator_id AND step.convention_id = person.convention_id
           AND step.beneficiary_id = person.beneficiary_id),
        (SELECT max(written_date) FROM note
         WHERE note.operator_id = person.operator_id AND note.convention_id = person.convention_id
           AND note.beneficiary_id = person.beneficiary_id),
        (SELECT max(consent_date) FROM referral
         WHERE referral.operator_id = person.operator_id AND referral.beneficiary_id = person.beneficiary_id)
    ) AS contact
) AS last
LEFT JOIN retention_notice AS notice
       ON notice.operator_id = person.operator_id AND notice.beneficiary_id = person.beneficiary_id
      AND notice.state = 'OPEN';
