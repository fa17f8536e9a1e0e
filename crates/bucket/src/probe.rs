//! What a connection test asks of a bucket: where it is, and what lies in it, in few requests however much that is.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use aws_sdk_s3::error::SdkError;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::error::region_of;
use crate::listing::PAGE;
use crate::location::is_region;
use crate::{Bucket, BucketError, Folders, ListedObject};

/// Folders from so many days back on are looked at first, as the newest are asked for and S3 lists the oldest first.
const LOOK_BACK_DAYS: [i32; 2] = [35, 400];
/// Pages of a path, or of a folder, that are looked at: 20,000 names.
const MOST_PAGES: u64 = 20;
/// Dated folders that are looked into for objects, as the newest may be empty.
const MOST_FOLDERS: usize = 10;

/// The newest dated folders of a location, and what else was seen while they were looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatedFolders {
    /// Newest first.
    pub dates: Vec<Date>,
    /// What was seen that is no dated folder; all there is where no date was found and `complete` is true.
    pub seen: Folders,
    /// False where so much lies under the path that not all of it was looked at.
    pub complete: bool,
}

impl Bucket {
    /// The bucket's region, by `GetBucketLocation`; where that is not allowed, by what S3 tells with its answer to
    /// `HeadBucket`, be it a refusal.
    ///
    /// # Errors
    ///
    /// [`BucketError::NoSuchBucket`], [`BucketError::OwnerMismatch`], [`BucketError::AccessDenied`] where neither tells,
    /// and those of the session and the network.
    pub async fn region(&self) -> Result<String, BucketError> {
        let located = self
            .call("", "s3:GetBucketLocation", || {
                let ask = self.client.get_bucket_location().bucket(&self.location.bucket);
                ask.set_expected_bucket_owner(self.owner()).send()
            })
            .await;
        match located {
            Ok(answer) => {
                let constraint = answer.location_constraint().map(|region| region.as_str());
                Ok(region_named(constraint.unwrap_or_default()).to_owned())
            }
            Err(BucketError::WrongRegion { region: Some(region), .. }) => Ok(region),
            Err(err @ (BucketError::AccessDenied { .. } | BucketError::WrongRegion { .. })) => {
                self.region_by_head(self.mismatch_or(err).await).await
            }
            // What a store says that has no such call; a bucket that is missing has its own error.
            Err(err @ BucketError::Other { .. }) => self.region_by_head(err).await,
            Err(err) => Err(err),
        }
    }

    async fn region_by_head(&self, before: BucketError) -> Result<String, BucketError> {
        if matches!(before, BucketError::OwnerMismatch { .. }) {
            return Err(before);
        }
        let told = OnceLock::new();
        let ask = || async {
            let answer = self
                .client
                .head_bucket()
                .bucket(&self.location.bucket)
                .set_expected_bucket_owner(self.owner())
                .send()
                .await;
            let region = match &answer {
                Ok(answer) => answer.bucket_region().filter(|one| is_region(one)).map(str::to_owned),
                Err(err) => SdkError::raw_response(err).and_then(region_of),
            };
            region.into_iter().for_each(|region| drop(told.set(region)));
            answer
        };
        let answer = self.call("", "s3:ListBucket", ask).await;
        match (answer, told.into_inner()) {
            (Err(BucketError::NotFound { place }), _) => Err(BucketError::NoSuchBucket { place }),
            (
                Ok(_) | Err(BucketError::AccessDenied { .. } | BucketError::WrongRegion { .. }),
                Some(region),
            ) => Ok(region),
            (Ok(_), None) => Ok(region_named(self.location.region.as_deref().unwrap_or_default()).to_owned()),
            (Err(BucketError::AccessDenied { .. }), None) => Err(before),
            (Err(err), _) => Err(err),
        }
    }

    /// The newest dated folders, at most so many; with few requests, also where the path holds years or no dates at all.
    pub async fn dated_folders(&self, limit: usize) -> Result<DatedFolders, BucketError> {
        let today = jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date();
        let bounds = LOOK_BACK_DAYS.iter().map(|&days| today.checked_sub(days.days()).ok()).chain([None]);
        let mut dates = BTreeSet::new();
        let mut found = DatedFolders::default();
        for from in bounds {
            let (seen, complete) = self.folders_within(from, None, MOST_PAGES).await?;
            dates.extend(seen.dates.iter().copied());
            let requests = found.seen.list_requests + seen.list_requests;
            let seen = Folders { dates: Vec::new(), list_requests: requests, ..seen };
            found = DatedFolders { dates: Vec::new(), seen, complete: complete && from.is_none() };
            if dates.len() >= limit {
                break;
            }
        }
        found.dates = dates.into_iter().rev().take(limit).collect();
        Ok(found)
    }

    /// The newest objects of the newest dated folders that have any, at most so many: by folder, then by time of upload.
    ///
    /// Markers and what else listing leaves alone are not among them. Of a folder with more than 20,000 objects, those are
    /// looked at that sort first.
    pub async fn newest_objects(&self, limit: usize) -> Result<Vec<ListedObject>, BucketError> {
        let mut newest = Vec::new();
        for date in self.dated_folders(MOST_FOLDERS).await?.dates {
            let mut pages = self.list_folder(date);
            let mut objects = Vec::new();
            while pages.list_requests() < MOST_PAGES
                && let Some(page) = pages.next_page().await?
            {
                objects.extend(page);
            }
            objects.sort_by(|a, b| b.last_modified.cmp(&a.last_modified).then_with(|| a.key.cmp(&b.key)));
            newest.extend(objects);
            if newest.len() >= limit {
                break;
            }
        }
        newest.truncate(limit);
        Ok(newest)
    }

    /// S3 denies in the same words what the role may not do and what the expected owner does not own. The same request
    /// without an expected owner, whose answer is dropped, tells which it was.
    pub(crate) async fn mismatch_or(&self, err: BucketError) -> BucketError {
        let BucketError::AccessDenied { place, .. } = &err else { return err };
        let Some(expected) = self.owner() else { return err };
        let prefix = self.location.prefix();
        let unguarded = self
            .call(&prefix, "s3:ListBucket", || {
                let list = self.client.list_objects_v2().bucket(&self.location.bucket).prefix(&prefix);
                list.max_keys(1).send()
            })
            .await;
        if unguarded.is_err() {
            return err;
        }
        let guarded = self
            .call(&prefix, "s3:ListBucket", || {
                let list = self.client.list_objects_v2().bucket(&self.location.bucket).prefix(&prefix);
                list.max_keys(1).expected_bucket_owner(&expected).send()
            })
            .await;
        match guarded {
            Err(BucketError::AccessDenied { .. }) => {
                BucketError::OwnerMismatch { place: place.clone(), expected }
            }
            _ => err,
        }
    }
}

const _: () = assert!(PAGE == 1000, "the documented limits are of pages of 1,000");

/// The region that a location constraint stands for; the oldest regions have their own.
fn region_named(constraint: &str) -> &str {
    match constraint {
        "" | "US" => "us-east-1",
        "EU" => "eu-west-1",
        region => region,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_location_constraints_name_their_regions() {
        for (constraint, region) in [("", "us-east-1"), ("EU", "eu-west-1"), ("eu-central-1", "eu-central-1")]
        {
            assert_eq!(region_named(constraint), region);
        }
    }
}
