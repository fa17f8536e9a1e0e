//! What can go wrong with a provider and with a token.

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The issuer is no address to ask.
    #[error("setting oidc_issuer: {issuer:?} cannot be used: {reason}")]
    Issuer {
        /// As it was given.
        issuer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No client.
    #[error("setting oidc_client_id: it must name the client that was registered at the provider")]
    ClientId,
    /// The CA is none.
    #[error("setting oidc_ca_file: {0}; it must hold certificates in PEM")]
    Ca(String),
}

/// Why a token does not hold.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It says nothing to us.
    #[error("the token is refused: {0}")]
    Refused(Refused),
    /// The provider's keys are not to be had at the moment; try again.
    #[error("the identity provider cannot be asked: {0}")]
    Unavailable(String),
}

/// Why a token is refused. It says nothing of what the token holds, which may be anyone's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It is no JWT, or one that is not understood.
    #[error("it cannot be read as a signed JWT")]
    Malformed,
    /// Unsigned, or by a shared secret, or by an algorithm that its key is not for.
    #[error("its algorithm is not one of the provider's key")]
    Algorithm,
    /// No such key is published.
    #[error("the provider publishes no key of that id")]
    UnknownKey,
    /// The signature is not of that key.
    #[error("its signature does not hold")]
    Signature,
    /// Another provider's.
    #[error("it is of another issuer")]
    Issuer,
    /// For another client.
    #[error("it is made out to another audience")]
    Audience,
    /// Over.
    #[error("it has expired")]
    Expired,
    /// To come.
    #[error("it does not hold yet")]
    NotYet,
    /// A claim that every token must have is lacking or not of its form.
    #[error("it lacks one of iss, sub, aud and exp, or one of them has not its form")]
    Claims,
    /// Of another sign-in.
    #[error("it was made for another sign-in")]
    Nonce,
}

impl From<Refused> for TokenError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}
