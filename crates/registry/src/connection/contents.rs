//! What lies in the bucket: where it is, its dated folders, and whether files hold against the schema.

use api::registry::{FileProblem, PreviewSourceResponse, TestStepKind};
use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{Bucket, BucketError, DatedFolders};
use tokio::runtime::Handle;

use super::{Finding, Report, Session, Test};
use crate::policy::Key;
use crate::reading::{self, Bounds, Object, Reader, Shown};

/// Files of which rows are looked at: one that is broken says nothing of the source.
const FILES: usize = 3;
/// Of each.
const ROWS: u64 = 1_000;
const BYTES: u64 = 16 << 20;
/// Folders that are looked for: one is enough, a few tell more.
const FOLDERS: usize = 10;
/// Examples of what lies outside dated folders.
const EXAMPLES: usize = 3;

impl Test {
    /// Everything that needs a session.
    pub(super) async fn contents(&self, session: Session, report: &mut Report) {
        let bucket = match self.bucket(&session, report).await {
            Some(bucket) => bucket,
            None => return report.skip(&super::OF_CONTENTS[1..], "the bucket cannot be used").await,
        };
        let listed = match self.within(bucket.probe()).await {
            Ok(Ok(())) => Finding::passed(format!("{} can be listed", self.place())),
            Ok(Err(error)) => self.refused_by_s3(&error),
            Err(late) => late,
        };
        if !report.step(TestStepKind::List, listed).await {
            report.skip(&super::OF_CONTENTS[2..5], "the path cannot be listed").await;
        } else if self.folders(&bucket, report).await {
            self.files(&bucket, report).await;
        } else {
            report.skip(&super::OF_CONTENTS[3..5], "there is no file in a dated folder").await;
        }
        self.events(&session, report).await;
    }

    /// The bucket, opened in the region where it is; none where it cannot be used.
    async fn bucket(&self, session: &Session, report: &mut Report) -> Option<Bucket> {
        let mut location = self.location();
        let open = |location| Bucket::open(location, SharedCredentialsProvider::new(session.clone()));
        let asked = location.region.clone().unwrap_or_default();
        let name = &self.source.settings.bucket;
        let found = match self.within(open(location.clone()).region()).await {
            Ok(Ok(region)) if region == asked => Finding::passed(format!("{name} is in {region}")),
            Ok(Ok(region)) => {
                let found = if self.source.settings.region.is_empty() {
                    Finding::passed(format!("{name} is in {region}"))
                } else {
                    Finding::warning(
                        "other_region",
                        format!("{name} is in {region}, not in {asked}"),
                        "nothing: activating the source takes the bucket's region over",
                    )
                };
                location.region = Some(region.clone());
                report.region = Some(region);
                found
            }
            // Reading needs no one to tell the region, where it is the right one.
            Ok(Err(BucketError::AccessDenied { .. })) => Finding::warning(
                "region_not_told",
                format!("{name}: S3 denies s3:GetBucketLocation, so it is taken to be in {asked}"),
                "allow s3:GetBucketLocation on the bucket in the policy of the role",
            )
            .with(self.iam_policy(Key::None)),
            Ok(Err(error)) => self.refused_by_s3(&error),
            Err(late) => late,
        };
        report.step(TestStepKind::Bucket, found).await.then(|| open(location))
    }

    /// True where there are dated folders.
    async fn folders(&self, bucket: &Bucket, report: &mut Report) -> bool {
        let (any, found) = match self.within(bucket.dated_folders(FOLDERS)).await {
            Ok(Ok(folders)) => (!folders.dates.is_empty(), self.dated(&folders)),
            Ok(Err(error)) => (false, self.refused_by_s3(&error)),
            Err(late) => (false, late),
        };
        report.step(TestStepKind::DatedFolders, found).await && any
    }

