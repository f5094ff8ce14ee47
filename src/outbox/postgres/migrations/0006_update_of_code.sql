-- The update that may have used its code, because it had no answer. 0 if several may have.
ALTER TABLE wecom_relay.card ADD COLUMN unconfirmed_by bigint;
-- Nobody knows the update of an earlier mark, so it counts as another one: a text too many is better than a lost text. For
-- the same reason, an update that waits since before 0005 gets no marks.
UPDATE wecom_relay.card SET unconfirmed_by = 0 WHERE unconfirmed;
-- Programs of the version before still use `unconfirmed`. It goes one version later.
ALTER TABLE wecom_relay.card ALTER COLUMN unconfirmed DROP NOT NULL;
