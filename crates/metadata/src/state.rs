//! The newest snapshot, and those who wait for the next.

use std::sync::Arc;

use arc_swap::ArcSwap;
use schloss_wire::Principal;
use tokio::sync::watch;

use crate::draft::Draft;
use crate::error::MetadataError;
use crate::record::Record;
use crate::snapshot::Snapshot;

/// What a [`Ledger`](crate::Ledger) amounts to. Readers take a snapshot and never wait; the ledger alone
/// publishes, one snapshot after the other.
pub struct State {
    newest: ArcSwap<Snapshot>,
    changes: watch::Sender<Arc<Snapshot>>,
}

impl State {
    /// The state after these records. Compiles all rules; later changes compile what they are about.
    ///
    /// # Errors
    /// A record does not fit those before it, or the two that are made once are missing: the cluster id and
    /// the salt key.
    pub fn new(
        records: impl IntoIterator<Item = Record>,
        super_users: Vec<Principal>,
    ) -> Result<Self, MetadataError> {
        let mut draft = Draft::empty(super_users);
        records.into_iter().try_for_each(|record| draft.apply(record))?;
        Ok(Self::from(draft.finish()?))
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.newest.load_full()
    }

    /// Tells of every new snapshot; one that is slow sees the newest only.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.changes.subscribe()
    }

    /// What would follow the newest snapshot after these records; it is not published.
    ///
    /// # Errors
    /// A record does not fit.
    pub fn after(&self, records: impl IntoIterator<Item = Record>) -> Result<Arc<Snapshot>, MetadataError> {
        Self::grown(Draft::after(&self.newest.load()), records)
    }

    /// What would follow the newest snapshot if these records were all there is; it is not published.
    ///
    /// # Errors
    /// A record does not fit those before it.
    pub fn anew(&self, records: impl IntoIterator<Item = Record>) -> Result<Arc<Snapshot>, MetadataError> {
        Self::grown(Draft::instead_of(&self.newest.load()), records)
    }

    fn grown(
        mut draft: Draft,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Arc<Snapshot>, MetadataError> {
        records.into_iter().try_for_each(|record| draft.apply(record))?;
        Ok(Arc::new(draft.finish()?))
    }

    /// Makes a snapshot the newest.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.newest.store(Arc::clone(&snapshot));
        self.changes.send_replace(snapshot);
    }
}

impl From<Snapshot> for State {
    fn from(snapshot: Snapshot) -> Self {
        let snapshot = Arc::new(snapshot);
        Self { changes: watch::Sender::new(Arc::clone(&snapshot)), newest: ArcSwap::new(snapshot) }
    }
}
