//! What a request asks S3 for.

use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;

use super::Operation;

/// Names in a query that make a GET of a key ask for something else than the object.
const NOT_THE_OBJECT: [&str; 8] =
    ["acl", "attributes", "legal-hold", "retention", "tagging", "torrent", "uploadId", "uploads"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// None for what no rule names but [`Operation::Any`].
    pub(super) operation: Option<Operation>,
    /// Key, or prefix where it lists; unencoded.
    pub(super) key: String,
    /// `continuation-token`, where it lists and names one.
    pub(super) token: Option<String>,
}

impl Asked {
    /// Reads method, path (`/BUCKET/KEY`) and query.
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let query: Vec<_> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
        let value =
            |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string());
        let key = uri.path().trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
        let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
        let operation = match *method {
            Method::GET if key.is_empty() => {
                (value("list-type").as_deref() == Some("2")).then_some(Operation::ListObjectsV2)
            }
            Method::GET => {
                let other = query.iter().any(|(name, _)| NOT_THE_OBJECT.contains(&name.as_ref()));
                (!other).then_some(Operation::GetObject)
            }
            Method::HEAD if !key.is_empty() => Some(Operation::HeadObject),
            _ => None,
        };
        if operation != Some(Operation::ListObjectsV2) {
            return Self { operation, key, token: None };
        }
        Self { operation, key: value("prefix").unwrap_or_default(), token: value("continuation-token") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, uri: &str) -> (Option<Operation>, String, Option<String>) {
        let Asked { operation, key, token } = Asked::of(&method, &uri.parse().unwrap());
        (operation, key, token)
    }

    #[test]
    fn method_path_and_query_tell_the_operation() {
        let get = Some(Operation::GetObject);
        assert_eq!(asked(Method::GET, "/b/a%20b/c.csv?x-id=GetObject"), (get, "a b/c.csv".into(), None));
        assert_eq!(asked(Method::GET, "/b/k?versionId=1"), (get, "k".into(), None));
        assert_eq!(asked(Method::GET, "/b/k?tagging"), (None, "k".into(), None));
        assert_eq!(asked(Method::HEAD, "/b/k"), (Some(Operation::HeadObject), "k".into(), None));
        assert_eq!(asked(Method::HEAD, "/b"), (None, String::new(), None));
        assert_eq!(asked(Method::PUT, "/b/k"), (None, "k".into(), None));
        assert_eq!(asked(Method::GET, "/b?location"), (None, String::new(), None));
        let list = Some(Operation::ListObjectsV2);
        assert_eq!(
            asked(Method::GET, "/b/?list-type=2&prefix=a%2Fb&continuation-token=x%2By%3D"),
            (list, "a/b".into(), Some("x+y=".into()))
        );
        assert_eq!(asked(Method::GET, "/b?list-type=2"), (list, String::new(), None));
    }
}
