//! Real servers for the tests: Apache Kafka, PostgreSQL, a foreign S3
