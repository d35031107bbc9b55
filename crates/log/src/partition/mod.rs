//! One partition's log.

mod removal;
mod shared;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use schloss_wire::records::BatchHeader;
use tokio::sync::watch;

pub(crate) use self::shared::Shared;
use crate::checkpoint::Checkpoint;
use crate::damage::Teller;
use crate::files::sync_parent;
use crate::progress::Stop;
use crate::recovery::{Recovered, recover, replay};
use crate::snapshot::Snapshots;
use crate::{Durability, Flusher, Home, LogConfig, LogError, MAX_SEGMENT_BYTES, OnDamage, Recovery, Replay};

pub use self::removal::Retention;

/// What a deleted partition's directory is called until it is gone.
const DELETED_EXTENSION: &str = "deleted";
/// What `log_append_time` is when the producer's timestamps stay, as in Kafka's protocol.
const NO_TIMESTAMP: i64 = -1;

/// Where an append went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// The time given to the records, in milliseconds since the epoch; -1 if they keep the producer's.
    pub log_append_time: i64,
}

/// Who is told of what is in a log. `Watch::default()` is nobody.
#[derive(Default)]
pub struct Watch<'a> {
    /// Is told of all batches when the log is opened.
    pub replay: Option<&'a mut dyn Replay>,
    /// Spares `replay` most of them at the next opening.
    pub snapshots: Option<Box<Snapshots>>,
    /// Is told of damage.
    pub on_damage: Option<OnDamage>,
}

/// One partition's log: batches in segments in a directory of its own. Shared as `Arc<PartitionLog>`.
///
/// Dropping it flushes nothing; [`Flusher::shutdown`] does.
pub struct PartitionLog {
    shared: Arc<Shared>,
    flusher: Arc<Flusher>,
}

impl PartitionLog {
    /// Opens the log in `home`, made if it is not there, and tells `watch` of its batches.
    ///
    /// Blocks on the disk. Only what is not known to be flushed is verified; a torn end of that is cut off,
    /// and `Recovery` says so. What was appended before is never appended to: the next batch begins a segment,
    /// with a key of its own.
    ///
    /// # Errors
    /// The system's, [`LogError::Corrupt`] if something that was flushed is damaged so that the rest can't be
    /// told from it: it is left as it is; [`LogError::Refused`] if it takes another key.
    pub fn open(
        home: Home,
        mut config: LogConfig,
        flusher: Arc<Flusher>,
        watch: Watch<'_>,
    ) -> Result<(Self, Recovery), LogError> {
        config.segment_bytes = config.segment_bytes.min(MAX_SEGMENT_BYTES);
        let teller = Teller::new(home.identity, watch.on_damage);
        let recovered = recover(&home, &config, &**flusher.disk());
        let Recovered { segments, start_offset, mut recovery } =
            recovered.inspect_err(|error| teller.tell(error))?;
        if let Some(to) = watch.replay {
            recovery.replayed_batches = replay(&home, &segments, &teller, to)?;
        }
        let Some(active) = segments.last().map(Arc::clone) else {
            return Err(LogError::Closed { path: home.directory });
        };
        let shared = Arc::new(Shared::new(
            home,
            config,
            &flusher,
            (teller, watch.snapshots),
            (segments, active),
            start_offset,
        ));
        flusher.enlist(&shared)?;
        let log = Self { shared, flusher };
        log.remove_what_is_left()?;
        Ok((log, recovery))
    }

    /// Appends `batches` (from [`check_batches`](schloss_wire::records::check_batches)) as a whole, in order,
    /// and returns at once: they have their place and are with the operating system, not yet on disk.
    /// `now` is in milliseconds since the epoch.
    ///
    /// # Errors
    /// Nothing was appended. [`LogError::is_disk_full`] tells what may pass.
    pub fn append(&self, batches: &[(BatchHeader, Bytes)], now: i64) -> Result<Appended, LogError> {
        let shared = &self.shared;
        let _writer = shared.writer.lock();
        shared.progress.check()?;
        let base_offset = shared.end_offset();
        let placed = shared.place(batches, base_offset, now)?;
        let Some(last_offset) = placed.last().map(|batch| batch.header.last_offset()) else {
            return Err(shared.invalid("there is no batch"));
        };
        let tag_bytes = shared.written.lock().active.frame_bytes(0);
        let bytes = placed.iter().map(|batch| (batch.bytes() + tag_bytes) as u64).sum();
        shared.take_room(bytes)?;
        if shared.make_room(bytes, last_offset)? {
            self.flusher.schedule(shared);
        }
        let active = Arc::clone(&shared.written.lock().active);
        if let Err(error) = active.append(&*shared.disk, &placed, shared.config().index_interval_bytes) {
            if let Err(stuck) = active.take_back(&*shared.disk) {
                return Err(shared.progress.fail(&stuck));
            }
            return Err(error);
        }
        let position = active.size();
        {
            let mut written = shared.written.lock();
            written.end = last_offset + 1;
            written.position = position;
        }
        match shared.config().durability {
            Durability::Os => shared.publish(Checkpoint::new(&active, position, last_offset + 1)),
            Durability::Fsync => self.flusher.schedule(shared),
        }
        let log_append_time = shared.append_time(now).unwrap_or(NO_TIMESTAMP);
        Ok(Appended { base_offset, last_offset, log_append_time })
    }

