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
-- waiting for its renewal any more, nor one that a step has renewed: in the sixty days before its date, in which an alert
-- stands, or later. An earlier step renewed it for an earlier date.
CREATE VIEW renewal WITH (security_invoker = true) AS
SELECT held.operator_id, held.convention_id, held.entitlement_id, held.beneficiary_id, held.external_reference,
       held.right_code, held.renewal_date,
       EXISTS (SELECT FROM entitlement AS again
               WHERE again.operator_id = held.operator_id AND again.convention_id = held.convention_id
                 AND again.beneficiary_id = held.beneficiary_id AND again.right_code = held.right_code
                 AND again.entitlement_id <> held.entitlement_id
                 AND again.state = 'OPENED' AND again.decided_date > held.decided_date)
       OR EXISTS (SELECT FROM step AS renewing
                  WHERE renewing.operator_id = held.operator_id AND renewing.entitlement_id = held.entitlement_id
                    AND renewing.renewal AND renewing.step_date >= held.renewal_date - 60) AS is_renewed,
       EXISTS (SELECT FROM entitlement AS again
               WHERE again.operator_id = held.operator_id AND again.convention_id = held.convention_id
                 AND again.beneficiary_id = held.beneficiary_id AND again.right_code = held.right_code
                 AND again.entitlement_id <> held.entitlement_id
                 AND again.state IN ('FILED', 'MORE_INFORMATION') AND again.filed_date > held.decided_date) AS is_filed
FROM entitlement AS held
JOIN beneficiary AS person USING (operator_id, beneficiary_id)
WHERE held.state = 'OPENED' AND held.renewal_date IS NOT NULL
  AND person.closing_reason IS DISTINCT FROM 'DECEASED';

-- What one right counts for, by itself: amounts in euros a year.
CREATE VIEW entitlement_figure WITH (security_invoker = true) AS
SELECT claim.operator_id, claim.convention_id, claim.beneficiary_id, claim.right_code, claim.non_take_up_reason,
       (claim.state = 'OPENED')::int AS opened,
       (claim.filed_date IS NOT NULL AND claim.decided_date IS NOT NULL)::int AS decided,
       coalesce(claim.decided_date - claim.filed_date, 0) AS decision_days,
       (claim.support_mode IS NOT DISTINCT FROM 'AUTONOMY')::int AS in_autonomy,
       (claim.support_mode IS NOT DISTINCT FROM 'ON_BEHALF')::int AS on_behalf,
       (SELECT count(*) FROM renewal_alert AS alert
        WHERE alert.operator_id = claim.operator_id AND alert.entitlement_id = claim.entitlement_id
          AND alert.state = 'AVOIDED') AS avoided,
       CASE WHEN claim.state = 'OPENED' AND claim.amount_kind = 'NOTIFIED'
            THEN claim.amount * CASE claim.amount_unit WHEN 'MONTHLY' THEN 12 ELSE 1 END ELSE 0 END AS notified,
       CASE WHEN claim.state NOT IN ('OPENED', 'REFUSED', 'CONFIRMED_REFUSAL') AND claim.amount_kind = 'ESTIMATED'
            THEN claim.amount * CASE claim.amount_unit WHEN 'MONTHLY' THEN 12 ELSE 1 END ELSE 0 END AS estimated
FROM entitlement AS claim;

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
    persons_followed      bigint        NOT NULL,
    persons_opened        bigint        NOT NULL,
    persons_decided       bigint        NOT NULL,
    persons_in_autonomy   bigint        NOT NULL,
    persons_on_behalf     bigint        NOT NULL,
    persons_avoiding      bigint        NOT NULL,
    persons_notified      bigint        NOT NULL,
    persons_estimated     bigint        NOT NULL,
    entitlements_followed bigint        NOT NULL,
    entitlements_opened   bigint        NOT NULL,
    entitlements_decided  bigint        NOT NULL,
    decision_days         bigint        NOT NULL,
    in_autonomy           bigint        NOT NULL,
    on_behalf             bigint        NOT NULL,
    interruptions_avoided bigint        NOT NULL,
    sessions_held         bigint        NOT NULL,
    persons_met           bigint        NOT NULL,
    amount_notified       numeric(20,2) NOT NULL,
    amount_estimated      numeric(20,2) NOT NULL,
    notified_squares      numeric(30,4) NOT NULL,
    estimated_squares     numeric(30,4) NOT NULL,
    PRIMARY KEY (operator_id, convention_id, dimension, code, month)
);

