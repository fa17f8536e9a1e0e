#![doc = include_str!("../README.md")]

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use https::{AskError, Https};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

/// The media type of questions and answers.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// Characters of a registry's own words that are told.
const MOST_TOLD: usize = 500;
/// What stands in a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a schema has no id.
#[derive(Debug, thiserror::Error)]
pub enum SchemaRegistryError {
    /// A setting that cannot be used.
    #[error("setting {name}: {reason}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry does not answer, or not now: worth another try.
    #[error("the schema registry at {url} cannot be asked: {reason}")]
    Unavailable {
        /// Its address.
        url: String,
        /// What was met.
        reason: String,
    },
    /// It does not accept who this is, or does not let it do this. Not worth another try.
    #[error("the schema registry denies access: {0}")]
    Denied(String),
    /// It does not take the schema, does not know it, or is none. Not worth another try.
    #[error("the schema registry refuses: {0}")]
    Refused(String),
}

/// Which registry, and as whom.
#[derive(Clone)]
pub struct Config {
    /// Its address, with the path before `/subjects`: `https://HOST[:PORT][/PATH]`.
    pub url: String,
    /// User and password for basic authentication; none where it wants none.
    pub login: Option<(String, String)>,
    /// CAs (PEM) of its certificate; those of the public web if absent.
    pub ca: Option<Vec<u8>>,
    /// Whether schemas that are not there are registered.
    pub auto_register: bool,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.url)
            .field("user", &self.login.as_ref().map(|(user, _)| user))
            .field("auto_register", &self.auto_register)
            .finish_non_exhaustive()
    }
}

/// A schema registry.
#[derive(Debug)]
pub struct SchemaRegistry {
    config: Config,
    https: Https,
}

/// What a registry says where it did as it was asked, and where it did not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    id: Option<u32>,
    error_code: Option<u32>,
    message: Option<String>,
}

