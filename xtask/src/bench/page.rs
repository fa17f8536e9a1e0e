//! The page that holds what was measured, a section a benchmark.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use super::svg::bar_chart;
use crate::root;

const PAGE: &str = "docs/benchmarks.md";
const PLOTS: &str = "docs/benchmarks";
/// What stands between these lines is measured.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";
/// What a section's first line begins with.
const HEADING: &str = "### ";

/// What one benchmark came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub(super) heading: String,
    /// Markdown, without line ends around it.
    pub(super) text: String,
}

/// Rows a second by name, beside the idiomatic form.
pub(super) fn hot_path(group: &str, rows: &BTreeMap<String, f64>) -> Result<Section> {
    let idiomatic = rows.get("idiomatic").copied();
    let mut text = "| one thread | rows/s | to idiomatic |\n| --- | --- | --- |\n".to_owned();
    for (name, speed) in rows {
        let ratio = idiomatic.map_or_else(String::new, |base| format!("{:.1}", speed / base));
        let _ = writeln!(text, "| {name} | {} | {ratio} |", thousands(*speed));
    }
    let bars: Vec<_> = rows.iter().map(|(name, speed)| (name.as_str(), *speed)).collect();
    let bars: Vec<_> = bars.into_iter().filter(|(name, _)| !name.starts_with("floor")).collect();
    let plot = plot(group, &bar_chart(&format!("{group}: million rows/s, one thread"), &bars))?;
    Ok(Section { heading: format!("Rows to records: {group}"), text: format!("{text}\n{plot}") })
}

/// Cases that are told alike as tables, a row a case, and every other figure by its path.
pub(super) fn figures(name: &str, measured: &Value) -> Section {
    let (mut alone, mut tables) = (Vec::new(), Vec::new());
    for (name, value) in measured.as_object().into_iter().flatten() {
        match cases(value) {
            Some(cases) => tables.push(table(&cases)),
            None => flatten(&words(name), value, &mut alone),
        }
    }
    if !alone.is_empty() {
        let rows: Vec<_> = alone.iter().map(|(name, figure)| format!("\n| {name} | {figure} |")).collect();
        tables.insert(0, format!("| | |\n| --- | --- |{}", rows.concat()));
    }
    Section { heading: name.to_owned(), text: tables.join("\n\n") }
}

/// A case's name, or nothing, and its figures by their paths.
type Case = (String, Vec<(String, String)>);

/// Several objects of the same fields, in a list or by their names.
fn cases(value: &Value) -> Option<Vec<Case>> {
    let case = |name: &str, value: &Value| {
        let mut figures = Vec::new();
        flatten("", value, &mut figures);
        (words(name), figures)
    };
    let cases: Vec<Case> = match value {
        Value::Array(all) if all.iter().all(Value::is_object) => {
            all.iter().map(|value| case("", value)).collect()
        }
        Value::Object(all) if all.values().all(Value::is_object) => {
            all.iter().map(|(name, value)| case(name, value)).collect()
        }
        _ => return None,
    };
    let columns = |case: &Case| case.1.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let first = columns(cases.first()?);
    cases.iter().all(|case| columns(case) == first).then_some(cases)
}

fn table(cases: &[Case]) -> String {
    let is_named = cases.iter().any(|(name, _)| !name.is_empty());
    let line = |name: &str, cells: &mut dyn Iterator<Item = &String>| {
        let cells = cells.map(|cell| format!(" {cell} |")).collect::<String>();
        match name {
            _ if !is_named => format!("|{cells}"),
            "" => format!("| |{cells}"),
            name => format!("| {name} |{cells}"),
        }
    };
    let mut lines = Vec::new();
    if let Some((_, figures)) = cases.first() {
        lines.push(line("", &mut figures.iter().map(|(column, _)| column)));
        lines.push(line("---", &mut figures.iter().map(|_| "---".to_owned()).collect::<Vec<_>>().iter()));
    }
    lines.extend(
        cases.iter().map(|(name, figures)| line(name, &mut figures.iter().map(|(_, figure)| figure))),
    );
    lines.join("\n")
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Writes a plot beside the page; gives the line that shows it.
pub(super) fn plot(name: &str, svg: &str) -> Result<String> {
    std::fs::create_dir_all(root().join(PLOTS))?;
    let plot = format!("{PLOTS}/{name}.svg");
    std::fs::write(root().join(&plot), svg).with_context(|| plot.clone())?;
    Ok(format!("![{name}]({})", plot.trim_start_matches("docs/")))
}

/// Writes the sections into the page: in place of all that was measured, or of those of the same headings.
pub(super) fn write(sections: &[Section], all: bool) -> Result<()> {
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    std::fs::write(&path, with_sections(&page, sections, all)?)?;
    eprintln!("xtask: {PAGE} is written");
    Ok(())
}

fn with_sections(page: &str, sections: &[Section], all: bool) -> Result<String> {
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} has no line {BEGIN}"))?;
    let (measured, after) = rest.split_once(END).with_context(|| format!("{PAGE} has no line {END}"))?;
    let mut kept = if all { Vec::new() } else { parsed(measured) };
    for section in sections {
        match kept.iter_mut().find(|one| one.heading == section.heading) {
            Some(one) => *one = section.clone(),
            None => kept.push(section.clone()),
        }
    }
    let text: Vec<_> =
        kept.iter().map(|one| format!("{HEADING}{}\n\n{}\n\n", one.heading, one.text)).collect();
    Ok(format!("{before}{BEGIN}\n\n{}{END}{after}", text.concat()))
}

