-- One row for each delivery, with its content and its last attempt. Before, a notification, a delivery, a message and
-- each attempt had rows of their own, and deduplication kept a log.

DROP INDEX notification_open;
DROP INDEX notification_settled;
DROP INDEX delivery_in_flight;
DROP INDEX delivery_dead;
DROP INDEX delivery_head;
DROP INDEX delivery_queued;
DROP INDEX delivery_ready;
DROP INDEX delivery_digest;
DROP INDEX delivery_unnoticed;
DROP INDEX attempt_counted;
ALTER TABLE delivery RENAME TO old_delivery;
ALTER TABLE attempt RENAME TO old_attempt;
ALTER TABLE hold RENAME TO old_hold;

-- Times are milliseconds since 1970. Hashes have 16 bytes, or 8 bytes as an integer. columns.rs has the numbers of
-- states, kinds and statuses.

-- One row. Numbers only rise, so none is given out twice, not even after a purge.
CREATE TABLE numbers (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    last      INTEGER NOT NULL, -- the last number of a delivery, a place or a claim
    probed_at INTEGER NOT NULL
) STRICT;

-- One row for each API call that must be made. Deliveries of one notification have consecutive ids, and the first of
-- them is the id of the notification. The content is in the row, so that a notification with one delivery is one row.
CREATE TABLE delivery (
    id                 INTEGER PRIMARY KEY,
    state              INTEGER NOT NULL,
    sender             TEXT    NOT NULL,
    receiver           TEXT    NOT NULL,
    destination        BLOB    NOT NULL,
    ordering_key       INTEGER NOT NULL,
    seq                INTEGER NOT NULL, -- the place in the ordering key: the id, until it is requeued
    notification       INTEGER NOT NULL,
    deliveries         INTEGER NOT NULL, -- of the notification
    kind               INTEGER NOT NULL,
    status             INTEGER NOT NULL,
    part_number        INTEGER NOT NULL,
    part_of            INTEGER NOT NULL,
    accepted_at        INTEGER NOT NULL,
    due_at             INTEGER NOT NULL,
    foldable           INTEGER NOT NULL, -- an alert of which nothing was ever claimed
    claim              INTEGER,          -- the last one
    claimed_at         INTEGER,
    attempts           INTEGER NOT NULL, -- that count for the retry policy
    unknown_codes      INTEGER NOT NULL,
    unconfirmed_since  INTEGER,
    body               INTEGER NOT NULL,
    digest             INTEGER,          -- the first delivery of the digest that it is folded into
    settled_at         INTEGER,
    noticed            INTEGER NOT NULL, -- a notice has reported its death
    -- The last attempt; earlier ones are in `attempt`.
    tries              INTEGER NOT NULL, -- all attempts
    attempt_started_at INTEGER,
    attempt_ms         INTEGER,
    attempt_ended_at   INTEGER,
    attempt_errcode    INTEGER,
    attempt_counted    INTEGER,
    attempt_detail     TEXT,
    reason             TEXT,             -- where it is not the detail of the last attempt
    msgid              TEXT,
    invalid_recipients TEXT,
    severity           TEXT    NOT NULL,
    group_key          TEXT    NOT NULL,
    summary            TEXT    NOT NULL,
    to_users           TEXT    NOT NULL,
    to_parties         TEXT    NOT NULL,
    to_tags            TEXT    NOT NULL,
    all_users          TEXT,             -- all recipients of the notification, where they need several batches
    all_parties        TEXT,
    all_tags           TEXT,
    msgtype            TEXT    NOT NULL,
    content            TEXT    NOT NULL,
    text_form          TEXT
) STRICT;
CREATE INDEX delivery_ready ON delivery (sender, destination, receiver, due_at, seq, foldable) WHERE state = 1;
CREATE INDEX delivery_queued ON delivery (ordering_key, seq) WHERE state = 0;
CREATE INDEX delivery_in_flight ON delivery (sender) WHERE state = 2;
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 5;
CREATE INDEX delivery_unnoticed ON delivery (receiver, settled_at) WHERE state = 5 AND noticed = 0;
CREATE INDEX delivery_digest ON delivery (digest) WHERE digest IS NOT NULL;
CREATE INDEX delivery_open ON delivery (sender, receiver, id) WHERE settled_at IS NULL;
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX delivery_counted ON delivery (sender, attempt_ended_at) WHERE attempt_counted = 1;

