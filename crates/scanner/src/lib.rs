//! Lease a source, list its bucket, record what is new, publish it
