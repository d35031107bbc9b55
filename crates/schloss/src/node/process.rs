//! The process: its threads, its limits, its signals.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

/// The runtime that a server runs on: one worker a core.
///
/// # Errors
/// No threads to be had.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    raise_file_limit();
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("schloss").build()?)
}

/// Takes as many file descriptors as the system lets us have: connections and partitions need one each, and
/// the usual soft limit of 1,024 is a relic of `select`.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!("the limit of open files stays at {:?}: {error}", limit.current);
    }
}

/// Waits for SIGINT or SIGTERM and gives its name.
///
/// # Errors
/// Signals can't be heard.
pub(super) async fn signalled() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
