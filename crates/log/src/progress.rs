//! How far a log is on disk, for those who wait for it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::LogError;

/// Why a log takes nothing any more. The first reason stays.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// What the disk holds is not known.
    Failed(Arc<str>),
    Deleted,
    Closed,
}

/// A mark that only moves forward, until the log stops.
pub(crate) struct Progress {
    path: PathBuf,
    reached: watch::Sender<i64>,
    stopped: OnceLock<Stop>,
}

impl Progress {
    pub(crate) fn new(path: PathBuf, reached: i64) -> Arc<Self> {
        Arc::new(Self { path, reached: watch::Sender::new(reached), stopped: OnceLock::new() })
    }

    /// The mark.
    pub(crate) fn reached(&self) -> i64 {
        *self.reached.borrow()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<i64> {
        self.reached.subscribe()
    }

    /// Moves the mark to `mark`, if that is forward, and wakes who waits.
    pub(crate) fn advance(&self, mark: i64) {
        self.reached.send_if_modified(|reached| {
            let forward = mark > *reached;
            *reached = mark.max(*reached);
            forward
        });
    }

    /// Stops the log for good and wakes all who wait.
    pub(crate) fn stop(&self, stop: Stop) {
        if self.stopped.set(stop).is_ok() {
            self.reached.send_modify(|_| ());
        }
    }

    /// Stops the log because of `error`, and returns what its users get to see from now on.
    pub(crate) fn fail(&self, error: &LogError) -> LogError {
        tracing::error!(log = %self.path.display(), %error, "log failed");
        self.stop(Stop::Failed(error.to_string().into()));
        self.check().err().unwrap_or_else(|| LogError::Closed { path: self.path.clone() })
    }

    /// Whether the log still takes something.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        let path = || self.path.clone();
        match self.stopped.get() {
            None => Ok(()),
            Some(Stop::Failed(reason)) => Err(LogError::Failed { path: path(), reason: Arc::clone(reason) }),
            Some(Stop::Deleted) => Err(LogError::Deleted { path: path() }),
            Some(Stop::Closed) => Err(LogError::Closed { path: path() }),
        }
    }

    /// Resolves when the mark is at `mark` or beyond, or the log stops before.
    pub(crate) fn wait(
        self: &Arc<Self>,
        mark: i64,
    ) -> impl Future<Output = Result<(), LogError>> + Send + 'static + use<> {
        let progress = Arc::clone(self);
        let mut reached = self.reached.subscribe();
        async move {
            let met = |reached: &i64| *reached >= mark;
            let reached =
                reached.wait_for(|now| met(now) || progress.stopped.get().is_some()).await.map(|now| *now);
            match reached {
                Ok(now) if met(&now) => Ok(()),
                // The sender lives as long as `progress`, so only a stop gets here.
                _ => progress.check(),
            }
        }
    }
}
