-- The delivery whose update the card shows.
ALTER TABLE card ADD COLUMN shown INTEGER;
-- An update may have used its code.
ALTER TABLE card ADD COLUMN unconfirmed INTEGER NOT NULL DEFAULT 0;
