//! How a cluster is reached: in the clear or by TLS, and who Cortex says that it is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::token::Tokens;

/// How Cortex proves who it is, by SASL.
#[derive(Clone)]
pub enum Sasl {
    /// Name and password, as they are: over TLS alone.
    Plain {
        /// Name.
        username: String,
        /// Password.
        password: String,
    },
    /// Name and password, by a challenge that shows neither the password nor anything to be replayed (RFC 7677).
    Scram {
        /// SHA-512 rather than SHA-256.
        sha512: bool,
        /// Name.
        username: String,
        /// Password.
        password: String,
    },
    /// A token (RFC 7628), from an OAuth server or signed for Amazon MSK.
    Bearer(Arc<Tokens>),
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mechanism())
    }
}

impl Sasl {
    /// As librdkafka names it.
    pub(super) fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::Scram { sha512: false, .. } => "SCRAM-SHA-256",
            Self::Scram { sha512: true, .. } => "SCRAM-SHA-512",
            Self::Bearer(_) => "OAUTHBEARER",
        }
    }
}

/// TLS towards the brokers.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// CAs (PEM) of the brokers' certificates; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// The certificate chain (PEM) that is shown to brokers, and its private key (PEM).
    pub client: Option<(PathBuf, PathBuf)>,
}

/// How a cluster is reached; by default in the clear, as no one.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// TLS, where it is spoken.
    pub tls: Option<Tls>,
    /// SASL, where it is wanted.
    pub sasl: Option<Sasl>,
}

impl Security {
    /// As librdkafka's settings.
    pub(super) fn properties(&self) -> BTreeMap<&'static str, String> {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        let mut properties = BTreeMap::from([("security.protocol", protocol.to_owned())]);
        if let Some(tls) = &self.tls {
            // Linked statically, OpenSSL knows no folder of its own: the usual ones are tried.
            let ca = tls.ca_file.as_ref().map_or("probe".to_owned(), |path| path.display().to_string());
            properties.insert("ssl.ca.location", ca);
            if let Some((certificate, key)) = &tls.client {
                properties.insert("ssl.certificate.location", certificate.display().to_string());
                properties.insert("ssl.key.location", key.display().to_string());
            }
        }
        if let Some(sasl) = &self.sasl {
            properties.insert("sasl.mechanism", sasl.mechanism().to_owned());
            if let Sasl::Plain { username, password } | Sasl::Scram { username, password, .. } = sasl {
                properties.insert("sasl.username", username.clone());
                properties.insert("sasl.password", password.clone());
            }
        }
        properties
    }

    /// Where tokens come from, where they are wanted.
    pub(super) fn tokens(&self) -> Option<Arc<Tokens>> {
        match &self.sasl {
            Some(Sasl::Bearer(tokens)) => Some(tokens.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_follows_from_what_is_set() {
        let scram = || Some(Sasl::Scram { sha512: true, username: "cortex".into(), password: "hush".into() });
        let protocol = |tls, sasl| Security { tls, sasl }.properties().remove("security.protocol");
        assert_eq!(protocol(None, None).as_deref(), Some("plaintext"));
        assert_eq!(protocol(Some(Tls::default()), None).as_deref(), Some("ssl"));
        assert_eq!(protocol(None, scram()).as_deref(), Some("sasl_plaintext"));
        assert_eq!(protocol(Some(Tls::default()), scram()).as_deref(), Some("sasl_ssl"));
    }

    #[test]
    fn a_password_is_not_in_debug_output() {
        let sasl = Some(Sasl::Plain { username: "cortex".into(), password: "hush".into() });
        let shown = format!("{:?}", Security { tls: None, sasl });
        assert!(shown.contains("PLAIN") && !shown.contains("hush"), "{shown}");
    }
}
