//! A zip, read as its directory has it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    fuzz::read(data, "x.zip", &fuzz::limits());
});
