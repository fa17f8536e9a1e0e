#![doc = include_str!("../README.md")]

mod buffer;
mod decompress;
mod delimited;
mod fault;
mod item;
mod json;
mod named;
mod rows;
mod sniff;
mod source;
mod utf16;

pub use decompress::Compression;
pub use fault::{FileCode, FileFault, ReadError, RowFault};
pub use item::{BadRow, Columns, Entry, Fields, Item, Limits, Place, Row, Values};
pub use named::{JsonRef, JsonValue, Named, Shape};
pub use rows::Rows;
pub use sniff::Format;
pub use source::Object;