    /// Takes over segment size, index interval and timestamp source: they hold for the next append. Durability
    /// and leader epoch stay what they were.
    pub fn reconfigure(&self, config: &LogConfig) {
        let _writer = self.shared.writer.lock();
        self.shared.change_config(config);
    }

    /// Closes the last segment and begins the next one, unless it is empty. Blocks on the disk.
    ///
    /// # Errors
    /// The log failed, was deleted or closed; the system's.
    pub fn roll(&self) -> Result<(), LogError> {
        let shared = &self.shared;
        let _writer = shared.writer.lock();
        shared.progress.check()?;
        let is_empty = shared.segments().last().is_some_and(|last| last.is_empty());
        if !is_empty {
            shared.roll()?;
            self.flusher.schedule(shared);
        }
        Ok(())
    }

    /// Resolves when every record before `offset` is safe: on disk, or with the system under
    /// [`Durability::Os`]. To wait for an append: its `last_offset + 1`.
    /// Resolves with an error if the log fails, is deleted or closed before. For an offset beyond the end it
    /// waits until someone appends that far.
    pub fn wait_flushed(
        &self,
        offset: i64,
    ) -> impl Future<Output = Result<(), LogError>> + Send + 'static + use<> {
        self.shared.progress.wait(offset)
    }

    /// The first offset in the log.
    #[must_use]
    pub fn start_offset(&self) -> i64 {
        self.shared.start_offset()
    }

    /// The offset that the next record gets.
    #[must_use]
    pub fn end_offset(&self) -> i64 {
        self.shared.end_offset()
    }

    /// The offset up to which records are safe, and may be read.
    #[must_use]
    pub fn high_watermark(&self) -> i64 {
        self.shared.progress.reached()
    }

    /// Bytes of the log in all its segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.shared.segments().iter().map(|segment| segment.size()).sum()
    }

    /// Watches the high watermark. It also wakes, unchanged, when the log fails or is deleted.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<i64> {
        self.shared.progress.subscribe()
    }

    /// Whether the log still takes appends.
    ///
    /// # Errors
    /// [`LogError::Failed`], [`LogError::Deleted`], [`LogError::Closed`].
    pub fn check(&self) -> Result<(), LogError> {
        self.shared.progress.check()
    }

    /// Deletes the log with its directory: renamed to `.deleted` first, so that it is gone as a whole even if
    /// the process dies. Blocks on the disk. Appends and waits fail from now on.
    ///
    /// # Errors
    /// The system's. If the rename succeeded the log is gone, and [`remove_deleted`] clears the rest away.
    pub fn delete(&self) -> Result<(), LogError> {
        let shared = &self.shared;
        let mut renamed = shared.home.directory.clone().into_os_string();
        renamed.push(".");
        renamed.push(DELETED_EXTENSION);
        let renamed = PathBuf::from(renamed);
        {
            let _removing = shared.removing.lock();
            let _writer = shared.writer.lock();
            let _flushed = shared.flushed.lock();
            if matches!(shared.progress.check(), Err(LogError::Deleted { .. })) {
                return Ok(());
            }
            remove_directory(&renamed)?;
            match fs::rename(&shared.home.directory, &renamed) {
                // Deleted before, after a failure.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                other => other.map_err(LogError::io("rename", &shared.home.directory))?,
            }
            shared.progress.stop(Stop::Deleted);
        }
        sync_parent(&renamed)?;
        remove_directory(&renamed)
    }
}

impl PartitionLog {
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// Removes what interrupted deletions left in `parent`, the directory of the partitions' directories; returns
/// how many there were.
///
/// # Errors
/// The system's.
pub fn remove_deleted(parent: &Path) -> Result<usize, LogError> {
    let mut removed = 0;
    for entry in fs::read_dir(parent).map_err(LogError::io("list", parent))? {
        let path = entry.map_err(LogError::io("list", parent))?.path();
        if path.extension().is_some_and(|extension| extension == DELETED_EXTENSION) {
            remove_directory(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove_directory(directory: &Path) -> Result<(), LogError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(LogError::io("remove", directory)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod removal_tests;
#[cfg(test)]
mod sealing_tests;
#[cfg(test)]
mod tests;
