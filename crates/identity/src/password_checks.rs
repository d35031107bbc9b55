//! Where passwords are stretched: on a few threads, so that log-ins can't take the machine from everybody else.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Turns at stretching a password. A clone shares them.
#[derive(Clone)]
pub struct PasswordChecks(Arc<Semaphore>);

impl PasswordChecks {
    /// As many turns at once as half the machine has cores, and one at least.
    #[must_use]
    pub fn new() -> Self {
        Self::with_turns(available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)))
    }

    /// So many turns at once.
    #[must_use]
    pub fn with_turns(turns: usize) -> Self {
        Self(Arc::new(Semaphore::new(turns.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Waits for a turn and does this on a thread of its own; in the order of asking. Nothing if the process ends, or
    /// the work panics. Who stops waiting gives the turn to the next.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let turn = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let done = spawn_blocking(move || {
            // Held until the work ends, also if nobody waits for it any more.
            let _turn = turn;
            work()
        });
        done.await.ok()
    }
}

impl Default for PasswordChecks {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_are_at_work_than_there_are_turns() {
        let checks = PasswordChecks::with_turns(2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (checks, now, most) = (checks.clone(), Arc::clone(&now), Arc::clone(&most));
            all.spawn(async move {
                let work = move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    now.fetch_sub(1, Ordering::SeqCst);
                };
                checks.run(work).await
            });
        }
        assert!(all.join_all().await.into_iter().all(|done| done.is_some()));
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