-- What each record counts for: one row a dimension and code. A person counts, with their rights, in the month they were
-- spotted, so that all figures of a month are about the same persons and each person stands in one month only; a session
-- counts in its own month. The persons behind each figure are counted with it, and the squares of their amounts, which
-- bound the largest one and can be kept as sums.
CREATE VIEW indicator_contribution WITH (security_invoker = true) AS
SELECT person.operator_id, person.convention_id, person.beneficiary_id AS subject_id, part.dimension, part.code,
       date_trunc('month', person.spotted_date::timestamp)::date AS month,
       1 AS persons_spotted,
       (person.state <> 'SPOTTED')::int AS persons_informed,
       (person.state = 'ORIENTED')::int AS persons_oriented,
       (person.state = 'IN_SUPPORT' OR person.closing_reason IS NOT DISTINCT FROM 'RIGHTS_OPENED'
        OR claims.followed > 0)::int AS persons_supported,
       (claims.followed > 0)::int AS persons_followed,
       (claims.opened > 0)::int AS persons_opened,
       (claims.decided > 0)::int AS persons_decided,
       (claims.in_autonomy > 0)::int AS persons_in_autonomy,
       (claims.on_behalf > 0)::int AS persons_on_behalf,
       (claims.avoided > 0)::int AS persons_avoiding,
       (claims.notified > 0)::int AS persons_notified,
       (claims.estimated > 0)::int AS persons_estimated,
       claims.followed AS entitlements_followed, claims.opened AS entitlements_opened,
       claims.decided AS entitlements_decided, claims.decision_days, claims.in_autonomy, claims.on_behalf,
       claims.avoided AS interruptions_avoided, 0 AS sessions_held, 0 AS persons_met,
       claims.notified AS amount_notified, claims.estimated AS amount_estimated,
       claims.notified * claims.notified AS notified_squares,
       claims.estimated * claims.estimated AS estimated_squares
FROM beneficiary AS person
CROSS JOIN LATERAL (
    SELECT count(*) AS followed, coalesce(sum(opened), 0) AS opened, coalesce(sum(decided), 0) AS decided,
           coalesce(sum(decision_days), 0) AS decision_days, coalesce(sum(in_autonomy), 0) AS in_autonomy,
           coalesce(sum(on_behalf), 0) AS on_behalf, coalesce(sum(avoided), 0) AS avoided,
           coalesce(sum(notified), 0) AS notified, coalesce(sum(estimated), 0) AS estimated
    FROM entitlement_figure AS claim
    WHERE claim.operator_id = person.operator_id AND claim.convention_id = person.convention_id
      AND claim.beneficiary_id = person.beneficiary_id
) AS claims
CROSS JOIN LATERAL (
    VALUES ('TOTAL', ''), ('COMMUNE', person.commune_code)
    UNION ALL SELECT 'PUBLIC', unnest(person.publics)
) AS part (dimension, code)
UNION ALL
SELECT person.operator_id, person.convention_id, person.beneficiary_id, claims.dimension, claims.code,
       date_trunc('month', person.spotted_date::timestamp)::date,
       0, 0, 0, 0, 1, (claims.opened > 0)::int, (claims.decided > 0)::int, (claims.in_autonomy > 0)::int,
       (claims.on_behalf > 0)::int, (claims.avoided > 0)::int, (claims.notified > 0)::int, (claims.estimated > 0)::int,
       claims.followed, claims.opened, claims.decided, claims.decision_days, claims.in_autonomy, claims.on_behalf,
       claims.avoided, 0, 0, claims.notified, claims.estimated, claims.notified * claims.notified,
       claims.estimated * claims.estimated
FROM beneficiary AS person
-- From the person to the rights, by their index: those of a few persons are found without reading all.
CROSS JOIN LATERAL (
    SELECT part.dimension, part.code,
           count(*) AS followed, sum(opened) AS opened, sum(decided) AS decided, sum(decision_days) AS decision_days,
           sum(in_autonomy) AS in_autonomy, sum(on_behalf) AS on_behalf, sum(avoided) AS avoided,
           sum(notified) AS notified, sum(estimated) AS estimated
    FROM entitlement_figure AS claim
    CROSS JOIN LATERAL (
        VALUES ('RIGHT', claim.right_code), ('REASON', claim.non_take_up_reason)
    ) AS part (dimension, code)
    WHERE claim.operator_id = person.operator_id AND claim.convention_id = person.convention_id
      AND claim.beneficiary_id = person.beneficiary_id AND part.code IS NOT NULL
    GROUP BY part.dimension, part.code
) AS claims
UNION ALL
SELECT held.operator_id, held.convention_id, held.session_id, part.dimension, part.code,
       date_trunc('month', held.held_date::timestamp)::date,
       0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, held.persons_met, 0, 0, 0, 0
FROM session AS held
CROSS JOIN LATERAL (
    VALUES ('TOTAL', ''), ('COMMUNE', held.commune_code), ('CHANNEL', held.channel)
) AS part (dimension, code);

