//! The handle: one writer, any number of readers.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use schloss_identity::{CredentialStore, FakeSaltKey, Mechanism, SaltShape, ScramCredential};
use schloss_log::{Flusher, Journal};
use schloss_policy::TopicNames;
use schloss_wire::{Principal, Uuid};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::draft::Draft;
use crate::entry::{self, Decoder, Entries};
use crate::error::MetadataError;
use crate::random::random_uuid;
use crate::record::{Record, SaltKeyRecord, uuid_text};
use crate::snapshot::Snapshot;

/// A journal smaller than this, in bytes, is left as it is.
const COMPACT_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// A journal is rewritten when it is so many times as large as after the last rewrite.
const COMPACT_GROWTH: u64 = 2;
/// How many producer ids are reserved by one record (`ProducerIdsBlock` of Kafka). Those that were not given
/// out before a restart are lost, which does no harm.
const PRODUCER_IDS_PER_BLOCK: i64 = 1000;

const JOURNAL_FILE: &str = "journal";
const LOCK_FILE: &str = "lock";

/// The metadata of an installation.
///
/// Readers take a [`Snapshot`] and never wait. Changes come one after the other: each decides on the state
/// that all before it left, is appended to the journal as a whole, and becomes visible when it is on disk.
pub struct Metadata {
    snapshot: ArcSwap<Snapshot>,
    writer: Arc<Mutex<Writer>>,
    changes: watch::Sender<Arc<Snapshot>>,
    producer_ids: Mutex<Range<i64>>,
    /// Held as long as the directory is open.
    _lock: File,
}

struct Writer {
    journal: Arc<Journal>,
    /// The size in bytes from which on the journal is rewritten.
    compact_at: u64,
}

