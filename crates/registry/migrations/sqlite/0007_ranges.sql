-- A large object that is read in ranges. JSON: how many there are, how many are at rest, and what the worst of them ended
-- with; empty where the generation is read as a whole.
ALTER TABLE generations ADD COLUMN split TEXT NOT NULL DEFAULT '';

-- The ranges of generations that are being read; those of a generation go when it comes to rest.
CREATE TABLE file_ranges (
    source_id       TEXT NOT NULL REFERENCES sources,
    file_id         BLOB NOT NULL,
    generation      INTEGER NOT NULL,
    range_number    INTEGER NOT NULL CHECK (range_number > 0),
    -- The queue message that owns the range, for ever.
    claim_topic     TEXT,
    claim_partition INTEGER,
    claim_offset    INTEGER,
    claimed_by      TEXT,
    -- As those of a generation.
    attempts        INTEGER NOT NULL DEFAULT 0,
    attempt         TEXT NOT NULL DEFAULT '',
    attempt_chunk   INTEGER NOT NULL DEFAULT 0,
    chunk           INTEGER NOT NULL DEFAULT 0,
    position        INTEGER NOT NULL DEFAULT 0,
    -- JSON.
    totals          TEXT NOT NULL DEFAULT '{}',
    is_ended        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, file_id, generation, range_number)
) STRICT;
