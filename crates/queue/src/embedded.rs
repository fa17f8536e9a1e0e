//! The queue in one SQLite database, for one machine.
