//! bzip2, by the first byte: the bytes as they are, or text that is compressed first and must read as it does plain.
#![no_main]

use std::io::Write as _;

use bzip2::Compression;
use bzip2::write::BzEncoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    if choice % 2 == 0 {
        fuzz::read(bytes, "x.csv.bz2", &fuzz::limits());
    } else {
        fuzz::compressed_reads_the_same(bytes, "bz2", compress);
    }
});

fn compress(part: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(part).and_then(|()| encoder.finish()).expect("memory takes it")
}
