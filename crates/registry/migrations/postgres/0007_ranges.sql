-- A large object that is read in ranges. JSON: how many there are, how many are at rest, and what the worst of them ended
-- with; empty where the generation is read as a whole.
ALTER TABLE generations ADD COLUMN split TEXT NOT NULL DEFAULT '';

-- The ranges of generations that are being read; those of a generation go when it comes to rest.
CREATE TABLE file_ranges (
    source_id       TEXT COLLATE "C" NOT NULL REFERENCES sources,
    file_id         BYTEA NOT NULL,
    generation      BIGINT NOT NULL,
    range_number    BIGINT NOT NULL CHECK (range_number > 0),
    -- The queue message that owns the range, for ever.
    claim_topic     TEXT,
    claim_partition BIGINT,
    claim_offset    BIGINT,
    claimed_by      TEXT,
    -- As those of a generation.
    attempts        BIGINT NOT NULL DEFAULT 0,
    attempt         TEXT NOT NULL DEFAULT '',
    attempt_chunk   BIGINT NOT NULL DEFAULT 0,
    chunk           BIGINT NOT NULL DEFAULT 0,
    position        BIGINT NOT NULL DEFAULT 0,
    -- JSON.
    totals          TEXT NOT NULL DEFAULT '{}',
    is_ended        BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, file_id, generation, range_number)
);
