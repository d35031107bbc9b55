//! Time: one task that aborts transactions that are open for too long and forgets ids that are not used.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::coordinator::{Inner, Transactions};
use super::transaction::TransactionState;
use crate::aging::AgingClock;
use crate::reply::now_ms;

/// Pause before a transaction is to be aborted again, while the journal can't be written.
const RETRY: Duration = Duration::from_secs(1);

impl Transactions {
    /// Begins to complete what a restart left to do, and to watch the time. Does nothing when that was done
    /// before, or outside of the runtime.
    pub(crate) fn start(&self) {
        if self.inner.started.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(runtime) = Handle::try_current()
            && !self.inner.started.swap(true, Ordering::Relaxed)
        {
            runtime.spawn(run(Arc::downgrade(&self.inner), Arc::clone(&self.inner.alarm)));
            self.inner.resume();
        }
    }
}

impl Inner {
    /// Aborts what is open for too long; the answer is when to look again.
    fn abort_overdue(self: &Arc<Self>) -> Option<Instant> {
        loop {
            // The lock is given back in between, since thousands may be due at once.
            let mut state = self.state.lock();
            let (deadline, id) = state.deadlines.first()?.clone();
            if deadline > Instant::now() {
                return Some(deadline);
            }
            state.deadlines.pop_first();
            if let Some(known) = state.known.get_mut(&id) {
                known.deadline = None;
            }
            match self.start_fence(&mut state, &id) {
                Ok(true) => {
                    info!(transactional_id = %id, "aborting a transaction that was open for longer than its timeout");
                    let _goes_on = self.spawn_completion(&id);
                }
                Ok(false) => {}
                Err(_) => self.arm(&mut state, &id, RETRY),
            }
        }
    }

    /// Forgets the ids that were not used for long before `now`, in milliseconds since the epoch.
    pub(super) fn forget_unused(&self, now: i64) {
        let mut state = self.state.lock();
        let longest = i64::try_from(self.config.id_expiration.as_millis()).unwrap_or(i64::MAX);
        let unused = state.known.iter().filter(|(_, known)| {
            let busy =
                known.transaction.state == TransactionState::Ongoing || known.transaction.state.is_prepared();
            !busy && now.saturating_sub(known.transaction.updated_ms) >= longest
        });
        let unused: Vec<_> = unused.map(|(id, _)| Arc::clone(id)).collect();
        for id in &unused {
            if self.forget(&mut state, id, now).is_err() {
                warn!("transactional ids that are not used can't be forgotten now");
                return;
            }
        }
        if !unused.is_empty() {
            info!(ids = unused.len(), "forgot transactional ids that were not used for long");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.alarm.notify_one();
    }
}

async fn run(inner: Weak<Inner>, alarm: Arc<Notify>) {
    let (mut next_look, mut clock) = (Instant::now(), AgingClock::new(now_ms()));
    loop {
        let deadline = match inner.upgrade() {
            Some(inner) => {
                if Instant::now() >= next_look {
                    inner.forget_unused(clock.read(now_ms()));
                    next_look = Instant::now() + inner.config.id_expiration_interval;
                }
                inner.abort_overdue()
            }
            None => return,
        };
        tokio::select! {
            () = sleep_until(deadline.map_or(next_look, |deadline| deadline.min(next_look))) => {}
            () = alarm.notified() => {}
        }
    }
}