impl Metadata {
    /// Opens the metadata in `directory`, made with mode 0700 if it is not there; a new one gets its cluster
    /// id and its salt key. Blocks on the disk, and reads the whole journal.
    ///
    /// # Errors
    /// The directory can't be used or is in use, the journal is damaged, or holds records of another version.
    pub fn open(
        directory: &Path,
        super_users: Vec<Principal>,
        flusher: Arc<Flusher>,
    ) -> Result<Arc<Self>, MetadataError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(MetadataError::io(directory))?;
        let lock = lock(directory)?;
        let mut draft = Draft::empty(super_users);
        let mut decoder = Decoder::default();
        let path = directory.join(JOURNAL_FILE);
        let (journal, recovery) = Journal::open(&path, flusher, |entry| {
            decoder.decode(entry)?.into_iter().try_for_each(|record| draft.apply(record))
        })?;
        if recovery.truncated_bytes > 0 || decoder.is_unfinished() {
            tracing::warn!(
                truncated_bytes = recovery.truncated_bytes,
                "a metadata change that was never confirmed is dropped"
            );
        }
        let new = !draft.is_founded();
        if new {
            draft.apply(Record::ClusterId { id: uuid_text(random_uuid()) })?;
            draft.apply(Record::FakeSaltKey(SaltKeyRecord(Arc::new(FakeSaltKey::generate()))))?;
        }
        let snapshot = Arc::new(draft.finish()?);
        if new || decoder.is_unfinished() {
            journal.rewrite(Entries::new(snapshot.records()))?;
        }
        let compact_at = compact_at(journal.size_bytes());
        Ok(Arc::new(Self {
            writer: Arc::new(Mutex::new(Writer { journal: Arc::new(journal), compact_at })),
            changes: watch::Sender::new(Arc::clone(&snapshot)),
            snapshot: ArcSwap::new(snapshot),
            producer_ids: Mutex::new(0..0),
            _lock: lock,
        }))
    }

    /// The state now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Tells of every new snapshot; one that is slow sees the newest only.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.changes.subscribe()
    }

    /// Changes the state. `decide` sees the newest state and nobody else changes it meanwhile; it returns the
    /// records that make the change, and an answer. The change is on disk and visible when this returns. No
    /// records are no change. Once decided, a change goes through even if this future is dropped.
    ///
    /// # Errors
    /// That of `decide`, and then nothing was changed; else a [`MetadataError`]. If the flush failed, it shows
    /// only after a restart whether the change got to the disk; until then no further one is accepted.
    pub async fn change<T, E>(
        self: &Arc<Self>,
        decide: impl FnOnce(&Snapshot) -> Result<(Vec<Record>, T), E>,
    ) -> Result<T, E>
    where
        E: From<MetadataError>,
    {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        let (records, answer) = decide(&self.snapshot.load())?;
        if !records.is_empty() {
            let this = Arc::clone(self);
            // A task of its own: a caller that goes away between the append and the swap would leave the
            // journal ahead of the state that the next change decides on.
            let done = tokio::spawn(async move { this.commit(writer, records).await });
            done.await.map_err(|_| MetadataError::Interrupted)??;
        }
        Ok(answer)
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

    async fn commit(
        self: Arc<Self>,
        mut writer: OwnedMutexGuard<Writer>,
        records: Vec<Record>,
    ) -> Result<(), MetadataError> {
        let before = self.snapshot();
        // Compiling a hundred thousand ACLs takes a while; requests go on meanwhile.
        let prepared = tokio::task::spawn_blocking(move || {
            let entries = entry::encode(&records)?;
            let mut draft = Draft::after(&before);
            records.into_iter().try_for_each(|record| draft.apply(record))?;
            Ok::<_, MetadataError>((entries, Arc::new(draft.finish()?)))
        });
        let (entries, after) = prepared.await.map_err(|_| MetadataError::Interrupted)??;
        let entries: Vec<&[u8]> = entries.iter().map(|entry| entry.as_slice()).collect();
        let ticket = writer.journal.append_all(&entries)?;
        writer.journal.wait(ticket).await?;
        self.snapshot.store(Arc::clone(&after));
        self.changes.send_replace(Arc::clone(&after));
        if writer.journal.size_bytes() >= writer.compact_at {
            self.compact(&mut writer, after).await;
        }
        Ok(())
    }

    /// Rewrites the journal with what is left of it. A failure is not the change's: that is on disk.
    async fn compact(&self, writer: &mut Writer, snapshot: Arc<Snapshot>) {
        let journal = Arc::clone(&writer.journal);
        let rewritten =
            tokio::task::spawn_blocking(move || journal.rewrite(Entries::new(snapshot.records()))).await;
        match rewritten {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the metadata journal can't be rewritten; it grows on"),
            Err(error) => tracing::warn!(%error, "rewriting the metadata journal was interrupted"),
        }
        writer.compact_at = compact_at(writer.journal.size_bytes());
    }
}

impl CredentialStore for Metadata {
    fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>> {
        self.snapshot.load().scram(user, mechanism)
    }

    fn unknown_iterations(&self, mechanism: Mechanism, seed: u64) -> u32 {
        self.snapshot.load().unknown_iterations(mechanism, seed)
    }

    fn unknown_salt_shape(&self, mechanism: Mechanism, seed: u64) -> SaltShape {
        self.snapshot.load().unknown_salt_shape(mechanism, seed)
    }
}

impl TopicNames for Metadata {
    fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.snapshot.load().name_of(id)
    }

    fn is_missing(&self, name: &str) -> bool {
        self.snapshot.load().is_missing(name)
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metadata").field("snapshot", &self.snapshot.load()).finish_non_exhaustive()
    }
}

fn compact_at(size_bytes: u64) -> u64 {
    size_bytes.saturating_mul(COMPACT_GROWTH).max(COMPACT_BYTES_MIN)
}

/// Two processes that append to one journal would destroy it. The system gives the lock back when the
/// process ends, however it ends.
fn lock(directory: &Path) -> Result<File, MetadataError> {
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(MetadataError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MetadataError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(MetadataError::io(&path)(error)),
    }
}