CREATE TABLE attempt (
    delivery   INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    sender     TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ms         INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    errcode    INTEGER,
    counted    INTEGER NOT NULL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_counted ON attempt (sender, ended_at) WHERE counted = 1;

-- Order and deduplication. A row exists while the ordering key has heads, or while its history counts.
CREATE TABLE ordering_key (
    id         INTEGER PRIMARY KEY,
    heads      INTEGER NOT NULL, -- deliveries that are ready, in flight or folded; others wait behind them
    history    BLOB    NOT NULL, -- rules/dedup.rs
    expires_at INTEGER NOT NULL  -- of the history
) STRICT;
CREATE INDEX ordering_key_idle ON ordering_key (expires_at) WHERE heads = 0;

-- The number of deliveries that operators discarded before they were settled.
CREATE TABLE discarded (
    sender     TEXT    NOT NULL,
    receiver   TEXT    NOT NULL,
    deliveries INTEGER NOT NULL,
    PRIMARY KEY (sender, receiver)
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (
    sender        TEXT    PRIMARY KEY,
    since         INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    errcode       INTEGER,
    probes        INTEGER NOT NULL,
    next_probe_at INTEGER NOT NULL,
    credentials   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Receivers with a fallback that was notified of a hold.
CREATE TABLE hold_noticed (
    sender   TEXT NOT NULL,
    receiver TEXT NOT NULL,
    PRIMARY KEY (sender, receiver)
) STRICT, WITHOUT ROWID;

-- Copy the rows of the first schema.

INSERT INTO numbers SELECT 1, delivery, probed_at FROM counter;

CREATE TEMP TABLE first_delivery AS
    SELECT notification, min(id) AS id, count(*) AS deliveries FROM old_delivery GROUP BY notification;
CREATE INDEX temp.first_delivery_notification ON first_delivery (notification);
CREATE TEMP TABLE last_attempt AS SELECT delivery, max(n) AS n FROM old_attempt GROUP BY delivery;
CREATE INDEX temp.last_attempt_delivery ON last_attempt (delivery);

INSERT INTO delivery
SELECT d.id, d.state, d.channel, d.receiver, d.destination, d.lane, d.place, f.id, f.deliveries, n.kind, n.status,
       d.part_number, d.part_of, d.accepted_at, d.due_at, d.fresh, NULL, d.claimed_at, d.attempts, d.unknown,
       -- A delivery that was never claimed has no hash yet. All of them get the same one, which only means that WeCom
       -- is not asked to suppress their resends.
       d.doubt_since, coalesce(d.body_hash, 0), d.digest, d.settled_at, d.noticed,
       coalesce(l.n, 0), a.started_at, a.duration_ms, a.ended_at, a.errcode, a.counted, a.detail,
       d.reason, d.msgid, d.missed, n.severity, n.group_key, n.summary, m.touser, m.toparty, m.totag,
       CASE WHEN (n.touser, n.toparty, n.totag) <> (m.touser, m.toparty, m.totag) THEN n.touser END,
       CASE WHEN (n.touser, n.toparty, n.totag) <> (m.touser, m.toparty, m.totag) THEN n.toparty END,
       CASE WHEN (n.touser, n.toparty, n.totag) <> (m.touser, m.toparty, m.totag) THEN n.totag END,
       m.msgtype, m.content, n.text_form
FROM old_delivery d
JOIN first_delivery f ON f.notification = d.notification
JOIN notification n ON n.id = d.notification
JOIN message m ON m.delivery = d.id
LEFT JOIN last_attempt l ON l.delivery = d.id
LEFT JOIN old_attempt a ON a.delivery = d.id AND a.n = l.n;

INSERT INTO attempt
SELECT a.delivery, a.n, a.channel, a.started_at, a.duration_ms, a.ended_at, a.errcode, a.counted, a.detail
FROM old_attempt a JOIN last_attempt l ON l.delivery = a.delivery AND a.n < l.n;

INSERT INTO ordering_key
SELECT ordering_key, sum(state BETWEEN 1 AND 3), x'', 0 FROM delivery WHERE settled_at IS NULL GROUP BY ordering_key;

INSERT INTO discarded SELECT channel, receiver, discarded FROM waiting WHERE discarded > 0;
INSERT INTO hold SELECT channel, since, reason, errcode, probes, next_probe_at, credentials FROM old_hold;
INSERT INTO hold_noticed SELECT channel, receiver FROM hold_told;

DROP TABLE temp.first_delivery;
DROP TABLE temp.last_attempt;
DROP TABLE old_attempt;
DROP TABLE message;
DROP TABLE old_delivery;
DROP TABLE notification;
DROP TABLE heard;
DROP TABLE spilled;
DROP TABLE waiting;
DROP TABLE old_hold;
DROP TABLE hold_told;
DROP TABLE counter;
