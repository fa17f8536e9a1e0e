use hyper::{Method, Uri};

const MOST_KEYS: usize = 1000;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Query {
    List { bucket: String, prefix: String, by_folder: bool, after: String, limit: usize },
    Location,
    Other,
}

impl Query {
    /// Reads method, path (`/BUCKET/KEY`) and query. A delimiter other than a slash is not known.
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let query: Vec<_> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
        let value =
            |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string());
        let bucket = uri.path().trim_matches('/').to_owned();
        if method != Method::GET || bucket.contains('/') {
            return Self::Other;
        }
        if value("location").is_some() {
            return Self::Location;
        }
        let by_folder = match value("delimiter").as_deref() {
            None | Some("") => false,
            Some("/") => true,
            Some(_) => return Self::Other,
        };
        if value("list-type").as_deref() != Some("2") {
            return Self::Other;
        }
        Self::List {
            bucket,
            prefix: value("prefix").unwrap_or_default(),
            by_folder,
            after: value("continuation-token").or_else(|| value("start-after")).unwrap_or_default(),
            limit: value("max-keys").and_then(|most| most.parse().ok()).unwrap_or(MOST_KEYS).min(MOST_KEYS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_before_start_after() {
        let uri = "/b?list-type=2&prefix=e%2F&delimiter=%2F&start-after=e%2F1&max-keys=5".parse().unwrap();
        let Query::List { after, by_folder, limit, prefix, .. } = Query::of(&Method::GET, &uri) else {
            panic!("no LIST");
        };
        assert_eq!((after.as_str(), by_folder, limit, prefix.as_str()), ("e/1", true, 5, "e/"));
        let uri = "/b/?list-type=2&start-after=e%2F1&continuation-token=e%2F2".parse().unwrap();
        let Query::List { after, limit, .. } = Query::of(&Method::GET, &uri) else { panic!("no LIST") };
        assert_eq!((after.as_str(), limit), ("e/2", 1000));
    }
}
