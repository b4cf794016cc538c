-- A year is released under the thresholds its first quarter was released under, for ever: two tables of the same quarters under
-- two thresholds withhold other figures beside the small ones, and together give them back. What was released so far was under
-- those that were constants (ADR 0036).
-- rolling: indicator_release_quarter_thresholds: the version before names neither column, and the defaults fulfil it.

ALTER TABLE indicator_release_quarter
    ADD COLUMN internal_threshold integer NOT NULL DEFAULT 5,
    ADD COLUMN public_threshold   integer NOT NULL DEFAULT 11,
    ADD CONSTRAINT indicator_release_quarter_thresholds
        CHECK (internal_threshold BETWEEN 3 AND 1000 AND public_threshold BETWEEN internal_threshold AND 1000);
