//! The product's sample files: what each dataset looks like, in each format.

use crate::kind::DatasetKind;

/// A sample file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleFile {
    /// As it is downloaded: `events.csv`.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

macro_rules! samples {
    ($stem:literal) => {
        &[
            SampleFile {
                name: concat!($stem, ".csv"),
                bytes: include_bytes!(concat!("../samples/", $stem, ".csv")),
            },
            SampleFile {
                name: concat!($stem, ".tsv"),
                bytes: include_bytes!(concat!("../samples/", $stem, ".tsv")),
            },
            SampleFile {
                name: concat!($stem, ".json"),
                bytes: include_bytes!(concat!("../samples/", $stem, ".json")),
            },
        ]
    };
}

static EVENTS: &[SampleFile] = samples!("events");
static ATTRIBUTES: &[SampleFile] = samples!("attributes");
static ITEMS: &[SampleFile] = samples!("items");
static ID_MAPPINGS: &[SampleFile] = samples!("id-mappings");

/// The sample files of a dataset: CSV, TSV, JSON.
pub fn samples(kind: &DatasetKind) -> &'static [SampleFile] {
    match kind.name {
        "EVENTS" => EVENTS,
        "ATTRIBUTES" => ATTRIBUTES,
        "ITEMS" => ITEMS,
        "ID_MAPPINGS" => ID_MAPPINGS,
        _ => &[],
    }
}
