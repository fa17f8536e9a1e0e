#![doc = include_str!("../README.md")]

mod bind;
mod check;
mod compatibility;
mod envelope;
mod file;
mod kind;
mod proposal;
mod samples;
mod schema;
mod timestamp;
mod value;
mod warning;
mod wire;

pub use bind::HeaderFault;
pub use check::{Refusal, RowChecker};
pub use compatibility::BreakingChange;
pub use envelope::{EnvelopeConst, EnvelopeWriter};
pub use file::{Checked, FileChecker, FileFacts, RefusedRow};
pub use kind::{DatasetKind, OwnColumn};
pub use proposal::{Proposal, ProposedColumn, Proposer};
pub use samples::{SampleFile, samples};
pub use schema::{AdditionalColumns, Column, ColumnType, Schema, SchemaError};
pub use warning::{Warning, WarningCode};
