-- An ordering key belongs to one sender. Before, a receiver that moved to another app waited behind the deliveries of the
-- old one. Deduplication compares with the last accepted notification, and forgets once what it knew. `foldable` limits
-- the size of a digest, so that a digest that is refused can be undone.

-- The most notifications in a digest with this one. 0: it is not folded, because a delivery of it was claimed or requeued.
UPDATE delivery SET foldable = 1000 WHERE foldable = 1;

-- A digest (kind 1) has an ordering key of its own.
UPDATE delivery SET ordering_key = ordering_key_of(sender, receiver, group_key) WHERE kind <> 1;

-- The first delivery of an ordering key that waited behind another sender is ready.
UPDATE delivery SET state = 1 WHERE id IN (
    SELECT id FROM (
        SELECT id, min(seq) FROM delivery WHERE state = 0 AND ordering_key NOT IN
            (SELECT ordering_key FROM delivery WHERE state BETWEEN 1 AND 3)
        GROUP BY ordering_key
    )
);

DROP TABLE ordering_key;

-- Order and deduplication. A row exists while the ordering key has heads, or while the last notification can be repeated.
CREATE TABLE ordering_key (
    id                INTEGER PRIMARY KEY,
    heads             INTEGER NOT NULL, -- deliveries that are ready, in flight or folded; others wait behind them
    last_key          BLOB,             -- of the notification that was accepted last, as are the next two
    last_notification INTEGER,
    last_accepted_at  INTEGER,
    expires_at        INTEGER NOT NULL  -- from then on the last notification has no effect
) STRICT;
CREATE INDEX ordering_key_idle ON ordering_key (expires_at) WHERE heads = 0;

INSERT INTO ordering_key
SELECT ordering_key, sum(state BETWEEN 1 AND 3), NULL, NULL, NULL, 0
FROM delivery WHERE settled_at IS NULL GROUP BY ordering_key;
