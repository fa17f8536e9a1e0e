use super::{AccountId, SchemaError};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such row, or it belongs to another account, or it was deleted.
    #[error("{kind} {id:?} does not exist")]
    NotFound {
        /// What was looked for: `account`, `source`.
        kind: &'static str,
        /// Its id, as it was asked for.
        id: String,
    },
    /// The id, or a value that must be unique (an External ID, a token), is taken.
    #[error("{kind} {id:?} already exists, or one of its values is taken")]
    AlreadyExists {
        /// What was to be made.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// The row changed since the caller read it: read it again and decide anew.
    #[error("{kind} {id:?} was changed in the meantime; read it again")]
    Conflict {
        /// What was to be changed.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// The lease was taken over, ended, or its source is no longer active: the scan must stop.
    #[error("lease {fence} of source {source_id} is no longer held; stop this scan")]
    FenceLost {
        /// The source.
        source_id: String,
        /// The fence that was shown.
        fence: u64,
    },
    /// The caller's values cannot be stored; the message says which and why.
    #[error("{0}")]
    Invalid(String),
    /// The page token was not made by this store.
    #[error("the page token is not valid here; begin again without one")]
    PageToken,
    /// The database's URL, or what it names, is not one that this store can use.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
    /// The database's tables are not such that this version can work on them.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The database cannot be reached, is overloaded, or ended the transaction for now: worth another try.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The database holds, or answered, what it never should: a defect or damage, not worth another try.
    #[error("the database holds what this version cannot read: {what}")]
    Corrupt {
        /// Table, column and what stood there; never a secret.
        what: String,
    },
    /// The database refused a statement: a defect, not worth another try.
    #[error("the database refused a statement: {0}")]
    Refused(#[source] sqlx::Error),
}

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// True where the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    pub(super) fn no_account(id: &AccountId) -> Self {
        Self::NotFound { kind: "account", id: id.to_string() }
    }

    pub(super) fn no_source(id: &super::SourceId) -> Self {
        Self::NotFound { kind: "source", id: id.to_string() }
    }

    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

/// SQLSTATE classes and codes of PostgreSQL that pass by themselves: connection lost (08), resources (53), the
/// operator's intervention (57), a serialization failure or deadlock (40).
const PASSING: [&str; 4] = ["08", "53", "57", "40"];
/// SQLite's result codes (primary, in the low byte) for a file that another process holds.
const SQLITE_BUSY: i64 = 5;
const SQLITE_LOCKED: i64 = 6;
/// And for a disk that is full, as far as SQLite knows, or that fails.
const SQLITE_FULL: i64 = 13;
const SQLITE_IOERR: i64 = 10;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let busy = code.parse::<i64>().is_ok_and(|code| {
                    code.to_string().len() < 5
                        && matches!(code & 0xff, SQLITE_BUSY | SQLITE_LOCKED | SQLITE_FULL | SQLITE_IOERR)
                });
                let passing = code.len() == 5 && PASSING.iter().any(|class| code.starts_with(class));
                if busy || passing { Self::Unavailable(error) } else { Self::Refused(error) }
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::RowNotFound => Self::corrupt(error.to_string()),
            // Of the URL, without the URL.
            sqlx::Error::Configuration(reason) => Self::Unusable(format!("its URL is not valid: {reason}")),
            sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => Self::Refused(error),
            _ => Self::Unavailable(error),
        }
    }
}
