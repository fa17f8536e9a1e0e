//! S3 over the folder: reading is ours, as conditions, ETags and paging must be as AWS has them; writing, which the owner
//! alone may do, is s3s-fs's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::mpsc;

use crate::access::{Rights, denied};
use crate::folder::{Folder, Object as Found, Stamp};
use crate::listing::{Page, Query};
use crate::objects::{Objects, Obstacle};

/// What is read and sent at once.
const CHUNK: usize = 128 * 1024;
const MOST_KEYS: i32 = 1000;
/// What `encoding-type=url` leaves as it is.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// S3 over a folder.
#[derive(Debug)]
pub(crate) struct Store {
    folder: Arc<Folder>,
    files: FileSystem,
    objects: Objects,
}

/// How an object is asked for.
struct Conditions {
    if_match: Option<IfMatch>,
    if_none_match: Option<IfNoneMatch>,
    may_list: bool,
}

impl Store {
    pub(crate) fn new(folder: Folder, files: FileSystem, objects: Objects) -> Self {
        Self { folder: Arc::new(folder), files, objects }
    }

    /// Opens an object that meets the conditions.
    async fn open(&self, bucket: &str, key: &str, conditions: Conditions) -> S3Result<(File, Found)> {
        self.bucket(bucket)?;
        let (folder, at) = (self.folder.clone(), (bucket.to_owned(), key.to_owned()));
        let opened = blocking(move || folder.open(&at.0, &at.1)).await;
        let (file, found) = match opened {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                return Err(if conditions.may_list { s3_error!(NoSuchKey) } else { denied() });
            }
            Err(err) if err.kind() == io::ErrorKind::ResourceBusy => {
                return Err(S3Error::with_message(S3ErrorCode::SlowDown, err.to_string()));
            }
            opened => opened.map_err(S3Error::internal_error)?,
        };
        let etag = ETag::Strong(found.etag.clone());
        let matches = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(wanted) => wanted.weak_cmp(&etag),
        };
        if conditions.if_match.is_some_and(|condition| !matches(&condition)) {
            return Err(S3Error::with_message(
                S3ErrorCode::PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold",
            ));
        }
        if conditions.if_none_match.is_some_and(|condition| matches(&condition)) {
            return Err(s3_error!(NotModified));
        }
        Ok((file, found))
    }

    fn bucket(&self, name: &str) -> S3Result<std::path::PathBuf> {
        self.folder.bucket(name).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }

    /// A page; where files in it may be half-written, the page as it is when they have settled.
    async fn page(&self, bucket: &str, query: Query) -> S3Result<Page> {
        let bucket = self.bucket(bucket)?;
        let list = |query: Query| {
            let (folder, bucket) = (self.folder.clone(), bucket.clone());
            async move { blocking(move || folder.list(&bucket, &query)).await.map_err(S3Error::internal_error) }
        };
        let page = list(query.clone()).await?;
        let Some(left) = page.settles_in else { return Ok(page) };
        tokio::time::sleep(left).await;
        list(query).await
    }

    async fn list(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let by_folder = match input.delimiter.as_deref() {
            None | Some("") => false,
            Some("/") => true,
            Some(_) => return Err(s3_error!(NotImplemented, "the sandbox knows the delimiter / only")),
        };
        let max_keys = input.max_keys.unwrap_or(MOST_KEYS);
        let limit = usize::try_from(max_keys.min(MOST_KEYS))
            .map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?;
        let token = input.continuation_token.as_deref().map(from_token).transpose()?;
        let start = token.or_else(|| input.start_after.clone()).unwrap_or_default();
        let prefix = input.prefix.clone().unwrap_or_default();
        let page = self.page(&input.bucket, Query { prefix, by_folder, start, limit }).await?;
        let in_url = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
        let encode = |text: String| if in_url { to_url(&text) } else { text };
        let objects = page.objects.into_iter().map(|(key, found)| Object {
            storage_class: Some(ObjectStorageClass::from_static(self.storage_class(&input.bucket, &key))),
            key: Some(encode(key)),
            e_tag: Some(ETag::Strong(found.etag)),
            size: i64::try_from(found.stamp.size).ok(),
            last_modified: Some(found.stamp.modified.into()),
            ..Default::default()
        });
        let contents: Vec<_> = objects.collect();
        let folders = page.folders.into_iter().map(|folder| CommonPrefix { prefix: Some(encode(folder)) });
        let common_prefixes: Vec<_> = folders.collect();
        Ok(ListObjectsV2Output {
            key_count: i32::try_from(contents.len() + common_prefixes.len()).ok(),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_deref().map(to_token),
            continuation_token: input.continuation_token,
            max_keys: Some(max_keys),
            name: Some(input.bucket),
            prefix: Some(encode(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(encode),
            start_after: input.start_after.map(encode),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }

    fn storage_class(&self, bucket: &str, key: &str) -> &'static str {
        match self.objects.obstacle(bucket, key) {
            Some(Obstacle::Archived) => StorageClass::GLACIER,
            _ => StorageClass::STANDARD,
        }
    }

    /// Checks where an object is to be put: s3s-fs would make the bucket, and tidy the key.
    fn check_target(&self, bucket: &str, key: &str) -> S3Result<std::path::PathBuf> {
        self.bucket(bucket)?;
        self.folder.path(bucket, key).ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "the sandbox keeps objects as files, and this key is not the path of one"
            )
        })
    }
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let Rights { may_list, arn, .. } = rights(&req);
        let GetObjectInput { bucket, key, if_match, if_none_match, range, .. } = req.input;
        let (file, found) =
            self.open(&bucket, &key, Conditions { if_match, if_none_match, may_list }).await?;
        if let Some(obstacle) = self.objects.obstacle(&bucket, &key) {
            return Err(obstacle.refusal(&arn));
        }
        let size = found.stamp.size;
        let bytes = match range {
            None => 0..size,
            Some(range) => range
                .check(size)
                .map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))?,
        };
        let content_range =
            range.map(|_| format!("bytes {}-{}/{size}", bytes.start, bytes.end.saturating_sub(1)));
        let content_length = i64::try_from(bytes.end - bytes.start).ok();
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(body(file, found.stamp, bytes)),
            content_length,
            content_range,
            content_type: Some("binary/octet-stream".to_owned()),
            e_tag: Some(ETag::Strong(found.etag)),
            last_modified: Some(found.stamp.modified.into()),
            ..Default::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let Rights { may_list, .. } = rights(&req);
        let HeadObjectInput { bucket, key, if_match, if_none_match, .. } = req.input;
        let (_, found) = self.open(&bucket, &key, Conditions { if_match, if_none_match, may_list }).await?;
        // S3 leaves the header out for the standard class.
        let class = Some(self.storage_class(&bucket, &key)).filter(|class| *class != StorageClass::STANDARD);
        Ok(S3Response::new(HeadObjectOutput {
            storage_class: class.map(StorageClass::from_static),
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(found.stamp.size).ok(),
            content_type: Some("binary/octet-stream".to_owned()),
            e_tag: Some(ETag::Strong(found.etag)),
            last_modified: Some(found.stamp.modified.into()),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.list(req.input).await.map(S3Response::new)
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let marker = req.input.marker.clone();
        let page = self.list(req.input.into()).await?;
        Ok(S3Response::new(ListObjectsOutput {
            contents: page.contents,
            common_prefixes: page.common_prefixes,
            delimiter: page.delimiter,
            encoding_type: page.encoding_type,
            is_truncated: page.is_truncated,
            marker,
            max_keys: page.max_keys,
            name: page.name,
            next_marker: page.next_continuation_token.as_deref().map(from_token).transpose()?,
            prefix: page.prefix,
            ..Default::default()
        }))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket(&req.input.bucket)?;
        let bucket_region = rights(&req).region;
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..Default::default() }))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.bucket(&req.input.bucket)?;
        // The oldest region is told by an empty constraint.
        let region = rights(&req).region.filter(|region| region != "us-east-1");
        let location_constraint = region.map(BucketLocationConstraint::from);
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let path = self.check_target(&req.input.bucket, &req.input.key)?;
        let put = self.files.put_object(req).await?;
        if let Some(etag) = &put.output.e_tag {
            self.folder.note_put(&path, etag.value()).map_err(S3Error::internal_error)?;
        }
        Ok(put)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.check_target(&req.input.bucket, &req.input.key)?;
        self.files.copy_object(req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.files.delete_object(req).await
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.files.delete_objects(req).await
    }

    async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(req).await
    }

    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(req).await
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let path = self.bucket(&req.input.bucket)?;
        if path.read_dir().map_err(S3Error::internal_error)?.next().is_some() {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
        }
        self.files.delete_bucket(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.check_target(&req.input.bucket, &req.input.key)?;
        self.files.create_multipart_upload(req).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(req).await
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.files.list_parts(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.check_target(&req.input.bucket, &req.input.key)?;
        self.files.complete_multipart_upload(req).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.files.abort_multipart_upload(req).await
    }
}

