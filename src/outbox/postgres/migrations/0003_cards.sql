-- Interactive cards, and the presses of their buttons.

-- The time at which WeCom took the message back.
ALTER TABLE wecom_relay.delivery ADD COLUMN recalled_at bigint;

-- One row for each delivery that sends an interactive card. It goes with its delivery, also when a program of the version
-- before deletes that.
CREATE TABLE wecom_relay.card (
    delivery      bigint  PRIMARY KEY REFERENCES wecom_relay.delivery (id) ON DELETE CASCADE,
    queue         text    COLLATE "C" NOT NULL, -- of its sender, as in `sender`: it stays when the sender is renamed
    task_id       text    COLLATE "C" NOT NULL,
    ordering_key  bigint  NOT NULL, -- of its delivery
    group_key     text    NOT NULL, -- whole, because updates need the same ordering key
    labels        text    NOT NULL, -- JSON
    sent_at       bigint,           -- NULL until it is sent as a new card
    response_code text,             -- an unused right to update it
    code_until    bigint,
    closed        boolean NOT NULL, -- its group is resolved
    handled       text    NOT NULL, -- JSON: what members did with it
    watch_until   bigint,           -- its alerts are silenced until then, so somebody must look for their end
    watch_due     bigint
);
CREATE INDEX card_task ON wecom_relay.card (task_id, queue, delivery);
CREATE INDEX card_open ON wecom_relay.card (ordering_key) WHERE NOT closed AND sent_at IS NOT NULL;
CREATE INDEX card_code ON wecom_relay.card (ordering_key, code_until, delivery)
    WHERE NOT closed AND response_code IS NOT NULL;
CREATE INDEX card_watched ON wecom_relay.card (watch_due) WHERE watch_due IS NOT NULL;

CREATE TABLE wecom_relay.press (
    id            bigint  PRIMARY KEY, -- a hash of the press
    queue         text    COLLATE "C" NOT NULL, -- of its sender
    task_id       text    COLLATE "C" NOT NULL,
    delivery      bigint,              -- of its card
    member        text    NOT NULL,    -- who pressed
    button        text    NOT NULL,
    response_code text    NOT NULL,
    pressed_at    bigint  NOT NULL,    -- by WeCom's clock
    accepted_at   bigint  NOT NULL,
    due_at        bigint  NOT NULL,    -- the end of its claim, while it has one
    claim         bigint,              -- the present one, or the one that settled it
    attempts      integer NOT NULL,    -- claims so far
    settled_at    bigint,
    result        text
);
CREATE INDEX press_due ON wecom_relay.press (due_at) WHERE settled_at IS NULL;
CREATE INDEX press_settled ON wecom_relay.press (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX press_delivery ON wecom_relay.press (delivery, accepted_at) WHERE delivery IS NOT NULL;
