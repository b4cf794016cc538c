-- Of persons and rights, only keys that end with the id begin with the operator, so that the foreign keys that refer to them
-- are checked by these and by nothing else, also in the minute before the tables are first analysed: while a table looks
-- empty, each index that begins with the operator seems as good as any other (ADR 0032).
-- rolling: beneficiary_reference: the same columns in another order; both versions name them as a set.
-- rolling: entitlement_reference: the same.

ALTER TABLE beneficiary DROP CONSTRAINT beneficiary_reference;
ALTER TABLE beneficiary ADD CONSTRAINT beneficiary_reference UNIQUE (external_reference, operator_id);
ALTER TABLE entitlement DROP CONSTRAINT entitlement_reference;
ALTER TABLE entitlement ADD CONSTRAINT entitlement_reference UNIQUE (external_reference, operator_id);
DROP INDEX entitlement_of;
CREATE INDEX entitlement_of ON entitlement (beneficiary_id, operator_id);
