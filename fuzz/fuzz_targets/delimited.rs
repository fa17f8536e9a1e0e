//! Delimited text: the first byte chooses the name.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let name = ["x.csv", "x.tsv", "x.txt"][usize::from(*choice) % 3];
    fuzz::read_plain(text, name);
});