fn parsed(measured: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in measured.lines() {
        match (line.strip_prefix(HEADING), sections.last_mut()) {
            (Some(heading), _) => {
                sections.push(Section { heading: heading.to_owned(), text: String::new() });
            }
            (None, Some(section)) => {
                section.text.push_str(line);
                section.text.push('\n');
            }
            // Nothing stands before the first heading.
            (None, None) => {}
        }
    }
    for section in &mut sections {
        section.text = section.text.trim_matches('\n').to_owned();
    }
    sections
}

/// Each figure by its path.
fn flatten(path: &str, value: &Value, figures: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = words(name);
                flatten(&if path.is_empty() { name } else { format!("{path}: {name}") }, value, figures);
            }
        }
        Value::Array(all) => {
            let all: Vec<_> = all.iter().map(shown).collect();
            figures.push((path.to_owned(), all.join(", ").replace('|', "\\|")));
        }
        one => figures.push((path.to_owned(), shown(one))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if number >= 100.0 || number.fract() == 0.0 { thousands(number) } else { format!("{number:.3}") }
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whole, with commas.
pub(super) fn thousands(number: f64) -> String {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_told_by_their_paths() {
        let mut figures = Vec::new();
        flatten("", &json!({"large_files": {"rows": 1_234_567, "seconds": 2.5}}), &mut figures);
        let told: Vec<_> = figures.iter().map(|(name, figure)| (name.as_str(), figure.as_str())).collect();
        assert_eq!(told, [("large files: rows", "1,234,567"), ("large files: seconds", "2.500")]);
    }

    #[test]
    fn cases_are_rows_of_a_table_and_other_figures_stand_alone() {
        let measured = json!({
            "bytes": 64,
            "cases": [{"parsers": 1, "in_ranges": false}, {"parsers": 2, "in_ranges": true}],
            "calls": {"list_50": {"p50": {"ms": 0.5}}, "claim": {"p50": {"ms": 4}}},
        });
        let wanted = "| | |\n| --- | --- |\n| bytes | 64 |\n\n\
            | | p50: ms |\n| --- | --- |\n| claim | 4 |\n| list 50 | 0.500 |\n\n\
            | in ranges | parsers |\n| --- | --- |\n| false | 1 |\n| true | 2 |";
        assert_eq!(figures("ranges", &measured).text, wanted);
    }

    fn page(measured: &str) -> String {
        format!("# Page\n\n{BEGIN}\n\n{measured}{END}\n\nAfter.\n")
    }

    fn section(heading: &str, text: &str) -> Section {
        Section { heading: heading.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn one_benchmark_leaves_the_others_sections_alone() -> Result<()> {
        let old = page("### whole\n\nBy hand.\n\n| a |\n\n### ranges\n\n| b |\n\n");
        let new = with_sections(&old, &[section("ranges", "| c |"), section("rivals", "| d |")], false)?;
        let wanted = "### whole\n\nBy hand.\n\n| a |\n\n### ranges\n\n| c |\n\n### rivals\n\n| d |\n\n";
        assert_eq!(new, page(wanted));
        Ok(())
    }

    #[test]
    fn all_benchmarks_replace_every_section() -> Result<()> {
        let old = page("### gone\n\n| a |\n\n");
        assert_eq!(with_sections(&old, &[section("whole", "| b |")], true)?, page("### whole\n\n| b |\n\n"));
        Ok(())
    }

    #[test]
    fn a_page_without_its_marks_is_refused() {
        assert!(with_sections("# Page\n", &[], true).is_err());
    }
}
