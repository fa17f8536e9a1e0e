//! Charts as inline SVG, made on the server: bars, whose sizes are attributes, so that no style is inline.

use api::registry::Day;
use maud::{Markup, html};

use super::text::count;

/// Units of the drawing.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;
/// Between two bars.
const GAP: f64 = 2.0;

/// Rows of each day, those refused on top, oldest first. `days` are newest first, as the registry gives them.
pub(crate) fn daily(label: &str, days: &[Day], of: impl Fn(&Day) -> Bar) -> Markup {
    let bars: Vec<(&str, Bar)> = days.iter().rev().map(|day| (day.date.as_str(), of(day))).collect();
    let most = bars.iter().map(|(_, bar)| bar.total()).max().unwrap_or_default();
    let spoken = spoken(label, &bars);
    let step = WIDTH / bars.len().max(1) as f64;
    html! {
        figure .chart {
            figcaption { (label) @if most > 0 { span .peak { "highest " (count(most)) } } }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(spoken) preserveAspectRatio="none" {
                line .axis x1="0" x2=(WIDTH) y1=(HEIGHT - 0.5) y2=(HEIGHT - 0.5) {}
                @for (index, (date, bar)) in bars.iter().enumerate() {
                    (stacked(index as f64 * step, step, most, date, bar))
                }
            }
            p .axis-labels aria-hidden="true" {
                @if let (Some((first, _)), Some((last, _))) = (bars.first(), bars.last()) {
                    span { (first) } span { (last) }
                }
            }
        }
    }
}

/// One bar: what is good, and what is bad on top of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bar {
    pub(crate) good: u64,
    pub(crate) bad: u64,
}

impl Bar {
    /// What the rows of a day became.
    pub(crate) fn rows(day: &Day) -> Self {
        Self { good: day.accepted, bad: day.rejected }
    }

    /// The refused alone.
    pub(crate) fn rejected(day: &Day) -> Self {
        Self { good: 0, bad: day.rejected }
    }

    fn total(self) -> u64 {
        self.good.saturating_add(self.bad)
    }
}

fn stacked(x: f64, step: f64, most: u64, date: &str, bar: &Bar) -> Markup {
    let high = |rows: u64| {
        let exact = rows as f64 / most.max(1) as f64 * (HEIGHT - 6.0);
        // A little is still to be seen.
        if rows > 0 { exact.max(2.0) } else { 0.0 }
    };
    let (good, bad) = (high(bar.good), high(bar.bad));
    let width = format!("{:.2}", (step - GAP).max(1.0));
    let x = format!("{:.2}", x + GAP / 2.0);
    let rect = |class: &str, y: f64, height: f64| {
        html! { rect class=(class) x=(x) y=(format!("{y:.2}")) width=(width) height=(format!("{height:.2}")) {} }
    };
    html! {
        g {
            title { (date) ": " (count(bar.total())) " rows, " (count(bar.bad)) " rejected" }
            @if good > 0.0 { (rect("accepted", HEIGHT - 1.0 - good, good)) }
            @if bad > 0.0 { (rect("rejected", HEIGHT - 1.0 - good - bad, bad)) }
        }
    }
}

fn spoken(label: &str, bars: &[(&str, Bar)]) -> String {
    let Some((date, most)) = bars.iter().max_by_key(|(_, bar)| bar.total()) else {
        return format!("{label}: no days yet");
    };
    let total: u64 = bars.iter().map(|(_, bar)| bar.total()).sum();
    if total == 0 {
        return format!("{label}: none in {} days", bars.len());
    }
    format!("{label}: {} in {} days, most on {date} with {}", count(total), bars.len(), count(most.total()))
}

/// The same very small, for a line of a table.
pub(crate) fn sparkline(days: &[Day]) -> Markup {
    let bars: Vec<(&str, Bar)> = days.iter().rev().map(|day| (day.date.as_str(), Bar::rows(day))).collect();
    let most = bars.iter().map(|(_, bar)| bar.total()).max().unwrap_or_default();
    let step = WIDTH / bars.len().max(1) as f64;
    html! {
        svg .spark viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" preserveAspectRatio="none"
            aria-label=(spoken("Rows a day", &bars)) {
            line .axis x1="0" x2=(WIDTH) y1=(HEIGHT - 0.5) y2=(HEIGHT - 0.5) {}
            @for (index, (date, bar)) in bars.iter().enumerate() {
                (stacked(index as f64 * step, step, most, date, bar))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, accepted: u64, rejected: u64) -> Day {
        Day { date: date.into(), accepted, rejected, rows: accepted + rejected, ..Day::default() }
    }

    #[test]
    fn a_chart_is_told_in_words_and_drawn_without_inline_style() {
        let days = [day("2026-11-24", 10, 0), day("2026-11-23", 1_000, 5)];
        let chart = daily("Rows a day", &days, Bar::rows).into_string();
        assert!(chart.contains("Rows a day: 1,015 in 2 days, most on 2026-11-23 with 1,005"), "{chart}");
        assert_eq!(
            (chart.matches("accepted\"").count(), chart.matches("class=\"rejected\"").count()),
            (2, 1)
        );
        assert!(!chart.contains("style="), "{chart}");
        let empty = daily("Rows a day", &[], Bar::rows).into_string();
        assert!(empty.contains("no days yet"), "{empty}");
    }
}