    fn dated(&self, folders: &DatedFolders) -> Finding {
        let seen = &folders.seen;
        let place = self.place();
        if let Some(newest) = folders.dates.first() {
            let outside = match seen.outside {
                0 => String::new(),
                many => format!("; {many} others beside them are left alone"),
            };
            return Finding::passed(format!("dated folders are there, the newest is {newest}{outside}"));
        }
        let example = format!("{}2026-01-31/", bucket_prefix(&self.source.settings.path));
        if seen.outside == 0 {
            return Finding::warning(
                "empty_path",
                format!("{place} is empty"),
                format!("upload files into folders by date of upload, such as {example}"),
            );
        }
        let examples: Vec<&str> = seen.outside_examples.iter().take(EXAMPLES).map(String::as_str).collect();
        Finding::failed(
            "no_dated_folders",
            format!("{place} has no folder named by date (YYYY-MM-DD); there is {}", examples.join(", ")),
            format!(
                "upload files into folders by date of upload, such as {example}, or set the source's path to where such \
                 folders are"
            ),
        )
    }

    /// Whether files can be read, and hold.
    async fn files(&self, bucket: &Bucket, report: &mut Report) {
        let objects = match self.within(bucket.newest_objects(FILES)).await {
            Ok(Ok(objects)) => objects,
            Ok(Err(error)) => {
                report.step(TestStepKind::Read, self.refused_by_s3(&error)).await;
                return report.skip(&[TestStepKind::Rows], "no file was read").await;
            }
            Err(late) => {
                report.step(TestStepKind::Read, late).await;
                return report.skip(&[TestStepKind::Rows], "no file was read").await;
            }
        };
        let objects: Vec<Object> = objects.into_iter().map(Object::from).collect();
        let Some(newest) = objects.first().cloned() else {
            let advice = "upload a file, and test again to see whether it holds";
            let found = Finding::warning("no_files", "the newest dated folders have no file", advice);
            report.step(TestStepKind::Read, found).await;
            return report.skip(&[TestStepKind::Rows], "there is no file to look at").await;
        };
        let reader = match self.reader(bucket) {
            Ok(reader) => reader,
            Err(found) => {
                report.skip(&[TestStepKind::Read], "the schema does not hold").await;
                report.step(TestStepKind::Rows, found).await;
                return;
            }
        };
        if !report.step(TestStepKind::Read, self.touch(&reader, newest).await).await {
            return report.skip(&[TestStepKind::Rows], "no file was read").await;
        }
        let found = self.rows(reader, objects).await;
        report.step(TestStepKind::Rows, found).await;
    }

    fn reader(&self, bucket: &Bucket) -> Result<Reader, Finding> {
        reading::of_source(&self.config, &self.source, bucket.clone(), Handle::current()).map_err(|error| {
            Finding::failed("schema_not_valid", error.to_string(), "put a schema in force that holds")
        })
    }

    async fn touch(&self, reader: &Reader, object: Object) -> Finding {
        let (reader, bounds) = (reader.clone(), self.bounds());
        let key = object.key.clone();
        let touched = self.within(reading::blocking(move || reader.touch(&object, &bounds))).await;
        match touched {
            Ok(Ok(Ok(()))) => Finding::passed(format!("{key} can be read")),
            Ok(Ok(Err(problem))) => self.unreadable(&problem),
            Ok(Err(error)) => broken(&error),
            Err(late) => late,
        }
    }

