//! What a value costs while it is looked at. Alone in its process, whose memory is measured.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use dataset::{DatasetKind, FileChecker, FileFacts, Proposer, Schema};
use format::{Limits, Rows};

/// The most memory this process has had, in KiB; none where the system does not tell.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

fn rows(text: &str) -> Rows {
    Rows::open(Box::new(std::io::Cursor::new(text.to_owned())), "a.tsv", Limits::default()).unwrap()
}

#[test]
fn a_field_of_a_mebibyte_costs_a_small_multiple_of_its_bytes() {
    const ROOM: usize = (1 << 20) - 100;
    let fields = [
        format!("[{}0]", "{\"\":0},".repeat(ROOM / 7)),
        format!("[{}0]", "1,".repeat(ROOM / 2)),
        format!("[{}0]", "null,".repeat(ROOM / 5)),
        "a|".repeat(ROOM / 2),
        format!("[{}", "[".repeat(ROOM)),
    ];
    let text: String =
        fields.iter().fold("item_id\ttags\n".to_owned(), |text, field| format!("{text}i\t{field}\n"));
    let schema = r#"{"dataset": "ITEMS", "columns": [{"name": "tags", "type": "STRING_LIST"}]}"#;
    let mut checker = FileChecker::new(Schema::parse_json(schema).unwrap(), FileFacts::default());
    let mut proposer = Proposer::new(DatasetKind::ITEMS);
    let (mut checked, mut proposed) = (rows(&text), rows(&text));
    let mut record = Vec::with_capacity(8 << 20);
    let before = peak();
    while let Some(item) = checked.next().unwrap() {
        checker.check(&item, &mut record).unwrap();
    }
    while let Some(item) = proposed.next().unwrap() {
        proposer.look(&item);
    }
    let codes: Vec<(&str, u64)> =
        checker.totals().rejections.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(codes, [("invalid_type", 2), ("row_too_large", 2)]);
    assert_eq!(checker.totals().accepted, 1, "nulls are left out");
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 24 << 10, "{} KiB", after - before);
    }
}
