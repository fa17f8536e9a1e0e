//! The network side of a reader: requests from a position on, taken up again where they break.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::Sender;

use crate::bucket::quoted;
use crate::checksum::Checksum;
use crate::error::causes;
use crate::{Bucket, BucketError};

/// What is handed over at once. Smaller pieces as they come off the network are put together.
pub(crate) const CHUNK: usize = 256 * 1024;
/// A body that is silent for so long is taken for broken.
const SILENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What the reader gets. The end is said, so that a task that died is not taken for it.
pub(crate) enum Part {
    Bytes(Bytes),
    End {
        /// Bytes of the whole object.
        size: u64,
    },
}

/// One object from a position to its end, or to a byte before.
pub(crate) struct Fetch {
    pub(crate) bucket: Bucket,
    pub(crate) key: String,
    pub(crate) etag: String,
    /// Of the whole object, where known.
    pub(crate) size: Option<u64>,
    /// The byte before which it stops, where that is not the object's end.
    pub(crate) end: Option<u64>,
    /// Failures in a row, without a byte between them, after which it gives up.
    pub(crate) tries: u32,
    /// The next byte that the reader lacks.
    pub(crate) position: u64,
    /// Of the bytes from the object's first on; none where reading began behind it, or S3 told none.
    pub(crate) checksum: Option<Checksum>,
}

/// Why a transfer ended before the object's end.
enum Stop {
    /// The reader went away or elsewhere.
    Unwanted,
    Failed(BucketError),
}

impl From<BucketError> for Stop {
    fn from(err: BucketError) -> Self {
        Self::Failed(err)
    }
}

type Parts = Sender<Result<Part, BucketError>>;

impl Fetch {
    /// Sends the object's bytes, then its end or the error that stopped it.
    pub(crate) async fn run(mut self, parts: Parts) {
        let mut tries = Tries::new(self.tries);
        loop {
            let from = self.position;
            let last = match self.transfer(&parts).await {
                Ok(size) => Ok(Part::End { size }),
                Err(Stop::Unwanted) => return,
                Err(Stop::Failed(err)) => {
                    if self.position > from {
                        tries = Tries::new(self.tries);
                    }
                    match tries.pause(err).await {
                        Ok(()) => continue,
                        Err(err) => Err(err),
                    }
                }
            };
            // Where the reader is gone there is no one to tell.
            let _ = parts.send(last).await;
            return;
        }
    }

    /// One request; gives the object's size once the last byte is handed over.
    async fn transfer(&mut self, parts: &Parts) -> Result<u64, Stop> {
        if let Some(size) = self.size.filter(|size| self.position >= self.end_of(*size)) {
            return self.verified(size);
        }
        let Some(answer) = self.request().await? else {
            // Behind the end, by S3's own word.
            return match self.size {
                Some(size) => {
                    Err(self.changed(format!("it had {size} bytes and ends before {}", self.position)))
                }
                None => Ok(self.bucket.size(&self.key, &self.etag).await?),
            };
        };
        let size = self.check(&answer)?;
        self.size = Some(size);
        if self.position == 0 && self.end.is_none() {
            self.checksum = Checksum::of(&answer);
        }
        let end = self.end_of(size);
        self.hand_over(answer.body, end, parts).await?;
        if self.position < end {
            let short = end - self.position;
            return Err(self.broken(format!("the answer ended {short} bytes too early")).into());
        }
        self.verified(size)
    }

    /// Where to stop in an object of this size.
    fn end_of(&self, size: u64) -> u64 {
        self.end.map_or(size, |end| end.min(size))
    }

    /// The size, where what came is what is stored.
    fn verified(&mut self, size: u64) -> Result<u64, Stop> {
        match self.checksum.take().and_then(Checksum::differs) {
            None => Ok(size),
            Some(reason) => {
                let place = self.bucket.place(&self.key);
                Err(Stop::Failed(BucketError::Altered { place, reason }))
            }
        }
    }

    /// None where the object ends at or before the position.
    async fn request(&self) -> Result<Option<GetObjectOutput>, BucketError> {
        // Empty objects have no satisfiable range.
        let range = match self.end {
            Some(end) => Some(format!("bytes={}-{}", self.position, end.saturating_sub(1))),
            None => (self.position > 0).then(|| format!("bytes={}-", self.position)),
        };
        let bucket = &self.bucket;
        let answer = bucket
            .call(&self.key, "s3:GetObject", || async {
                let sent = bucket
                    // Tries are counted here, over requests and bodies alike.
                    .once
                    .get_object()
                    .bucket(&bucket.location.bucket)
                    .key(&self.key)
                    .if_match(quoted(&self.etag))
                    .set_range(range.clone())
                    .set_expected_bucket_owner(bucket.owner())
                    .customize()
                    // Not by the operation's own setting, which has the SDK check the body: see `checksum`.
                    .mutate_request(|request| {
                        request.headers_mut().insert("x-amz-checksum-mode", "ENABLED");
                    })
                    .send()
                    .await;
                match sent {
                    Err(err) if is_behind_the_end(&err) => Ok(None),
                    sent => sent.map(Some),
                }
            })
            .await;
        match answer {
            Err(err) => Err(bucket.denied_or_gone(&self.key, err).await),
            answer => answer,
        }
    }