    async fn rows(&self, reader: Reader, objects: Vec<Object>) -> Finding {
        let bounds = self.bounds();
        let shown = Shown { records: 0, errors: EXAMPLES };
        let read = reading::blocking(move || {
            objects.iter().map(|object| reader.preview(object, &bounds, shown)).collect::<Vec<_>>()
        });
        match self.within(read).await {
            Ok(Ok(files)) => held(&files),
            Ok(Err(error)) => broken(&error),
            Err(late) => late,
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds { rows: ROWS, bytes: BYTES, until: self.deadline.into_std(), stop: self.stop.clone() }
    }

    fn place(&self) -> String {
        let settings = &self.source.settings;
        format!("s3://{}/{}", settings.bucket, bucket_prefix(&settings.path))
    }

    fn refused_by_s3(&self, error: &BucketError) -> Finding {
        if let BucketError::OwnerMismatch { .. } = error {
            let advice = "see that it is the bucket that is meant: one that was deleted may be another's now. Where it \
                          belongs to another account than the role, name its owner in expected_bucket_owner";
            return Finding::failed(error.code(), error.to_string(), advice);
        }
        self.unreadable(&reading::refused(error))
    }

    fn unreadable(&self, problem: &FileProblem) -> Finding {
        let found = Finding::failed(&problem.code, &problem.reason, &problem.advice);
        match problem.code.as_str() {
            "access_denied" => found.with(self.iam_policy(Key::None)),
            "kms_denied" => found.with(self.iam_policy(key_in(&problem.reason).map_or(Key::Any, Key::Arn))),
            _ => found,
        }
    }
}

/// The ARN of a KMS key, where S3's words have one.
fn key_in(reason: &str) -> Option<&str> {
    reason
        .split(|c: char| c.is_whitespace() || c == '"' || c == ',')
        .find(|word| word.starts_with("arn:") && word.contains(":kms:") && word.contains(":key/"))
}

fn bucket_prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}/") }
}

fn broken(error: &std::io::Error) -> Finding {
    tracing::error!(%error, "a connection test's reader died");
    Finding::failed(
        "internal",
        "the test itself failed",
        "test again; if it stays so, report it to the operator",
    )
}

/// What the first rows of the newest files say of the source.
fn held(files: &[PreviewSourceResponse]) -> Finding {
    let rows: u64 = files.iter().map(|file| file.rows).sum();
    let rejected: u64 = files.iter().map(|file| file.rejected).sum();
    let accepted: u64 = files.iter().map(|file| file.accepted).sum();
    let first_error = files.iter().find_map(|file| Some((file, file.errors.first()?)));
    let problem = files.iter().find_map(|file| Some((file, file.problem.as_ref()?)));
    let counted = format!("{rejected} of the first {rows} rows of the newest files are rejected");
    let told = first_error.map(|(file, error)| {
        let row = error.row_number.unwrap_or_default();
        let column =
            if error.column.is_empty() { String::new() } else { format!(", column {}", error.column) };
        (format!("row {row} of {}{column}: {}", file.object_key, error.reason), error.advice.clone())
    });
    match (problem, told) {
        (Some((file, problem)), _) if accepted == 0 && is_fault(file, problem) => Finding::failed(
            &problem.code,
            format!("{}: {}", file.object_key, problem.reason),
            &problem.advice,
        ),
        (_, Some((example, advice))) if accepted == 0 => {
            Finding::failed("no_valid_rows", format!("{counted}, such as {example}"), advice)
        }
        (_, Some((example, advice))) => {
            Finding::warning("rows_rejected", format!("{counted}, such as {example}"), advice)
        }
        (Some((file, problem)), None) => Finding::warning(
            &problem.code,
            format!("{}: {}", file.object_key, problem.reason),
            &problem.advice,
        ),
        (None, None) if rows == 0 => Finding::warning(
            "no_rows",
            "the newest files have no rows",
            "upload a file with rows, and test again to see whether they hold",
        ),
        (None, None) => Finding::passed(format!("the first {rows} rows of the newest files hold")),
    }
}

/// A file with nothing in it, or one whose rows are told by the row, is no fault of its own.
fn is_fault(file: &PreviewSourceResponse, problem: &FileProblem) -> bool {
    problem.code != "empty_file" && file.errors.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_kms_names_is_found() {
        let reason = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: kms:Decrypt on resource: \
                      arn:aws:kms:eu-west-1:111122223333:key/1234 because no policy allows it";
        assert_eq!(key_in(reason), Some("arn:aws:kms:eu-west-1:111122223333:key/1234"));
        assert_eq!(key_in("the resource associated with this ciphertext"), None);
    }
}