impl SchemaRegistry {
    /// Checks the settings; asks at the first use.
    ///
    /// # Errors
    /// A setting that cannot be used, by its name.
    pub fn new(mut config: Config) -> Result<Self, SchemaRegistryError> {
        let wrong = |name, reason: &str| SchemaRegistryError::Setting { name, reason: reason.to_owned() };
        let url: Uri = config
            .url
            .parse()
            .map_err(|_| wrong("schema_registry_url", "it is no URL: https://HOST[:PORT][/PATH]"))?;
        // Before the scheme is looked at: what is told of the address holds no password.
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            let reason = "it holds a user; give schema_registry_user and schema_registry_password_file";
            return Err(wrong("schema_registry_url", reason));
        }
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.query().is_some() {
            let reason = format!("{:?} is not https://HOST[:PORT][/PATH]", config.url);
            return Err(wrong("schema_registry_url", &reason));
        }
        config.url.truncate(config.url.trim_end_matches('/').len());
        let https = Https::new(config.ca.as_deref())
            .map_err(|error| wrong("schema_registry_ca_file", &error.to_string()))?;
        Ok(Self { config, https })
    }

    /// The id of this protobuf schema as the value of messages on `topic`, registered or looked up as the settings say.
    ///
    /// # Errors
    /// See [`SchemaRegistryError`].
    pub async fn id(&self, topic: &str, schema: &str) -> Result<u32, SchemaRegistryError> {
        let subject = format!("{topic}-value");
        let path = utf8_percent_encode(&subject, SEGMENT);
        let what = if self.config.auto_register { "/versions" } else { "" };
        let url = format!("{}/subjects/{path}{what}", self.config.url);
        let body = json!({ "schemaType": "PROTOBUF", "schema": schema }).to_string();
        let mut request = Request::post(&url)
            .header(header::ACCEPT, format!("{MEDIA_TYPE}, application/json"))
            .header(header::CONTENT_TYPE, MEDIA_TYPE);
        if let Some((user, password)) = &self.config.login {
            let basic = STANDARD.encode(format!("{user}:{password}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| {
            SchemaRegistryError::Setting { name: "schema_registry_url", reason: error.to_string() }
        })?;
        let (status, body) = self.https.ask(request).await.map_err(|error| match error {
            AskError::Unreachable(reason) => self.unavailable(reason),
            AskError::Untrusted(_) => SchemaRegistryError::Denied(format!(
                "{}: {error}: see schema_registry_ca_file",
                self.config.url
            )),
        })?;
        let answer: Answer = serde_json::from_slice(&body).unwrap_or_default();
        match answer.id.filter(|_| status.is_success()) {
            Some(id) => Ok(id),
            None => Err(self.failed(topic, &subject, status, &answer)),
        }
    }

    fn unavailable(&self, reason: String) -> SchemaRegistryError {
        SchemaRegistryError::Unavailable { url: self.config.url.clone(), reason }
    }

    /// What an answer without an id says, and what to do.
    fn failed(&self, topic: &str, subject: &str, status: StatusCode, answer: &Answer) -> SchemaRegistryError {
        use SchemaRegistryError::{Denied, Refused};
        let url = &self.config.url;
        let said: String = answer.message.as_deref().unwrap_or_default().chars().take(MOST_TOLD).collect();
        let said = format!("it answers {status}: {said}").trim_end_matches([':', ' ']).to_owned();
        let auto_register = self.config.auto_register;
        match status {
            _ if status.is_success() => {
                Refused(format!("{url} answers {status} and no id: is that a schema registry?"))
            }
            StatusCode::UNAUTHORIZED => {
                let user = match &self.config.login {
                    Some((user, _)) => format!("{user:?} with this password"),
                    None => "anyone without a login".to_owned(),
                };
                Denied(format!(
                    "{url} does not accept {user}: see schema_registry_user and schema_registry_password_file; {said}"
                ))
            }
            StatusCode::FORBIDDEN => {
                let (act, advice) = match auto_register {
                    true => ("register", "give the right, or set schema_registry_auto_register = false"),
                    false => ("look up", "give the right to read the subject"),
                };
                Denied(format!("one may not {act} the schema of {subject}: {advice}; {said}"))
            }
            StatusCode::CONFLICT => Refused(format!(
                "the schema of {subject} is not compatible with what is registered there, which seems to be another \
                 program's: take that out of the subject, or set the subject's compatibility to NONE; {said}"
            )),
            // 40401 and 40403: there is no such subject, and no such schema in it.
            StatusCode::NOT_FOUND if !auto_register && answer.error_code.is_some() => Refused(format!(
                "{subject} does not have the schema of {topic}, and schema_registry_auto_register is false: register \
                 what `cortex topics schema {topic}` prints; {said}"
            )),
            StatusCode::NOT_FOUND => Refused(format!(
                "there is no schema registry at {url}: see the path of schema_registry_url; {said}"
            )),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => self.unavailable(said),
            _ if status.is_server_error() => self.unavailable(said),
            _ => Refused(format!("the schema of {subject} is not taken; {said}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        let login = Some(("cortex".to_owned(), "hush".to_owned()));
        Config { url: url.to_owned(), login, ca: None, auto_register: true }
    }

    fn failed(auto_register: bool, status: StatusCode, body: &str) -> SchemaRegistryError {
        let config = Config { auto_register, ..config("https://registry.example/") };
        let answer = serde_json::from_str(body).unwrap_or_default();
        SchemaRegistry::new(config).unwrap().failed(
            "cortex.items.v1",
            "cortex.items.v1-value",
            status,
            &answer,
        )
    }

    #[test]
    fn settings_that_cannot_be_used_are_named_without_a_password() {
        for url in ["registry", "kafka://registry", "https://registry/?a=b", "https://u:hush@registry"] {
            let error = SchemaRegistry::new(config(url)).unwrap_err().to_string();
            assert!(error.contains("schema_registry_url") && !error.contains("hush"), "{url}: {error}");
        }
        let no_ca = Config { ca: Some(b"none".to_vec()), ..config("https://registry") };
        assert!(SchemaRegistry::new(no_ca).unwrap_err().to_string().contains("schema_registry_ca_file"));
        let registry = SchemaRegistry::new(config("https://registry/apis/ccompat/v7/")).unwrap();
        assert!(registry.config.url.ends_with("/v7") && !format!("{registry:?}").contains("hush"));
    }

    #[test]
    fn an_answer_without_an_id_says_what_to_do_and_whether_to_try_again() {
        use SchemaRegistryError::{Denied, Refused, Unavailable};
        let stays = |error: &SchemaRegistryError, words: &str| {
            let text = error.to_string();
            assert!(matches!(error, Denied(_) | Refused(_)) && text.contains(words), "{text}");
        };
        let body = r#"{"error_code": 409, "message": "field 2 changed its type"}"#;
        stays(&failed(true, StatusCode::CONFLICT, body), "field 2 changed its type");
        stays(&failed(true, StatusCode::UNAUTHORIZED, ""), "schema_registry_user");
        stays(&failed(true, StatusCode::FORBIDDEN, ""), "schema_registry_auto_register = false");
        let unknown = r#"{"error_code": 40403, "message": "no schema"}"#;
        stays(&failed(false, StatusCode::NOT_FOUND, unknown), "cortex topics schema cortex.items.v1");
        stays(&failed(false, StatusCode::NOT_FOUND, "<html>"), "schema_registry_url");
        stays(&failed(true, StatusCode::OK, "<html>"), "is that a schema registry?");
        for status in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS] {
            assert!(matches!(failed(true, status, "{}"), Unavailable { .. }), "{status}");
        }
    }
}
