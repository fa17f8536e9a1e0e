//! The console in a real Chromium, against running systems: the five steps, a file as it is read, hostile content, what
//! keeps people out, and what keeps strangers out.
//!
//! `CORTEX_TEST_PICTURES` names a folder for a picture of each page, such as `docs/images`.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod demo;
mod direct;

mod documents;
mod file;
mod hostile;
mod operator;
mod people;
mod processes;
mod safety;
mod steps;
mod upload;
mod viewer;
