-- A random secret. The console signs its sessions with it, so they outlive a restart.
CREATE TABLE console (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    secret TEXT    NOT NULL
) STRICT;

INSERT INTO console (id, secret) VALUES (1, hex(randomblob(32)));
