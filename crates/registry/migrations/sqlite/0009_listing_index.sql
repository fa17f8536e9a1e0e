-- As for PostgreSQL, which reads an index by columns behind one that is not asked for, too: `source_id` and `file_id` without `date`. That is all
-- of a source each time, and seems as cheap as a look-up by key while the table is small, when plans are made. No generation is 0
-- or less, so the index lacks none; but who does not say that they want such ones, which look-ups do not, cannot use it.
-- A release that does not know of this lists files by sorting a source's, until it is replaced.
DROP INDEX generations_by_date;
CREATE INDEX generations_by_date ON generations (source_id, date, discovered_at, file_id, generation) WHERE generation > 0;
