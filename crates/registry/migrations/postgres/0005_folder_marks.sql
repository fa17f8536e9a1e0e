-- How far the folders of the look-back window are known: JSON, at most a hundred folders. It has no table of its own, since
-- it is read with every lease and written with every completion.
ALTER TABLE scans ADD COLUMN marks TEXT NOT NULL DEFAULT '[]';
