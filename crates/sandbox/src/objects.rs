//! What stands in the way of reading an object though the role may, set by whoever runs the sandbox.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use s3s::{S3Error, S3ErrorCode};

/// Objects that cannot be read, whatever the role allows. Cheap to clone; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Objects(Arc<Mutex<HashMap<(String, String), Obstacle>>>);

/// Why an object cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Archived,
    KeyDenied,
}

impl Objects {
    /// Puts an object into the storage class GLACIER: it is listed, and reading it fails with `InvalidObjectState`.
    pub fn archive(&self, bucket: &str, key: &str) {
        self.set(bucket, key, Some(Obstacle::Archived));
    }

    /// Encrypts an object with a KMS key that no one may use: it is listed, and reading it fails with KMS's `AccessDenied`.
    pub fn deny_key(&self, bucket: &str, key: &str) {
        self.set(bucket, key, Some(Obstacle::KeyDenied));
    }

    /// Takes the obstacle away.
    pub fn restore(&self, bucket: &str, key: &str) {
        self.set(bucket, key, None);
    }

    pub(crate) fn obstacle(&self, bucket: &str, key: &str) -> Option<Obstacle> {
        let objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        objects.get(&(bucket.to_owned(), key.to_owned())).copied()
    }

    fn set(&self, bucket: &str, key: &str, obstacle: Option<Obstacle>) {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let object = (bucket.to_owned(), key.to_owned());
        match obstacle {
            Some(obstacle) => objects.insert(object, obstacle),
            None => objects.remove(&object),
        };
    }
}

impl Obstacle {
    /// What S3 says to a caller who would read the object.
    pub(crate) fn refusal(self, caller: &str) -> S3Error {
        match self {
            Self::Archived => S3Error::with_message(
                S3ErrorCode::InvalidObjectState,
                "The operation is not valid for the object's storage class",
            ),
            Self::KeyDenied => S3Error::with_message(
                S3ErrorCode::AccessDenied,
                format!(
                    "User: {caller} is not authorized to perform: kms:Decrypt on the resource associated with this \
                     ciphertext because no identity-based policy allows the kms:Decrypt action"
                ),
            ),
        }
    }
}
