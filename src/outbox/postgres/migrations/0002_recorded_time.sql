-- The relay time of the last record. Relay time is at most some hours later, however far the clock of the server is set.
ALTER TABLE wecom_relay.relay_clock ADD COLUMN recorded_ms bigint;
