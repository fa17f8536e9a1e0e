//! STS: `AssumeRole` and `GetCallerIdentity` of the query API, 2011-06-15.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri};
use s3s::route::S3Route;
use s3s::{Body, S3Error, S3Request, S3Response, S3Result};
use uuid::Uuid;

use crate::access::{Caller, Callers};
use crate::policy::Policy;
use crate::{Identity, Principal};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// As in s3s, which reads the body for the signature before we see it.
const LONGEST_BODY: usize = 8192;
/// What AWS allows, the upper bound being that of a role whose own was not raised.
const DURATIONS: std::ops::RangeInclusive<u64> = 900..=3600;

/// STS as a route beside S3; s3s has verified the signature before it is called.
#[derive(Debug, Clone)]
pub(crate) struct Sts {
    callers: Callers,
}

/// On a response that is in STS's own form already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InStsForm;

/// An error in STS's terms.
pub(crate) struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    fn denied(message: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    /// From what s3s says of signatures, which is in S3's terms.
    pub(crate) fn from_s3(status: StatusCode, code: &str, message: &str) -> Self {
        match code {
            "InvalidAccessKeyId" | "InvalidToken" => Self::new(
                StatusCode::FORBIDDEN,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            ),
            "ExpiredToken" => Self::new(
                StatusCode::FORBIDDEN,
                "ExpiredToken",
                "The security token included in the request is expired",
            ),
            "RequestTimeTooSkewed" => {
                Self::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", "Signature expired.")
            }
            "SignatureDoesNotMatch" => Self::new(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method.",
            ),
            code => Self::new(status, code, message),
        }
    }

    /// The error as STS sends it.
    pub(crate) fn to_xml(&self) -> (StatusCode, String) {
        let by = if self.status.is_server_error() { "Receiver" } else { "Sender" };
        let xml = format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{by}</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>{}</RequestId></ErrorResponse>",
            escaped(&self.code),
            escaped(&self.message),
            Uuid::new_v4(),
        );
        (self.status, xml)
    }
}

impl From<S3Error> for Refusal {
    fn from(err: S3Error) -> Self {
        let status = err.status_code().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::from_s3(status, err.code().as_str(), err.message().unwrap_or_default())
    }
}

/// STS and S3 share a port: a form posted to the root is STS's.
pub(crate) fn is_sts(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    method == Method::POST
        && uri.path() == "/"
        && headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"))
}

#[async_trait::async_trait]
impl S3Route for Sts {
    fn is_match(&self, method: &Method, uri: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        is_sts(method, uri, headers)
    }

    /// Everyone comes in; `answer` refuses in STS's form.
    async fn check_access(&self, _: &mut S3Request<Body>) -> S3Result<()> {
        Ok(())
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let (status, xml) = match self.answer(request).await {
            Ok(xml) => (StatusCode::OK, xml),
            Err(refusal) => {
                tracing::debug!(code = refusal.code, message = refusal.message, "STS refuses");
                refusal.to_xml()
            }
        };
        let mut response = S3Response::with_status(Body::from(xml), status);
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        response.extensions.insert(InStsForm);
        Ok(response)
    }
}

type Form = HashMap<String, String>;

impl Sts {
    pub(crate) fn new(callers: Callers) -> Self {
        Self { callers }
    }

