//! Tables that read well on a terminal and are Markdown.

/// Rows of cells under a header, the first column to the left, numbers to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|cell| cell.chars().count())).max().unwrap_or_default().max(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rules = widths.iter().enumerate().map(|(column, &width)| {
        if column == 0 { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
    });
    let mut text = line(header.to_vec());
    text += &format!("| {} |\n", rules.collect::<Vec<_>>().join(" | "));
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}

/// A number with about three digits that mean something; `-` for what was not measured.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size.is_nan() => "-".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_are_markdown() {
        let text =
            table(&["what", "us"], &[vec!["a".into(), "12.5".into()], vec!["longer".into(), "1".into()]]);
        assert_eq!(text, "| what   |   us |\n| ------ | ---: |\n| a      | 12.5 |\n| longer |    1 |\n");
    }

    #[test]
    fn numbers_keep_about_three_digits() {
        let words: Vec<String> =
            [f64::NAN, 0.0, 0.0123, 0.5, 1.234, 12.34, 123.4, 1234.5].into_iter().map(number).collect();
        assert_eq!(words, ["-", "0.00", "0.012", "0.500", "1.23", "12.3", "123", "1234"]);
    }
}
