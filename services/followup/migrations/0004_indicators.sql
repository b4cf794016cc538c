-- Roll-ups of the follow-up, kept in the transactions that change it, and the watch over renewals.

-- A right once opened has a day by which it must be renewed. An alert is about one such day; when the day moves, the next
-- one has an alert of its own.
CREATE TABLE renewal_alert (
    operator_id    uuid        NOT NULL,
    alert_id       uuid        NOT NULL,
    entitlement_id uuid        NOT NULL,
    renewal_date   date        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('DUE', 'INTERRUPTED', 'AVOIDED', 'RESUMED', 'CLEARED')),
    -- Day in Paris on which it was settled.
    settled_date   date,
    revision       bigint      NOT NULL CHECK (revision > 0),
    create_time    timestamptz NOT NULL,
    update_time    timestamptz NOT NULL,
    PRIMARY KEY (operator_id, alert_id),
    CONSTRAINT renewal_alert_once UNIQUE (operator_id, entitlement_id, renewal_date),
    CONSTRAINT renewal_alert_entitlement FOREIGN KEY (operator_id, entitlement_id)
        REFERENCES entitlement (operator_id, entitlement_id),
    CONSTRAINT renewal_alert_settled CHECK ((state IN ('AVOIDED', 'RESUMED', 'CLEARED')) = (settled_date IS NOT NULL)),
    CONSTRAINT renewal_alert_avoided CHECK (state <> 'AVOIDED' OR settled_date <= renewal_date)
);
CREATE INDEX renewal_alert_open ON renewal_alert (operator_id, renewal_date) WHERE state IN ('DUE', 'INTERRUPTED');
CREATE INDEX entitlement_renewal ON entitlement (operator_id, renewal_date, entitlement_id)
    WHERE state = 'OPENED' AND renewal_date IS NOT NULL;

-- Open rights that must be renewed by a day, of persons alive. One that the same person has been given again since is not
-- waiting for its renewal any more.
CREATE VIEW renewal WITH (security_invoker = true) AS
SELECT held.operator_id, held.convention_id, held.entitlement_id, held.beneficiary_id, held.external_reference,
       held.right_code, held.renewal_date,
       EXISTS (SELECT FROM entitlement AS again
               WHERE again.operator_id = held.operator_id AND again.convention_id = held.convention_id
                 AND again.beneficiary_id = held.beneficiary_id AND again.right_code = held.right_code
                 AND again.entitlement_id <> held.entitlement_id
                 AND again.state = 'OPENED' AND again.decided_date > held.decided_date) AS is_reopened,
       EXISTS (SELECT FROM entitlement AS again
               WHERE again.operator_id = held.operator_id AND again.convention_id = held.convention_id
                 AND again.beneficiary_id = held.beneficiary_id AND again.right_code = held.right_code
                 AND again.entitlement_id <> held.entitlement_id
                 AND again.state IN ('FILED', 'MORE_INFORMATION') AND again.filed_date > held.decided_date) AS is_filed
FROM entitlement AS held
JOIN beneficiary AS person USING (operator_id, beneficiary_id)
WHERE held.state = 'OPENED' AND held.renewal_date IS NOT NULL
  AND person.closing_reason IS DISTINCT FROM 'DECEASED';

-- Figures by month of one dimension and code under one convention: what the records there count for. No CHECK against
-- negative figures: ON CONFLICT would hold it against the difference that is added.
CREATE TABLE indicator_rollup (
    operator_id           uuid          NOT NULL,
    convention_id         uuid          NOT NULL,
    dimension             text          NOT NULL CHECK (dimension IN ('TOTAL', 'COMMUNE', 'PUBLIC', 'RIGHT', 'REASON',
                                                                      'CHANNEL')),
    -- Empty for TOTAL.
    code                  text          NOT NULL CHECK ((code = '') = (dimension = 'TOTAL')),
    month                 date          NOT NULL CHECK (extract(day FROM month) = 1),
    persons_spotted       bigint        NOT NULL,
    persons_informed      bigint        NOT NULL,
    persons_oriented      bigint        NOT NULL,
    persons_supported     bigint        NOT NULL,
    entitlements_followed bigint        NOT NULL,
    entitlements_opened   bigint        NOT NULL,
    entitlements_decided  bigint        NOT NULL,
    decision_days         bigint        NOT NULL,
    in_autonomy           bigint        NOT NULL,
    on_behalf             bigint        NOT NULL,
    reasons_known         bigint        NOT NULL,
    interruptions_avoided bigint        NOT NULL,
    sessions_held         bigint        NOT NULL,
    persons_met           bigint        NOT NULL,
    amount_notified       numeric(20,2) NOT NULL,
    amount_estimated      numeric(20,2) NOT NULL,
    PRIMARY KEY (operator_id, convention_id, dimension, code, month)
);

