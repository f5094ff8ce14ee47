-- Room: space that is kept for claims and settlements, and attempts that count although their deliveries are gone.

-- One row while the file system has space. It is deleted when the file system is full, because claims and settlements
-- then need its pages.
CREATE TABLE reserve (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    room BLOB    NOT NULL
) STRICT;

-- Attempts of deliveries that were purged before `retention` had passed. They still count against rate limits.
CREATE TABLE purged_attempt (
    sender     TEXT    NOT NULL,
    delivery   INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    to_users   TEXT    NOT NULL,
    to_parties TEXT    NOT NULL,
    to_tags    TEXT    NOT NULL,
    body       INTEGER NOT NULL
) STRICT;
CREATE INDEX purged_attempt_ended ON purged_attempt (ended_at);

-- Dead letters are purged last.
DROP INDEX delivery_settled;
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE settled_at IS NOT NULL AND state <> 5;
CREATE INDEX delivery_dead_settled ON delivery (settled_at) WHERE state = 5;
