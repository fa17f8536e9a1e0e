#![doc = include_str!("../README.md")]

mod ahead;
mod chunk;
mod claim;
mod config;
mod deletions;
mod fault;
mod file;
mod form;
mod open;
mod pipe;
mod probation;
mod pulse;
mod range;
mod refused;
mod run;
mod spans;
mod split;
mod survey;
mod tally;
mod validate;

pub use config::{ChunkLimits, Config, Split, most_bytes};
pub use form::Values;
pub use run::{ParserError, run};
pub use validate::{Candidate, Rejected, Report, Sink, validate};
