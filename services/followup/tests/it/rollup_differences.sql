-- How many differences there are between the roll-ups and the records, by plain SQL over the records.
WITH there AS (
    SELECT operator_id, convention_id, commune_code AS code, date_trunc('month', spotted_date::timestamp)::date AS month,
           count(*) AS spotted, count(*) FILTER (WHERE state = 'ORIENTED') AS oriented,
           count(*) FILTER (WHERE state IN ('IN_SUPPORT', 'CLOSED')
                               OR beneficiary_id IN (SELECT beneficiary_id FROM entitlement)) AS supported
    FROM beneficiary GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT operator_id, convention_id, code, month, persons_spotted, persons_oriented, persons_supported
    FROM indicator_residue WHERE dimension = 'COMMUNE'
), plain AS (
    SELECT operator_id, convention_id, code, month, sum(spotted), sum(oriented), sum(supported)
    FROM there GROUP BY 1, 2, 3, 4
), kept AS (
    SELECT operator_id, convention_id, code, month, persons_spotted, persons_oriented, persons_supported
    FROM indicator_rollup WHERE dimension = 'COMMUNE' AND persons_spotted <> 0
), claims_there AS (
    SELECT claim.operator_id, claim.convention_id, right_code AS code,
           date_trunc('month', spotted_date::timestamp)::date AS month, count(DISTINCT beneficiary_id) AS persons,
           count(*) AS claims, count(*) FILTER (WHERE support_mode = 'ON_BEHALF') AS on_behalf,
           count(decided_date - filed_date) AS decided, coalesce(sum(decided_date - filed_date), 0) AS days,
           coalesce(sum(amount * CASE amount_unit WHEN 'MONTHLY' THEN 12 ELSE 1 END)
                    FILTER (WHERE amount_kind = 'ESTIMATED' AND claim.state IN ('IDENTIFIED', 'FILED', 'APPEALED')), 0)
               AS estimated
    FROM entitlement AS claim JOIN beneficiary USING (operator_id, beneficiary_id) GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT operator_id, convention_id, code, month, persons_followed, entitlements_followed, on_behalf,
           entitlements_decided, decision_days, amount_estimated
    FROM indicator_residue WHERE dimension = 'RIGHT'
), plain_claims (operator_id, convention_id, code, month, persons, claims, on_behalf, decided, days, estimated) AS (
    SELECT operator_id, convention_id, code, month, sum(persons), sum(claims), sum(on_behalf), sum(decided), sum(days),
           sum(estimated)
    FROM claims_there GROUP BY 1, 2, 3, 4
), kept_claims AS (
    SELECT operator_id, convention_id, code, month, persons_followed, entitlements_followed, on_behalf,
           entitlements_decided, decision_days, amount_estimated
    FROM indicator_rollup WHERE dimension = 'RIGHT' AND entitlements_followed <> 0
), counted AS (
    SELECT operator_id, convention_id, dimension, code, month,
           sum(persons_spotted), sum(persons_informed), sum(persons_oriented), sum(persons_supported),
           sum(persons_followed), sum(persons_opened), sum(persons_decided), sum(persons_in_autonomy),
           sum(persons_on_behalf), sum(persons_avoiding), sum(persons_notified), sum(persons_estimated),
           sum(entitlements_followed), sum(entitlements_opened), sum(entitlements_decided), sum(decision_days),
           sum(in_autonomy), sum(on_behalf), sum(interruptions_avoided), sum(sessions_held), sum(persons_met),
           sum(amount_notified), sum(amount_estimated), sum(notified_squares), sum(estimated_squares)
    FROM indicator_contribution GROUP BY 1, 2, 3, 4, 5
), rolled AS (
    SELECT * FROM indicator_rollup
    WHERE persons_spotted + entitlements_followed + sessions_held <> 0
)
SELECT (SELECT count(*) FROM (TABLE plain EXCEPT TABLE kept) AS a) + (SELECT count(*) FROM (TABLE kept EXCEPT TABLE plain) AS b)
     + (SELECT count(*) FROM (TABLE plain_claims EXCEPT TABLE kept_claims) AS a)
     + (SELECT count(*) FROM (TABLE kept_claims EXCEPT TABLE plain_claims) AS b)
     + (SELECT count(*) FROM (TABLE counted EXCEPT TABLE rolled) AS a)
     + (SELECT count(*) FROM (TABLE rolled EXCEPT TABLE counted) AS b);
