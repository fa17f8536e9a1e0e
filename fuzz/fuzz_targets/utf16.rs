//! UTF-16, whose order and name the first byte chooses: where it is valid, it reads as the same text in UTF-8 does.
#![no_main]

use format::Limits;
use fuzz::{Step, What};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let name = ["x.csv", "x.jsonl", "x.json"][usize::from(*choice >> 1) % 3];
    let little = choice % 2 == 0;
    let mark = if little { [0xff, 0xfe] } else { [0xfe, 0xff] };
    let unit = if little { u16::from_le_bytes } else { u16::from_be_bytes };
    let file = [&mark, bytes].concat();
    // No limit that counts bytes, which are others in each encoding.
    let limits = Limits { row_bytes: 1 << 20, ..fuzz::limits() };
    let steps = fuzz::read(&file, name, &limits);

    let (units, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(units.iter().map(|&two| unit(two))).collect();
    if let (Ok(text), true) = (text, rest.is_empty()) {
        // A mark and a NUL are a mark of UTF-32.
        if text.starts_with('\0') {
            return;
        }
        let same = fuzz::read(format!("\u{feff}{text}").as_bytes(), name, &limits);
        assert_eq!(unplaced(steps), unplaced(same), "{text:?}");
    }
});

/// Without byte positions.
fn unplaced(steps: Vec<Step>) -> Vec<What> {
    let mut whats: Vec<What> = steps.into_iter().map(|step| step.what).collect();
    for what in &mut whats {
        match what {
            What::Fields { at, .. } | What::Object { at, .. } | What::Bad { at, .. } => at.position = 0,
            What::Fault { position, .. } => *position = 0,
            What::Header(_) | What::Named | What::Failed(_) => {}
        }
    }
    whats
}
