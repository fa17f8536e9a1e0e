//! The address of an event queue.

use std::fmt;

use super::EventsError;

/// As long as SQS lets a name be.
const LONGEST_NAME: usize = 80;

/// An SQS queue that a bucket sends its event notifications to. Shown as its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQueue {
    url: String,
    region: Option<String>,
    account_id: String,
    name: String,
    endpoint_url: Option<String>,
}

impl EventQueue {
    /// Reads a queue's URL: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME` or, in China, `…amazonaws.com.cn/…`. Where the
    /// source is on an endpoint of its own, the queue is on the same: `ENDPOINT/ACCOUNT/NAME`.
    ///
    /// # Errors
    ///
    /// [`EventsError::Url`], with what is wrong.
    pub fn parse(url: &str, endpoint_url: Option<&str>) -> Result<Self, EventsError> {
        let refused = |reason: String| EventsError::Url { url: url.to_owned(), reason };
        let endpoint_url = endpoint_url.map(|endpoint| endpoint.trim_end_matches('/'));
        let (region, path) = match endpoint_url {
            Some(endpoint) => {
                let path = url.strip_prefix(endpoint).and_then(|rest| rest.strip_prefix('/'));
                let path = path.ok_or_else(|| {
                    refused(format!("it must begin with the source's endpoint, {endpoint}/"))
                })?;
                (None, path)
            }
            None => {
                let rest = url
                    .strip_prefix("https://")
                    .ok_or_else(|| refused("it must begin with https://".into()))?;
                let (host, path) = rest.split_once('/').ok_or_else(|| refused("it has no path".into()))?;
                let region = amazon_region(host).ok_or_else(|| {
                    refused(
                        "its host must be sqs.REGION.amazonaws.com, or sqs.REGION.amazonaws.com.cn".into(),
                    )
                })?;
                (Some(region.to_owned()), path)
            }
        };
        let (account_id, name) = path
            .split_once('/')
            .ok_or_else(|| refused("its path must be the account and the queue's name".into()))?;
        if account_id.len() != 12 || !account_id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refused("its path must begin with the account's 12 digits".into()));
        }
        if !is_name(name) {
            return Err(refused(format!(
                "it must end in the queue's name: 1 to {LONGEST_NAME} letters, digits, hyphens and underscores"
            )));
        }
        Ok(Self {
            url: url.to_owned(),
            region,
            account_id: account_id.to_owned(),
            name: name.to_owned(),
            endpoint_url: endpoint_url.map(str::to_owned),
        })
    }

    /// As it was given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The region in its host; none on an endpoint of its own.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// `arn:PARTITION:sqs:REGION:ACCOUNT:NAME`, for policies; any region where the URL has none.
    pub fn arn(&self) -> String {
        let region = self.region.as_deref().unwrap_or("*");
        let partition = match region {
            _ if region.starts_with("cn-") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:sqs:{region}:{}:{}", self.account_id, self.name)
    }

    pub(super) fn endpoint_url(&self) -> Option<&str> {
        self.endpoint_url.as_deref()
    }
}

impl fmt::Display for EventQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// The region of Amazon's host for SQS. Nothing else passes, so that no session is sent to a host that a customer names.
fn amazon_region(host: &str) -> Option<&str> {
    let rest = host.strip_prefix("sqs.")?;
    let in_china = rest.strip_suffix(".amazonaws.com.cn");
    let region = in_china.or_else(|| rest.strip_suffix(".amazonaws.com"))?;
    let of_region = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let valid = region.contains('-') && region.bytes().all(of_region);
    (valid && in_china.is_some() == region.starts_with("cn-")).then_some(region)
}

fn is_name(name: &str) -> bool {
    let base = name.strip_suffix(".fifo").unwrap_or(name);
    let of_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !base.is_empty() && name.len() <= LONGEST_NAME && base.bytes().all(of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazon_s_urls_tell_region_and_arn() {
        let queue =
            EventQueue::parse("https://sqs.eu-west-1.amazonaws.com/111122223333/new_files-1", None).unwrap();
        assert_eq!(queue.region(), Some("eu-west-1"));
        assert_eq!(queue.arn(), "arn:aws:sqs:eu-west-1:111122223333:new_files-1");
        let queue =
            EventQueue::parse("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q", None).unwrap();
        assert_eq!(queue.arn(), "arn:aws-cn:sqs:cn-north-1:111122223333:q");
        let queue =
            EventQueue::parse("https://sqs.us-gov-west-1.amazonaws.com/111122223333/q.fifo", None).unwrap();
        assert_eq!(queue.arn(), "arn:aws-us-gov:sqs:us-gov-west-1:111122223333:q.fifo");
    }

    #[test]
    fn nothing_but_a_queue_of_amazon_s_is_taken() {
        for (url, reason) in [
            ("http://sqs.eu-west-1.amazonaws.com/111122223333/q", "https://"),
            ("https://sqs.eu-west-1.amazonaws.com", "no path"),
            ("https://sqs.eu-west-1.amazonaws.com.evil.example/111122223333/q", "host"),
            ("https://evil.example/111122223333/q", "host"),
            ("https://user@sqs.eu-west-1.amazonaws.com/111122223333/q", "host"),
            ("https://sqs.eu-west-1.amazonaws.com:8443/111122223333/q", "host"),
            ("https://sqs.evil.example#.amazonaws.com/111122223333/q", "host"),
            ("https://sqs.amazonaws.com/111122223333/q", "host"),
            ("https://sqs..amazonaws.com/111122223333/q", "host"),
            ("https://sqs.cn-north-1.amazonaws.com/111122223333/q", "host"),
            ("https://sqs.eu-west-1.amazonaws.com.cn/111122223333/q", "host"),
            ("https://sqs.eu-west-1.amazonaws.com/q", "account"),
            ("https://sqs.eu-west-1.amazonaws.com/1111/q", "12 digits"),
            ("https://sqs.eu-west-1.amazonaws.com/111122223333/", "name"),
            ("https://sqs.eu-west-1.amazonaws.com/111122223333/q/r", "name"),
            ("https://sqs.eu-west-1.amazonaws.com/111122223333/q?Action=DeleteQueue", "name"),
            ("https://sqs.eu-west-1.amazonaws.com/111122223333/q ", "name"),
            ("arn:aws:sqs:eu-west-1:111122223333:q", "https://"),
        ] {
            let err = EventQueue::parse(url, None).unwrap_err();
            assert!(err.to_string().contains(reason), "{url}: {err}");
            assert_eq!(err.code(), "event_queue_url");
        }
        let name = "q".repeat(81);
        assert!(
            EventQueue::parse(&format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{name}"), None)
                .is_err()
        );
    }

    #[test]
    fn a_source_on_an_endpoint_of_its_own_has_its_queue_there() {
        let endpoint = Some("http://127.0.0.1:9000/");
        let queue = EventQueue::parse("http://127.0.0.1:9000/111122223333/q", endpoint).unwrap();
        assert_eq!((queue.region(), queue.arn().as_str()), (None, "arn:aws:sqs:*:111122223333:q"));
        for url in [
            "http://127.0.0.1:90001/111122223333/q",
            "http://127.0.0.1:9000.evil.example/111122223333/q",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/q",
        ] {
            let err = EventQueue::parse(url, endpoint).unwrap_err();
            assert!(err.to_string().contains("http://127.0.0.1:9000/"), "{err}");
        }
    }
}
