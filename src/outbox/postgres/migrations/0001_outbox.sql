-- Times are milliseconds of relay time since 1970, except in `lease` and `replica`, which use the clock of the server.
-- rules/stored.rs has the numbers of states, kinds and statuses. Hashes have 16 bytes, or 8 bytes as an integer.

-- Deliveries, places in ordering keys. It is read under the lock of the ordering key, so the numbers of an ordering key
-- rise with its commits.
CREATE SEQUENCE wecom_relay.number;

-- One row for each API call that must be made, with its content and its last attempt. The id of a notification is that of
-- its first delivery.
CREATE TABLE wecom_relay.delivery (
    id                 bigint  PRIMARY KEY,
    state              integer NOT NULL CHECK (state BETWEEN 0 AND 6),
    sender             text    COLLATE "C" NOT NULL,
    receiver           text    COLLATE "C" NOT NULL,
    destination        bytea   NOT NULL,
    ordering_key       bigint  NOT NULL,
    seq                bigint  NOT NULL, -- the place in the ordering key: the id, until it is requeued
    notification       bigint  NOT NULL,
    siblings           bigint[],         -- all deliveries of the notification, if there are several
    kind               integer NOT NULL CHECK (kind BETWEEN 0 AND 2),
    status             integer NOT NULL CHECK (status BETWEEN 0 AND 1),
    part_number        integer NOT NULL,
    part_of            integer NOT NULL,
    accepted_at        bigint  NOT NULL,
    due_at             bigint  NOT NULL,
    foldable           integer NOT NULL, -- the most notifications in a digest with this one; 0: it is not folded
    claim              bigint,           -- the last one
    claimed_at         bigint,
    attempts           integer NOT NULL, -- that count for the retry policy
    unknown_codes      integer NOT NULL,
    unconfirmed_since  bigint,
    body               bigint  NOT NULL,
    digest             bigint,           -- the notification that it is folded into
    settled_at         bigint,
    noticed            boolean NOT NULL,
    tries              integer NOT NULL, -- all attempts; the columns of the last one follow
    attempt_started_at bigint,
    attempt_ms         bigint,
    attempt_ended_at   bigint,
    attempt_errcode    bigint,
    attempt_counted    boolean,
    attempt_detail     text,
    reason             text,             -- where it is not the detail of the last attempt
    msgid              text,
    invalid_recipients text,
    severity           text    NOT NULL,
    group_key          text    NOT NULL,
    summary            text    NOT NULL,
    to_users           text    NOT NULL,
    to_parties         text    NOT NULL,
    to_tags            text    NOT NULL,
    all_users          text,             -- all recipients of the notification, where they need several batches
    all_parties        text,
    all_tags           text,
    msgtype            text    NOT NULL,
    content            text    NOT NULL,
    text_form          text,
    bytes              integer NOT NULL  -- its part of the size of the outbox
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX delivery_ready ON wecom_relay.delivery (sender, destination, due_at, seq) WHERE state = 1;
CREATE INDEX delivery_queued ON wecom_relay.delivery (ordering_key, seq) WHERE state = 0;
CREATE INDEX delivery_in_flight ON wecom_relay.delivery (sender) WHERE state = 2;
CREATE INDEX delivery_dead ON wecom_relay.delivery (id) WHERE state = 5;
CREATE INDEX delivery_unnoticed ON wecom_relay.delivery (receiver, settled_at, id) WHERE state = 5 AND NOT noticed;
CREATE INDEX delivery_digest ON wecom_relay.delivery (digest, id) WHERE digest IS NOT NULL;
CREATE INDEX delivery_open ON wecom_relay.delivery (sender, receiver, id) WHERE settled_at IS NULL;
CREATE INDEX delivery_settled ON wecom_relay.delivery (settled_at) WHERE settled_at IS NOT NULL AND state <> 5;
CREATE INDEX delivery_dead_settled ON wecom_relay.delivery (settled_at) WHERE state = 5;
CREATE INDEX delivery_counted ON wecom_relay.delivery (sender, attempt_ended_at) WHERE attempt_counted;

-- Earlier attempts.
CREATE TABLE wecom_relay.attempt (
    delivery   bigint  NOT NULL,
    n          integer NOT NULL,
    sender     text    COLLATE "C" NOT NULL,
    started_at bigint  NOT NULL,
    ms         bigint  NOT NULL,
    ended_at   bigint  NOT NULL,
    errcode    bigint,
    counted    boolean NOT NULL,
    detail     text    NOT NULL,
    PRIMARY KEY (delivery, n)
);
CREATE INDEX attempt_counted ON wecom_relay.attempt (sender, ended_at) WHERE counted;

-- Attempts of deliveries that were purged before `retention` had passed. They still count against rate limits.
CREATE TABLE wecom_relay.purged_attempt (
    id         bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender     text    COLLATE "C" NOT NULL,
    delivery   bigint  NOT NULL,
    ended_at   bigint  NOT NULL,
    to_users   text    NOT NULL,
    to_parties text    NOT NULL,
    to_tags    text    NOT NULL,
    body       bigint  NOT NULL
);
CREATE INDEX purged_attempt_ended ON wecom_relay.purged_attempt (sender, ended_at);
CREATE INDEX purged_attempt_old ON wecom_relay.purged_attempt (ended_at);

-- Order and deduplication. Its row is the lock of an ordering key.
CREATE TABLE wecom_relay.ordering_key (
    id                bigint  PRIMARY KEY,
    heads             integer NOT NULL, -- deliveries that are ready, in flight or folded; others wait behind them
    last_key          bytea,            -- of the notification that was accepted last, as are the next two
    last_notification bigint,
    last_accepted_at  bigint,
    expires_at        bigint  NOT NULL  -- from then on the last notification has no effect
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ordering_key_idle ON wecom_relay.ordering_key (expires_at) WHERE heads = 0;

-- A sender keeps its deliveries when the configuration renames it.
CREATE TABLE wecom_relay.sender (
    name     text COLLATE "C" PRIMARY KEY, -- under which deliveries are or were stored
    identity text NOT NULL,                -- the API URL, the corp and the agent that the name meant last
    queue    text NOT NULL,                -- stands for the sender in ordering keys
    moved_to text COLLATE "C"              -- the present name, if this one is a former one
);

-- The number of deliveries that operators discarded before they were settled.
CREATE TABLE wecom_relay.discarded (
    sender     text   COLLATE "C" NOT NULL,
    receiver   text   COLLATE "C" NOT NULL,
    deliveries bigint NOT NULL,
    PRIMARY KEY (sender, receiver)
);

CREATE TABLE wecom_relay.hold (
    sender        text    COLLATE "C" PRIMARY KEY,
    since         bigint  NOT NULL,
    reason        text    NOT NULL,
    errcode       bigint,
    probes        integer NOT NULL,
    next_probe_at bigint  NOT NULL,
    credentials   text    NOT NULL
);

-- Receivers with a fallback that was notified of a hold.
CREATE TABLE wecom_relay.hold_noticed (
    sender   text COLLATE "C" NOT NULL,
    receiver text COLLATE "C" NOT NULL,
    PRIMARY KEY (sender, receiver)
);

-- Changes of the size of the outbox. Their sum is the size. A purge folds them into one row.
CREATE TABLE wecom_relay.usage (
    bytes bigint NOT NULL
);

-- One row: relay time is the clock of the server plus this. It grows when that clock is set back.
CREATE TABLE wecom_relay.relay_clock (
    id        integer PRIMARY KEY CHECK (id = 1),
    offset_ms bigint  NOT NULL,
    probed_at bigint  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO wecom_relay.relay_clock VALUES (1, 0, 0);

-- The right of one process to dispatch a sender. A claim holds a share lock on the row. A takeover updates it.
CREATE TABLE wecom_relay.lease (
    sender     text        COLLATE "C" PRIMARY KEY,
    token      bigint      NOT NULL, -- random, of this lease; 0: it was released
    owner      text        NOT NULL, -- of `replica`
    epoch      bigint      NOT NULL, -- the number of leases so far
    until      timestamptz NOT NULL,
    offered_to text                  -- the owner that should have it next
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);

-- The processes that share this outbox.
CREATE TABLE wecom_relay.replica (
    owner   text        PRIMARY KEY,
    name    text        NOT NULL,
    until   timestamptz NOT NULL, -- it is alive until then
    config  text        NOT NULL, -- a fingerprint of its configuration
    version text        NOT NULL,
    senders text[]      NOT NULL  -- that it dispatches, or would dispatch
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);
