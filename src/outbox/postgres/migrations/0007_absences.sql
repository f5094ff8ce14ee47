-- JSON: how long Alertmanager has not listed the alerts of a watched card. NULL if it did at the last look.
ALTER TABLE wecom_relay.card ADD COLUMN absence text;
