-- As for PostgreSQL, where the reason stands, so that both databases have the same index and the same statements.
-- A release that does not know of this lists files by sorting a source's, until it is replaced.
DROP INDEX generations_by_date;
CREATE INDEX generations_by_date ON generations (source_id, date, discovered_at, file_id, generation) WHERE generation > 0;
