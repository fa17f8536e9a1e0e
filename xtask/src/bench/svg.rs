//! Plots.

use std::fmt::Write as _;

/// A horizontal bar each, of values in ones, with the value in millions behind it.
pub(super) fn bar_chart(title: &str, bars: &[(&str, f64)]) -> String {
    const BAR: usize = 26;
    let longest = bars.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let height = 40 + bars.len() * BAR;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\"><text x=\"8\" y=\"20\" font-weight=\"bold\">{title}</text>"
    );
    for (at, (name, value)) in bars.iter().enumerate() {
        let (y, width) = (36 + at * BAR, *value / longest * 360.0);
        let _ = write!(
            svg,
            "<text x=\"8\" y=\"{}\">{name}</text><rect x=\"170\" y=\"{y}\" width=\"{width:.0}\" height=\"18\" \
             fill=\"#4577b3\"/><text x=\"{:.0}\" y=\"{}\">{:.2}</text>",
            y + 14,
            176.0 + width,
            y + 14,
            *value / 1e6
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_bar_each() {
        let svg = bar_chart("title", &[("one", 1e6), ("two", 2e6)]);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("width=\"180\"") && svg.contains("width=\"360\""), "{svg}");
    }
}
