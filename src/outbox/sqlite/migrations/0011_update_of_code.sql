-- The update that may have used its code, because it had no answer. 0 if several may have.
ALTER TABLE card ADD COLUMN unconfirmed_by INTEGER;
-- Nobody knows the update of an earlier mark, so it counts as another one: a text too many is better than a lost text. For
-- the same reason, an update that waits since before 0010 gets no marks.
UPDATE card SET unconfirmed_by = 0 WHERE unconfirmed;
ALTER TABLE card DROP COLUMN unconfirmed;
