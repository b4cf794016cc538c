-- The journal of erasures of followup, a JSON object a line, as `nonrecours-followup replay-erasures` reads it. It names nobody: ids,
-- and digests under a key that the ring wraps.
SELECT json_build_object(
    'operator', erasure.operator_id, 'key_id', kept.key_id,
    'wrapped', translate(encode(kept.wrapped, 'base64'), E'\n', ''),
    'erasure', erasure.erasure_id, 'beneficiary', erasure.beneficiary_id, 'reason', erasure.reason,
    'entitlements', erasure.entitlements, 'steps', erasure.steps, 'notes', erasure.notes, 'referrals', erasure.referrals,
    'revision', erasure.revision,
    'create_time', (extract(epoch FROM erasure.create_time) * 1000000)::bigint,
    'update_time', (extract(epoch FROM erasure.update_time) * 1000000)::bigint,
    'digests', (SELECT coalesce(json_agg(translate(encode(reference.digest, 'base64'), E'\n', '')), '[]'::json)
                FROM erased_reference AS reference
                WHERE reference.operator_id = erasure.operator_id AND reference.erasure_id = erasure.erasure_id))
FROM erasure JOIN erasure_key AS kept USING (operator_id)
ORDER BY erasure.operator_id, erasure.create_time, erasure.erasure_id;
SELECT json_build_object('erasures', count(*)) FROM erasure;
