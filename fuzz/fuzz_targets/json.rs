//! JSON in all its layouts: the first byte chooses the name. What is taken for a row is JSON to another reader, too.
#![no_main]

use fuzz::What;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let name = ["x.json", "x.jsonl"][usize::from(*choice) % 2];
    for step in fuzz::read_plain(text, name) {
        if let What::Object { raw, .. } = step.what {
            let read = serde_json::from_slice::<IgnoredAny>(&raw);
            assert!(read.is_ok() && std::str::from_utf8(&raw).is_ok(), "{read:?}: {raw:?}");
        }
    }
});
