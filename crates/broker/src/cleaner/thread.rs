//! The thread on which logs are kept small, and committed offsets few.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use schloss_metadata::Metadata;

use super::chores::{Chores, Estate};
use super::control::Control;
use super::round::Stopped;
use crate::aging::AgingClock;
use crate::broker::BrokerConfig;
use crate::groups::Groups;
use crate::partitions::Partitions;
use crate::reply::now_ms;

/// Between two turns (`log.cleaner.backoff.ms`).
const INTERVAL: Duration = Duration::from_secs(15);

/// Keeps logs small, on a thread of its own that ends with it.
pub(crate) struct Cleaner {
    worker: Arc<Worker>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Worker {
    node: Arc<BrokerConfig>,
    metadata: Arc<Metadata>,
    partitions: Arc<Partitions>,
    groups: Arc<Groups>,
    control: Control,
    chores: Mutex<Chores>,
}

impl Cleaner {
    /// Starts the thread. Its first turn is a while after the start, which has enough to do.
    pub(crate) fn start(
        node: Arc<BrokerConfig>,
        metadata: Arc<Metadata>,
        partitions: Arc<Partitions>,
        groups: Arc<Groups>,
    ) -> io::Result<Self> {
        let (control, chores) = (Control::default(), Mutex::default());
        let worker = Arc::new(Worker { node, metadata, partitions, groups, control, chores });
        let worked = Arc::clone(&worker);
        let thread = thread::Builder::new().name("cleaner".to_owned()).spawn(move || {
            let mut clock = AgingClock::new(now_ms());
            while worked.control.next_turn(INTERVAL).is_ok() {
                if worked.turn(clock.read(now_ms())).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { worker, thread: Mutex::new(Some(thread)) })
    }

    /// Has the next turn begin at once: settings have changed.
    pub(crate) fn wake(&self) {
        self.worker.control.wake();
    }

    /// Ends the thread; what it has begun is left, and done again after the next start. Blocks until then.
    pub(crate) fn stop(&self) {
        self.worker.control.stop();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps logs small has panicked");
        }
    }

    /// Ends the thread and leaves the work to [`turn`](Self::turn).
    #[cfg(test)]
    pub(crate) fn take_over(&self) {
        self.stop();
        self.worker.control.go_on();
    }

    /// Does what is due at `now_ms`, on this thread.
    #[cfg(test)]
    pub(crate) fn turn(&self, now_ms: i64) {
        self.worker.turn(now_ms).unwrap();
    }
}

impl Worker {
    fn turn(&self, now_ms: i64) -> Result<(), Stopped> {
        let snapshot = self.metadata.snapshot();
        let name_of = |id| snapshot.topic_by_id(id).map(|topic| Arc::clone(&topic.name));
        self.groups.expire_offsets(now_ms, &name_of);
        let (node, metadata, partitions) = (&*self.node, &*self.metadata, &*self.partitions);
        self.chores.lock().turn(&Estate { node, metadata, partitions, control: &self.control, now_ms })
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        self.stop();
    }
}
