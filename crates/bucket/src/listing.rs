//! Listing: the dated folders of a location, and the objects of one of them.

use aws_sdk_s3::types::EncodingType;
use jiff::Timestamp;
use jiff::civil::Date;
use percent_encoding::percent_decode_str;

use crate::bucket::timestamp;
use crate::{Bucket, BucketError};

/// Examples of what lies outside dated folders: enough to see what is wrong.
const EXAMPLES: usize = 10;
/// As many keys as S3 gives at once.
pub(crate) const PAGE: i32 = 1000;

/// What lies directly under a location's path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// The dates of the `YYYY-MM-DD` folders, ascending.
    pub dates: Vec<Date>,
    /// Objects directly under the path, and folders whose name is no date.
    pub outside: u64,
    /// The first few of them: keys, folders with a slash at their end.
    pub outside_examples: Vec<String>,
    /// Markers, `_SUCCESS`, `_temporary` and names that begin with a dot.
    pub left_alone: u64,
    /// Requests that it took.
    pub list_requests: u64,
}

/// An object as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// The whole key.
    pub key: String,
    /// Without quotes.
    pub etag: String,
    /// In bytes.
    pub size: u64,
    /// When it was uploaded.
    pub last_modified: Timestamp,
}

/// One answer to a LIST.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<ListedObject>,
    pub(crate) folders: Vec<String>,
    pub(crate) next: Option<String>,
}

impl Bucket {
    /// The dated folders from a date on, or after a folder's name, whichever is later; both absent, all of them.
    ///
    /// `from` is the look-back bound, itself included; `after` the cursor of a sweep, itself excluded. S3 starts
    /// there, so what sorts before is neither seen nor counted.
    pub async fn date_folders(
        &self,
        from: Option<Date>,
        after: Option<&str>,
    ) -> Result<Folders, BucketError> {
        self.folders_within(from, after, u64::MAX).await.map(|(found, _)| found)
    }

    /// As [`date_folders`](Self::date_folders), at most so many pages of it; true where that was all.
    pub(crate) async fn folders_within(
        &self,
        from: Option<Date>,
        after: Option<&str>,
        most_pages: u64,
    ) -> Result<(Folders, bool), BucketError> {
        let prefix = self.location.prefix();
        let after = after.map(|name| name.trim_matches('/')).filter(|name| !name.is_empty());
        let start = start_after(&prefix, from, after);
        let mut found = Folders::default();
        let mut token = None;
        loop {
            let page = self.list(&prefix, Some("/"), start.as_deref(), token, PAGE).await?;
            found.list_requests += 1;
            found.add(&page, &prefix, after);
            token = page.next;
            if token.is_none() || found.list_requests >= most_pages {
                return Ok((found, token.is_none()));
            }
        }
    }

    /// The objects below one date's folder, at any depth, page by page.
    pub fn list_folder(&self, date: Date) -> FolderPages {
        self.list_folder_after(date, "")
    }

    /// As [`list_folder`](Self::list_folder), from the first key that sorts behind `after`; from the start where that is
    /// empty, or no key of the folder.
    pub fn list_folder_after(&self, date: Date, after: &str) -> FolderPages {
        let prefix = format!("{}{date}/", self.location.prefix());
        FolderPages {
            after: Some(after).filter(|key| key.starts_with(&prefix)).map(str::to_owned),
            prefix,
            bucket: self.clone(),
            next: Next::First,
            last: String::new(),
            ascending: true,
            list_requests: 0,
            left_alone: 0,
        }
    }

    pub(crate) async fn list(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        start_after: Option<&str>,
        token: Option<String>,
        max_keys: i32,
    ) -> Result<Page, BucketError> {
        let answer = self
            .call(prefix, "s3:ListBucket", || {
                self.client
                    .list_objects_v2()
                    .bucket(&self.location.bucket)
                    .prefix(prefix)
                    .set_delimiter(delimiter.map(str::to_owned))
                    .set_start_after(start_after.map(str::to_owned))
                    .set_continuation_token(token.clone())
                    .max_keys(max_keys)
                    // Keys may hold characters that XML cannot; one such key would make the whole page unreadable.
                    .encoding_type(EncodingType::Url)
                    .set_expected_bucket_owner(self.owner())
                    .send()
            })
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(err) => return Err(self.mismatch_or(err).await),
        };
        let encoded = answer.encoding_type() == Some(&EncodingType::Url);
        let decode = |text: &str| if encoded { decoded(text) } else { text.to_owned() };
        let in_prefix = |key: &String| key.starts_with(prefix);
        let objects = answer.contents().iter().filter_map(|object| {
            Some(ListedObject {
                key: Some(decode(object.key()?)).filter(in_prefix)?,
                etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
                last_modified: object.last_modified().and_then(timestamp).unwrap_or(Timestamp::UNIX_EPOCH),
            })
        });
        let folders = answer.common_prefixes().iter().filter_map(|folder| folder.prefix());
        Ok(Page {
            objects: objects.collect(),
            folders: folders.map(decode).filter(in_prefix).collect(),
            next: answer
                .next_continuation_token()
                .filter(|_| answer.is_truncated().unwrap_or_default())
                .map(str::to_owned),
        })
    }
}

impl Folders {
    fn add(&mut self, page: &Page, prefix: &str, after: Option<&str>) {
        for object in &page.objects {
            if is_left_alone(&object.key[prefix.len()..]) {
                self.left_alone += 1;
            } else {
                self.add_outside(&object.key);
            }
        }
        for folder in &page.folders {
            let name = folder[prefix.len()..].trim_end_matches('/');
            if after.is_some_and(|after| name <= after) {
                continue;
            }
            match parse_date(name) {
                Some(date) => self.dates.push(date),
                None if is_hidden(name) => self.left_alone += 1,
                None => self.add_outside(folder),
            }
        }
    }

