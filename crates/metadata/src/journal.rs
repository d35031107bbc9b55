//! The ledger of one machine: a journal in a directory of its own.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use schloss_log::{Flusher, Journal, Vault};
use schloss_wire::Principal;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::draft::Draft;
use crate::entry::{self, Decoder, Entries};
use crate::error::MetadataError;
use crate::ledger::{Commit, Ledger, LedgerFuture, Turn};
use crate::random::random_uuid;
use crate::record::{Record, SaltKeyRecord, uuid_text};
use crate::snapshot::Snapshot;
use crate::state::State;

/// A journal smaller than this, in bytes, is left as it is.
const COMPACT_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// A journal is rewritten when it is so many times as large as after the last rewrite.
const COMPACT_GROWTH: u64 = 2;

const JOURNAL_FILE: &str = "journal";
const LOCK_FILE: &str = "lock";

/// Keeps changes in a file. No other process can, so a turn is never superseded.
pub(crate) struct JournalLedger {
    state: Arc<State>,
    writer: Arc<Mutex<Writer>>,
}

struct Writer {
    journal: Arc<Journal>,
    /// The size in bytes from which on the journal is rewritten.
    compact_at: u64,
    /// Held as long as the directory is open.
    _lock: File,
}

struct JournalTurn {
    state: Arc<State>,
    writer: OwnedMutexGuard<Writer>,
}

impl JournalLedger {
    /// Opens the journal in `directory`, made with mode 0700 if it is not there; a new one gets its cluster id
    /// and its salt key. Blocks on the disk, and reads the whole journal.
    ///
    /// # Errors
    /// The directory can't be used or is in use, the journal is damaged, or holds records of another version.
    pub(crate) fn open(
        directory: &Path,
        super_users: Vec<Principal>,
        vault: &Vault,
        flusher: Arc<Flusher>,
    ) -> Result<(Self, Arc<State>), MetadataError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(MetadataError::io(directory))?;
        let lock = lock(directory)?;
        let mut draft = Draft::empty(super_users);
        let mut decoder = Decoder::default();
        let path = directory.join(JOURNAL_FILE);
        let (journal, recovery) =
            Journal::open(&path, vault.journal("metadata", &path)?, flusher, |entry| {
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
            draft.apply(Record::FakeSaltKey(SaltKeyRecord::generate()))?;
        }
        let state = Arc::new(State::from(draft.finish()?));
        if new || decoder.is_unfinished() {
            journal.rewrite(Entries::new(state.snapshot().records()))?;
        }
        let compact_at = compact_at(journal.size_bytes());
        let writer = Writer { journal: Arc::new(journal), compact_at, _lock: lock };
        Ok((Self { state: Arc::clone(&state), writer: Arc::new(Mutex::new(writer)) }, state))
    }
}

impl Ledger for JournalLedger {
    fn begin(&self, _attempt: u32) -> LedgerFuture<'_, Box<dyn Turn>> {
        Box::pin(async {
            let writer = Arc::clone(&self.writer).lock_owned().await;
            Ok(Box::new(JournalTurn { state: Arc::clone(&self.state), writer }) as Box<dyn Turn>)
        })
    }
}

impl Turn for JournalTurn {
    fn commit(self: Box<Self>, records: Vec<Record>) -> LedgerFuture<'static, Commit> {
        Box::pin(self.write(records))
    }
}

impl JournalTurn {
    async fn write(mut self: Box<Self>, records: Vec<Record>) -> Result<Commit, MetadataError> {
        let state = Arc::clone(&self.state);
        // Compiling a hundred thousand ACLs takes a while; requests go on meanwhile.
        let prepared = tokio::task::spawn_blocking(move || {
            let entries = entry::encode(&records)?;
            Ok::<_, MetadataError>((entries, state.after(records)?))
        });
        let (entries, after) = prepared.await.map_err(|_| MetadataError::Interrupted)??;
        let entries: Vec<&[u8]> = entries.iter().map(|entry| entry.as_slice()).collect();
        let ticket = self.writer.journal.append_all(&entries)?;
        self.writer.journal.wait(ticket).await?;
        self.state.publish(Arc::clone(&after));
        if self.writer.journal.size_bytes() >= self.writer.compact_at {
            self.writer.compact(after).await;
        }
        Ok(Commit::Made)
    }
}

impl Writer {
    /// Rewrites the journal with what is left of it. A failure is not the change's: that is on disk.
    async fn compact(&mut self, snapshot: Arc<Snapshot>) {
        let journal = Arc::clone(&self.journal);
        let rewritten =
            tokio::task::spawn_blocking(move || journal.rewrite(Entries::new(snapshot.records()))).await;
        match rewritten {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the metadata journal can't be rewritten; it grows on"),
            Err(error) => tracing::warn!(%error, "rewriting the metadata journal was interrupted"),
        }
        self.compact_at = compact_at(self.journal.size_bytes());
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
