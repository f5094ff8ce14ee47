-- The ready deliveries of a destination are one queue, whatever their receivers are.

DROP INDEX delivery_ready;
CREATE INDEX delivery_ready ON delivery (sender, destination, due_at, seq, foldable) WHERE state = 1;
