#![doc = include_str!("../README.md")]

pub mod access;
pub mod attempt;
pub mod checkpoint;
pub mod claim;
pub mod generation;
pub mod outcome;
pub mod progress;
pub mod resume;
pub mod split;
pub mod tolerance;

mod file_id;

pub use file_id::{FileId, FileIdError};
