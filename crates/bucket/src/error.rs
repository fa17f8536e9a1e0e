//! What S3 said, as something that a caller can act on.

use std::error::Error;
use std::fmt;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tonic::Code;
use tonic_types::StatusExt;

use crate::location::is_region;

/// Codes that the registry has for them, too.
const ROLE_NOT_ASSUMABLE: &str = "role_not_assumable";
const KEYS_NOT_OPENED: &str = "keys_not_opened";

/// A bucket, or an object in it. Shown as `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The object's key or a prefix of keys; empty for the bucket as a whole.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// Why a call to S3 failed. [`code`](Self::code) names it for programs, [`advice`](Self::advice) says what to change.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The object is not there (any more).
    #[error("{place} does not exist")]
    NotFound {
        /// The object.
        place: Place,
    },
    /// The object is no longer the one that was listed: its ETag is another.
    #[error("{place} was replaced after it was listed: {reason}")]
    Changed {
        /// The object.
        place: Place,
        /// What showed it.
        reason: String,
    },
    /// What came is not what S3 keeps: its checksum is another. Found at the object's last byte.
    #[error("{place} was altered on its way: {reason}")]
    Altered {
        /// The object.
        place: Place,
        /// Both checksums.
        reason: String,
    },
    /// The session lacks a permission.
    #[error("{place}: S3 denies {action}: {reason}")]
    AccessDenied {
        /// What was asked for.
        place: Place,
        /// The permission, such as `s3:GetObject`.
        action: &'static str,
        /// S3's own words.
        reason: String,
    },
    /// The object is encrypted by a KMS key that the session may not use.
    #[error("{place}: the KMS key that it is encrypted with may not be used: {reason}")]
    KmsDenied {
        /// The object.
        place: Place,
        /// S3's own words.
        reason: String,
    },
    /// The object lies in an archive class and was not restored.
    #[error("{place} is archived and cannot be read before it is restored")]
    Archived {
        /// The object.
        place: Place,
    },
    /// The bucket belongs to another account than the one that must own it.
    #[error("the bucket {:?} does not belong to the account {expected}", place.bucket)]
    OwnerMismatch {
        /// The bucket.
        place: Place,
        /// Twelve digits.
        expected: String,
    },
    /// There is no such bucket.
    #[error("the bucket {:?} does not exist", place.bucket)]
    NoSuchBucket {
        /// The bucket.
        place: Place,
    },
    /// The bucket is in another region than the one asked.
    #[error("the bucket {:?} is not in the region that was asked{}", place.bucket, region_is(region))]
    WrongRegion {
        /// The bucket.
        place: Place,
        /// The bucket's region where S3 told it.
        region: Option<String>,
    },
    /// No session was issued, or S3 refuses the one that was.
    #[error("{place}: no valid credentials: {reason}")]
    CredentialsRefused {
        /// What was asked for.
        place: Place,
        /// What the registry or S3 said.
        reason: String,
    },
    /// The customer's role does not let the platform in (any more).
    #[error("{place}: no session was issued: {reason}")]
    RoleNotAssumable {
        /// What was asked for.
        place: Place,
        /// What STS said to the registry.
        reason: String,
    },
    /// The registry cannot open the source's static keys.
    #[error("{place}: no keys were issued: {reason}")]
    KeysNotOpened {
        /// What was asked for.
        place: Place,
        /// What the registry said.
        reason: String,
    },
    /// S3, the registry or the network between is down or overloaded: the same call may succeed later.
    #[error("{place} cannot be reached for now: {reason}")]
    Unavailable {
        /// What was asked for.
        place: Place,
        /// The failure, with its causes.
        reason: String,
    },
    /// Anything else.
    #[error("{place}: {reason}")]
    Other {
        /// What was asked for.
        place: Place,
        /// The failure, with its causes.
        reason: String,
    },
}

fn region_is(region: &Option<String>) -> String {
    region.as_ref().map(|region| format!(", it is in {region}")).unwrap_or_default()
}

