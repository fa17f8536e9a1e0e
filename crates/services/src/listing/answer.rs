use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::contents::Page;

/// What `encoding-type=url` leaves as it is.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const TIME: &str = "2026-01-01T00:00:00.000Z";

/// A page as S3 writes it under `encoding-type=url`.
pub(super) fn list(bucket: &str, prefix: &str, limit: usize, page: &Page) -> String {
    let encode = |text| utf8_percent_encode(text, IN_URL);
    let mut xml = String::with_capacity(256 * (page.objects.len() + 2));
    let count = page.objects.len() + page.folders.len();
    // Writing to a string does not fail.
    let _ = write!(
        xml,
        "{HEAD}<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name>\
         <Prefix>{}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{limit}</MaxKeys>\
         <EncodingType>url</EncodingType><IsTruncated>{}</IsTruncated>",
        encode(prefix),
        page.next.is_some()
    );
    if let Some(next) = &page.next {
        let _ = write!(xml, "<NextContinuationToken>{next}</NextContinuationToken>");
    }
    for object in &page.objects {
        let _ = write!(
            xml,
            "<Contents><Key>{}</Key><LastModified>{TIME}</LastModified><ETag>&quot;{}&quot;</ETag>\
             <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            encode(&object.key),
            object.etag,
            object.size
        );
    }
    for folder in &page.folders {
        let _ = write!(xml, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", encode(folder));
    }
    xml.push_str("</ListBucketResult>");
    xml
}

/// Of the oldest region, which is named by nothing.
pub(super) fn location() -> String {
    format!("{HEAD}<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>")
}

pub(super) fn error(code: &str) -> String {
    format!(
        "{HEAD}<Error><Code>{code}</Code><Message>the generated bucket has no such thing</Message></Error>"
    )
}
