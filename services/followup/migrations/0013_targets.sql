-- What conventions say of their money and of what is to be achieved, as their own service last told it: what is due under
-- them in all, and persons to spot, persons to support, rights to open (0: no target).

ALTER TABLE convention
    -- Both parties have signed, at some time.
    ADD COLUMN signed      boolean,
    ADD COLUMN budget_year smallint,
    ADD COLUMN due_amount  numeric(14,2) CHECK (due_amount >= 0),
    ADD COLUMN targets     integer[]
        CHECK (cardinality(targets) = 3 AND array_position(targets, NULL) IS NULL AND 0 <= ALL (targets)),
    ADD CONSTRAINT convention_terms CHECK (num_nonnulls(signed, budget_year, due_amount, targets) IN (0, 4));

-- What was told before this was kept is told again: the feed is followed from its beginning.
UPDATE feed_cursor SET cursor = '' WHERE source = 'conventions';