impl BucketError {
    /// The error's name in the API: lower case, stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Changed { .. } => "object_changed",
            Self::Altered { .. } => "object_altered",
            Self::AccessDenied { .. } => "access_denied",
            Self::KmsDenied { .. } => "kms_denied",
            Self::Archived { .. } => "object_archived",
            Self::OwnerMismatch { .. } => "owner_mismatch",
            Self::NoSuchBucket { .. } => "no_such_bucket",
            Self::WrongRegion { .. } => "wrong_region",
            Self::CredentialsRefused { .. } => "credentials_refused",
            Self::RoleNotAssumable { .. } => ROLE_NOT_ASSUMABLE,
            Self::KeysNotOpened { .. } => KEYS_NOT_OPENED,
            Self::Unavailable { .. } => "storage_unavailable",
            Self::Other { .. } => "storage_error",
        }
    }

    /// True where the same call may succeed later without anyone changing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// What the call was about.
    pub fn place(&self) -> &Place {
        match self {
            Self::NotFound { place }
            | Self::Changed { place, .. }
            | Self::Altered { place, .. }
            | Self::AccessDenied { place, .. }
            | Self::KmsDenied { place, .. }
            | Self::Archived { place }
            | Self::OwnerMismatch { place, .. }
            | Self::NoSuchBucket { place }
            | Self::WrongRegion { place, .. }
            | Self::CredentialsRefused { place, .. }
            | Self::RoleNotAssumable { place, .. }
            | Self::KeysNotOpened { place, .. }
            | Self::Unavailable { place, .. }
            | Self::Other { place, .. } => place,
        }
    }

    /// What to do about it, in a sentence for the customer or the operator.
    pub fn advice(&self) -> String {
        match self {
            Self::NotFound { .. } => "Upload the file again if it is to be ingested.".into(),
            Self::Changed { .. } => {
                "Nothing: the new content is ingested as the file's next generation. Upload files under new names to \
                 avoid it."
                    .into()
            }
            Self::Altered { .. } => "Nothing: it is read again. If it stays so, upload the file again and see which network \
                                      device or proxy alters what passes."
                .into(),
            Self::AccessDenied { place, action, .. } => {
                let bucket = &place.bucket;
                let resource = match *action {
                    "s3:ListBucket" | "s3:GetBucketLocation" => format!("arn:aws:s3:::{bucket}"),
                    _ => format!("arn:aws:s3:::{bucket}/{}", place.key),
                };
                format!(
                    "Allow {action} on {resource} in the policy of the role; see also that the policy of the bucket \
                     does not deny it and that the bucket belongs to the account that the source names."
                )
            }
            Self::KmsDenied { .. } => "Allow kms:Decrypt on the key in the policy of the role and in the policy of the \
                                       key, and see that the key is enabled."
                .into(),
            Self::Archived { .. } => {
                "Restore the object, or keep the files in a storage class that can be read at once.".into()
            }
            Self::OwnerMismatch { .. } => "Check the bucket's name and the account that the source names as its owner; \
                                           a bucket that was deleted may be another's now."
                .into(),
            Self::NoSuchBucket { .. } => "Check the bucket's name in the source.".into(),
            Self::WrongRegion { region: Some(region), .. } => format!("Set the source's region to {region}."),
            Self::WrongRegion { region: None, .. } => "Set the source's region to the bucket's.".into(),
            Self::KeysNotOpened { .. } => {
                "Give the source its keys again, or give the registry the sealing key that they were sealed with.".into()
            }
            Self::CredentialsRefused { .. } | Self::RoleNotAssumable { .. } => {
                "Check that the role exists and that its trust policy names the platform's principal and the \
                 account's External ID."
                    .into()
            }
            Self::Unavailable { .. } => "Nothing: it is tried again.".into(),
            Self::Other { .. } => "See what S3 said; if it stays so, report it to the operator.".into(),
        }
    }

    /// The error of this crate inside an I/O error, however deep readers in between have wrapped it.
    pub fn of(err: &io::Error) -> Option<&BucketError> {
        let mut next: Option<&(dyn Error + 'static)> = inner(err);
        while let Some(err) = next {
            if let Some(found) = err.downcast_ref::<BucketError>() {
                return Some(found);
            }
            // An I/O error's source() passes over what it wraps.
            next = err.downcast_ref::<io::Error>().and_then(inner).or_else(|| err.source());
        }
        None
    }

    /// From an error of the SDK; `action` is the permission that the call needs.
    pub(crate) fn from_sdk<E>(err: SdkError<E, HttpResponse>, place: Place, action: &'static str) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(refused) = find::<CredentialsError>(&err) {
            return Self::from_credentials(refused, place);
        }
        match &err {
            SdkError::ServiceError(service) => answer(service.err(), service.raw(), place, action),
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
                Self::Unavailable { place, reason: causes(&err) }
            }
            SdkError::DispatchFailure(dispatch) if !dispatch.is_user() => {
                Self::Unavailable { place, reason: causes(&err) }
            }
            _ => Self::Other { place, reason: causes(&err) },
        }
    }

    /// From the failure to get a session.
    pub(crate) fn from_credentials(err: &CredentialsError, place: Place) -> Self {
        if let Some(status) = find::<tonic::Status>(err).filter(|status| !is_passing(status.code())) {
            return Self::from_refused_issue(status, place);
        }
        let (passing, reason) = from_registry(err);
        if passing { Self::Unavailable { place, reason } } else { Self::CredentialsRefused { place, reason } }
    }

    /// From the registry's word that there is no session; its code stands in the details.
    fn from_refused_issue(status: &tonic::Status, place: Place) -> Self {
        let reason = status.message().to_owned();
        let info = status.get_details_error_info();
        match info.as_ref().map(|info| info.reason.as_str()) {
            Some(ROLE_NOT_ASSUMABLE) => Self::RoleNotAssumable { place, reason },
            Some(KEYS_NOT_OPENED) => Self::KeysNotOpened { place, reason },
            _ => Self::CredentialsRefused { place, reason },
        }
    }
}

