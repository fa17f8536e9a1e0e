#![doc = include_str!("../README.md")]

mod bind;
mod check;
mod compatibility;
mod deleted;
mod envelope;
mod file;
mod kind;
mod list;
mod mask;
mod names;
mod property;
mod proposal;
mod refusal;
mod samples;
mod schema;
mod shown;
mod timestamp;
mod value;
mod warning;
mod wire;

pub use bind::HeaderFault;
pub use check::RowChecker;
pub use compatibility::BreakingChange;
pub use deleted::{DeletedSubjects, SubjectHash, subject_hash};
pub use envelope::{EnvelopeConst, EnvelopeWriter};
pub use file::{Checked, FileChecker, FileFacts, RefusedRow};
pub use kind::{DatasetKind, OwnColumn};
pub use mask::{MASKED, MaskError, mask};
pub use proposal::{Proposal, ProposedColumn, Proposer};
pub use refusal::Refusal;
pub use samples::{SampleFile, samples};
pub use schema::{AdditionalColumns, Column, ColumnType, Schema, SchemaError};
pub use warning::{Warning, WarningCode};
