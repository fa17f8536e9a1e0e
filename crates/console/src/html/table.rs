//! Tables: lines on a wide screen, and on a narrow one a card for each line, in which every value stands beside the words of
//! its heading. The style sheet does it, without script; the roles keep it a table for screen readers, to whom browsers
//! otherwise tell nothing of a table that is laid out as blocks.

use maud::{Markup, html};

use super::text::{plain, value};

/// A column's heading.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    words: &'a str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Words,
    Number,
    /// Out of a customer's file.
    Value,
    /// For what needs no heading where one sees it.
    Unseen,
}

/// Of words.
pub(crate) fn head(words: &str) -> Head<'_> {
    Head { words, kind: Kind::Words }
}

impl Head<'_> {
    /// Over numbers, which stand at the right.
    pub(crate) fn number(self) -> Self {
        Self { kind: Kind::Number, ..self }
    }

    /// As it stands in a customer's file.
    pub(crate) fn value(self) -> Self {
        Self { kind: Kind::Value, ..self }
    }

    /// Read out alone.
    pub(crate) fn unseen(self) -> Self {
        Self { kind: Kind::Unseen, ..self }
    }

    fn class(&self) -> &'static str {
        if self.kind == Kind::Number { "number" } else { "" }
    }

    fn show(&self) -> Markup {
        match self.kind {
            Kind::Words | Kind::Number => html! { (self.words) },
            Kind::Value => value(self.words),
            Kind::Unseen => html! { span .unseen { (self.words) } },
        }
    }

    /// The words beside a value of a card.
    fn label(&self) -> String {
        match self.kind {
            Kind::Words | Kind::Number => self.words.to_owned(),
            Kind::Value => plain(self.words),
            Kind::Unseen => String::new(),
        }
    }
}

/// What stands under a heading. One without content is left out of a card.
#[derive(Debug)]
pub(crate) struct Cell {
    content: Markup,
    class: &'static str,
}

impl Cell {
    /// With a class of its own.
    pub(crate) fn class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }
}

impl From<Markup> for Cell {
    fn from(content: Markup) -> Self {
        Self { content, class: "" }
    }
}

/// A line of them.
pub(crate) type Row = Vec<Cell>;

/// A line.
pub(crate) fn row<const N: usize>(cells: [Markup; N]) -> Row {
    cells.into_iter().map(Cell::from).collect()
}

/// A table. On a wide screen it scrolls by itself where it must, by keys too.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    label: &'a str,
    class: &'static str,
    heads: Vec<Head<'a>>,
    is_titled: bool,
}

impl<'a> Table<'a> {
    /// With these columns; the label is read out.
    pub(crate) fn new(label: &'a str, heads: impl IntoIterator<Item = Head<'a>>) -> Self {
        Self { label, class: "", heads: heads.into_iter().collect(), is_titled: false }
    }

    /// Of a kind that the style sheet knows.
    pub(crate) fn class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }

    /// The first column says what a line is about.
    pub(crate) fn titled(self) -> Self {
        Self { is_titled: true, ..self }
    }

    /// With these lines, each as long as there are headings.
    pub(crate) fn rows(self, rows: impl IntoIterator<Item = Row>) -> Markup {
        let labels: Vec<String> = self.heads.iter().map(Head::label).collect();
        html! {
            div .scroll role="region" aria-label=(self.label) tabindex="0" {
                table class=[filled(self.class)] role="table" {
                    thead role="rowgroup" {
                        tr role="row" {
                            @for head in &self.heads {
                                th scope="col" role="columnheader" class=[filled(head.class())] { (head.show()) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for row in rows {
                            tr role="row" {
                                @for (place, cell) in row.into_iter().enumerate() {
                                    (self.cell(place, cell, labels.get(place).map_or("", String::as_str)))
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn cell(&self, place: usize, cell: Cell, label: &str) -> Markup {
        let class = format!("{} {}", self.heads.get(place).map_or("", Head::class), cell.class);
        let class = filled(class.trim());
        let content = cell.content;
        html! {
            @if self.is_titled && place == 0 {
                th scope="row" role="rowheader" class=[class] { (content) }
            } @else if content.0.is_empty() {
                td role="cell" {}
            } @else {
                td role="cell" class=[class] data-label=(label) { div { (content) } }
            }
        }
    }
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_of_a_card_has_its_headings_words() {
        let heads =
            [head("File"), head("Rows").number(), head("<i>\u{202e}").value(), head("Action").unseen()];
        let line = row([html! { "a.csv" }, html! { "7" }, html! { "x" }, html! {}]);
        let shown = Table::new("Files", heads).class("files").titled().rows([line]).into_string();
        assert!(shown.contains("<th scope=\"row\" role=\"rowheader\">a.csv</th>"), "{shown}");
        assert!(
            shown.contains("<td role=\"cell\" class=\"number\" data-label=\"Rows\"><div>7</div></td>"),
            "{shown}"
        );
        assert!(shown.contains("data-label=\"&lt;i&gt;U+202E\""), "{shown}");
        assert!(shown.contains("<td role=\"cell\"></td>"), "what is empty is left out of a card: {shown}");
        assert!(!shown.contains("style="), "{shown}");
    }
}