/// Whether the failure to get a session may pass, and what to say of it.
pub(crate) fn from_registry(err: &CredentialsError) -> (bool, String) {
    let passing = match find::<tonic::Status>(err) {
        Some(status) if !is_passing(status.code()) => return (false, status.message().to_owned()),
        Some(_) => true,
        None => matches!(err, CredentialsError::ProviderTimedOut(_)),
    };
    (passing, format!("no credentials were issued: {}", causes(err)))
}

impl From<BucketError> for io::Error {
    fn from(err: BucketError) -> Self {
        let kind = match &err {
            BucketError::NotFound { .. } | BucketError::NoSuchBucket { .. } => io::ErrorKind::NotFound,
            BucketError::AccessDenied { .. }
            | BucketError::KmsDenied { .. }
            | BucketError::OwnerMismatch { .. }
            | BucketError::CredentialsRefused { .. }
            | BucketError::RoleNotAssumable { .. }
            | BucketError::KeysNotOpened { .. } => io::ErrorKind::PermissionDenied,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, err)
    }
}

fn inner(err: &io::Error) -> Option<&(dyn Error + 'static)> {
    err.get_ref().map(|inner| inner as &(dyn Error + 'static))
}

fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            // A token that the registry does not take is the operator's to mend, and no file's fault.
            | Code::Unauthenticated
            | Code::PermissionDenied
    )
}

