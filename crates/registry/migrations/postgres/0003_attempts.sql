-- Attempts at reading a generation since it last moved on: how many were begun, the last one's name, and the chunk that
-- was committed before the first of them.

ALTER TABLE generations ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE generations ADD COLUMN attempt TEXT NOT NULL DEFAULT '';
ALTER TABLE generations ADD COLUMN attempt_chunk BIGINT NOT NULL DEFAULT 0;
