-- What a control plane needs beside the ledger: External IDs in rotation, scoped tokens, deletion lists, the health of a
-- source, its rhythm, and the grace period of a deleted one.

ALTER TABLE accounts ADD COLUMN previous_external_id TEXT;
ALTER TABLE accounts ADD COLUMN previous_until BIGINT;
ALTER TABLE accounts ADD COLUMN request_id TEXT;
-- Changes with every change of the deletion list; 0 while nothing was ever on it.
ALTER TABLE accounts ADD COLUMN deletions_version BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX accounts_by_request ON accounts (request_id) WHERE request_id IS NOT NULL;

-- A token made before has no id, and is revoked with its account only.
ALTER TABLE tokens ADD COLUMN token_id TEXT;
ALTER TABLE tokens ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT 'read_write' CHECK (scope IN ('read_only', 'read_write'));
ALTER TABLE tokens ADD COLUMN expires_at BIGINT;
-- list_tokens and revoke_token.
CREATE UNIQUE INDEX tokens_by_account ON tokens (account_id, token_id) WHERE token_id IS NOT NULL;

-- Hashes only: what was to be forgotten is not kept.
CREATE TABLE deleted_subjects (
    account_id   TEXT NOT NULL REFERENCES accounts,
    subject_hash BYTEA NOT NULL,
    added_at     BIGINT NOT NULL,
    PRIMARY KEY (account_id, subject_hash)
);

ALTER TABLE sources ADD COLUMN overwrite_policy TEXT NOT NULL DEFAULT 'replace'
    CHECK (overwrite_policy IN ('replace', 'ingest_again', 'ignore'));
-- Hundredths of a percent; 0 for no limit.
ALTER TABLE sources ADD COLUMN max_rejected BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN event_queue_url TEXT NOT NULL DEFAULT '';
-- purge_sources: those whose grace period is over.
CREATE INDEX sources_deleted ON sources (deleted_at) WHERE state = 'deleted';

-- Why a source needs attention; NULL while it does not.
ALTER TABLE scans ADD COLUMN attention TEXT;
-- Scans in a row that failed.
ALTER TABLE scans ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
-- Whoever reads the source's event queue.
ALTER TABLE scans ADD COLUMN events_worker TEXT;
ALTER TABLE scans ADD COLUMN events_expires_at BIGINT;

-- The generation whose records this one's take the place of; 0 where none.
ALTER TABLE generations ADD COLUMN replaces BIGINT NOT NULL DEFAULT 0;
-- 1 where it ended because its source could not be read, and is to be opened again once it can.
ALTER TABLE generations ADD COLUMN reopen BIGINT NOT NULL DEFAULT 0;
-- reopen_unread.
CREATE INDEX generations_to_reopen ON generations (source_id, date, file_id, generation) WHERE reopen = 1;
-- backlog: what came to rest of late.
CREATE INDEX generations_finished ON generations (source_id, finished_at) WHERE finished_at IS NOT NULL;

-- What was discovered by dated folder, beside what was read.
ALTER TABLE source_days ADD COLUMN objects BIGINT NOT NULL DEFAULT 0;
ALTER TABLE source_days ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE source_days ADD COLUMN first_arrived_at BIGINT;
ALTER TABLE source_days ADD COLUMN last_arrived_at BIGINT;

-- The first refused rows of a generation, by the byte where they begin.
CREATE TABLE row_errors (
    file_id    BYTEA NOT NULL REFERENCES files,
    generation BIGINT NOT NULL,
    position   BIGINT NOT NULL,
    row_number BIGINT,
    detail     TEXT NOT NULL,
    PRIMARY KEY (file_id, generation, position)
);

-- What the files of a source are.
CREATE TABLE source_formats (
    source_id   TEXT NOT NULL REFERENCES sources,
    format      TEXT NOT NULL,
    compression TEXT NOT NULL,
    files       BIGINT NOT NULL,
    PRIMARY KEY (source_id, format, compression)
);

-- lease_event_queues: the sources that have one.
CREATE INDEX sources_with_events ON sources (source_id) WHERE event_queue_url <> '' AND state = 'active';
