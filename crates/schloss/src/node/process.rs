//! The process: its threads, its limits, its signals.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// Files that are neither connections nor the newest segments of partitions: older segments, journals, audit.
const OTHER_FILES: u64 = 1_000;

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

/// Says so if the connections that are allowed and the files of `partitions` are more than can be open.
pub(super) fn warn_of_few_files(connections: u64, partitions: u64) {
    let needed = connections + partitions + OTHER_FILES;
    if let Some(limit) = getrlimit(Resource::Nofile).current.filter(|limit| *limit < needed) {
        warn!(
            "the system lets {limit} files be open, and limits.max_connections = {connections} with {partitions} \
             partitions needs {needed}: raise it ('ulimit -Hn', or LimitNOFILE= of a systemd unit), or lower \
             limits.max_connections"
        );
    }
}

/// The signals that end a server. They are heard from the moment that this is made, and do not kill it any more.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// # Errors
    /// Signals can't be heard.
    pub(super) fn hear() -> anyhow::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    /// Waits for SIGINT or SIGTERM, or one that came before, and gives its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
