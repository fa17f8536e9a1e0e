-- PostgreSQL can read an index by columns behind one that is not asked for: `source_id` and `file_id` without `date`. That reads all of a
-- source each time, and seems as cheap as a look-up by key while the table is small, when plans are made. No generation is below 1,
-- so the condition leaves nothing out; but a statement can use the index only where it says `generation > 0`, as look-ups do not.
-- A release that does not know of this lists files by sorting a source's, until it is replaced.
DROP INDEX generations_by_date;
CREATE INDEX generations_by_date ON generations (source_id, date, discovered_at, file_id, generation) WHERE generation > 0;