    /// Checks that the answer is what was asked for, as not every store obeys every header; gives the object's size.
    fn check(&self, answer: &GetObjectOutput) -> Result<u64, Stop> {
        if let Some(etag) = answer.e_tag()
            && etag.trim_matches('"') != self.etag
        {
            return Err(self.changed(format!("its ETag was {:?} and is {etag}", self.etag)));
        }
        let size = match (self.position, answer.content_range()) {
            (0, None) => answer.content_length().and_then(|length| u64::try_from(length).ok()),
            (position, range) => {
                range.and_then(parse_range).filter(|(from, _)| *from == position).map(|(_, size)| size)
            }
        };
        let Some(size) = size else {
            return Err(Stop::Failed(BucketError::Other {
                place: self.bucket.place(&self.key),
                reason: format!(
                    "asked for bytes from {} on, the store answered with length {:?} and range {:?}",
                    self.position,
                    answer.content_length(),
                    answer.content_range()
                ),
            }));
        };
        match self.size {
            Some(known) if known != size => Err(self.changed(format!("it had {known} bytes and has {size}"))),
            _ => Ok(size),
        }
    }

    /// Passes the body on in chunks, up to the byte `end`. What came before a failure is passed on, too.
    async fn hand_over(&mut self, mut body: ByteStream, end: u64, parts: &Parts) -> Result<(), Stop> {
        // A store that does not obey ranges sends more than was asked for.
        let mut wanted = end.saturating_sub(self.position);
        let room = |wanted: u64| BytesMut::with_capacity(CHUNK.min(usize::try_from(wanted).unwrap_or(CHUNK)));
        let mut chunk = room(wanted);
        loop {
            let failure = match tokio::time::timeout(SILENCE, body.next()).await {
                Ok(Some(Ok(mut bytes))) => {
                    bytes.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
                    wanted -= bytes.len() as u64;
                    while !bytes.is_empty() {
                        let n = bytes.len().min(CHUNK - chunk.len());
                        chunk.extend_from_slice(&bytes.split_to(n));
                        if chunk.len() == CHUNK {
                            let left = wanted + bytes.len() as u64;
                            let full = std::mem::replace(&mut chunk, room(left));
                            self.send(full, parts).await?;
                        }
                    }
                    if wanted > 0 {
                        continue;
                    }
                    None
                }
                Ok(None) => None,
                Ok(Some(Err(err))) => Some(self.broken(causes(&err))),
                Err(_) => Some(self.broken(format!("nothing came for {} seconds", SILENCE.as_secs()))),
            };
            if !chunk.is_empty() {
                self.send(chunk, parts).await?;
            }
            return failure.map_or(Ok(()), |err| Err(err.into()));
        }
    }

    async fn send(&mut self, chunk: BytesMut, parts: &Parts) -> Result<(), Stop> {
        let length = chunk.len() as u64;
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&chunk);
        }
        parts.send(Ok(Part::Bytes(chunk.freeze()))).await.map_err(|_| Stop::Unwanted)?;
        self.position += length;
        Ok(())
    }

    fn broken(&self, reason: String) -> BucketError {
        let reason = format!("broken off at byte {}: {reason}", self.position);
        BucketError::Unavailable { place: self.bucket.place(&self.key), reason }
    }

    fn changed(&self, reason: String) -> Stop {
        Stop::Failed(BucketError::Changed { place: self.bucket.place(&self.key), reason })
    }
}

/// Size of an object, tried again where the failure is passing.
pub(crate) async fn size(bucket: &Bucket, key: &str, etag: &str, tries: u32) -> Result<u64, BucketError> {
    let mut tries = Tries::new(tries);
    loop {
        match bucket.size(key, etag).await {
            Ok(size) => return Ok(size),
            Err(err) => tries.pause(err).await?,
        }
    }
}

/// Failures in a row.
struct Tries {
    left: u32,
    pause: Duration,
}

impl Tries {
    fn new(tries: u32) -> Self {
        Self { left: tries, pause: FIRST_PAUSE }
    }

    /// Waits before the next try; gives the error back where it is not passing or no try is left.
    async fn pause(&mut self, err: BucketError) -> Result<(), BucketError> {
        self.left = self.left.saturating_sub(1);
        if !err.is_passing() || self.left == 0 {
            return Err(err);
        }
        tracing::debug!(%err, left = self.left, "S3 is tried again");
        // Half of the pause is random, so that readers that broke together do not come back together.
        tokio::time::sleep(self.pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

fn is_behind_the_end(
    err: &aws_sdk_s3::error::SdkError<GetObjectError, aws_sdk_s3::config::http::HttpResponse>,
) -> bool {
    err.raw_response().is_some_and(|response| response.status().as_u16() == 416)
}

/// First byte and whole size of `bytes FIRST-LAST/SIZE`.
fn parse_range(header: &str) -> Option<(u64, u64)> {
    let (range, size) = header.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_gives_its_start_and_the_size() {
        assert_eq!(parse_range("bytes 10-19/300"), Some((10, 300)));
        assert_eq!(parse_range("bytes 10-19/*"), None);
        assert_eq!(parse_range("bytes */300"), None);
    }
}
