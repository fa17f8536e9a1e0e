//! The exactly-once rules as pure decisions
