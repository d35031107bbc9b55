//! Transactional ids: memory and journal as one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use schloss_log::Ticket;
use schloss_wire::ErrorCode;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::coordinator::{Inner, Known, State};
use super::record::{Entry, Record};
use super::transaction::{Change, Transaction, TransactionState};

impl Inner {
    /// Writes a change down and makes it. The caller waits for the ticket before it answers.
    pub(super) fn change(
        self: &Arc<Self>,
        state: &mut State,
        id: &Arc<str>,
        change: Change,
        now_ms: i64,
    ) -> Result<Ticket, ErrorCode> {
        let entry = Entry::encode(id, now_ms, Record::of(&change)).map_err(|error| failed(&error))?;
        let ticket = self.journal.append(&entry).map_err(|error| failed(&error))?;
        let known =
            state.known.entry(Arc::clone(id)).or_insert_with(|| Known::new(Transaction::first(now_ms)));
        known.transaction.apply(change, now_ms);
        known.ticket = Some(ticket);
        let timeout = Duration::from_millis(u64::try_from(known.transaction.timeout_ms).unwrap_or(0));
        self.arm(state, id, timeout);
        self.compact_if_worthwhile();
        Ok(ticket)
    }

    /// Sets the time after which a transaction that is open is aborted, if it has none yet.
    pub(super) fn arm(&self, state: &mut State, id: &Arc<str>, after: Duration) {
        let Some(known) = state.known.get_mut(id) else { return };
        let open = known.transaction.state == TransactionState::Ongoing;
        match (open, known.deadline) {
            (true, None) => {
                let deadline = Instant::now() + after;
                known.deadline = Some(deadline);
                state.deadlines.insert((deadline, Arc::clone(id)));
                if state.deadlines.first().is_some_and(|(_, first)| first == id) {
                    self.alarm.notify_one();
                }
            }
            (false, Some(deadline)) => {
                known.deadline = None;
                state.deadlines.remove(&(deadline, Arc::clone(id)));
            }
            _ => {}
        }
    }

    /// Forgets a transactional id.
    pub(super) fn forget(&self, state: &mut State, id: &Arc<str>, now_ms: i64) -> Result<(), ErrorCode> {
        let entry = Entry::encode(id, now_ms, Record::Forget).map_err(|error| failed(&error))?;
        // Nobody waits for it: what a crash brings back is forgotten again.
        let _ticket = self.journal.append(&entry).map_err(|error| failed(&error))?;
        state.known.remove(id);
        Ok(())
    }

    pub(super) async fn durable(&self, ticket: Ticket) -> Result<(), ErrorCode> {
        self.journal.wait(ticket).await.map_err(|error| failed(&error))
    }

    /// Writes the journal anew, in the background, if it is mostly outdated.
    fn compact_if_worthwhile(self: &Arc<Self>) {
        let large = self.journal.size_bytes() > self.compact_above.load(Ordering::Relaxed);
        if !large || self.compacting.swap(true, Ordering::AcqRel) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            self.compacting.store(false, Ordering::Release);
            return;
        };
        let inner = Arc::clone(self);
        runtime.spawn_blocking(move || {
            inner.rewrite();
            inner.compacting.store(false, Ordering::Release);
        });
    }

    /// Writes the journal anew with what still counts. Changes wait meanwhile: there is one entry for each
    /// transactional id, so it does not take long.
    pub(super) fn rewrite(&self) {
        let state = self.state.lock();
        let before = self.journal.size_bytes();
        let encode = |(id, known): (&Arc<str>, &Known)| {
            Entry::encode(id, known.transaction.updated_ms, Record::whole(&known.transaction))
        };
        let entries: Result<Vec<_>, _> = state.known.iter().map(encode).collect();
        let written = match entries {
            Ok(entries) => self.journal.rewrite(entries).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        drop(state);
        let after = self.journal.size_bytes();
        // A failed attempt is not repeated with every change.
        self.compact_above
            .store(self.config.compact_above_bytes.max(after.saturating_mul(2)), Ordering::Relaxed);
        match written {
            Ok(()) => info!(before, after, "wrote the journal of transactions anew"),
            Err(error) => warn!(error, "can't write the journal of transactions anew, it keeps growing"),
        }
    }
}

impl State {
    /// Takes over one entry of the journal.
    pub(super) fn replay(&mut self, entry: &[u8]) -> Result<(), String> {
        let Entry { id, at_ms, record } = serde_json::from_slice(entry).map_err(|error| error.to_string())?;
        let before = self.known.remove(&*id).map(|known| known.transaction);
        if let Some(transaction) = record.replay(before, at_ms)? {
            self.known.insert(Arc::from(id), Known::new(transaction));
        }
        Ok(())
    }
}

/// Clients look for the coordinator again and retry, which is right for a disk that may recover.
pub(super) fn failed(error: &dyn std::fmt::Display) -> ErrorCode {
    error!(%error, "can't store the state of a transaction");
    ErrorCode::CoordinatorNotAvailable
}
