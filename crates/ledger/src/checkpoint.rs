//! The checkpoint as bytes: what stands in a committed offset's metadata.

use prost::Message;
use records::queue::Checkpoint;

/// The most bytes that a checkpoint may take: 4,096, the broker's default limit for offset metadata, less what base64 adds.
pub const MAX_BYTES: usize = 3_000;

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Larger than offset metadata may be.
    #[error("the checkpoint has {0} bytes; offset metadata holds {MAX_BYTES}")]
    TooLarge(usize),
    /// Not a checkpoint: another program committed this offset.
    #[error(
        "the metadata of the committed offset is no checkpoint: {0}; was it committed by another program?"
    )]
    Unreadable(#[from] prost::DecodeError),
}

/// As bytes.
pub fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, CheckpointError> {
    let bytes = checkpoint.encode_to_vec();
    if bytes.len() > MAX_BYTES { Err(CheckpointError::TooLarge(bytes.len())) } else { Ok(bytes) }
}

/// From bytes; no bytes are no checkpoint.
pub fn decode(bytes: &[u8]) -> Result<Option<Checkpoint>, CheckpointError> {
    if bytes.is_empty() { Ok(None) } else { Ok(Some(Checkpoint::decode(bytes)?)) }
}

#[cfg(test)]
mod tests {
    use records::queue::Counters;

    use super::*;

    #[test]
    fn a_checkpoint_with_every_code_fits_into_offset_metadata() {
        let rejections = (0..40).map(|i| (format!("a_rather_long_code_name_{i}"), u64::MAX)).collect();
        let warnings = (0..6).map(|i| (format!("a_rather_long_code_name_{i}"), u64::MAX)).collect();
        let totals =
            Counters { rows: u64::MAX, accepted: u64::MAX, rejected: u64::MAX, rejections, warnings };
        let checkpoint = Checkpoint {
            file_id: vec![7; 16],
            generation: u32::MAX,
            chunk: u32::MAX,
            position: u64::MAX,
            row_number: u64::MAX,
            totals: Some(totals),
            withheld: true,
            range: u32::MAX,
        };
        let bytes = encode(&checkpoint).unwrap();
        assert_eq!(decode(&bytes).unwrap(), Some(checkpoint));
        assert_eq!(decode(b"").unwrap(), None);
        assert!(decode(b"\xff\xff").is_err());
    }
}