/// Sorts S3's error answers, by their code or, for answers to HEAD, which have no body, by their status.
fn answer<E: ProvideErrorMetadata>(
    err: &E,
    response: &HttpResponse,
    place: Place,
    action: &'static str,
) -> BucketError {
    let status = response.status().as_u16();
    let code = err.meta().code().unwrap_or_default();
    let message = err.meta().message().unwrap_or_default();
    let reason = match (code, message) {
        ("", _) => format!("HTTP status {status}"),
        (code, "") => format!("{code} (HTTP status {status})"),
        (code, message) => format!("{code}: {message} (HTTP status {status})"),
    };
    match code {
        "NoSuchBucket" => BucketError::NoSuchBucket { place },
        "NoSuchKey" | "NotFound" => BucketError::NotFound { place },
        "PreconditionFailed" => BucketError::Changed { place, reason: "its ETag is another".into() },
        "InvalidObjectState" => BucketError::Archived { place },
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "TokenRefreshRequired"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed" => BucketError::CredentialsRefused { place, reason },
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            BucketError::WrongRegion { place, region: region_of(response) }
        }
        "KMS.ThrottlingException" => BucketError::Unavailable { place, reason },
        code if code.starts_with("KMS.") => BucketError::KmsDenied { place, reason },
        "AccessDenied" if is_of_kms(message) => BucketError::KmsDenied { place, reason },
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => {
            BucketError::AccessDenied { place, action, reason }
        }
        "SlowDown"
        | "RequestTimeout"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "OperationAborted" => BucketError::Unavailable { place, reason },
        _ => match status {
            301 | 307 => BucketError::WrongRegion { place, region: region_of(response) },
            // Without a body, an expired session is told from a malformed request by nothing.
            400 if code.is_empty() => BucketError::CredentialsRefused { place, reason },
            403 => BucketError::AccessDenied { place, action, reason },
            404 => BucketError::NotFound { place },
            408 | 429 | 500.. => BucketError::Unavailable { place, reason },
            412 => BucketError::Changed { place, reason: "its ETag is another".into() },
            _ => BucketError::Other { place, reason },
        },
    }
}

/// KMS's refusals come as S3's; these are its words.
fn is_of_kms(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("kms:") || message.contains("ciphertext refers to a customer master key")
}

/// The bucket's region where S3 told it: in a header, or in the body of an error.
pub(crate) fn region_of(response: &HttpResponse) -> Option<String> {
    let region = match response.headers().get("x-amz-bucket-region") {
        Some(region) => region,
        None => {
            let body = std::str::from_utf8(response.body().bytes()?).ok()?;
            let (_, rest) = body.split_once("<Region>")?;
            rest.split_once("</Region>")?.0
        }
    };
    is_region(region).then(|| region.to_owned())
}

/// The error, its cause, the cause of that, and so on.
fn chain<'a>(err: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(err), |err| (*err).source())
}

pub(crate) fn find<'a, T: Error + 'static>(err: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(err).find_map(|err| err.downcast_ref())
}

