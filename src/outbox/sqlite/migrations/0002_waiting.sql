-- How much waits, by app and receiver: kept with every change, because counting a long queue takes long.
CREATE TABLE waiting (
    channel    TEXT    NOT NULL,
    receiver   TEXT    NOT NULL,
    deliveries INTEGER NOT NULL, -- not settled
    discarded  INTEGER NOT NULL, -- given up by a person instead of being sent, so far
    PRIMARY KEY (channel, receiver)
) STRICT, WITHOUT ROWID;
INSERT INTO waiting SELECT channel, receiver, sum(open), 0 FROM notification
    WHERE open > 0 GROUP BY channel, receiver;
CREATE TRIGGER waiting_more AFTER INSERT ON notification WHEN NEW.open > 0 BEGIN
    INSERT INTO waiting (channel, receiver, deliveries, discarded)
    VALUES (NEW.channel, NEW.receiver, NEW.open, 0)
    ON CONFLICT DO UPDATE SET deliveries = deliveries + excluded.deliveries;
END;
CREATE TRIGGER waiting_changed AFTER UPDATE OF open ON notification BEGIN
    INSERT INTO waiting (channel, receiver, deliveries, discarded)
    VALUES (NEW.channel, NEW.receiver, NEW.open - OLD.open, 0)
    ON CONFLICT DO UPDATE SET deliveries = deliveries + excluded.deliveries;
END;

-- Of every kind, so that the oldest of what waits is found.
DROP INDEX notification_waiting;
CREATE INDEX notification_waiting ON notification (channel, receiver, kind, id) WHERE open > 0;

-- Attempts that ended with an errcode that nobody knows.
ALTER TABLE delivery ADD COLUMN unknown INTEGER NOT NULL DEFAULT 0;
