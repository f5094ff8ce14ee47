-- Interactive cards, and the presses of their buttons.

-- The time at which WeCom took the message back.
ALTER TABLE delivery ADD COLUMN recalled_at INTEGER;

-- One row for each delivery that sends an interactive card. It is deleted with its delivery.
CREATE TABLE card (
    delivery      INTEGER PRIMARY KEY,
    queue         TEXT    NOT NULL, -- of its sender, as in `sender`: it stays when the sender is renamed
    task_id       TEXT    NOT NULL,
    ordering_key  INTEGER NOT NULL, -- of its delivery
    group_key     TEXT    NOT NULL, -- whole, because updates need the same ordering key
    labels        TEXT    NOT NULL, -- JSON
    sent_at       INTEGER,          -- NULL until it is sent as a new card
    response_code TEXT,             -- an unused right to update it
    code_until    INTEGER,
    closed        INTEGER NOT NULL, -- its group is resolved
    handled       TEXT    NOT NULL, -- JSON: what members did with it
    watch_until   INTEGER,          -- its alerts are silenced until then, so somebody must look for their end
    watch_due     INTEGER
) STRICT;
CREATE INDEX card_task ON card (task_id, queue, delivery);
CREATE INDEX card_open ON card (ordering_key) WHERE closed = 0 AND sent_at IS NOT NULL;
CREATE INDEX card_code ON card (ordering_key, code_until, delivery)
    WHERE closed = 0 AND response_code IS NOT NULL;
CREATE INDEX card_watched ON card (watch_due) WHERE watch_due IS NOT NULL;

CREATE TABLE press (
    id            INTEGER PRIMARY KEY, -- a hash of the press
    queue         TEXT    NOT NULL,    -- of its sender
    task_id       TEXT    NOT NULL,
    delivery      INTEGER,             -- of its card
    member        TEXT    NOT NULL,    -- who pressed
    button        TEXT    NOT NULL,
    response_code TEXT    NOT NULL,
    pressed_at    INTEGER NOT NULL,    -- by WeCom's clock
    accepted_at   INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,    -- the end of its claim, while it has one
    claim         INTEGER,             -- the present one, or the one that settled it
    attempts      INTEGER NOT NULL,    -- claims so far
    settled_at    INTEGER,
    result        TEXT
) STRICT;
CREATE INDEX press_due ON press (due_at) WHERE settled_at IS NULL;
CREATE INDEX press_settled ON press (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX press_delivery ON press (delivery, accepted_at) WHERE delivery IS NOT NULL;
