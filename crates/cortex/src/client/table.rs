//! Tables and lists for people. Colours and widths are those of the terminal; what goes elsewhere is plain and whole.

use terminal::{Alignment, Style, Term, measure_text_width, pad_str, truncate_str};

use crate::print;
use crate::validate::report::printable;

/// A table is not cut to less than this, however small the terminal.
const LEAST_WIDTH: usize = 60;
/// Nor a column.
const LEAST_COLUMN: usize = 8;

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Text.
    Text(&'static str),
    /// Text that may be cut where the terminal is too small.
    Long(&'static str),
    /// Numbers, set to the right.
    Number(&'static str),
    /// States, coloured by what they mean.
    State(&'static str),
}

impl Column {
    fn header(self) -> &'static str {
        match self {
            Self::Text(header) | Self::Long(header) | Self::Number(header) | Self::State(header) => header,
        }
    }
}

/// Rows under headers.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With no rows yet.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; control characters in it do not reach the terminal.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell).to_string()).collect());
    }

    /// Prints it; nothing where it has no rows.
    pub(crate) fn print(&self, none: &str) {
        if self.rows.is_empty() {
            if !none.is_empty() {
                eprintln!("{none}");
            }
            return;
        }
        let terminal = Term::stdout();
        let width = terminal.is_term().then(|| terminal.size().1.into());
        print(&self.render(width, terminal::colors_enabled()));
    }

    /// As text, within a width where one is given.
    pub(crate) fn render(&self, width: Option<usize>, colours: bool) -> String {
        let widths = self.widths(width);
        let header: Vec<String> = self.columns.iter().map(|column| column.header().to_owned()).collect();
        let mut lines = vec![self.line(&header, &widths, false)];
        lines.extend(self.rows.iter().map(|row| self.line(row, &widths, colours)));
        lines.join("\n")
    }

    fn line(&self, cells: &[String], widths: &[usize], colours: bool) -> String {
        let mut line = String::new();
        for (position, (cell, column)) in cells.iter().zip(&self.columns).enumerate() {
            let is_last = position + 1 == self.columns.len();
            let width = widths.get(position).copied().unwrap_or_default();
            let cut = if matches!(column, Column::Long(_)) {
                truncate_str(cell, width, "…")
            } else {
                cell.into()
            };
            let alignment =
                if matches!(column, Column::Number(_)) { Alignment::Right } else { Alignment::Left };
            let pad = if is_last && alignment == Alignment::Left { 0 } else { width };
            let set = pad_str(&cut, pad, alignment, None);
            if colours && matches!(column, Column::State(_)) {
                line.push_str(&colour(cell).apply_to(set).force_styling(true).to_string());
            } else {
                line.push_str(&set);
            }
            if !is_last {
                line.push_str("  ");
            }
        }
        line.trim_end().to_owned()
    }

    /// Each column as wide as its widest cell; where that is too much, those that may be cut give way.
    fn widths(&self, most: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|position| {
                let cells = self.rows.iter().filter_map(|row| row.get(position));
                let widest = cells.map(|cell| measure_text_width(cell)).max().unwrap_or_default();
                widest.max(measure_text_width(self.columns[position].header()))
            })
            .collect();
        let Some(most) = most.map(|most| most.max(LEAST_WIDTH)) else { return widths };
        let gaps = 2 * self.columns.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > most {
            let long =
                self.columns.iter().enumerate().filter(|(_, column)| matches!(column, Column::Long(_)));
            let widest = long.map(|(position, _)| position).max_by_key(|position| widths[*position]);
            match widest.filter(|position| widths[*position] > LEAST_COLUMN) {
                Some(position) => widths[position] -= 1,
                None => break,
            }
        }
        widths
    }
}

/// Prints what is known of one thing, a line each; what is empty is left out.
pub(crate) fn print_fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) {
    let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = fields.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    for (label, value) in fields {
        let coloured = if matches!(label, "state" | "status") && terminal::colors_enabled() {
            colour(&value).apply_to(&value).to_string()
        } else {
            printable(&value).to_string()
        };
        print(&format!("{label:<width$}  {coloured}"));
    }
}

/// A word in the colour of what it means, on a terminal.
pub(crate) fn coloured(word: &str) -> String {
    if terminal::colors_enabled() { colour(word).apply_to(word).to_string() } else { word.to_owned() }
}

fn colour(word: &str) -> Style {
    match word.trim() {
        "ACCEPTED" | "ACTIVE" | "PASSED" | "ON_TIME" => Style::new().green(),
        "ACCEPTED_WITH_REJECTIONS" | "WARNING" | "LATE" | "INCOMPLETE" | "PAUSED" => Style::new().yellow(),
        "REJECTED" | "FAILED" | "NEEDS_ATTENTION" | "MISSING" => Style::new().red(),
        "SUPERSEDED" | "SKIPPED" | "DELETED" | "UNSCHEDULED" => Style::new().dim(),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[
            Column::State("STATE"),
            Column::Number("ROWS"),
            Column::Long("NAME"),
            Column::Text("KEY"),
        ]);
        table.row(["ACCEPTED", "5", &"n".repeat(60), "a/\u{1b}[2Jb.csv"].map(str::to_owned));
        table.row(["REJECTED", "12345", "é", "c.csv"].map(str::to_owned));
        table
    }

    #[test]
    fn elsewhere_than_on_a_terminal_all_is_shown_in_columns_without_colour() {
        let text = table().render(None, false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains(&"n".repeat(60)) && !text.contains('\u{1b}'), "{text}");
        let at = |line: &str| measure_text_width(&line[..line.find("c.csv").unwrap_or(line.len())]);
        assert_eq!(lines[0].find("KEY"), Some(at(lines[2])), "{text}");
        assert!(lines[1].contains("ACCEPTED      5  "), "numbers are set to the right: {text}");
    }

    #[test]
    fn on_a_small_terminal_long_columns_are_cut_and_states_have_colours() {
        let text = table().render(Some(70), true);
        assert!(text.lines().all(|line| measure_text_width(line) <= 70), "{text}");
        assert!(text.contains('…') && text.contains("\u{1b}[31m"), "{text:?}");
    }
}
