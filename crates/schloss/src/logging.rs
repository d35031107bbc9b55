//! The server's own log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that sets what is shown, such as `debug` or `schloss_gate=debug`.
const VARIABLE: &str = "SCHLOSS_LOG";

/// Starts logging at `level`, unless [`VARIABLE`] says otherwise.
pub(crate) fn start(level: &str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    // A second start in one process is a test's; the first stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}