fn rights<T>(req: &S3Request<T>) -> Rights {
    req.extensions.get::<Rights>().cloned().unwrap_or_default()
}

/// The bytes of a file as long as it is the one that was opened. A file that is written to breaks the answer off, since
/// S3 never mixes two versions of an object.
fn body(mut file: File, stamp: Stamp, bytes: std::ops::Range<u64>) -> StreamingBlob {
    let (sender, mut chunks) = mpsc::channel::<io::Result<Bytes>>(2);
    tokio::task::spawn_blocking(move || {
        let mut send = || -> io::Result<()> {
            let mut left = bytes.end - bytes.start;
            if left > 0 {
                file.seek(SeekFrom::Start(bytes.start))?;
            }
            while left > 0 {
                let mut chunk = vec![0; usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK))];
                file.read_exact(&mut chunk)?;
                if Stamp::of(&file.metadata()?)? != stamp {
                    return Err(io::Error::other("the file was written to while it was read"));
                }
                left -= chunk.len() as u64;
                if sender.blocking_send(Ok(chunk.into())).is_err() {
                    break;
                }
            }
            Ok(())
        };
        if let Err(err) = send() {
            // The client may be gone.
            let _ = sender.blocking_send(Err(err));
        }
    });
    StreamingBlob::wrap(futures::stream::poll_fn(move |cx| chunks.poll_recv(cx)))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|err| Err(io::Error::other(err)))
}

fn to_url(text: &str) -> String {
    utf8_percent_encode(text, IN_URL).to_string().replace("%20", "+")
}

/// Where a page goes on, opaque as S3's are.
fn to_token(start: &str) -> String {
    utf8_percent_encode(start, NON_ALPHANUMERIC).to_string()
}

fn from_token(token: &str) -> S3Result<String> {
    let start = percent_decode_str(token).decode_utf8();
    start
        .map(|start| start.into_owned())
        .map_err(|_| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}
