#![doc = include_str!("../README.md")]

mod bucket;
mod checksum;
mod credentials;
mod error;
mod events;
mod fetch;
mod identity;
mod listing;
mod location;
mod parallel;
mod probe;
mod reader;

pub use bucket::{Bucket, ObjectVersion};
pub use credentials::IssuedCredentials;
pub use error::{BucketError, Place};
pub use events::{EventObject, EventQueue, Events, EventsError, Received};
pub use identity::Identity;
pub use listing::{FolderPages, Folders, ListedObject};
pub use location::{Location, is_region};
pub use parallel::ParallelReader;
pub use probe::DatedFolders;
pub use reader::ObjectReader;
