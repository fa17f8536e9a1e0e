//! Bytes to rows: gzip, zip, CSV, TSV, JSON
