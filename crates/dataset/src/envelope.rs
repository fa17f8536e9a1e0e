//! The envelope: its constant part is encoded once a file, the rest has a fixed width.

use format::Place;

use crate::timestamp::Instant;
use crate::wire;

/// The envelope's field in every record.
const ENVELOPE: u32 = 1;
const POSITION: u32 = 7;
const ROW_NUMBER: u32 = 8;
const RECORD_ID: u32 = 9;
const RECORD_ID_BYTES: usize = 28;

/// What is the same for every row of a file's generation.
#[derive(Debug, Clone, Copy)]
pub struct EnvelopeConst<'a> {
    /// Whose it is.
    pub account_id: &'a str,
    /// The source.
    pub source_id: &'a str,
    /// The object's key.
    pub object_key: &'a str,
    /// Without quotes.
    pub etag: &'a str,
    /// From 1.
    pub generation: u32,
    /// The generation whose records these take the place of; 0 where none.
    pub replaces_generation: u32,
    /// When the file was opened: seconds since the Unix epoch.
    pub ingest_seconds: i64,
    /// And nanoseconds.
    pub ingest_nanos: i32,
    /// Identity of (source, object key).
    pub file_id: [u8; 16],
}

/// Writes envelopes of one file's generation.
#[derive(Debug, Clone)]
pub struct EnvelopeWriter {
    numbered: Template,
    unnumbered: Template,
}

/// An envelope that lacks nothing but what differs from row to row: its fields have a fixed width, so that they are put in
/// where they belong.
#[derive(Debug, Clone)]
struct Template {
    bytes: Vec<u8>,
    position: usize,
    /// Of the row number, where it has one.
    number: Option<usize>,
}

impl Template {
    fn new(constant: &[u8], of: &EnvelopeConst<'_>, numbered: bool) -> Self {
        let mut fields = constant.to_vec();
        let position = fields.len() + 1;
        wire::fixed64(POSITION, 0, &mut fields);
        let number = numbered.then_some(fields.len() + 1);
        if numbered {
            wire::fixed64(ROW_NUMBER, 0, &mut fields);
        }
        let mut record_id = [0; RECORD_ID_BYTES];
        record_id[..16].copy_from_slice(&of.file_id);
        record_id[16..20].copy_from_slice(&of.generation.to_be_bytes());
        wire::bytes(RECORD_ID, &record_id, &mut fields);
        let mut bytes = Vec::new();
        wire::bytes(ENVELOPE, &fields, &mut bytes);
        let before = bytes.len() - fields.len();
        Self { bytes, position: before + position, number: number.map(|number| before + number) }
    }
}

impl EnvelopeWriter {
    /// Encodes what is the same for every row.
    pub fn new(of: &EnvelopeConst<'_>) -> Self {
        let mut constant = Vec::new();
        for (field, text) in [(1, of.account_id), (2, of.source_id), (3, of.object_key), (4, of.etag)] {
            wire::bytes(field, text.as_bytes(), &mut constant);
        }
        wire::unsigned(5, u64::from(of.generation), &mut constant);
        let ingested = Instant { seconds: of.ingest_seconds, nanos: of.ingest_nanos };
        wire::timestamp(6, ingested, &mut constant);
        if of.replaces_generation != 0 {
            wire::unsigned(10, u64::from(of.replaces_generation), &mut constant);
        }
        Self { numbered: Template::new(&constant, of, true), unnumbered: Template::new(&constant, of, false) }
    }

    /// Has `prefix` stand before each envelope, where records are published in another form than plain protobuf.
    #[must_use]
    pub fn behind(mut self, prefix: &[u8]) -> Self {
        for template in [&mut self.numbered, &mut self.unnumbered] {
            template.bytes.splice(..0, prefix.iter().copied());
            template.position += prefix.len();
            template.number = template.number.map(|number| number + prefix.len());
        }
        self
    }

    /// Appends the envelope field of the row at `at`; `number` is left out where it is not known.
    #[inline]
    pub fn write(&self, at: Place, number: Option<u64>, out: &mut Vec<u8>) {
        let template = if number.is_some() { &self.numbered } else { &self.unnumbered };
        let begin = out.len();
        out.extend_from_slice(&template.bytes);
        let envelope = &mut out[begin..];
        envelope[template.position..][..8].copy_from_slice(&at.position.to_le_bytes());
        if let (Some(number), Some(place)) = (number, template.number) {
            envelope[place..][..8].copy_from_slice(&number.to_le_bytes());
        }
        // The record id is the last field, the position its last part.
        let id = envelope.len() - 8;
        envelope[id..].copy_from_slice(&at.position.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use records::v1::{Envelope, RejectedRow};

    use super::*;

    const OF: EnvelopeConst<'_> = EnvelopeConst {
        account_id: "a",
        source_id: "s",
        object_key: "events/2026-11-23/ü.csv",
        etag: "e",
        generation: 3,
        replaces_generation: 0,
        ingest_seconds: 1_795_428_307,
        ingest_nanos: 5,
        file_id: [7; 16],
    };

    fn written(of: &EnvelopeConst<'_>, number: Option<u64>) -> Envelope {
        let mut out = Vec::new();
        EnvelopeWriter::new(of).write(Place { position: 300, row: 9 }, number, &mut out);
        RejectedRow::decode(out.as_slice()).unwrap().envelope.unwrap()
    }

    #[test]
    fn an_envelope_decodes_as_the_contract_says() {
        let envelope = written(&OF, Some(9));
        assert_eq!(envelope.object_key, "events/2026-11-23/ü.csv");
        assert_eq!((envelope.generation, envelope.position, envelope.row_number), (3, 300, Some(9)));
        assert_eq!(envelope.ingest_time.unwrap().nanos, 5);
        let id = [[7; 16].as_slice(), &3_u32.to_be_bytes(), &300_u64.to_be_bytes()].concat();
        assert_eq!(envelope.record_id, id);
        assert_eq!(written(&OF, None).row_number, None);
    }

    #[test]
    fn an_envelope_behind_a_prefix_is_the_same() {
        for number in [Some(9), None] {
            let mut out = Vec::new();
            let writer = EnvelopeWriter::new(&OF).behind(b"prefix");
            writer.write(Place { position: 300, row: 9 }, number, &mut out);
            let envelope = RejectedRow::decode(out.strip_prefix(b"prefix").unwrap()).unwrap().envelope;
            assert_eq!(envelope.unwrap(), written(&OF, number));
        }
    }

    #[test]
    fn a_generation_names_the_one_that_it_replaces() {
        let replacing = EnvelopeConst { replaces_generation: 300, ..OF };
        let expected = Envelope { replaces_generation: 300, ..written(&OF, Some(9)) };
        assert_eq!(written(&replacing, Some(9)), expected);
        let length = |of: &EnvelopeConst<'_>| EnvelopeWriter::new(of).numbered.bytes.len();
        assert_eq!(length(&replacing) - length(&OF), 3, "a tag and two bytes, and nothing for none");
    }
}
