//! Who calls, and what he may do: keys, roles, sessions, and S3's access hook.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Result};
use uuid::Uuid;

use crate::policy::{Ask, Policy};
use crate::{Config, Identity, Role};

/// Sessions that have expired are known for so long, so that their holders are told why they are refused.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

/// All that is known of callers. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Callers(Arc<Known>);

#[derive(Debug)]
struct Known {
    owner: Option<Identity>,
    region: Option<String>,
    identities: HashMap<String, Identity>,
    roles: RwLock<HashMap<String, Role>>,
    sessions: RwLock<HashMap<String, Session>>,
}

/// A session as STS issued it.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) token: String,
    /// ARN of the assumed role.
    pub(crate) arn: String,
    pub(crate) account_id: String,
    pub(crate) expires_at: SystemTime,
    revoked: bool,
    role: Policy,
    narrowed_to: Option<Policy>,
}

/// Who signed a request.
pub(crate) enum Caller {
    Owner(Identity),
    Identity(Identity),
    Session(Box<Session>),
}

/// The roles of a sandbox, which may be changed while it runs.
#[derive(Debug, Clone)]
pub struct Roles(Callers);

impl Roles {
    /// Adds a role, or replaces the one of the same ARN. Sessions that were issued before keep their rights.
    pub fn put(&self, role: Role) {
        write(&self.0.0.roles).insert(role.arn.clone(), role);
    }

    /// Takes a role away; true where it existed.
    pub fn remove(&self, arn: &str) -> bool {
        write(&self.0.0.roles).remove(arn).is_some()
    }
}

/// The sessions of a sandbox.
#[derive(Debug, Clone)]
pub struct Sessions(Callers);

impl Sessions {
    /// Lets all sessions that were issued so far expire now, whatever their holders were told; gives their number.
    pub fn expire_all(&self) -> usize {
        let mut sessions = write(&self.0.0.sessions);
        sessions.values_mut().for_each(|session| session.revoked = true);
        sessions.len()
    }

    /// How many sessions were issued and are still remembered.
    pub fn count(&self) -> usize {
        read(&self.0.0.sessions).len()
    }
}

impl Callers {
    pub(crate) fn new(config: &Config) -> Self {
        Self(Arc::new(Known {
            owner: config.owner_keys.clone(),
            region: config.region.clone(),
            identities: config.identities.iter().map(|id| (id.access_key_id.clone(), id.clone())).collect(),
            roles: RwLock::new(config.roles.iter().map(|role| (role.arn.clone(), role.clone())).collect()),
            sessions: RwLock::default(),
        }))
    }

    pub(crate) fn roles(&self) -> Roles {
        Roles(self.clone())
    }

    pub(crate) fn sessions(&self) -> Sessions {
        Sessions(self.clone())
    }

    pub(crate) fn role(&self, arn: &str) -> Option<Role> {
        read(&self.0.roles).get(arn).cloned()
    }

    /// Who has this key; for a session, whether the token and the time are right, too.
    pub(crate) fn caller(&self, access_key_id: &str, token: Option<&str>) -> S3Result<Caller> {
        if let Some(owner) = self.0.owner.as_ref().filter(|owner| owner.access_key_id == access_key_id) {
            return Ok(Caller::Owner(owner.clone()));
        }
        if let Some(identity) = self.0.identities.get(access_key_id) {
            return Ok(Caller::Identity(identity.clone()));
        }
        let session = read(&self.0.sessions).get(access_key_id).cloned().ok_or_else(unknown_key)?;
        match token {
            // A session's key alone is nobody's.
            None => Err(unknown_key()),
            Some(token) if token != session.token => Err(S3Error::with_message(
                S3ErrorCode::InvalidToken,
                "The provided token is malformed or otherwise invalid.",
            )),
            Some(_) if session.revoked || session.expires_at <= SystemTime::now() => {
                Err(S3Error::with_message(S3ErrorCode::ExpiredToken, "The provided token has expired."))
            }
            Some(_) => Ok(Caller::Session(Box::new(session))),
        }
    }

    /// Issues a session of the role, with what the session policy leaves of its rights.
    pub(crate) fn issue(
        &self,
        role: &Role,
        name: &str,
        narrowed_to: Option<Policy>,
        lasting: Duration,
    ) -> Session {
        let now = SystemTime::now();
        let account_id = role.arn.split(':').nth(4).unwrap_or_default().to_owned();
        let role_name = role.arn.rsplit('/').next().unwrap_or_default();
        let session = Session {
            access_key_id: format!("ASIA{}", &random()[..16]).to_uppercase(),
            secret_access_key: random() + &random()[..8],
            token: (0..4).map(|_| random()).collect(),
            arn: format!("arn:aws:sts::{account_id}:assumed-role/{role_name}/{name}"),
            account_id,
            expires_at: now + lasting,
            revoked: false,
            role: Policy::of_grants(&role.grants),
            narrowed_to,
        };
        let mut sessions = write(&self.0.sessions);
        sessions.retain(|_, known| known.expires_at + REMEMBERED > now);
        sessions.insert(session.access_key_id.clone(), session.clone());
        session
    }
}

