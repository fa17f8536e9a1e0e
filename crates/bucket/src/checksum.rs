//! Whether the bytes that came are the bytes that are stored.
//!
//! S3 keeps a checksum with each object and tells it with a GET of the whole. It is computed here rather than by the SDK,
//! since a transfer that breaks and is taken up again by ranges has no single answer that the SDK could check.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ChecksumType;
use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_checksums::http::HttpChecksum;

/// The checksum of an object's bytes from its first on, and what it is to be.
pub(crate) struct Checksum {
    algorithm: ChecksumAlgorithm,
    hash: Box<dyn HttpChecksum>,
    expected: String,
}

impl Checksum {
    /// From the answer to a request for the whole object; none where it tells no checksum of all its bytes.
    pub(crate) fn of(answer: &GetObjectOutput) -> Option<Self> {
        // That of an object in parts may be one of the parts' checksums: it ends in their number.
        if answer.checksum_type() == Some(&ChecksumType::Composite) {
            return None;
        }
        let told = [
            (ChecksumAlgorithm::Crc64Nvme, answer.checksum_crc64_nvme()),
            (ChecksumAlgorithm::Crc32c, answer.checksum_crc32_c()),
            (ChecksumAlgorithm::Crc32, answer.checksum_crc32()),
            (ChecksumAlgorithm::Sha1, answer.checksum_sha1()),
            (ChecksumAlgorithm::Sha256, answer.checksum_sha256()),
        ];
        told.into_iter().find_map(|(algorithm, told)| {
            let expected = told.filter(|text| !text.is_empty() && !text.contains('-'))?.to_owned();
            Some(Self { algorithm, hash: algorithm.into_impl(), expected })
        })
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// What is wrong, once all bytes were taken; none where they are as stored.
    pub(crate) fn differs(self) -> Option<String> {
        let found = self.hash.header_value();
        let found = found.to_str().unwrap_or_default();
        (found != self.expected).then(|| {
            format!(
                "its {} checksum is {}, that of the bytes that came {found}",
                self.algorithm.as_str(),
                self.expected
            )
        })
    }
}
