-- The ledger is partitioned by source (docs/decisions/0012): every call names its sources, none reads across them all but
-- the count of what is unfinished, by a partial index. Whatever is written or looked up names the source too, so that
-- PostgreSQL leaves the other partitions out.
--
-- None of the three references another: what hangs together is written and removed in one transaction, and a
-- reference to a partitioned table would be checked row by row.

ALTER TABLE files RENAME TO files_before;
ALTER TABLE generations RENAME TO generations_before;
ALTER TABLE row_errors RENAME TO row_errors_before;

CREATE TABLE files (
    source_id  TEXT COLLATE "C" NOT NULL REFERENCES sources,
    file_id    BYTEA NOT NULL,
    object_key TEXT COLLATE "C" NOT NULL
) PARTITION BY HASH (source_id);

CREATE TABLE generations (
    source_id        TEXT COLLATE "C" NOT NULL,
    file_id          BYTEA NOT NULL,
    generation       BIGINT NOT NULL CHECK (generation > 0),
    etag             TEXT NOT NULL,
    -- The number of the reprocess request that opened it; 0 where a new ETag did.
    requested        BIGINT NOT NULL DEFAULT 0,
    size             BIGINT NOT NULL,
    last_modified    BIGINT NOT NULL,
    date             TEXT COLLATE "C" NOT NULL,
    state            TEXT NOT NULL DEFAULT 'discovered' CHECK (state IN (
                         'discovered', 'published', 'claimed', 'accepted', 'accepted_with_rejections', 'rejected',
                         'incomplete', 'superseded')),
    published_at     BIGINT,
    -- The queue message that owns the generation, for ever.
    claim_topic      TEXT,
    claim_partition  BIGINT,
    claim_offset     BIGINT,
    claimed_by       TEXT,
    claimed_at       BIGINT,
    row_count        BIGINT NOT NULL DEFAULT 0,
    accepted         BIGINT NOT NULL DEFAULT 0,
    rejected         BIGINT NOT NULL DEFAULT 0,
    rejections       TEXT NOT NULL DEFAULT '{}',
    position         BIGINT NOT NULL DEFAULT 0,
    chunk            BIGINT NOT NULL DEFAULT 0,
    format           TEXT NOT NULL DEFAULT '',
    compression      TEXT NOT NULL DEFAULT '',
    error            TEXT,
    discovered_at    BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    finished_at      BIGINT,
    warnings         TEXT NOT NULL DEFAULT '{}',
    warning_examples TEXT NOT NULL DEFAULT '[]',
    -- Attempts at reading it since it last moved on, the last one's name, and the chunk committed before the first.
    attempts         BIGINT NOT NULL DEFAULT 0,
    attempt          TEXT NOT NULL DEFAULT '',
    attempt_chunk    BIGINT NOT NULL DEFAULT 0,
    -- The generation whose records this one's take the place of; 0 where none.
    replaces         BIGINT NOT NULL DEFAULT 0,
    -- 1 where it ended because its source could not be read, and is to be opened again once it can.
    reopen           BIGINT NOT NULL DEFAULT 0,
    -- What the indexes know of the state: a claim does not change it, and so leaves all indexes alone.
    phase            TEXT NOT NULL GENERATED ALWAYS AS (CASE state WHEN 'discovered' THEN 'waiting'
                         WHEN 'published' THEN 'under_way' WHEN 'claimed' THEN 'under_way' ELSE 'at_rest' END) STORED,
    CHECK ((claim_topic IS NULL) = (claim_partition IS NULL) AND (claim_topic IS NULL) = (claim_offset IS NULL))
) PARTITION BY HASH (source_id);

-- The first refused rows of a generation, by the byte where they begin.
CREATE TABLE row_errors (
    source_id  TEXT COLLATE "C" NOT NULL,
    file_id    BYTEA NOT NULL,
    generation BIGINT NOT NULL,
    position   BIGINT NOT NULL,
    row_number BIGINT,
    detail     TEXT NOT NULL
) PARTITION BY HASH (source_id);

-- A generation is written again and again until it is at rest: room for that beside it.
DO $$
BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format('CREATE TABLE files_%s PARTITION OF files FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n);
        EXECUTE format(
            'CREATE TABLE generations_%s PARTITION OF generations FOR VALUES WITH (MODULUS 16, REMAINDER %s) '
            'WITH (fillfactor = 80)', n, n);
        EXECUTE format(
            'CREATE TABLE row_errors_%s PARTITION OF row_errors FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n);
    END LOOP;
END $$;

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
-- The keys come last: of indexes that seem to cost the same, as all do while a table is small, PostgreSQL takes the one that was
-- made last, and keeps the plan for a while.
ALTER TABLE files ADD CONSTRAINT files_by_key UNIQUE (source_id, object_key);
ALTER TABLE files ADD CONSTRAINT files_by_id PRIMARY KEY (source_id, file_id);
-- A generation is known once.
ALTER TABLE generations ADD CONSTRAINT generations_by_etag UNIQUE (source_id, file_id, etag, requested);
ALTER TABLE generations ADD CONSTRAINT generations_by_number PRIMARY KEY (source_id, file_id, generation);
ALTER TABLE row_errors ADD CONSTRAINT row_errors_by_position PRIMARY KEY (source_id, file_id, generation, position);

-- Files of folders up to this date may have been forgotten; NULL where none were. No generation is opened there any more.
ALTER TABLE scans ADD COLUMN forgotten_until TEXT COLLATE "C";