    fn add_outside(&mut self, key: &str) {
        self.outside += 1;
        if self.outside_examples.len() < EXAMPLES {
            self.outside_examples.push(key.to_owned());
        }
    }
}

/// The objects of a date's folder, page by page.
#[derive(Debug)]
pub struct FolderPages {
    bucket: Bucket,
    prefix: String,
    after: Option<String>,
    next: Next,
    last: String,
    ascending: bool,
    list_requests: u64,
    left_alone: u64,
}

#[derive(Debug)]
enum Next {
    First,
    At(String),
    Done,
}

impl FolderPages {
    /// The next objects, at most 1,000 and perhaps none; `None` after the last. After an error the same page is asked
    /// for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<ListedObject>>, BucketError> {
        let token = match &self.next {
            Next::First => None,
            Next::At(token) => Some(token.clone()),
            Next::Done => return Ok(None),
        };
        let page = self.bucket.list(&self.prefix, None, self.after.as_deref(), token, PAGE).await?;
        self.list_requests += 1;
        for object in &page.objects {
            self.ascending &= self.last < object.key;
            self.last.clone_from(&object.key);
        }
        self.next = page.next.map_or(Next::Done, Next::At);
        let mut objects = page.objects;
        let listed = objects.len();
        objects.retain(|object| !is_left_alone(&object.key[self.prefix.len()..]));
        self.left_alone += (listed - objects.len()) as u64;
        Ok(Some(objects))
    }

    /// False where S3 begins at the folder's start.
    pub fn is_behind_a_key(&self) -> bool {
        self.after.is_some()
    }

    /// True while keys have come in ascending order, each once: in the order of UTF-8, as S3 has it but for directory
    /// buckets. Of other listings none may go on behind a key.
    pub fn is_ascending(&self) -> bool {
        self.ascending
    }

    /// Requests so far.
    pub fn list_requests(&self) -> u64 {
        self.list_requests
    }

    /// Markers, `_SUCCESS`, `_temporary/` and dot files so far.
    pub fn left_alone(&self) -> u64 {
        self.left_alone
    }
}

/// The key behind which S3 is to start, such that a folder `from` is still in and a folder `after` is out.
fn start_after(prefix: &str, from: Option<Date>, after: Option<&str>) -> Option<String> {
    // A folder's keys sort behind its name and before its name with a '0', the character that follows '/'.
    let after = after.map(|name| format!("{prefix}{name}0"));
    let from = from.map(|date| format!("{prefix}{date}"));
    from.max(after)
}

/// The date of the folder that a key lies in; none where listing leaves the key alone.
pub(crate) fn dated(key: &str, prefix: &str) -> Option<Date> {
    let (folder, name) = key.strip_prefix(prefix)?.split_once('/')?;
    parse_date(folder).filter(|_| !is_left_alone(name))
}

/// Exactly `YYYY-MM-DD`, and a day that exists.
fn parse_date(name: &str) -> Option<Date> {
    let shape = name.len() == 10
        && name.bytes().enumerate().all(|(i, byte)| match i {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    Date::new(name[..4].parse().ok()?, name[5..7].parse().ok()?, name[8..].parse().ok()?).ok()
}

/// True for what tools leave beside data: markers that consoles make for folders, `_SUCCESS`, the `_temporary` folder
/// of a Spark job that still runs, and dot files. `name` is the key below the folder.
fn is_left_alone(name: &str) -> bool {
    name.is_empty() || name.ends_with('/') || name.split('/').any(is_hidden)
}

fn is_hidden(segment: &str) -> bool {
    segment.starts_with('.') || segment == "_SUCCESS" || segment == "_temporary"
}

/// The form of keys in answers with `encoding-type=url`: percent-encoded, a plus for a space.
pub(crate) fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_valid_day_is_a_date() {
        assert_eq!(parse_date("2026-11-23"), Some(jiff::civil::date(2026, 11, 23)));
        assert_eq!(parse_date("2024-02-29"), Some(jiff::civil::date(2024, 2, 29)));
        for name in
            ["2026-02-29", "2026-13-01", "2026-1-01", "20261123", "2026-11-23T00", "+026-11-23", "2026/11/23"]
        {
            assert_eq!(parse_date(name), None, "{name}");
        }
    }

    #[test]
    fn start_after_keeps_the_bound_and_passes_the_cursor() {
        let date = jiff::civil::date(2026, 11, 23);
        let start = start_after("e/", Some(date), None).unwrap();
        assert!(start.as_str() < "e/2026-11-23/");
        let start = start_after("e/", None, Some("2026-11-23")).unwrap();
        assert!("e/2026-11-23/\u{10FFFF}" < start.as_str() && start.as_str() < "e/2026-11-24/");
        assert_eq!(start_after("e/", Some(date), Some("2026-11-01")).unwrap(), "e/2026-11-23");
        assert_eq!(start_after("e/", None, None), None);
    }

    #[test]
    fn markers_and_dot_files_are_left_alone() {
        for name in
            ["", "hour=1/", "_SUCCESS", "hour=1/_SUCCESS", ".part", ".tmp/a.csv", "_temporary/0/a.csv"]
        {
            assert!(is_left_alone(name), "{name}");
        }
        for name in ["a.csv", "hour=1/a.csv", "_a.csv", "SUCCESS"] {
            assert!(!is_left_alone(name), "{name}");
        }
    }

    #[test]
    fn keys_are_decoded() {
        assert_eq!(decoded("a%2Bb+c%2Fd%C3%A9"), "a+b c/dé");
    }
}
