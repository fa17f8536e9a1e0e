//! What the end-to-end tests share: real processes of the one binary, files in a foreign S3 server, and a consumer that
//! is not ours.

pub mod bench;
pub mod browser;
pub mod chaos;
pub mod cloud;
pub mod consumer;
pub mod dev;
pub mod files;
pub mod process;
pub mod republish;
pub mod s3;
pub mod system;
pub mod verdict;
pub mod webdriver;
pub mod world;
