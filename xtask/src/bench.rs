//! The benchmarks, run one after another and told as one JSON object, or as tables and plots in `docs/benchmarks.md`.

pub(crate) mod flame;
mod page;
mod rivals;
mod svg;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::{cargo, needs, run, target};

/// Benchmarks of the whole system: each prints one JSON object.
const SYSTEM: [&str; 7] = ["whole", "rivals", "ranges", "size", "discovery", "ledger", "scheduling"];
/// The one of the hot path.
const HOT_PATH: &str = "hot_path";

/// Runs those of these names, or all where there are none, and writes what they came to into the page, or prints it where
/// `as_json`.
pub(crate) fn bench(names: &[String], as_json: bool) -> Result<()> {
    if let Some(name) = names.iter().find(|name| *name != HOT_PATH && !SYSTEM.contains(&name.as_str())) {
        bail!("there is no benchmark {name}; there are {HOT_PATH}, {}", SYSTEM.join(", "));
    }
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|one| one == name);
    build()?;
    // One that fails must not cost the figures of the others, some of which take half an hour.
    let (mut measured, mut failed) = (Map::new(), Vec::new());
    for name in [HOT_PATH].into_iter().chain(SYSTEM).filter(|name| is_wanted(name)) {
        let figures = if name == HOT_PATH { hot_path().map(|rows| json!(rows)) } else { system(name) };
        match figures {
            Ok(figures) => {
                measured.insert(name.to_owned(), figures);
            }
            Err(error) => {
                eprintln!("xtask: {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if as_json {
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), "{}", Value::Object(measured))?;
    } else {
        page::write(&sections(&measured)?, names.is_empty() && failed.is_empty())?;
    }
    ensure!(failed.is_empty(), "no figures of {}", failed.join(", "));
    Ok(())
}

fn sections(measured: &Map<String, Value>) -> Result<Vec<page::Section>> {
    let mut sections = Vec::new();
    for name in [HOT_PATH].into_iter().chain(SYSTEM) {
        let Some(figures) = measured.get(name) else { continue };
        match name {
            HOT_PATH => {
                let groups: RowsASecond = serde_json::from_value(figures.clone())?;
                for (group, rows) in &groups {
                    sections.push(page::hot_path(group, rows)?);
                }
            }
            "rivals" => sections.push(rivals::section(figures)?),
            _ => sections.push(page::figures(name, figures)),
        }
    }
    Ok(sections)
}

/// What is measured, without crash points, as it is released.
fn build() -> Result<()> {
    needs::install()?;
    run(cargo().args(["build", "--release", "--locked", "-p", "cortex"]))
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
    system_with(name, &[])
}

/// With these variables of the environment.
fn system_with(name: &str, environment: &[(&str, &std::ffi::OsStr)]) -> Result<Value> {
    eprintln!("xtask: benchmark {name}");
    let output = cargo()
        .args(["bench", "--locked", "-p", "end-to-end", "--bench", "system", "--", name])
        .env("CORTEX_TEST_BINARY", target().join("release/cortex"))
        .envs(environment.iter().copied())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "benchmark {name} failed ({})", output.status);
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().rev().find(|line| line.starts_with('{')).context("it printed no figures")?;
    serde_json::from_str(line).context("its figures")
}
