//! Whatever it is, told by its content.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    fuzz::read(data, "", &fuzz::limits());
});
