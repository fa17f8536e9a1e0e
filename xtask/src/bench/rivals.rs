//! This system beside what one would pick instead: a table of one row each.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use super::page::{Section, plot, thousands};
use super::svg::bar_chart;

/// The benchmark's name.
pub(super) const NAME: &str = "rivals";

/// The table and its plot.
pub(super) fn section(measured: &Value) -> Result<Section> {
    let (table, bars) = table(measured)?;
    let bars: Vec<_> = bars.iter().map(|(name, speed)| (name.as_str(), *speed)).collect();
    let plot = plot(NAME, &bar_chart("CSV to Kafka: million rows/s, one process on one machine", &bars))?;
    Ok(Section { heading: NAME.to_owned(), text: format!("{table}\n{plot}") })
}

/// The table, and the rows a second of each that ran.
fn table(measured: &Value) -> Result<(String, Vec<(String, f64)>)> {
    let number = |of: &Value, name: &str| of[name].as_f64().with_context(|| format!("{NAME}: no {name}"));
    let mut text = format!(
        "{} rows in {} files, {:.0} MB.\n\n\
         | | reads | writes | when it dies | rows/s | MB/s | CPU s a million rows | peak memory |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        thousands(number(measured, "rows")?),
        number(measured, "files")?,
        number(measured, "bytes")? / 1e6
    );
    let (mut bars, mut skipped) = (Vec::new(), String::new());
    for one in measured["contestants"].as_array().context("rivals: no contestants")? {
        let word = |name: &str| one[name].as_str().unwrap_or_default();
        let name = word("name");
        if let Some(why) = one["skipped"].as_str() {
            let _ = writeln!(skipped, "\n{name} did not run: {why}");
            continue;
        }
        let speed = number(one, "rows_a_second")?;
        let _ = writeln!(
            text,
            "| {name} ({}) | {} | {} | {} | {} | {:.1} | {:.1} | {:.0} MB |",
            word("what"),
            word("reads"),
            word("writes"),
            word("guarantee"),
            thousands(speed),
            number(one, "megabytes_a_second")?,
            number(one, "cpu_seconds_a_million_rows")?,
            number(one, "peak_bytes")? / 1e6
        );
        bars.push((name.to_owned(), speed));
    }
    Ok((text + &skipped, bars))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_ran_has_a_row_and_who_did_not_has_the_reason() -> Result<()> {
        let measured = json!({
            "rows": 1_000_000, "files": 4, "bytes": 101_000_000,
            "contestants": [
                {
                    "name": "one", "what": "1.0", "reads": "S3", "writes": "JSON", "guarantee": "at least once",
                    "seconds": 4.0, "rows_a_second": 250_000.0, "megabytes_a_second": 25.25,
                    "cpu_seconds_a_million_rows": 2.64, "peak_bytes": 169_000_000,
                },
                { "name": "two", "skipped": "no Go" },
            ],
        });
        let (table, bars) = table(&measured)?;
        assert!(table.starts_with("1,000,000 rows in 4 files, 101 MB.\n"), "{table}");
        let row = "| one (1.0) | S3 | JSON | at least once | 250,000 | 25.2 | 2.6 | 169 MB |\n";
        assert!(table.contains(row) && table.ends_with("\ntwo did not run: no Go\n"), "{table}");
        assert_eq!(bars, [("one".to_owned(), 250_000.0)]);
        Ok(())
    }

    #[test]
    fn a_figure_that_is_not_there_is_an_error() {
        assert!(
            table(&json!({ "rows": 1, "files": 1, "bytes": 1, "contestants": [{ "name": "one" }] })).is_err()
        );
    }
}
