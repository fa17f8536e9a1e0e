//! Tracing, OpenTelemetry, metrics and health: one call that every role makes