INSERT INTO indicator_rollup
SELECT operator_id, convention_id, dimension, code, month,
       sum(persons_spotted), sum(persons_informed), sum(persons_oriented), sum(persons_supported),
       sum(persons_followed), sum(persons_opened), sum(persons_decided), sum(persons_in_autonomy),
       sum(persons_on_behalf), sum(persons_avoiding), sum(persons_notified), sum(persons_estimated),
       sum(entitlements_followed), sum(entitlements_opened), sum(entitlements_decided), sum(decision_days),
       sum(in_autonomy), sum(on_behalf), sum(interruptions_avoided), sum(sessions_held), sum(persons_met),
       sum(amount_notified), sum(amount_estimated), sum(notified_squares), sum(estimated_squares)
FROM indicator_contribution
GROUP BY operator_id, convention_id, dimension, code, month;

-- The same figures as they stood when a quarter was released to those who run the programme: written once.
CREATE TABLE indicator_release (
    LIKE indicator_rollup INCLUDING CONSTRAINTS,
    PRIMARY KEY (operator_id, convention_id, dimension, code, month)
);
CREATE TABLE indicator_release_quarter (
    budget_year  integer     NOT NULL CHECK (budget_year BETWEEN 2000 AND 2999),
    quarter      integer     NOT NULL CHECK (quarter BETWEEN 1 AND 4),
    release_time timestamptz NOT NULL,
    PRIMARY KEY (budget_year, quarter)
);

-- What the released figures of all operators together count too often, or too little, because some of their records are of
-- one person: to be added to their sum. Written once, with the release.
CREATE TABLE indicator_release_shared (
    dimension           text          NOT NULL CHECK (dimension IN ('TOTAL', 'COMMUNE', 'PUBLIC', 'RIGHT', 'REASON')),
    code                text          NOT NULL CHECK ((code = '') = (dimension = 'TOTAL')),
    month               date          NOT NULL CHECK (extract(day FROM month) = 1),
    persons_spotted     bigint        NOT NULL,
    persons_informed    bigint        NOT NULL,
    persons_oriented    bigint        NOT NULL,
    persons_supported   bigint        NOT NULL,
    persons_followed    bigint        NOT NULL,
    persons_opened      bigint        NOT NULL,
    persons_decided     bigint        NOT NULL,
    persons_in_autonomy bigint        NOT NULL,
    persons_on_behalf   bigint        NOT NULL,
    persons_avoiding    bigint        NOT NULL,
    persons_notified    bigint        NOT NULL,
    persons_estimated   bigint        NOT NULL,
    notified_squares    numeric(30,4) NOT NULL,
    estimated_squares   numeric(30,4) NOT NULL,
    PRIMARY KEY (dimension, code, month)
);

-- The programme's released figures, to be summed: those of each operator, and what persons of several make of them.
CREATE VIEW indicator_programme WITH (security_invoker = true) AS
SELECT operator_id, convention_id, dimension, code, month, persons_spotted, persons_informed,
       persons_oriented, persons_supported, persons_followed, persons_opened,
       persons_decided, persons_in_autonomy, persons_on_behalf, persons_avoiding, persons_notified, persons_estimated,
       entitlements_followed, entitlements_opened, entitlements_decided, decision_days, in_autonomy, on_behalf,
       interruptions_avoided, sessions_held, persons_met, amount_notified, amount_estimated, notified_squares,
       estimated_squares
FROM indicator_release
UNION ALL
SELECT NULL, NULL, dimension, code, month, persons_spotted, persons_informed,
       persons_oriented, persons_supported, persons_followed, persons_opened,
       persons_decided, persons_in_autonomy, persons_on_behalf, persons_avoiding, persons_notified, persons_estimated,
       0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, notified_squares, estimated_squares
FROM indicator_release_shared;

ALTER TABLE renewal_alert ENABLE ROW LEVEL SECURITY;
ALTER TABLE indicator_rollup ENABLE ROW LEVEL SECURITY;
ALTER TABLE indicator_release ENABLE ROW LEVEL SECURITY;
CREATE POLICY renewal_alert_operator ON renewal_alert
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY indicator_rollup_operator ON indicator_rollup
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));
CREATE POLICY indicator_release_operator ON indicator_release
    USING (current_setting('nonrecours.operator', true) IN ('*', operator_id::text));

DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON renewal_alert, indicator_rollup TO %I', app);
    EXECUTE format('GRANT SELECT, INSERT ON indicator_release, indicator_release_quarter, indicator_release_shared TO %I',
                   app);
    EXECUTE format('GRANT SELECT ON renewal, entitlement_figure, indicator_contribution, indicator_programme TO %I', app);
END
$$;
