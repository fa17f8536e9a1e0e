//! The benchmarks, run one after another and told as one JSON object, or as tables and plots in `docs/benchmarks.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::{cargo, needs, root, run, target};

const PAGE: &str = "docs/benchmarks.md";
const PLOTS: &str = "docs/benchmarks";
/// What stands between these lines is written anew.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";
/// Benchmarks of the whole system: each prints one JSON object.
const SYSTEM: [&str; 5] = ["whole", "ranges", "discovery", "ledger", "scheduling"];

/// Runs all of them; the page is left alone where `as_json`.
pub(crate) fn bench(as_json: bool) -> Result<()> {
    needs::install()?;
    // Without crash points, as it is released.
    run(cargo().args(["build", "--release", "--locked", "-p", "cortex"]))?;
    let hot_path = hot_path()?;
    let mut measured = Map::from_iter([("hot_path".to_owned(), json!(hot_path))]);
    for name in SYSTEM {
        measured.insert(name.to_owned(), system(name)?);
    }
    let measured = Value::Object(measured);
    if as_json {
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), "{measured}")?;
        return Ok(());
    }
    write_page(&hot_path, &measured)
}

/// Rows a second by group and name, as criterion measured them.
type RowsASecond = BTreeMap<String, BTreeMap<String, f64>>;

fn hot_path() -> Result<RowsASecond> {
    run(cargo().args(["bench", "--locked", "-p", "dataset", "--bench", "hot_path"]))?;
    let mut rows: RowsASecond = BTreeMap::new();
    for group in folders(&target().join("criterion"))? {
        for one in folders(&group)? {
            let (benchmark, estimates) = (one.join("new/benchmark.json"), one.join("new/estimates.json"));
            // Folders of criterion's own reports have neither.
            if !benchmark.exists() || !estimates.exists() {
                continue;
            }
            let (benchmark, estimates) = (read_json(&benchmark)?, read_json(&estimates)?);
            let text = |name: &str| benchmark[name].as_str().unwrap_or_default().to_owned();
            let elements = benchmark["throughput"]["Elements"].as_f64().context("elements an iteration")?;
            let nanoseconds = estimates["median"]["point_estimate"].as_f64().context("a median")?;
            rows.entry(text("group_id"))
                .or_default()
                .insert(text("function_id"), elements / nanoseconds * 1e9);
        }
    }
    ensure!(!rows.is_empty(), "criterion left no figures");
    Ok(rows)
}

fn folders(of: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = std::fs::read_dir(of).with_context(|| of.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

fn read_json(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn system(name: &str) -> Result<Value> {
    eprintln!("xtask: benchmark {name}");
    let output = cargo()
        .args(["bench", "--locked", "-p", "end-to-end", "--bench", name])
        .env("CORTEX_TEST_BINARY", target().join("release/cortex"))
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "benchmark {name} failed ({})", output.status);
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().rev().find(|line| line.starts_with('{')).context("it printed no figures")?;
    serde_json::from_str(line).context("its figures")
}

fn write_page(hot_path: &RowsASecond, measured: &Value) -> Result<()> {
    let mut text = String::new();
    std::fs::create_dir_all(root().join(PLOTS))?;
    for (group, rows) in hot_path {
        let idiomatic = rows.get("idiomatic").copied();
        let _ = writeln!(
            text,
            "\n### Rows to records: {group}\n\n| one thread | rows/s | to idiomatic |\n| --- | --- | --- |"
        );
        for (name, speed) in rows {
            let ratio = idiomatic.map_or_else(String::new, |base| format!("{:.1}", speed / base));
            let _ = writeln!(text, "| {name} | {} | {ratio} |", thousands(*speed));
        }
        let plot = format!("{PLOTS}/{group}.svg");
        let bars: Vec<_> = rows.iter().filter(|(name, _)| !name.starts_with("floor")).collect();
        std::fs::write(
            root().join(&plot),
            bar_chart(&format!("{group}: million rows/s, one thread"), &bars),
        )?;
        let _ = writeln!(text, "\n![{group}]({})", plot.trim_start_matches("docs/"));
    }
    for name in SYSTEM {
        let mut figures = Vec::new();
        flatten("", &measured[name], &mut figures);
        let _ = writeln!(text, "\n### {name}\n\n| | |\n| --- | --- |");
        for (name, figure) in figures {
            let _ = writeln!(text, "| {name} | {figure} |");
        }
    }
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} has no line {END}"))?;
    std::fs::write(&path, format!("{before}{BEGIN}\n{text}\n{END}{after}"))?;
    eprintln!("xtask: {PAGE} is written");
    Ok(())
}

/// Each figure by its path.
fn flatten(path: &str, value: &Value, figures: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('_', " ");
                flatten(&if path.is_empty() { name } else { format!("{path}: {}", name) }, value, figures);
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let shown = if number >= 100.0 { thousands(number) } else { format!("{number:.3}") };
            figures.push((path.to_owned(), shown));
        }
        Value::Array(cases) => {
            for (at, case) in cases.iter().enumerate() {
                flatten(&format!("{path} {}", at + 1), case, figures);
            }
        }
        other => figures.push((path.to_owned(), other.to_string())),
    }
}

/// Whole, with commas.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A horizontal bar each, in millions.
fn bar_chart(title: &str, bars: &[(&String, &f64)]) -> String {
    const BAR: usize = 26;
    let longest = bars.iter().map(|(_, value)| **value).fold(1.0, f64::max);
    let height = 40 + bars.len() * BAR;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\"><text x=\"8\" y=\"20\" font-weight=\"bold\">{title}</text>"
    );
    for (at, (name, value)) in bars.iter().enumerate() {
        let (y, width) = (36 + at * BAR, **value / longest * 360.0);
        let _ = write!(
            svg,
            "<text x=\"8\" y=\"{}\">{name}</text><rect x=\"170\" y=\"{y}\" width=\"{width:.0}\" height=\"18\" \
             fill=\"#4577b3\"/><text x=\"{:.0}\" y=\"{}\">{:.2}</text>",
            y + 14,
            176.0 + width,
            y + 14,
            **value / 1e6
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_by_their_paths() {
        let mut figures = Vec::new();
        flatten("", &json!({"large_files": {"rows": 1_234_567, "seconds": 2.5}}), &mut figures);
        let told: Vec<_> = figures.iter().map(|(name, figure)| (name.as_str(), figure.as_str())).collect();
        assert_eq!(told, [("large files: rows", "1,234,567"), ("large files: seconds", "2.500")]);
    }

    #[test]
    fn a_plot_has_a_bar_each() {
        let (one, two) = ("one".to_owned(), "two".to_owned());
        let svg = bar_chart("title", &[(&one, &1e6), (&two, &2e6)]);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("width=\"180\"") && svg.contains("width=\"360\""), "{svg}");
    }
}
