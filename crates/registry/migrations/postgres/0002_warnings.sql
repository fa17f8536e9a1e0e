-- What an invalid row does, and what is odd in a file and refuses nothing.

ALTER TABLE sources ADD COLUMN invalid_rows TEXT NOT NULL DEFAULT 'reject_row'
    CHECK (invalid_rows IN ('reject_row', 'reject_file'));

ALTER TABLE generations ADD COLUMN warnings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE generations ADD COLUMN warning_examples TEXT NOT NULL DEFAULT '[]';

-- The columns of the last file of a source of which something was accepted, to warn where the next has others.
CREATE TABLE source_columns (
    source_id TEXT NOT NULL PRIMARY KEY REFERENCES sources,
    columns   TEXT NOT NULL
);
