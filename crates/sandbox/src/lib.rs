//! An S3 and STS endpoint over a folder, for development and tests