    async fn answer(&self, mut request: S3Request<Body>) -> Result<String, Refusal> {
        let Some(credentials) = &request.credentials else {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ));
        };
        if request.service.as_deref() != Some("sts") {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "Credential should be scoped to correct service: 'sts'.",
            ));
        }
        let token = request.headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
        let caller = self.callers.caller(&credentials.access_key, token)?;
        let body = request
            .input
            .store_all_limited(LONGEST_BODY)
            .await
            .map_err(|err| Refusal::new(StatusCode::BAD_REQUEST, "MalformedInput", err.to_string()))?;
        let form: Form = form_urlencoded::parse(&body).into_owned().collect();
        match form.get("Action").map(String::as_str) {
            Some("AssumeRole") => self.assume_role(&caller, &form),
            Some("GetCallerIdentity") => Ok(caller_identity(&caller)),
            action => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "InvalidAction",
                format!("Could not find operation {} for version 2011-06-15", action.unwrap_or("(none)")),
            )),
        }
    }

    fn assume_role(&self, caller: &Caller, form: &Form) -> Result<String, Refusal> {
        let arn = form.get("RoleArn").ok_or_else(|| Refusal::invalid("RoleArn is missing"))?;
        let name = session_name(form)?;
        let lasting = duration(form)?;
        let external_id = external_id(form)?;
        let policy = match form.get("Policy") {
            Some(json) => Some(Policy::parse(json).map_err(|reason| {
                Refusal::new(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", reason)
            })?),
            None => None,
        };
        // A role that does not exist and one that does not trust the caller are told apart by nobody.
        let denied = || {
            Refusal::denied(format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
                caller.arn()
            ))
        };
        let role = self.callers.role(arn).ok_or_else(denied)?;
        let trusted = match caller {
            Caller::Owner(identity) | Caller::Identity(identity) => role.trust.principal.is(identity),
            Caller::Session(_) => false,
        };
        let right_id = role.trust.external_id.as_deref().is_none_or(|wanted| external_id == Some(wanted));
        if !trusted || !right_id {
            return Err(denied());
        }
        let session = self.callers.issue(&role, name, policy, lasting);
        Ok(format!(
            "<AssumeRoleResponse xmlns=\"{NAMESPACE}\"><AssumeRoleResult><AssumedRoleUser><Arn>{arn}</Arn>\
             <AssumedRoleId>AROA{id}:{name}</AssumedRoleId></AssumedRoleUser><Credentials>\
             <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
             </AssumeRoleResult><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata>\
             </AssumeRoleResponse>",
            arn = escaped(&session.arn),
            id = &session.access_key_id[4..],
            name = escaped(name),
            key = session.access_key_id,
            secret = session.secret_access_key,
            token = session.token,
            expiration = rfc3339(session.expires_at),
            request = Uuid::new_v4(),
        ))
    }
}

impl Principal {
    fn is(&self, identity: &Identity) -> bool {
        match self {
            Self::Arn(arn) => *arn == identity.arn,
            Self::Account(account) => *account == identity.account_id,
        }
    }
}

impl Caller {
    pub(crate) fn arn(&self) -> &str {
        match self {
            Self::Owner(identity) | Self::Identity(identity) => &identity.arn,
            Self::Session(session) => &session.arn,
        }
    }

    fn account_id(&self) -> &str {
        match self {
            Self::Owner(identity) | Self::Identity(identity) => &identity.account_id,
            Self::Session(session) => &session.account_id,
        }
    }
}

fn caller_identity(caller: &Caller) -> String {
    let id = match caller {
        Caller::Owner(identity) | Caller::Identity(identity) => &identity.access_key_id,
        Caller::Session(session) => &session.access_key_id,
    };
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{}</Arn><UserId>{}</UserId>\
         <Account>{}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>",
        escaped(caller.arn()),
        escaped(id),
        escaped(caller.account_id()),
        Uuid::new_v4(),
    )
}

fn session_name(form: &Form) -> Result<&str, Refusal> {
    let name = form.get("RoleSessionName").map(String::as_str).unwrap_or_default();
    if is_of(name, 2..=64, "_+=,.@-") {
        return Ok(name);
    }
    Err(Refusal::invalid("RoleSessionName must be 2 to 64 letters, digits or any of _+=,.@-"))
}

fn external_id(form: &Form) -> Result<Option<&str>, Refusal> {
    let id = form.get("ExternalId").map(String::as_str);
    if id.is_none_or(|id| is_of(id, 2..=1224, "_+=,.@:/-")) {
        return Ok(id);
    }
    Err(Refusal::invalid("ExternalId must be 2 to 1224 letters, digits or any of _+=,.@:/-"))
}

fn is_of(text: &str, length: std::ops::RangeInclusive<usize>, others: &str) -> bool {
    length.contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn duration(form: &Form) -> Result<Duration, Refusal> {
    let Some(text) = form.get("DurationSeconds") else { return Ok(Duration::from_secs(*DURATIONS.end())) };
    let seconds = text.parse().ok().filter(|seconds| DURATIONS.contains(seconds)).ok_or_else(|| {
        Refusal::invalid(format!(
            "DurationSeconds must be {} to {}, the longest session of a role",
            DURATIONS.start(),
            DURATIONS.end()
        ))
    })?;
    Ok(Duration::from_secs(seconds))
}

fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
