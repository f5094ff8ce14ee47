-- A random secret. The consoles of all replicas sign their sessions with it.
CREATE TABLE wecom_relay.console (
    id     integer PRIMARY KEY CHECK (id = 1),
    secret text    NOT NULL
);

INSERT INTO wecom_relay.console (id, secret)
    VALUES (1, replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
