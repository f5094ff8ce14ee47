-- Times are milliseconds since 1970. Keys are 16 bytes, or 8 as an integer. The first schema. A lane is an ordering key.

-- The last numbers in use. A number is never used twice, not even after a purge.
CREATE TABLE counter (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    notification INTEGER NOT NULL,
    delivery     INTEGER NOT NULL, -- ids and places of deliveries
    probed_at    INTEGER NOT NULL,
    spilled_to   INTEGER NOT NULL -- deliveries up to this id are in `spilled` if they occupy their lane
) STRICT;
INSERT INTO counter VALUES (1, 0, 0, 0, 0);

CREATE TABLE notification (
    id          INTEGER PRIMARY KEY,
    kind        INTEGER NOT NULL,
    receiver    TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    group_key   TEXT    NOT NULL,
    status      INTEGER NOT NULL,
    severity    TEXT    NOT NULL,
    accepted_at INTEGER NOT NULL,
    open        INTEGER NOT NULL, -- number of its deliveries that are not settled
    settled_at  INTEGER,
    touser      TEXT    NOT NULL,
    toparty     TEXT    NOT NULL,
    totag       TEXT    NOT NULL,
    summary     TEXT    NOT NULL,
    alerts      TEXT    NOT NULL,
    text_form   TEXT
) STRICT;
CREATE INDEX notification_open ON notification (id, channel, receiver, kind) WHERE open > 0;
CREATE INDEX notification_settled ON notification (settled_at) WHERE settled_at IS NOT NULL;

-- Rows that change stay short, so that many of them share a page. `message` has the columns that never change.
CREATE TABLE delivery (
    id            INTEGER PRIMARY KEY,
    notification  INTEGER NOT NULL,
    channel       TEXT    NOT NULL,
    receiver      TEXT    NOT NULL,
    lane          INTEGER NOT NULL,
    destination   BLOB    NOT NULL,
    part_number   INTEGER NOT NULL,
    part_of       INTEGER NOT NULL,
    accepted_at   INTEGER NOT NULL,
    place         INTEGER NOT NULL, -- in the lane: the id, until it is requeued
    state         INTEGER NOT NULL,
    fresh         INTEGER NOT NULL, -- part of an alert without claimed deliveries
    due_at        INTEGER NOT NULL,
    claimed_at    INTEGER,          -- last
    attempts      INTEGER NOT NULL,
    unknown       INTEGER NOT NULL DEFAULT 0, -- attempts that ended with an unknown errcode
    doubt_since   INTEGER,
    check_ms      INTEGER,          -- frozen with the first claim, as is body_hash
    body_hash     INTEGER,
    digest        INTEGER,          -- the first delivery of the digest that it is folded into
    settled_at    INTEGER,
    noticed       INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    msgid         TEXT    NOT NULL,
    response_code TEXT    NOT NULL,
    missed        TEXT    NOT NULL
) STRICT;
CREATE INDEX delivery_notification ON delivery (notification);
CREATE INDEX delivery_in_flight ON delivery (state) WHERE state = 2;
CREATE INDEX delivery_dead ON delivery (state) WHERE state = 5;
CREATE INDEX delivery_head ON delivery (id, lane) WHERE state > 0 AND state < 4;
CREATE INDEX delivery_queued ON delivery (lane, place) WHERE state = 0;
CREATE INDEX delivery_ready ON delivery (channel, destination, receiver, fresh, due_at, place) WHERE state = 1;
CREATE INDEX delivery_digest ON delivery (digest) WHERE digest IS NOT NULL;
CREATE INDEX delivery_unnoticed ON delivery (receiver, settled_at) WHERE state = 5 AND noticed = 0;

CREATE TABLE message (
    delivery INTEGER PRIMARY KEY,
    touser   TEXT NOT NULL,
    toparty  TEXT NOT NULL,
    totag    TEXT NOT NULL,
    msgtype  TEXT NOT NULL,
    content  TEXT NOT NULL
) STRICT;

CREATE TABLE attempt (
    delivery    INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    channel     TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL,
    errcode     INTEGER,
    counted     INTEGER NOT NULL,
    detail      TEXT    NOT NULL,
    PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_counted ON attempt (channel, ended_at) WHERE counted = 1;

-- Received notifications in order: accepted ones and duplicates.
CREATE TABLE heard (
    id           INTEGER PRIMARY KEY,
    lane         INTEGER NOT NULL,
    key_1        INTEGER NOT NULL,
    key_2        INTEGER NOT NULL,
    source       INTEGER NOT NULL,
    notification INTEGER, -- NULL for a duplicate
    at           INTEGER NOT NULL,
    until        INTEGER NOT NULL -- end of its effect
) STRICT;

-- Lanes that are or were occupied.
CREATE TABLE spilled (
    lane     INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    PRIMARY KEY (lane, delivery)
) STRICT, WITHOUT ROWID;

-- Queue depths by app and receiver, updated with every change because counting a long queue takes long.
CREATE TABLE waiting (
    channel    TEXT    NOT NULL,
    receiver   TEXT    NOT NULL,
    deliveries INTEGER NOT NULL, -- not settled
    discarded  INTEGER NOT NULL, -- number of discarded deliveries
    PRIMARY KEY (channel, receiver)
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (
    channel       TEXT    PRIMARY KEY,
    since         INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    errcode       INTEGER,
    probes        INTEGER NOT NULL,
    next_probe_at INTEGER NOT NULL,
    credentials   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE hold_told (
    channel  TEXT NOT NULL,
    receiver TEXT NOT NULL,
    PRIMARY KEY (channel, receiver)
) STRICT, WITHOUT ROWID;
