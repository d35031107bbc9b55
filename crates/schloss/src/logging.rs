//! The server's own log, on standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging; `SCHLOSS_LOG` sets what is shown, such as `debug` or `schloss_gate=debug`.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("SCHLOSS_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second start in one process is a test's; the first stays.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Starts logging warnings and errors only.
pub(crate) fn start_quiet() {
    let filter = EnvFilter::new("warn");
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
