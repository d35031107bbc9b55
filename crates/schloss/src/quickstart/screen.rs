//! Standard output, which belongs to the proofs.

use std::fmt;
use std::io::Write;

/// Prints a line.
///
/// # Errors
/// Standard output is gone.
pub(super) fn line(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
