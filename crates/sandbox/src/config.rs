//! What a sandbox serves, and to whom.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What a sandbox serves, and to whom.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where S3 and STS are served, both on one port; port 0 for any free one.
    pub listen: SocketAddr,
    /// The folder that holds the buckets: each folder in it is one. Made where it does not exist.
    pub root: PathBuf,
    /// Who may ask STS, such as the platform. They have no rights on any bucket but by roles.
    pub identities: Vec<Identity>,
    /// The roles that exist at the start; see also [`Roles`](crate::Roles).
    pub roles: Vec<Role>,
    /// The owner of all buckets, who may do everything with them, such as putting files.
    pub owner_keys: Option<Identity>,
    /// The region that all buckets are in: a request to S3 that is signed for another is sent there, as AWS does. Any
    /// region will do where none is set.
    pub region: Option<String>,
    /// A file is taken for whole once it has not been written to for this long; see the crate's documentation.
    pub settle: Duration,
}

impl Config {
    /// Of a folder on any free port of this machine, for nobody yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            root: root.into(),
            identities: Vec::new(),
            roles: Vec::new(),
            owner_keys: None,
            region: None,
            settle: Duration::from_millis(500),
        }
    }
}

/// Someone with keys of his own.
#[derive(Clone)]
pub struct Identity {
    /// `AKIA…`
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// `arn:aws:iam::ACCOUNT:user/NAME`
    pub arn: String,
    /// Twelve digits.
    pub account_id: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("access_key_id", &self.access_key_id)
            .field("arn", &self.arn)
            .finish_non_exhaustive()
    }
}

/// A role of a customer's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `arn:aws:iam::ACCOUNT:role/NAME`
    pub arn: String,
    /// Who may assume it.
    pub trust: Trust,
    /// What it may read.
    pub grants: Vec<Grant>,
}

/// A role's trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Who may assume the role.
    pub principal: Principal,
    /// The External ID that they must give; none where the role does not ask.
    pub external_id: Option<String>,
}

/// Whom a trust policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// One identity, by its ARN.
    Arn(String),
    /// Every identity of an account (twelve digits).
    Account(String),
}

/// The right to list and read a folder of a bucket: what a source needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The bucket.
    pub bucket: String,
    /// The folder, without slashes at its ends; empty for the whole bucket.
    pub prefix: String,
}
