//! zstd, by the first byte: the bytes as they are, or text that is compressed first and must read as it does plain.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    if choice % 2 == 0 {
        fuzz::read(bytes, "x.csv.zst", &fuzz::limits());
    } else {
        fuzz::compressed_reads_the_same(bytes, "zst", compress);
    }
});

fn compress(part: &[u8]) -> Vec<u8> {
    zstd::encode_all(part, 1).expect("memory takes it")
}
