//! What commands print.

use std::io::Write;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// For whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences
    Table,
    /// One JSON value
    Json,
}

/// Prints rows as a table with `headings`, or as a JSON array of the rows themselves.
///
/// # Errors
/// Standard output is gone.
pub(super) fn rows<T: Serialize>(
    format: Format,
    headings: &[&str],
    rows: &[T],
    cells: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<()> {
    match format {
        Format::Json => json(&rows),
        Format::Table => {
            let mut table = Table::new();
            table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
            table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
            table.add_rows(rows.iter().map(cells));
            if let Some(first) = table.column_mut(0) {
                first.set_padding((0, 1));
            }
            let text: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
            line(&text.join("\n"))
        }
    }
}

/// Prints one value as JSON, or `text` for people.
///
/// # Errors
/// Standard output is gone.
pub(super) fn value<T: Serialize>(format: Format, value: &T, text: &str) -> anyhow::Result<()> {
    match format {
        Format::Json => json(value),
        Format::Table => line(text),
    }
}

/// Prints one value as one line of JSON.
///
/// # Errors
/// Standard output is gone.
pub(super) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line(&serde_json::to_string(value)?)
}

/// Prints one line.
///
/// # Errors
/// Standard output is gone.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}
