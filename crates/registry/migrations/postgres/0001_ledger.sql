-- Times are microseconds since the Unix epoch, dates YYYY-MM-DD, JSON is text. Text that is ordered by is compared
-- byte by byte, whatever the locale of the database.

CREATE TABLE accounts (
    account_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    external_id  TEXT NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL
);
-- list_accounts: oldest first, by pages.
CREATE INDEX accounts_by_age ON accounts (created_at, account_id);

-- Hashes only: a token itself is shown once and never stored.
CREATE TABLE tokens (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    role       TEXT NOT NULL CHECK (role IN ('admin', 'worker', 'account')),
    account_id TEXT COLLATE "C" REFERENCES accounts,
    created_at BIGINT NOT NULL,
    CHECK ((role = 'account') = (account_id IS NOT NULL))
);

CREATE TABLE sources (
    source_id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id            TEXT COLLATE "C" NOT NULL REFERENCES accounts,
    display_name          TEXT NOT NULL,
    dataset               TEXT NOT NULL,
    state                 TEXT NOT NULL CHECK (state IN ('draft', 'active', 'paused', 'deleted')),
    bucket                TEXT NOT NULL,
    path                  TEXT NOT NULL,
    role_arn              TEXT NOT NULL,
    region                TEXT NOT NULL,
    endpoint_url          TEXT NOT NULL,
    expected_bucket_owner TEXT NOT NULL,
    time_zone             TEXT NOT NULL,
    schema_version        BIGINT NOT NULL,
    schema_json           TEXT NOT NULL,
    sealed_keys           BYTEA,
    request_id            TEXT,
    revision              BIGINT NOT NULL,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    deleted_at            BIGINT,
    -- create_source: the same request makes one source.
    UNIQUE (account_id, request_id)
);
-- list_sources: an account's, oldest first, by pages.
CREATE INDEX sources_by_age ON sources (account_id, created_at, source_id) WHERE state <> 'deleted';

CREATE TABLE source_schemas (
    source_id   TEXT COLLATE "C" NOT NULL REFERENCES sources,
    version     BIGINT NOT NULL,
    schema_json TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (source_id, version)
);

-- One row a source, apart from it because scanners write here all the time. Every write under a lease locks this row, so
-- the writes of one source come one after another, and a lease cannot be taken over in the middle of one.
CREATE TABLE scans (
    source_id        TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES sources,
    -- NULL while the source is not active.
    next_scan_at     BIGINT,
    next_sweep_at    BIGINT,
    sweep_cursor     TEXT NOT NULL DEFAULT '',
    fence            BIGINT NOT NULL DEFAULT 0,
    -- Both NULL while no one holds the source.
    lease_worker     TEXT,
    lease_expires_at BIGINT,
    last_scan_at     BIGINT,
    folders          BIGINT NOT NULL DEFAULT 0,
    objects          BIGINT NOT NULL DEFAULT 0,
    list_requests    BIGINT NOT NULL DEFAULT 0,
    outside          BIGINT NOT NULL DEFAULT 0,
    outside_examples TEXT NOT NULL DEFAULT '[]',
    left_alone       BIGINT NOT NULL DEFAULT 0,
    scan_error       TEXT
);
-- lease_due_scan: the longest due first. next_due: the same, without the table.
CREATE INDEX scans_due ON scans (next_scan_at, lease_expires_at) WHERE next_scan_at IS NOT NULL;

CREATE TABLE files (
    file_id    BYTEA NOT NULL PRIMARY KEY,
    source_id  TEXT COLLATE "C" NOT NULL REFERENCES sources,
    object_key TEXT COLLATE "C" NOT NULL,
    UNIQUE (source_id, object_key)
);

CREATE TABLE generations (
    file_id         BYTEA NOT NULL REFERENCES files,
    generation      BIGINT NOT NULL CHECK (generation > 0),
    -- That of the file, for the indexes below.
    source_id       TEXT COLLATE "C" NOT NULL,
    etag            TEXT NOT NULL,
    -- The number of the reprocess request that opened it; 0 where a new ETag did.
    requested       BIGINT NOT NULL DEFAULT 0,
    size            BIGINT NOT NULL,
    last_modified   BIGINT NOT NULL,
    date            TEXT COLLATE "C" NOT NULL,
    state           TEXT NOT NULL DEFAULT 'discovered' CHECK (state IN (
                        'discovered', 'published', 'claimed', 'accepted', 'accepted_with_rejections', 'rejected',
                        'incomplete', 'superseded')),
    published_at    BIGINT,
    -- The queue message that owns the generation, for ever.
    claim_topic     TEXT,
    claim_partition BIGINT,
    claim_offset    BIGINT,
    claimed_by      TEXT,
    claimed_at      BIGINT,
    row_count       BIGINT NOT NULL DEFAULT 0,
    accepted        BIGINT NOT NULL DEFAULT 0,
    rejected        BIGINT NOT NULL DEFAULT 0,
    rejections      TEXT NOT NULL DEFAULT '{}',
    position        BIGINT NOT NULL DEFAULT 0,
    chunk           BIGINT NOT NULL DEFAULT 0,
    format          TEXT NOT NULL DEFAULT '',
    compression     TEXT NOT NULL DEFAULT '',
    error           TEXT,
    discovered_at   BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    finished_at     BIGINT,
    PRIMARY KEY (file_id, generation),
    UNIQUE (file_id, etag, requested),
    CHECK ((claim_topic IS NULL) = (claim_partition IS NULL) AND (claim_topic IS NULL) = (claim_offset IS NULL))
);
-- list_unpublished: a source's oldest date first, and how many wait.
CREATE INDEX generations_unpublished ON generations (source_id, date, file_id, generation)
    WHERE state = 'discovered';
-- list_unpublished: how many files of a source are on the queue or being read.
CREATE INDEX generations_unfinished ON generations (source_id) WHERE state IN ('published', 'claimed');
-- list_files: read backwards, newest date first, by pages.
CREATE INDEX generations_by_date ON generations (source_id, date, discovered_at, file_id, generation);

-- How far the progress topic has been applied; moves in the transaction that applies it.
CREATE TABLE reader_positions (
    topic        TEXT NOT NULL,
    partition_id BIGINT NOT NULL,
    next_offset  BIGINT NOT NULL,
    PRIMARY KEY (topic, partition_id)
);

-- The newest records of a source; the transaction that adds some takes the oldest away.
CREATE TABLE samples (
    sample_id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id   TEXT COLLATE "C" NOT NULL REFERENCES sources,
    object_key  TEXT NOT NULL,
    generation  BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    message     TEXT NOT NULL,
    record      BYTEA NOT NULL
);
-- list_samples, and the trimming: a source's newest first.
CREATE INDEX samples_by_source ON samples (source_id, sample_id);

-- Counts by dated folder, moved by the same transaction as the generations that they sum up.
CREATE TABLE source_days (
    source_id TEXT COLLATE "C" NOT NULL REFERENCES sources,
    date      TEXT COLLATE "C" NOT NULL,
    files     BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    accepted  BIGINT NOT NULL,
    rejected  BIGINT NOT NULL,
    PRIMARY KEY (source_id, date)
);

-- No reference to accounts: what was done stays written.
CREATE TABLE audit_log (
    audit_id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    account_id TEXT COLLATE "C",
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail     TEXT NOT NULL
);
-- list_audit: what concerns an account, newest first.
CREATE INDEX audit_log_by_account ON audit_log (account_id, audit_id);