/// The error and all its causes in one line.
pub(crate) fn causes(err: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for err in chain(err) {
        let text = err.to_string();
        // Many errors repeat their cause in their own text.
        if !line.ends_with(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    fn place() -> Place {
        Place { bucket: "b".into(), key: "events/2026-11-23/a.csv".into() }
    }

    #[test]
    fn the_error_is_found_under_any_wrapping() {
        let err = io::Error::from(BucketError::NotFound { place: place() });
        assert_eq!(err.kind(), io::ErrorKind::NotFound);
        assert!(matches!(BucketError::of(&err), Some(BucketError::NotFound { .. })));
        let twice = io::Error::other(io::Error::other(err));
        assert!(matches!(BucketError::of(&twice), Some(BucketError::NotFound { .. })));
        assert!(BucketError::of(&io::Error::other("else")).is_none());
    }

    #[test]
    fn a_denied_read_names_the_permission_and_its_resource() {
        let err = BucketError::AccessDenied { place: place(), action: "s3:GetObject", reason: "no".into() };
        assert_eq!(err.to_string(), "s3://b/events/2026-11-23/a.csv: S3 denies s3:GetObject: no");
        assert!(
            err.advice().contains("s3:GetObject on arn:aws:s3:::b/events/2026-11-23/a.csv"),
            "{}",
            err.advice()
        );
    }

    #[test]
    fn answers_of_s3_are_sorted_by_code_and_without_one_by_status() {
        let sorted = |status: u16, code: &str, message: &str| {
            let mut err = ErrorMetadata::builder();
            if !code.is_empty() {
                err = err.code(code).message(message);
            }
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            answer(&err.build(), &response, place(), "s3:GetObject").code()
        };
        let kms = "User: arn:aws:sts::1:x is not authorized to perform: kms:Decrypt on this resource";
        let lost_key = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, \
                        or you are not allowed to access.";
        for (status, code, message, expected) in [
            (403, "AccessDenied", "Access Denied", "access_denied"),
            (403, "AccessDenied", kms, "kms_denied"),
            (403, "AccessDenied", lost_key, "kms_denied"),
            (400, "KMS.DisabledException", "", "kms_denied"),
            (403, "InvalidObjectState", "", "object_archived"),
            (404, "NoSuchKey", "", "not_found"),
            (404, "NoSuchBucket", "", "no_such_bucket"),
            (412, "PreconditionFailed", "", "object_changed"),
            (400, "ExpiredToken", "", "credentials_refused"),
            (301, "PermanentRedirect", "", "wrong_region"),
            (400, "AuthorizationHeaderMalformed", "", "wrong_region"),
            (503, "SlowDown", "", "storage_unavailable"),
            (400, "RequestTimeout", "", "storage_unavailable"),
            (500, "InternalError", "", "storage_unavailable"),
            (400, "InvalidArgument", "", "storage_error"),
            (403, "", "", "access_denied"),
            (404, "", "", "not_found"),
            (412, "", "", "object_changed"),
            (502, "", "", "storage_unavailable"),
        ] {
            assert_eq!(sorted(status, code, message), expected, "{status} {code} {message}");
        }
    }

    #[test]
    fn the_bucket_s_region_is_read_from_the_header_or_the_body() {
        let told = |header: Option<&'static str>, body: &'static str| {
            let mut response = HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body));
            header.into_iter().for_each(|region| {
                response.headers_mut().insert("x-amz-bucket-region", region);
            });
            let err = ErrorMetadata::builder().code("AuthorizationHeaderMalformed").build();
            answer(&err, &response, place(), "s3:ListBucket").to_string()
        };
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        assert!(told(None, body).ends_with(", it is in eu-west-1"), "{}", told(None, body));
        assert!(told(Some("eu-north-1"), body).ends_with(", it is in eu-north-1"));
        assert!(told(None, "<Region>a b</Region>").ends_with("that was asked"));
        assert!(told(Some("evil.example/"), body).ends_with("that was asked"));
    }

    #[test]
    fn a_registry_that_is_down_is_passing_and_one_that_refuses_is_not() {
        let err = |status: tonic::Status| {
            BucketError::from_credentials(&CredentialsError::provider_error(status), place())
        };
        assert!(err(tonic::Status::unavailable("down")).is_passing());
        let refused = err(tonic::Status::failed_precondition("the role cannot be assumed"));
        assert_eq!(refused.code(), "credentials_refused");
        assert!(
            refused.to_string().ends_with("no valid credentials: the role cannot be assumed"),
            "{refused}"
        );
        assert!(err(tonic::Status::unauthenticated("another token")).is_passing());
    }

    #[test]
    fn the_registrys_own_code_is_kept() {
        for code in ["role_not_assumable", "keys_not_opened"] {
            let details = tonic_types::ErrorDetails::with_error_info(code, "registry.cortex", []);
            let refused = |of| {
                let status = tonic::Status::with_error_details(of, "no", details.clone());
                BucketError::from_credentials(&CredentialsError::provider_error(status), place())
            };
            assert_eq!(refused(Code::FailedPrecondition).code(), code);
            assert!(!refused(Code::FailedPrecondition).is_passing());
            assert!(refused(Code::Unavailable).is_passing(), "whatever stands in the details");
        }
    }
}
