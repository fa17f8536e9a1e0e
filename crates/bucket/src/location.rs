//! Where a source's files lie.

use api::worker::SourceWork;

/// A folder of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name of the bucket.
    pub bucket: String,
    /// Folder in the bucket without slashes at its ends; empty for the bucket's root.
    pub path: String,
    /// Region of the bucket; `us-east-1` where not known.
    pub region: Option<String>,
    /// `http(s)://HOST:PORT` of an S3-compatible store; Amazon's own where not set.
    pub endpoint_url: Option<String>,
    /// The AWS account that must own the bucket; S3 refuses every call where another does.
    pub expected_bucket_owner: Option<String>,
}

impl Location {
    /// What every key of the location begins with: empty, or the path with one slash behind it.
    pub fn prefix(&self) -> String {
        match self.path.trim_matches('/') {
            "" => String::new(),
            path => format!("{path}/"),
        }
    }
}

/// Whether this can be a region: it becomes one label of the host that requests go to, so that it must not lead elsewhere. Stores
/// that are not Amazon's name theirs as they like.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl From<&SourceWork> for Location {
    fn from(source: &SourceWork) -> Self {
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            bucket: source.bucket.clone(),
            path: source.path.trim_matches('/').to_owned(),
            region: set(&source.region),
            endpoint_url: set(&source.endpoint_url),
            expected_bucket_owner: set(&source.expected_bucket_owner),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_of_a_source_are_not_set() {
        let work = SourceWork { bucket: "b".into(), path: "a/b/".into(), ..Default::default() };
        let location = Location::from(&work);
        assert_eq!(location.prefix(), "a/b/");
        assert_eq!(
            location,
            Location {
                bucket: "b".into(),
                path: "a/b".into(),
                region: None,
                endpoint_url: None,
                expected_bucket_owner: None,
            }
        );
    }

    #[test]
    fn a_region_is_one_label_of_a_host_name() {
        let long = "a".repeat(64);
        assert!(["us-east-1", "eu-isoe-west-1", "auto", "EU"].into_iter().all(is_region));
        for wrong in ["", "-", "-a", "a.b", "evil.example/", "a#", "a@b", "a:80", "a b", "é", "%2e", &long] {
            assert!(!is_region(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_root_has_no_prefix() {
        assert_eq!(Location::from(&SourceWork { path: "/".into(), ..Default::default() }).prefix(), "");
    }
}