-- What each record counts for: one row a dimension and code. A person counts in the month they were spotted; a right in
-- that of its decision, before that of its filing, before that in which it was first told of; an interruption avoided in
-- that of the renewal; a session in its own. A right counts with the commune and publics of its person.
CREATE VIEW indicator_contribution WITH (security_invoker = true) AS
SELECT person.operator_id, person.convention_id, person.beneficiary_id AS subject_id, part.dimension, part.code,
       date_trunc('month', person.spotted_date::timestamp)::date AS month,
       1 AS persons_spotted,
       (person.state <> 'SPOTTED')::int AS persons_informed,
       (person.state = 'ORIENTED')::int AS persons_oriented,
       (person.state = 'IN_SUPPORT' OR person.closing_reason IS NOT DISTINCT FROM 'RIGHTS_OPENED'
        OR EXISTS (SELECT FROM entitlement AS claim
                   WHERE claim.operator_id = person.operator_id AND claim.convention_id = person.convention_id
                     AND claim.beneficiary_id = person.beneficiary_id))::int AS persons_supported,
       0 AS entitlements_followed, 0 AS entitlements_opened, 0 AS entitlements_decided, 0 AS decision_days,
       0 AS in_autonomy, 0 AS on_behalf, 0 AS reasons_known, 0 AS interruptions_avoided, 0 AS sessions_held,
       0 AS persons_met, 0::numeric AS amount_notified, 0::numeric AS amount_estimated
FROM beneficiary AS person
CROSS JOIN LATERAL (
    VALUES ('TOTAL', ''), ('COMMUNE', person.commune_code)
    UNION ALL SELECT 'PUBLIC', unnest(person.publics)
) AS part (dimension, code)
UNION ALL
SELECT claim.operator_id, claim.convention_id, claim.beneficiary_id, part.dimension, part.code,
       date_trunc('month', coalesce(claim.decided_date, claim.filed_date,
                                    (claim.create_time AT TIME ZONE 'Europe/Paris')::date)::timestamp)::date,
       0, 0, 0, 0,
       1,
       (claim.state = 'OPENED')::int,
       (claim.filed_date IS NOT NULL AND claim.decided_date IS NOT NULL)::int,
       coalesce(claim.decided_date - claim.filed_date, 0),
       (claim.support_mode IS NOT DISTINCT FROM 'AUTONOMY')::int,
       (claim.support_mode IS NOT DISTINCT FROM 'ON_BEHALF')::int,
       (claim.non_take_up_reason IS NOT NULL)::int,
       0, 0, 0,
       CASE WHEN claim.state = 'OPENED' AND claim.amount_kind = 'NOTIFIED' THEN
           CASE claim.amount_unit WHEN 'MONTHLY' THEN 12 * claim.amount ELSE claim.amount END ELSE 0 END,
       CASE WHEN claim.state NOT IN ('OPENED', 'REFUSED', 'CONFIRMED_REFUSAL') AND claim.amount_kind = 'ESTIMATED' THEN
           CASE claim.amount_unit WHEN 'MONTHLY' THEN 12 * claim.amount ELSE claim.amount END ELSE 0 END
FROM entitlement AS claim
JOIN beneficiary AS person USING (operator_id, beneficiary_id)
CROSS JOIN LATERAL (
    VALUES ('TOTAL', ''), ('COMMUNE', person.commune_code), ('RIGHT', claim.right_code),
           ('REASON', claim.non_take_up_reason)
    UNION ALL SELECT 'PUBLIC', unnest(person.publics)
) AS part (dimension, code)
WHERE part.code IS NOT NULL
UNION ALL
SELECT alert.operator_id, claim.convention_id, claim.beneficiary_id, part.dimension, part.code,
       date_trunc('month', alert.settled_date::timestamp)::date,
       0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0
FROM renewal_alert AS alert
JOIN entitlement AS claim USING (operator_id, entitlement_id)
JOIN beneficiary AS person USING (operator_id, beneficiary_id)
CROSS JOIN LATERAL (
    VALUES ('TOTAL', ''), ('COMMUNE', person.commune_code), ('RIGHT', claim.right_code)
    UNION ALL SELECT 'PUBLIC', unnest(person.publics)
) AS part (dimension, code)
WHERE alert.state = 'AVOIDED'
UNION ALL
SELECT held.operator_id, held.convention_id, held.session_id, part.dimension, part.code,
       date_trunc('month', held.held_date::timestamp)::date,
       0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, held.persons_met, 0, 0
FROM session AS held
CROSS JOIN LATERAL (
    VALUES ('TOTAL', ''), ('COMMUNE', held.commune_code), ('CHANNEL', held.channel)
) AS part (dimension, code);

INSERT INTO indicator_rollup
SELECT operator_id, convention_id, dimension, code, month,
       sum(persons_spotted), sum(persons_informed), sum(persons_oriented), sum(persons_supported),
       sum(entitlements_followed), sum(entitlements_opened), sum(entitlements_decided), sum(decision_days),
       sum(in_autonomy), sum(on_behalf), sum(reasons_known), sum(interruptions_avoided), sum(sessions_held),
       sum(persons_met), sum(amount_notified), sum(amount_estimated)
FROM indicator_contribution
GROUP BY operator_id, convention_id, dimension, code, month;

ALTER TABLE renewal_alert ENABLE ROW LEVEL SECURITY;
ALTER TABLE indicator_rollup ENABLE ROW LEVEL SECURITY;
CREATE POLICY renewal_alert_operator ON renewal_alert
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY indicator_rollup_operator ON indicator_rollup
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON renewal_alert, indicator_rollup TO %I', app);
    EXECUTE format('GRANT SELECT ON renewal, indicator_contribution TO %I', app);
END
$$;
