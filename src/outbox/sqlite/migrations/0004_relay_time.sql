-- All times in other tables are relay time from now on (clock/relay.rs). It continues the wall-clock times of before.

CREATE TABLE boot (
    started_at INTEGER PRIMARY KEY, -- relay time of the first reading of the clocks in this boot of the machine
    id         TEXT    NOT NULL,
    uptime     INTEGER NOT NULL,    -- milliseconds, at the last reading
    read_at    INTEGER NOT NULL,    -- relay time of the last reading
    wall       INTEGER NOT NULL     -- wall-clock time of the last reading
) STRICT;

INSERT INTO boot SELECT last, '', 0, last, last FROM (SELECT max(
    (SELECT max(max(accepted_at, coalesce(claimed_at, 0), coalesce(attempt_ended_at, 0), coalesce(settled_at, 0)))
     FROM delivery),
    coalesce((SELECT max(ended_at) FROM attempt), 0)) AS last)
WHERE last IS NOT NULL;
