//! How long a connection keeps a thread busy.

use std::time::{Duration, Instant};

/// Adds up the times that the task of a connection ran on a thread: reading, TLS, policy, the engine's part that is
/// no waiting, encoding, writing. What the engine does on other threads, such as flushing, is not seen.
#[derive(Default)]
pub(super) struct Stopwatch {
    spent: Duration,
    running_since: Option<Instant>,
}

impl Stopwatch {
    pub(super) fn start(&mut self) {
        self.running_since = Some(Instant::now());
    }

    pub(super) fn stop(&mut self) {
        if let Some(since) = self.running_since.take() {
            self.spent += since.elapsed();
        }
    }

    /// What there is so far. It begins again at nothing and goes on if it was running.
    pub(super) fn take(&mut self) -> Duration {
        if self.running_since.is_some() {
            self.stop();
            self.start();
        }
        std::mem::take(&mut self.spent)
    }
}
