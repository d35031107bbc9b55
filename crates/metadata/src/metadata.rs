//! The handle: one writer at a time, any number of readers.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schloss_identity::{CredentialStore, DelegationToken, Mechanism, SaltShape, ScramCredential};
use schloss_log::{Flusher, Vault};
use schloss_policy::TopicNames;
use schloss_wire::{Principal, Uuid};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::error::MetadataError;
use crate::journal::JournalLedger;
use crate::ledger::{Commit, Ledger};
use crate::record::Record;
use crate::snapshot::Snapshot;
use crate::state::State;

/// How many producer ids are reserved by one record (`ProducerIdsBlock` of Kafka). Those that were not given
/// out before a restart are lost, which does no harm.
const PRODUCER_IDS_PER_BLOCK: i64 = 1000;
/// How long a change is decided again and again while others come between.
const PATIENCE: Duration = Duration::from_secs(10);

/// The metadata of an installation.
///
/// Readers take a [`Snapshot`] and never wait. Changes come one after the other: each decides on the state
/// that all before it left, is kept by the [`Ledger`] as a whole, and becomes visible when it is lasting.
pub struct Metadata {
    state: Arc<State>,
    ledger: Box<dyn Ledger>,
    producer_ids: Mutex<Range<i64>>,
}

impl Metadata {
    /// The metadata that a journal in `directory` keeps, sealed with a key of `vault`, made with mode 0700 if it is not there; a new one
    /// gets its cluster id and its salt key. Blocks on the disk, and reads the whole journal.
    ///
    /// # Errors
    /// The directory can't be used or is in use, the journal is damaged, or holds records of another version.
    pub fn open(
        directory: &Path,
        super_users: Vec<Principal>,
        vault: &Vault,
        flusher: Arc<Flusher>,
    ) -> Result<Arc<Self>, MetadataError> {
        let (ledger, state) = JournalLedger::open(directory, super_users, vault, flusher)?;
        Ok(Self::on(state, ledger))
    }

    /// The metadata that another ledger keeps, which publishes to this state.
    #[must_use]
    pub fn on(state: Arc<State>, ledger: impl Ledger) -> Arc<Self> {
        Arc::new(Self { state, ledger: Box::new(ledger), producer_ids: Mutex::new(0..0) })
    }

    /// The state now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.state.snapshot()
    }

    /// Tells of every new snapshot; one that is slow sees the newest only.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.state.changes()
    }

    /// Changes the state. `decide` sees the newest state and nobody else changes it meanwhile; it returns the
    /// records that make the change, and an answer. The change is lasting and visible when this returns. No
    /// records are no change. Once decided, a change goes through even if this future is dropped.
    ///
    /// Where others share the ledger, `decide` is asked again when one of them came between; only its last
    /// answer counts.
    ///
    /// # Errors
    /// That of `decide`, and then nothing was changed; else a [`MetadataError`]. If the flush of a journal
    /// failed, it shows only after a restart whether the change got to the disk; until then no further one is
    /// accepted. [`MetadataError::Undecided`] of a shared ledger says that the change may have been made.
    pub async fn change<T, E>(
        self: &Arc<Self>,
        mut decide: impl FnMut(&Snapshot) -> Result<(Vec<Record>, T), E>,
    ) -> Result<T, E>
    where
        E: From<MetadataError>,
    {
        let mut turn = self.ledger.begin(0).await?;
        let begun = Instant::now();
        let mut attempt = 1;
        loop {
            let (records, answer) = decide(&self.state.snapshot())?;
            if records.is_empty() {
                return Ok(answer);
            }
            // A task of its own: a caller that goes away between the write and the swap would leave the
            // ledger ahead of the state that the next change decides on.
            let done = tokio::spawn(turn.commit(records));
            match done.await.map_err(|_| MetadataError::Interrupted)?? {
                Commit::Made => return Ok(answer),
                Commit::Superseded { why } if begun.elapsed() > PATIENCE => {
                    return Err(MetadataError::Contended { seconds: PATIENCE.as_secs(), why }.into());
                }
                Commit::Superseded { why } => tracing::debug!(attempt, why, "a change is decided again"),
            }
            turn = self.ledger.begin(attempt).await?;
            attempt += 1;
        }
    }

    /// A producer id that was never given out before, also not by an earlier run.
    ///
    /// # Errors
    /// A new block of ids can't be reserved.
    pub async fn allocate_producer_id(self: &Arc<Self>) -> Result<i64, MetadataError> {
        let mut ids = self.producer_ids.lock().await;
        if let Some(id) = ids.next() {
            return Ok(id);
        }
        let block = self
            .change(|snapshot| {
                let first = snapshot.next_producer_id;
                let next = first.checked_add(PRODUCER_IDS_PER_BLOCK).ok_or_else(|| {
                    MetadataError::Inapplicable("there are no producer ids any more".to_owned())
                })?;
                Ok::<_, MetadataError>((vec![Record::ProducerIds { next }], first..next))
            })
            .await?;
        let first = block.start;
        *ids = first + 1..block.end;
        Ok(first)
    }
}

impl CredentialStore for Metadata {
    fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>> {
        self.state.snapshot().scram(user, mechanism)
    }

    fn account_of(&self, user: &str) -> Option<String> {
        self.state.snapshot().account_of(user)
    }

    fn delegation_token(&self, id: &str, mechanism: Mechanism) -> Option<DelegationToken> {
        self.state.snapshot().delegation_token(id, mechanism)
    }

    fn unknown_iterations(&self, mechanism: Mechanism, seed: u64) -> u32 {
        self.state.snapshot().unknown_iterations(mechanism, seed)
    }

    fn unknown_salt_shape(&self, mechanism: Mechanism, seed: u64) -> SaltShape {
        self.state.snapshot().unknown_salt_shape(mechanism, seed)
    }
}

impl TopicNames for Metadata {
    fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.state.snapshot().name_of(id)
    }

    fn exists(&self, name: &str) -> bool {
        self.state.snapshot().exists(name)
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.state.snapshot().names()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metadata").field("snapshot", &self.state.snapshot()).finish_non_exhaustive()
    }
}
