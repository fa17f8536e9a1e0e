//! Refusals in words, and the status of the process that each gives.

use std::error::Error;

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Why a client command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The registry said no, or was not there to say anything.
    #[error("{code:?}: {text}")]
    Refused {
        /// Its kind.
        code: Code,
        /// What the registry said, and each field that it objects to.
        text: String,
        /// Those fields, each with the rule that it breaks.
        fields: Vec<(String, String)>,
    },
    /// Nothing goes by that name.
    #[error("NotFound: {0}")]
    Unknown(String),
    /// More than one thing goes by that name.
    #[error("InvalidArgument: {0}")]
    Ambiguous(String),
}

impl ClientError {
    /// The status of the process; `cortex --help` lists them.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Unknown(_) => 3,
            Self::Ambiguous(_) => 5,
            Self::Refused { code, .. } => match code {
                Code::NotFound => 3,
                Code::Unauthenticated | Code::PermissionDenied => 4,
                Code::InvalidArgument
                | Code::FailedPrecondition
                | Code::AlreadyExists
                | Code::Aborted
                | Code::OutOfRange => 5,
                // A call that ran out of its time is cancelled on this side.
                Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Cancelled => 6,
                _ => 1,
            },
        }
    }
}

/// True where the registry does not know what was asked for.
pub(crate) fn is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(|error| error.exit_status() == 3)
}

/// True where the same question may well be answered later.
pub(crate) fn is_passing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(|error| error.exit_status() == 6)
}

/// A refusal in words: what the registry said, and each field that it objects to.
pub(crate) fn refused(status: Status) -> anyhow::Error {
    let fields: Vec<(String, String)> = status
        .get_details_bad_request()
        .into_iter()
        .flat_map(|bad| bad.field_violations)
        .map(|violation| (violation.field, violation.description))
        .collect();
    let mut text = status.message().to_owned();
    if let (Code::Unavailable, Some(cause)) = (status.code(), cause(&status)) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        text.push_str("; is the registry's address right, and does it run?");
    }
    for (field, rule) in &fields {
        text.push_str(&format!("\n  {field}: {rule}"));
    }
    ClientError::Refused { code: status.code(), text, fields }.into()
}

/// What lies at the bottom of a call that did not reach the registry; none for one that it answered.
fn cause(status: &Status) -> Option<String> {
    let mut error = status.source()?;
    while let Some(source) = error.source() {
        error = source;
    }
    Some(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_told_from_what_fails() {
        assert!(is_gone(&refused(Status::not_found("no such source"))));
        assert!(!is_gone(&refused(Status::unavailable("restarting"))));
        assert!(!is_gone(&anyhow::anyhow!("another error")));
    }
}
