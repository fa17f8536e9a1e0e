//! What a console is started with.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use api::client::ClientTls;
use api::registry::{Dataset, FileState, PreviewSourceResponse, ProposeSourceSchemaResponse, Schema};
use axum_extra::extract::cookie::Key;
use sha2::{Digest, Sha512};

/// Bytes of the largest file that is checked, where nothing else is set.
pub const MAX_UPLOAD_BYTES: u64 = 256 << 20;

/// See the module.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address that browsers know it by, `https://HOST` or, on a loopback address alone, `http://HOST:PORT`. Where
    /// absent it is for browsers on this machine.
    pub url: Option<String>,
    /// The registry's address.
    pub registry_url: String,
    /// How the registry is known over `https://`.
    pub registry_tls: ClientTls,
    /// What sessions are sealed with. Consoles that share a name must share it.
    pub session_key: SessionKey,
    /// Bytes of the largest file that is checked.
    pub max_upload_bytes: u64,
    /// How local files are looked at.
    pub tools: FileTools,
    /// Said beside the sign-in form, such as where a token is found.
    pub sign_in_hint: Option<String>,
    /// A provider that people may sign in at, besides by a token. `url` must be set then: the provider leads back to it.
    pub provider: Option<ProviderSignIn>,
}

/// Sign-in at an OpenID Connect provider. The registry must take its tokens.
#[derive(Debug, Clone)]
pub struct ProviderSignIn {
    /// Which one, and as which client of it.
    pub provider: oidc::Config,
    /// The client's secret; none for a public client.
    pub secret: Option<oidc::ClientSecret>,
    /// What people call it: “Sign in with NAME”.
    pub name: String,
    /// What is asked for, `openid` among them.
    pub scopes: Vec<String>,
}

/// Seals the cookies that hold sessions. Its Debug output does not hold the key.
#[derive(Clone)]
pub struct SessionKey(pub(crate) Key);

impl SessionKey {
    /// From 32 bytes that no one can guess.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(Key::from(&Sha512::digest(secret)))
    }

    /// Drawn at random: sessions end with the process.
    pub fn random() -> Self {
        Self(Key::generate())
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// The parser's own code, given by whoever wires the console: it depends on no service crate. Both block.
#[derive(Debug, Clone, Copy)]
pub struct FileTools {
    /// What the parser would say of a file.
    pub check: fn(&Upload<'_>, &Schema, &CheckOptions) -> Result<CheckReport, String>,
    /// The schema that would take a file's rows.
    pub propose: fn(&Upload<'_>, Dataset) -> Result<ProposeSourceSchemaResponse, String>,
}

/// How a source would take the file.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// IANA zone of timestamps without an offset; UTC where empty.
    pub time_zone: String,
    /// An invalid row rejects the file.
    pub reject_file: bool,
    /// More invalid rows than so many percent reject the file; no limit where 0.
    pub max_rejected_percent: f64,
}

/// A file as it was sent by a browser.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// Its name there.
    pub name: &'a str,
    /// Where its bytes lie for now.
    pub path: &'a Path,
    /// How many they are.
    pub size: u64,
}

/// What the parser would say of a file.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// How its generation would end.
    pub outcome: FileState,
    /// Counts, the first records, the first refused rows, warnings.
    pub found: PreviewSourceResponse,
}
