//! The rows that are read.

use std::fmt::Write as _;

/// A CSV file of events of eight columns, some hundred bytes a row, behind a line of names. Files of other seeds have other
/// rows.
pub fn csv(rows: u64, seed: u64) -> String {
    const TYPES: [&str; 4] = ["purchase", "view", "add_to_cart", "search"];
    let mut text = "user_id,timestamp,type,item_id,price,quantity,referrer,is_member\n".to_owned();
    for row in 0..rows {
        let random = (row + seed * 1_000_003).wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
        let (user, item, second) = (random % 10_000_000, random % 500_000, (random >> 8) % 60);
        let (day, hour, minute) = (1 + random % 23, random % 24, random % 60);
        let kind = TYPES[(random % 4) as usize];
        let _ = writeln!(
            text,
            "user-{user:08},2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z,{kind},item-{item:06},{}.{:02},{},\
             \"https://example.com/a?q={}\",{}",
            random % 500,
            random % 100,
            1 + random % 9,
            random % 100_000,
            random.is_multiple_of(2),
        );
    }
    text
}
