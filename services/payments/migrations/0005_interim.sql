-- Instalments between the advance and the balance.
ALTER TABLE instalment DROP CONSTRAINT instalment_kind_check;
ALTER TABLE instalment
    ADD CONSTRAINT instalment_kind_check CHECK (kind IN ('ADVANCE', 'INTERIM', 'BALANCE'));
