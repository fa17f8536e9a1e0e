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
    fn the_root_has_no_prefix() {
        assert_eq!(Location::from(&SourceWork { path: "/".into(), ..Default::default() }).prefix(), "");
    }
}
