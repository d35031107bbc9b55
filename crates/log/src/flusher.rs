//! Group commit: a few threads bring what was written to disk, once for all who wait.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use crate::room::Room;
use crate::{Disk, LogError, OsDisk};

/// What a flusher looks after.
pub(crate) trait Flush: Send + Sync + 'static {
    /// Brings all that was written so far to disk. A failure is final: the log sees to that itself.
    fn flush(&self) -> Result<(), LogError>;

    /// Refuses appends from now on, flushes, and notes that all is well.
    fn close(&self) -> Result<(), LogError>;

    /// Its place in the queue.
    fn turn(&self) -> &Turn;
}

/// Brings the logs and journals that share it to disk, on threads of its own.
///
/// A log that has something new is queued once; one flush covers all that was appended before it began.
pub struct Flusher {
    disk: Arc<dyn Disk>,
    room: Arc<Room>,
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Flusher {
    /// Starts `threads` threads (at least one; two are a good choice).
    ///
    /// # Errors
    /// The system does not start a thread.
    pub fn start(threads: usize) -> Result<Arc<Self>, LogError> {
        Self::start_on(Arc::new(OsDisk), threads)
    }

    /// As [`start`](Self::start), on a disk of the caller's: for tests that make it fail.
    ///
    /// # Errors
    /// The system does not start a thread.
    pub fn start_on(disk: Arc<dyn Disk>, threads: usize) -> Result<Arc<Self>, LogError> {
        let flusher = Arc::new(Self {
            disk,
            room: Arc::default(),
            queue: Arc::new(Queue::default()),
            threads: Mutex::new(Vec::with_capacity(threads)),
        });
        for number in 0..threads.max(1) {
            let queue = Arc::clone(&flusher.queue);
            let name = format!("flush-{number}");
            let started =
                thread::Builder::new().name(name.clone()).spawn(move || queue.work()).map_err(|source| {
                    LogError::Io { action: "start thread", path: PathBuf::from(name), source }
                })?;
            flusher.threads.lock().push(started);
        }
        Ok(flusher)
    }

    /// Flushes all logs and journals, notes that they were closed in good order, ends the threads. Blocks
    /// until that is done; afterwards appends are refused. A second call does nothing.
    ///
    /// # Errors
    /// The first log that could not be flushed, or had failed before; the others were flushed all the same.
    pub fn shutdown(&self) -> Result<(), LogError> {
        self.queue.stop();
        for thread in self.threads.lock().drain(..) {
            // A thread that panicked has flushed nothing since; what is left is flushed below.
            let _ = thread.join();
        }
        let logs = std::mem::take(&mut self.queue.state.lock().logs);
        let mut result = Ok(());
        for log in logs.iter().filter_map(Weak::upgrade) {
            result = result.and(log.close());
        }
        result
    }

    /// Looks after `log` until it is dropped.
    pub(crate) fn enlist(&self, log: &Arc<impl Flush>) -> Result<(), LogError> {
        let mut state = self.queue.state.lock();
        if state.stopping {
            return Err(LogError::Closed { path: PathBuf::from("the flusher") });
        }
        if state.logs.len() == state.logs.capacity() {
            state.logs.retain(|log| log.strong_count() > 0);
        }
        let log: Weak<dyn Flush> = Arc::downgrade(log) as Weak<dyn Flush>;
        state.logs.push(log);
        Ok(())
    }

    /// Has `log` flushed soon, unless it is queued already.
    pub(crate) fn schedule<L: Flush>(&self, log: &Arc<L>) {
        if log.turn().ask() {
            self.queue.push(Arc::clone(log) as Arc<dyn Flush>);
        }
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        // Not joined: the last owner may be a log that one of the threads just let go of.
        self.queue.stop();
    }
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    ready: Condvar,
}

#[derive(Default)]
struct QueueState {
    /// Bounded by the number of logs: each is in it once at most.
    waiting: VecDeque<Arc<dyn Flush>>,
    logs: Vec<Weak<dyn Flush>>,
    stopping: bool,
}

impl Queue {
    fn work(&self) {
        while let Some(log) = self.next() {
            log.turn().start();
            // Who waits is told by the log itself, which has stopped.
            let _ = log.flush();
            if log.turn().finish() {
                self.push(log);
            }
        }
    }

    fn push(&self, log: Arc<dyn Flush>) {
        self.state.lock().waiting.push_back(log);
        self.ready.notify_one();
    }

    /// The next log to flush; `None` when there is nothing left and the end has come.
    fn next(&self) -> Option<Arc<dyn Flush>> {
        let mut state = self.state.lock();
        loop {
            if let Some(log) = state.waiting.pop_front() {
                return Some(log);
            }
            if state.stopping {
                return None;
            }
            self.ready.wait(&mut state);
        }
    }

    fn stop(&self) {
        self.state.lock().stopping = true;
        self.ready.notify_all();
    }
}

/// Sees to it that a log is queued once and flushed by one thread at a time.
#[derive(Default)]
pub(crate) struct Turn(AtomicU8);

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
/// Something was appended while the flush ran, which may have come too late for it.
const RUNNING_AGAIN: u8 = 3;

impl Turn {
    /// Asks for a flush; true if the caller has to queue the log.
    fn ask(&self) -> bool {
        let asked = |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(RUNNING_AGAIN),
            _ => None,
        };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, asked) == Ok(IDLE)
    }

    fn start(&self) {
        self.0.store(RUNNING, Ordering::Release);
    }

    /// Ends a flush; true if the log has to be queued again.
    fn finish(&self) -> bool {
        let again = self.0.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_err();
        if again {
            self.0.store(QUEUED, Ordering::Release);
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_queued_once_and_once_more_if_it_changed_while_it_was_flushed() {
        let turn = Turn::default();
        assert!(turn.ask());
        assert!(!turn.ask());
        turn.start();
        assert!(!turn.ask() && !turn.ask());
        assert!(turn.finish());
        turn.start();
        assert!(!turn.finish());
        assert!(turn.ask());
    }
}
