-- The delivery whose update the card shows.
ALTER TABLE wecom_relay.card ADD COLUMN shown bigint;
-- An update may have used its code.
ALTER TABLE wecom_relay.card ADD COLUMN unconfirmed boolean NOT NULL DEFAULT false;
