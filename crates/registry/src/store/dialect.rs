/// Which database the statements are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

/// What a column of a batch holds. Bytes travel in hexadecimal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Bytes,
    Text,
    Int,
}

impl Dialect {
    /// Opens a transaction that will write. SQLite takes its write lock at once: a transaction that reads first and asks
    /// for the lock later is refused where another process wrote in between.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN",
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Locks the selected rows of `table` up to the end of the transaction; weak enough to let foreign keys on them be
    /// checked. SQLite has one writer, so there is nothing to lock.
    pub(super) fn lock(self, table: &str) -> String {
        match self {
            Self::Postgres => format!("FOR NO KEY UPDATE OF {table}"),
            Self::Sqlite => String::new(),
        }
    }

    /// Locks the selected rows of `table`, passing over those that someone else has locked.
    pub(super) fn skip_locked(self, table: &str) -> String {
        match self {
            Self::Postgres => format!("FOR UPDATE OF {table} SKIP LOCKED"),
            Self::Sqlite => String::new(),
        }
    }

    /// The rows of a JSON array of objects, bound as `parameter`, as the relation `batch`: one parameter and one prepared
    /// statement, however many rows.
    ///
    /// PostgreSQL is led to take it for one row, by a condition that always holds: whatever the size of the tables, it then
    /// looks up row by row, rather than reading all of a source and comparing.
    pub(super) fn batch(self, parameter: &str, columns: &[(&str, Kind)]) -> String {
        let columns: Vec<String> = columns.iter().map(|(name, kind)| self.column(name, *kind)).collect();
        let rows = match self {
            Self::Postgres => format!("jsonb_array_elements({parameter}::jsonb)"),
            Self::Sqlite => format!("json_each({parameter})"),
        };
        let alias = match self {
            Self::Postgres => "item(value) WHERE item.value ->> '' IS NULL",
            Self::Sqlite => "item",
        };
        format!("(SELECT {} FROM {rows} AS {alias}) AS batch", columns.join(", "))
    }

    /// True of rows whose source and file id a batch of one source names. SQLite looks up by both only where each stands by
    /// itself.
    pub(super) fn named_by(self, batch: &str) -> String {
        match self {
            Self::Postgres => format!("(source_id, file_id) IN (SELECT source_id, file_id FROM {batch})"),
            Self::Sqlite => format!(
                "source_id IN (SELECT source_id FROM {batch}) AND file_id IN (SELECT file_id FROM {batch})"
            ),
        }
    }

    fn column(self, name: &str, kind: Kind) -> String {
        let text = format!("(item.value ->> '{name}')");
        let value = match (kind, self) {
            (Kind::Text, _) => text,
            (Kind::Int, _) => format!("CAST({text} AS BIGINT)"),
            (Kind::Bytes, Self::Postgres) => format!("decode({text}, 'hex')"),
            (Kind::Bytes, Self::Sqlite) => format!("unhex({text})"),
        };
        format!("{value} AS {name}")
    }
}

/// Bytes as the batches carry them.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

/// A count as the database keeps it. What is beyond 2^63 stops there.
pub(super) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_lower_case_hexadecimal() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa5, 0xff]), "000fa5ff");
    }

    #[test]
    fn a_count_beyond_the_databases_range_stops_at_its_end() {
        assert_eq!(int(7), 7);
        assert_eq!(int(u64::MAX), i64::MAX);
    }
}
