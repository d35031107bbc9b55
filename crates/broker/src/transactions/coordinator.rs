//! All transactional ids of this node.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::Mutex;
use schloss_log::{Journal, LogError, Ticket};
use schloss_metadata::Metadata;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::info;

use super::config::TransactionsConfig;
use super::recovery::Orphan;
use super::transaction::Transaction;
use crate::groups::Groups;
use crate::partitions::Partitions;
use crate::storage::Storage;

/// Why the transactions can't be opened.
#[derive(Debug, Error)]
pub enum TransactionsError {
    /// The journal.
    #[error("can't open the transactions: {0}")]
    Journal(#[from] LogError),
}

/// Every transactional id. Cheap to clone; clones are the same coordinator.
#[derive(Clone)]
pub(crate) struct Transactions {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) config: TransactionsConfig,
    pub(super) state: Mutex<State>,
    pub(super) journal: Journal,
    pub(super) participants: Participants,
    /// Gives producer ids out.
    pub(super) metadata: Arc<Metadata>,
    /// Size of the journal, in bytes, above which it is written anew.
    pub(super) compact_above: AtomicU64,
    pub(super) compacting: AtomicBool,
    /// Wakes the timer task when an earlier deadline is set, or the coordinator goes away.
    pub(super) alarm: Arc<Notify>,
    pub(super) started: AtomicBool,
}

/// Where markers go.
pub(super) struct Participants {
    pub(super) partitions: Arc<Partitions>,
    pub(super) groups: Groups,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) known: HashMap<Arc<str>, Known>,
    /// When open transactions are aborted.
    pub(super) deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// What the start found open and nobody can end any more.
    pub(super) orphans: Vec<Orphan>,
}

pub(super) struct Known {
    pub(super) transaction: Transaction,
    /// The last entry of the journal about it.
    pub(super) ticket: Option<Ticket>,
    pub(super) deadline: Option<Instant>,
}

impl Known {
    pub(super) const fn new(transaction: Transaction) -> Self {
        Self { transaction, ticket: None, deadline: None }
    }
}

impl Transactions {
    #[cfg(test)]
    pub(crate) fn compact_for_tests(&self) {
        self.inner.rewrite();
    }

    /// Whether somebody works for the coordinator beside the requests, and so holds it.
    #[cfg(test)]
    pub(crate) fn is_held_for_tests(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    #[cfg(test)]
    pub(crate) fn forget_unused_for_tests(&self) {
        self.inner.forget_unused(crate::reply::now_ms());
    }

    /// Replays the journal in `dir`, and brings it in line with what partitions and groups hold. Blocks on the
    /// disk. Transactions whose end is decided are completed once [`start`](Self::start) is called.
    pub(crate) fn open(
        dir: &Path,
        storage: &Storage,
        config: TransactionsConfig,
        partitions: Arc<Partitions>,
        groups: Groups,
        metadata: Arc<Metadata>,
    ) -> Result<Self, TransactionsError> {
        let mut state = State::default();
        let path = dir.join("transactions.journal");
        let (journal, recovery) = {
            let sealing = storage.vault.journal("transactions", &path)?;
            Journal::open(&path, sealing, Arc::clone(&storage.flusher), |entry| state.replay(entry))?
        };
        if recovery.entries > 0 || recovery.truncated_bytes > 0 {
            let ids = state.known.len();
            info!(ids, ?recovery, "replayed transactions");
        }
        let inner = Arc::new(Inner {
            compact_above: AtomicU64::new(config.compact_above_bytes),
            config,
            state: Mutex::new(state),
            journal,
            participants: Participants { partitions, groups },
            metadata,
            compacting: AtomicBool::new(false),
            alarm: Arc::default(),
            started: AtomicBool::new(false),
        });
        inner.reconcile();
        Ok(Self { inner })
    }
}
