//! A schema's JSON: what holds says the same when it is written and read again, and breaks nothing of itself.
#![no_main]

use dataset::Schema;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(schema) = Schema::parse_json(text) else { return };
    let written = serde_json::to_string(&schema).expect("a schema has a JSON form");
    let again = Schema::parse_json(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).ok(), Some(written));
    assert!(again.breaking_changes_since(&schema).is_empty());
});
