//! Rows of events: eight columns, some 100 bytes as CSV with one of them quoted, some 190 as JSON.

use std::fmt::Write as _;
use std::io::Write as _;

const TYPES: [&str; 4] = ["purchase", "view", "add_to_cart", "search"];
pub(crate) const COLUMNS: [&str; 8] =
    ["user_id", "timestamp", "type", "item_id", "price", "quantity", "referrer", "is_member"];

/// One row's values; the same for the same number.
fn values(row: u64) -> [String; 8] {
    let random = row.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
    let second = (random >> 8) % 60;
    [
        format!("user-{:08}", random % 10_000_000),
        format!("2026-11-{:02}T{:02}:{:02}:{second:02}Z", 1 + random % 23, random % 24, random % 60),
        TYPES[(random % 4) as usize].to_owned(),
        format!("item-{:06}", random % 500_000),
        format!("{}.{:02}", random % 500, random % 100),
        (1 + random % 9).to_string(),
        format!("https://example.com/a?q={}", random % 100_000),
        random.is_multiple_of(2).to_string(),
    ]
}

pub(crate) fn csv(rows: u64) -> Vec<u8> {
    let mut text = COLUMNS.join(",") + "\n";
    for row in 0..rows {
        let [user, at, kind, item, price, quantity, referrer, member] = values(row);
        let _ = writeln!(text, "{user},{at},{kind},{item},{price},{quantity},\"{referrer}\",{member}");
    }
    text.into_bytes()
}

fn object(row: u64) -> String {
    let [user, at, kind, item, price, quantity, referrer, member] = values(row);
    format!(
        "{{\"user_id\":\"{user}\",\"timestamp\":\"{at}\",\"type\":\"{kind}\",\"item_id\":\"{item}\",\
         \"price\":{price},\"quantity\":{quantity},\"referrer\":\"{referrer}\",\"is_member\":{member}}}"
    )
}

pub(crate) fn json_lines(rows: u64) -> Vec<u8> {
    (0..rows).fold(String::new(), |text, row| text + &object(row) + "\n").into_bytes()
}

pub(crate) fn json_array(rows: u64) -> Vec<u8> {
    let objects: Vec<String> = (0..rows).map(object).collect();
    format!("[{}]", objects.join(",\n")).into_bytes()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
