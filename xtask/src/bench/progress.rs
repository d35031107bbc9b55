//! A line per step, with the time since the start.

use std::time::{Duration, Instant};

/// Prints what is done as it is done.
pub(super) struct Progress {
    started: Instant,
}

impl Progress {
    pub(super) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn step(&self, words: &str) {
        let seconds = self.elapsed().as_secs();
        println!("[{:2}:{:02}] {words}", seconds / 60, seconds % 60);
    }
}