impl Callers {
    /// An error that tells the bucket's region in a header, as S3 does with its refusals of a bucket.
    fn telling_region(&self, mut err: S3Error) -> S3Error {
        if let Some(region) = self.0.region.as_ref().and_then(|region| HeaderValue::from_str(region).ok()) {
            err.set_headers(HeaderMap::from_iter([(BUCKET_REGION, region)]));
        }
        err
    }

    fn check_region(&self, authorization: Option<&str>) -> S3Result<()> {
        let (Some(here), Some(asked)) = (&self.0.region, authorization.and_then(signed_region)) else {
            return Ok(());
        };
        if here == asked {
            return Ok(());
        }
        let message =
            "The bucket you are attempting to access must be addressed using the specified endpoint.";
        let mut err = S3Error::with_message(S3ErrorCode::PermanentRedirect, message);
        err.set_status_code(StatusCode::MOVED_PERMANENTLY);
        Err(self.telling_region(err))
    }
}

/// The region in `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/s3/aws4_request, …`.
fn signed_region(authorization: &str) -> Option<&str> {
    let (_, scope) = authorization.split_once("Credential=")?;
    scope.split(',').next()?.split('/').nth(2)
}

impl Session {
    fn allows(&self, ask: Ask<'_>) -> bool {
        self.role.allows(ask) && self.narrowed_to.as_ref().is_none_or(|policy| policy.allows(ask))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("access_key_id", &self.access_key_id)
            .field("arn", &self.arn)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// 32 hexadecimal digits from the system's random source.
fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

#[async_trait::async_trait]
impl S3Auth for Callers {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if let Some(owner) = self.0.owner.as_ref().filter(|owner| owner.access_key_id == access_key) {
            return Ok(owner.secret_access_key.as_str().into());
        }
        if let Some(identity) = self.0.identities.get(access_key) {
            return Ok(identity.secret_access_key.as_str().into());
        }
        let sessions = read(&self.0.sessions);
        sessions
            .get(access_key)
            .map(|session| session.secret_access_key.as_str().into())
            .ok_or_else(unknown_key)
    }
}

/// What a request that was let in brings along.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rights {
    /// Whether the caller may list the whole bucket. Whoever may not is told "denied" of an object that is not there.
    pub(crate) may_list: bool,
    /// The caller's ARN.
    pub(crate) arn: String,
    /// The buckets' region.
    pub(crate) region: Option<String>,
}

#[async_trait::async_trait]
impl S3Access for Callers {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = cx.credentials() else { return Err(denied()) };
        let query: HashMap<String, String> =
            form_urlencoded::parse(cx.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
        let header = |name: &str| cx.headers().get(name).and_then(|value| value.to_str().ok());
        let token = header("x-amz-security-token").or(query.get("X-Amz-Security-Token").map(String::as_str));
        let caller = self.caller(&credentials.access_key, token)?;
        self.check_region(header("authorization"))?;
        if let (Some(expected), Some(owner)) = (header("x-amz-expected-bucket-owner"), &self.0.owner)
            && expected != owner.account_id
        {
            return Err(denied());
        }
        let may_list = match &caller {
            Caller::Owner(_) => true,
            Caller::Identity(_) => return Err(denied()),
            Caller::Session(session) => {
                let (action, resource) = asked(cx.s3_op().name(), cx.s3_path());
                let prefix = query.get("prefix").map(|prefix| ("s3:prefix", prefix.as_str()));
                if !session.allows(Ask { action: &action, resource: &resource, context: prefix.as_slice() }) {
                    return Err(self.telling_region(denied()));
                }
                let bucket = format!("arn:aws:s3:::{}", cx.s3_path().get_bucket_name().unwrap_or_default());
                session.allows(Ask { action: "s3:ListBucket", resource: &bucket, context: &[] })
            }
        };
        let arn = caller.arn().to_owned();
        cx.extensions_mut().insert(Rights { may_list, arn, region: self.0.region.clone() });
        Ok(())
    }
}

/// The permission that an operation needs, and on what.
fn asked(operation: &str, path: &S3Path) -> (String, String) {
    let action = match operation {
        "GetObject" | "HeadObject" => "s3:GetObject".to_owned(),
        "ListObjects" | "ListObjectsV2" | "HeadBucket" => "s3:ListBucket".to_owned(),
        other => format!("s3:{other}"),
    };
    let resource = match path {
        S3Path::Root => "*".to_owned(),
        S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
        S3Path::Object { bucket, key } => format!("arn:aws:s3:::{bucket}/{key}"),
    };
    (action, resource)
}

pub(crate) fn denied() -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
}

fn unknown_key() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::InvalidAccessKeyId,
        "The AWS Access Key Id you provided does not exist in our records.",
    )
}

/// A lock is poisoned by a panic only; the maps behind these are whole at any point.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
