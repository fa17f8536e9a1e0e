//! Why an event queue cannot be read.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::error::{causes, find, from_registry};

/// Why an event queue cannot be read. [`code`](Self::code) names it for programs, [`advice`](Self::advice) says what to
/// change.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// What was given is not the URL of a queue.
    #[error("{url:?} is not the URL of an SQS queue: {reason}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such queue.
    #[error("the queue {queue} does not exist")]
    NoSuchQueue {
        /// Its URL.
        queue: String,
    },
    /// The session lacks a permission on the queue.
    #[error("SQS denies {action} on the queue {queue}: {reason}")]
    AccessDenied {
        /// Its URL.
        queue: String,
        /// The permission, such as `sqs:ReceiveMessage`.
        action: &'static str,
        /// SQS's own words.
        reason: String,
    },
    /// The queue is encrypted by a KMS key that the session may not use.
    #[error("the KMS key that the queue {queue} is encrypted with may not be used: {reason}")]
    KmsDenied {
        /// Its URL.
        queue: String,
        /// SQS's own words.
        reason: String,
    },
    /// No session was issued, or SQS refuses the one that was.
    #[error("no valid credentials for the queue {queue}: {reason}")]
    CredentialsRefused {
        /// Its URL.
        queue: String,
        /// What the registry or SQS said.
        reason: String,
    },
    /// SQS, the registry or the network between is down or overloaded: the same call may succeed later.
    #[error("the queue {queue} cannot be reached for now: {reason}")]
    Unavailable {
        /// Its URL.
        queue: String,
        /// The failure, with its causes.
        reason: String,
    },
    /// Anything else.
    #[error("the queue {queue} cannot be read: {reason}")]
    Other {
        /// Its URL.
        queue: String,
        /// The failure, with its causes.
        reason: String,
    },
}

impl EventsError {
    /// The error's name in the API: lower case, stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "event_queue_url",
            Self::NoSuchQueue { .. } => "no_such_event_queue",
            Self::AccessDenied { .. } => "event_queue_denied",
            Self::KmsDenied { .. } => "kms_denied",
            Self::CredentialsRefused { .. } => "credentials_refused",
            Self::Unavailable { .. } => "event_queue_unavailable",
            Self::Other { .. } => "event_queue_error",
        }
    }

    /// True where the same call may succeed later without anyone changing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// What to do about it, in a sentence for the customer or the operator.
    pub fn advice(&self) -> String {
        match self {
            Self::Url { .. } => "Copy the queue's URL from the SQS console: \
                                 https://sqs.REGION.amazonaws.com/ACCOUNT/NAME."
                .into(),
            Self::NoSuchQueue { .. } => "Make the queue, or correct or remove the event queue of the source; files are \
                                         found by the dated scan meanwhile."
                .into(),
            Self::AccessDenied { .. } => "Allow sqs:ReceiveMessage and sqs:DeleteMessage on the queue in the policy of \
                                          the role, and see that the policy of the queue does not deny them; files are \
                                          found by the dated scan meanwhile."
                .into(),
            Self::KmsDenied { .. } => "Allow kms:Decrypt on the queue's key in the policy of the role and in the policy \
                                       of the key, and see that the key is enabled."
                .into(),
            Self::CredentialsRefused { .. } => {
                "Check that the role exists and that its trust policy names the platform's principal and the \
                 account's External ID."
                    .into()
            }
            Self::Unavailable { .. } => "Nothing: it is tried again.".into(),
            Self::Other { .. } => "See what SQS said; if it stays so, report it to the operator.".into(),
        }
    }

    /// From an error of the SDK; `action` is the permission that the call needs.
    pub(super) fn from_sdk<E>(err: SdkError<E, HttpResponse>, queue: String, action: &'static str) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let Some(refused) = find::<CredentialsError>(&err) {
            return Self::from_credentials(refused, queue);
        }
        match &err {
            SdkError::ServiceError(service) => {
                answer(service.err(), service.raw().status().as_u16(), queue, action)
            }
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
                Self::Unavailable { queue, reason: causes(&err) }
            }
            SdkError::DispatchFailure(dispatch) if !dispatch.is_user() => {
                Self::Unavailable { queue, reason: causes(&err) }
            }
            _ => Self::Other { queue, reason: causes(&err) },
        }
    }

    /// From the failure to get a session.
    pub(super) fn from_credentials(err: &CredentialsError, queue: String) -> Self {
        let (passing, reason) = from_registry(err);
        if passing { Self::Unavailable { queue, reason } } else { Self::CredentialsRefused { queue, reason } }
    }
}

/// Sorts SQS's error answers by their code, in the JSON protocol's form or the older query one; without one by status.
fn answer<E: ProvideErrorMetadata>(err: &E, status: u16, queue: String, action: &'static str) -> EventsError {
    let code = err.meta().code().unwrap_or_default();
    let reason = match (code, err.meta().message().unwrap_or_default()) {
        ("", _) => format!("HTTP status {status}"),
        (code, "") => format!("{code} (HTTP status {status})"),
        (code, message) => format!("{code}: {message} (HTTP status {status})"),
    };
    match code {
        "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" => EventsError::NoSuchQueue { queue },
        "KMS.ThrottlingException" | "KmsThrottled" => EventsError::Unavailable { queue, reason },
        code if code.starts_with("KMS.") || code.starts_with("Kms") => {
            EventsError::KmsDenied { queue, reason }
        }
        "AccessDenied" | "AccessDeniedException" if reason.contains("kms:") => {
            EventsError::KmsDenied { queue, reason }
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidSecurity"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "RequestExpired" => EventsError::CredentialsRefused { queue, reason },
        "RequestThrottled" | "ThrottlingException" | "Throttling" | "OverLimit" => {
            EventsError::Unavailable { queue, reason }
        }
        _ => match status {
            403 => EventsError::AccessDenied { queue, action, reason },
            408 | 429 | 500.. => EventsError::Unavailable { queue, reason },
            _ => match code {
                "AccessDenied" | "AccessDeniedException" => {
                    EventsError::AccessDenied { queue, action, reason }
                }
                _ => EventsError::Other { queue, reason },
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::error::ErrorMetadata;

    use super::*;

    #[test]
    fn answers_of_sqs_are_sorted_by_code_and_without_one_by_status() {
        for (status, code, message, expected) in [
            (400, "AWS.SimpleQueueService.NonExistentQueue", "", "no_such_event_queue"),
            (400, "QueueDoesNotExist", "", "no_such_event_queue"),
            (403, "AccessDenied", "no", "event_queue_denied"),
            (400, "AccessDeniedException", "no", "event_queue_denied"),
            (403, "AccessDenied", "not authorized to perform: kms:Decrypt", "kms_denied"),
            (400, "KMS.DisabledException", "", "kms_denied"),
            (400, "KMS.ThrottlingException", "", "event_queue_unavailable"),
            (403, "ExpiredToken", "", "credentials_refused"),
            (403, "InvalidClientTokenId", "", "credentials_refused"),
            (400, "RequestThrottled", "", "event_queue_unavailable"),
            (503, "", "", "event_queue_unavailable"),
            (403, "", "", "event_queue_denied"),
            (400, "InvalidAddress", "", "event_queue_error"),
        ] {
            let err = ErrorMetadata::builder().code(code).message(message).build();
            assert_eq!(
                answer(&err, status, "q".into(), "sqs:ReceiveMessage").code(),
                expected,
                "{status} {code}"
            );
        }
    }
}
