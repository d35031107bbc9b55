//! A question before something is lost.

use std::io::{BufRead, IsTerminal, Write};

use super::exit::UsageError;

/// Asks `question` at a terminal; a script has to say `--yes`.
///
/// # Errors
/// The answer was no, or there is nobody to ask.
pub(super) fn confirm(yes: bool, question: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(UsageError(format!("{question} Say --yes to do it without being asked")).into());
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(UsageError("nothing was done".to_owned()).into())
}
