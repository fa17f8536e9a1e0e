-- The ledger's keys begin with the source, as in PostgreSQL, where its tables are partitioned by it
-- (docs/decisions/0012): one text of a statement serves both.

ALTER TABLE files RENAME TO files_before;
ALTER TABLE generations RENAME TO generations_before;
ALTER TABLE row_errors RENAME TO row_errors_before;

CREATE TABLE files (
    source_id  TEXT NOT NULL REFERENCES sources,
    file_id    BLOB NOT NULL,
    object_key TEXT NOT NULL,
    PRIMARY KEY (source_id, file_id),
    UNIQUE (source_id, object_key)
) STRICT;

CREATE TABLE generations (
    source_id        TEXT NOT NULL,
    file_id          BLOB NOT NULL,
    generation       INTEGER NOT NULL CHECK (generation > 0),
    etag             TEXT NOT NULL,
    -- The number of the reprocess request that opened it; 0 where a new ETag did.
    requested        INTEGER NOT NULL DEFAULT 0,
    size             INTEGER NOT NULL,
    last_modified    INTEGER NOT NULL,
    date             TEXT NOT NULL,
    state            TEXT NOT NULL DEFAULT 'discovered' CHECK (state IN (
                         'discovered', 'published', 'claimed', 'accepted', 'accepted_with_rejections', 'rejected',
                         'incomplete', 'superseded')),
    published_at     INTEGER,
    -- The queue message that owns the generation, for ever.
    claim_topic      TEXT,
    claim_partition  INTEGER,
    claim_offset     INTEGER,
    claimed_by       TEXT,
    claimed_at       INTEGER,
    row_count        INTEGER NOT NULL DEFAULT 0,
    accepted         INTEGER NOT NULL DEFAULT 0,
    rejected         INTEGER NOT NULL DEFAULT 0,
    rejections       TEXT NOT NULL DEFAULT '{}',
    position         INTEGER NOT NULL DEFAULT 0,
    chunk            INTEGER NOT NULL DEFAULT 0,
    format           TEXT NOT NULL DEFAULT '',
    compression      TEXT NOT NULL DEFAULT '',
    error            TEXT,
    discovered_at    INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    finished_at      INTEGER,
    warnings         TEXT NOT NULL DEFAULT '{}',
    warning_examples TEXT NOT NULL DEFAULT '[]',
    -- Attempts at reading it since it last moved on, the last one's name, and the chunk committed before the first.
    attempts         INTEGER NOT NULL DEFAULT 0,
    attempt          TEXT NOT NULL DEFAULT '',
    attempt_chunk    INTEGER NOT NULL DEFAULT 0,
    -- The generation whose records this one's take the place of; 0 where none.
    replaces         INTEGER NOT NULL DEFAULT 0,
    -- 1 where it ended because its source could not be read, and is to be opened again once it can.
    reopen           INTEGER NOT NULL DEFAULT 0,
    -- What the indexes know of the state: a claim does not change it, and so leaves all indexes alone.
    phase            TEXT NOT NULL GENERATED ALWAYS AS (CASE state WHEN 'discovered' THEN 'waiting'
                         WHEN 'published' THEN 'under_way' WHEN 'claimed' THEN 'under_way' ELSE 'at_rest' END) STORED,
    PRIMARY KEY (source_id, file_id, generation),
    -- A generation is known once.
    UNIQUE (source_id, file_id, etag, requested),
    CHECK ((claim_topic IS NULL) = (claim_partition IS NULL) AND (claim_topic IS NULL) = (claim_offset IS NULL))
) STRICT;

-- The first refused rows of a generation, by the byte where they begin.
CREATE TABLE row_errors (
    source_id  TEXT NOT NULL,
    file_id    BLOB NOT NULL,
    generation INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    row_number INTEGER,
    detail     TEXT NOT NULL,
    PRIMARY KEY (source_id, file_id, generation, position)
) STRICT;

INSERT INTO files (source_id, file_id, object_key) SELECT source_id, file_id, object_key FROM files_before;
INSERT INTO generations (
    file_id, generation, source_id, etag, requested, size, last_modified, date, state, published_at, claim_topic,
    claim_partition, claim_offset, claimed_by, claimed_at, row_count, accepted, rejected, rejections, position,
    chunk, format, compression, error, discovered_at, updated_at, finished_at, warnings, warning_examples, attempts,
    attempt, attempt_chunk, replaces, reopen)
    SELECT
    file_id, generation, source_id, etag, requested, size, last_modified, date, state, published_at, claim_topic,
    claim_partition, claim_offset, claimed_by, claimed_at, row_count, accepted, rejected, rejections, position,
    chunk, format, compression, error, discovered_at, updated_at, finished_at, warnings, warning_examples, attempts,
    attempt, attempt_chunk, replaces, reopen
    FROM generations_before;
INSERT INTO row_errors (source_id, file_id, generation, position, row_number, detail)
    SELECT f.source_id, e.file_id, e.generation, e.position, e.row_number, e.detail
    FROM row_errors_before e JOIN files_before f ON f.file_id = e.file_id;
DROP TABLE row_errors_before;
DROP TABLE generations_before;
DROP TABLE files_before;

-- list_unpublished: a source's oldest date first, and how many wait.
CREATE INDEX generations_unpublished ON generations (source_id, date, file_id, generation)
    WHERE phase = 'waiting';
-- list_unpublished: how many files of a source are on the queue or being read. unfinished: those of all.
CREATE INDEX generations_unfinished ON generations (source_id) WHERE phase = 'under_way';
-- list_files: read backwards, newest date first, by pages. reprocess_dates.
CREATE INDEX generations_by_date ON generations (source_id, date, discovered_at, file_id, generation);
-- reopen_unread.
CREATE INDEX generations_to_reopen ON generations (source_id, date, file_id, generation) WHERE reopen = 1;
-- backlog: what came to rest of late. forget_files: what did longest ago.
CREATE INDEX generations_finished ON generations (source_id, finished_at) WHERE finished_at IS NOT NULL;

-- Files of folders up to this date may have been forgotten; NULL where none were. No generation is opened there any more.
ALTER TABLE scans ADD COLUMN forgotten_until TEXT;
