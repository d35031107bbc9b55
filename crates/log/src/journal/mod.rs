//! A small log of records: the metadata and the committed offsets.

mod frame;

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{BufWriter, IoSlice, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use self::frame::{Frame, Frames, HEAD_BYTES, MAGIC, head};
use crate::files::{
    create_directory, create_file, open_file, read_at, remove_if_there, sync_parent, temporary_name,
};
use crate::flusher::{Flush, Turn};
use crate::progress::{Progress, Stop};
use crate::{Disk, Flusher, LogError};

/// Largest entry of a journal, in bytes.
pub const MAX_ENTRY_BYTES: usize = 4 * 1024 * 1024;

/// The place of an appended entry; [`Journal::wait`] waits for it to be on disk.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[must_use = "an entry is on disk only when its ticket was waited for"]
pub struct Ticket(i64);

/// What was found and mended when a journal was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct JournalRecovery {
    /// Entries that were replayed.
    pub entries: u64,
    /// Bytes of an unfinished end that were cut off. They hold no entry that another one, appended later,
    /// shows to have been on disk.
    pub truncated_bytes: u64,
    /// Whether an unfinished rewrite was cleared away.
    pub removed_rewrite: bool,
}

/// A file of entries, appended in order, replayed from the start when it is opened.
///
/// Dropping it flushes nothing; [`Flusher::shutdown`] does.
pub struct Journal {
    shared: Arc<Shared>,
    flusher: Arc<Flusher>,
}

/// Locks are taken in the order of the fields.
struct Shared {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    turn: Turn,
    /// Serialises flushes and rewrites.
    flushing: Mutex<()>,
    tail: Mutex<Tail>,
    /// Bytes of the file that are on disk.
    durable_bytes: AtomicU64,
    /// Entries that are on disk, counted from the opening.
    progress: Arc<Progress>,
}

struct Tail {
    file: Arc<File>,
    /// Bytes that hold whole entries; what a failed write left lies beyond.
    length: u64,
    /// Entries appended since the opening.
    entries: i64,
}

impl Journal {
    /// Opens the journal in file `path`, made with its directory if it is not there, and shows `replay` each
    /// entry in order. Blocks on the disk.
    ///
    /// # Errors
    /// The system's; [`LogError::Corrupt`] if an entry is damaged that had been on disk: the file is left as
    /// it is; [`LogError::Replay`] if `replay` refuses an entry.
    pub fn open<E: Display>(
        path: &Path,
        flusher: Arc<Flusher>,
        mut replay: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(Self, JournalRecovery), LogError> {
        if let Some(directory) = path.parent() {
            create_directory(directory)?;
        }
        let mut recovery = JournalRecovery {
            removed_rewrite: remove_if_there(&temporary_name(path))?,
            ..Default::default()
        };
        let exists = fs::exists(path).map_err(LogError::io("look at", path))?;
        if !exists {
            write_anew(path, &**flusher.disk(), std::iter::empty::<&[u8]>())?;
            sync_parent(path)?;
        }
        let file = open_file(path)?;
        let length = recover(path, &file, &**flusher.disk(), &mut recovery, &mut replay)?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            disk: Arc::clone(flusher.disk()),
            turn: Turn::default(),
            flushing: Mutex::new(()),
            tail: Mutex::new(Tail { file: Arc::new(file), length, entries: 0 }),
            durable_bytes: AtomicU64::new(length),
            progress: Progress::new(path.to_owned(), 0),
        });
        flusher.enlist(&shared)?;
        Ok((Self { shared, flusher }, recovery))
    }

    /// Appends an entry of 1 to [`MAX_ENTRY_BYTES`] bytes in order and returns at once; it is not on disk yet.
    ///
    /// # Errors
    /// Nothing was appended. [`LogError::is_disk_full`] tells what may pass.
    pub fn append(&self, entry: &[u8]) -> Result<Ticket, LogError> {
        self.append_all(&[entry])
    }

    /// Appends several entries in one write; the ticket covers all of them. After a crash the first few of
    /// them may be there without the rest.
    ///
    /// # Errors
    /// Nothing was appended.
    pub fn append_all(&self, entries: &[&[u8]]) -> Result<Ticket, LogError> {
        let shared = &self.shared;
        let mut tail = shared.tail.lock();
        shared.progress.check()?;
        let durable = shared.durable_bytes.load(Ordering::Acquire);
        let mut length = tail.length;
        let mut heads = Vec::with_capacity(entries.len());
        for entry in entries {
            heads.push(head(entry, checked_length(&shared.path, entry)?, length, durable));
            length += (HEAD_BYTES + entry.len()) as u64;
        }
        let mut slices: Vec<IoSlice<'_>> = heads
            .iter()
            .zip(entries)
            .flat_map(|(head, entry)| [IoSlice::new(head), IoSlice::new(entry)])
            .collect();
        if let Err(error) = shared.disk.write_all(&tail.file, &mut slices, tail.length) {
            if let Err(stuck) = shared.disk.truncate(&tail.file, tail.length) {
                return Err(shared.progress.fail(&LogError::io("truncate", &shared.path)(stuck)));
            }
            return Err(LogError::io("write", &shared.path)(error));
        }
        tail.length = length;
        tail.entries += i64::try_from(entries.len()).unwrap_or(i64::MAX);
        self.flusher.schedule(shared);
        Ok(Ticket(tail.entries))
    }

    /// Resolves when the entry and all before it are on disk. One flush serves all who wait.
    pub fn wait(
        &self,
        ticket: Ticket,
    ) -> impl Future<Output = Result<(), LogError>> + Send + 'static + use<> {
        self.shared.progress.wait(ticket.0)
    }

    /// Replaces all entries by `entries`, atomically: after a crash there are the old ones or the new ones.
    ///
    /// Appends wait meanwhile, and the caller sees to it that `entries` holds what was appended before.
    /// Blocks on the disk. `entries` must not use this journal.
    ///
    /// # Errors
    /// The system's; the journal is as before.
    pub fn rewrite<T: AsRef<[u8]>>(&self, entries: impl IntoIterator<Item = T>) -> Result<(), LogError> {
        let shared = &self.shared;
        let _flushing = shared.flushing.lock();
        let mut tail = shared.tail.lock();
        shared.progress.check()?;
        let written = write_anew(&shared.path, &*shared.disk, entries);
        if written.is_err() {
            // On a full disk the remains would be in the way.
            let _ = remove_if_there(&temporary_name(&shared.path));
        }
        let (file, length) = written?;
        tail.file = Arc::new(file);
        tail.length = length;
        // From the rename on the old file is no more: what was appended to it is in the new one.
        if let Err(error) = sync_parent(&shared.path) {
            return Err(shared.progress.fail(&error));
        }
        shared.durable_bytes.store(length, Ordering::Release);
        shared.progress.advance(tail.entries);
        Ok(())
    }

    /// Bytes of the journal's file.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.shared.tail.lock().length
    }
}

impl Shared {
    fn flush_to(&self, file: &File, length: u64, entries: i64) -> Result<(), LogError> {
        if length == self.durable_bytes.load(Ordering::Acquire) {
            return Ok(());
        }
        self.disk
            .sync(file)
            .map_err(LogError::io("flush", &self.path))
            .map_err(|error| self.progress.fail(&error))?;
        self.durable_bytes.store(length, Ordering::Release);
        self.progress.advance(entries);
        Ok(())
    }
}

impl Flush for Shared {
    fn flush(&self) -> Result<(), LogError> {
        let _flushing = self.flushing.lock();
        self.progress.check()?;
        let (file, length, entries) = {
            let tail = self.tail.lock();
            (Arc::clone(&tail.file), tail.length, tail.entries)
        };
        self.flush_to(&file, length, entries)
    }

    fn close(&self) -> Result<(), LogError> {
        let _flushing = self.flushing.lock();
        let tail = self.tail.lock();
        match self.progress.check() {
            Err(LogError::Closed { .. }) => return Ok(()),
            other => other?,
        }
        self.flush_to(&tail.file, tail.length, tail.entries)?;
        self.progress.stop(Stop::Closed);
        Ok(())
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }
}

/// Replays the file, cuts off a torn end, and returns the length of what is good, all of it on disk.
fn recover<E: Display>(
    path: &Path,
    file: &File,
    disk: &dyn Disk,
    recovery: &mut JournalRecovery,
    replay: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<u64, LogError> {
    let size = file.metadata().map_err(LogError::io("look at", path))?.len();
    let corrupt = |position, reason: &str| LogError::Corrupt {
        path: path.to_owned(),
        position,
        reason: reason.to_owned(),
    };
    let mut magic = Vec::new();
    if size < MAGIC.len() as u64 {
        return Err(corrupt(0, "the file is no journal"));
    }
    read_at(file, 0, MAGIC.len(), &mut magic).map_err(LogError::io("read", path))?;
    if magic != MAGIC {
        return Err(corrupt(0, "the file is no journal of this format"));
    }
    let mut frames = Frames::new(file, size);
    let mut position = MAGIC.len() as u64;
    let torn = loop {
        match frames.at(position).map_err(LogError::io("read", path))? {
            Frame::Entry { entry, next } => {
                replay(entry).map_err(|error| LogError::Replay {
                    path: path.to_owned(),
                    position,
                    reason: error.to_string(),
                })?;
                recovery.entries += 1;
                position = next;
            }
            Frame::End => break false,
            Frame::Damaged => break true,
        }
    };
    if torn {
        if frames.was_on_disk(position).map_err(LogError::io("read", path))? {
            return Err(corrupt(
                position,
                "an entry is damaged that was on disk when later ones were appended",
            ));
        }
        recovery.truncated_bytes = size - position;
        tracing::warn!(journal = %path.display(), position, cut_bytes = size - position, "cut off a torn end");
        disk.truncate(file, position).map_err(LogError::io("truncate", path))?;
    }
    disk.sync(file).map_err(LogError::io("flush", path))?;
    Ok(position)
}

/// Writes a journal of `entries` beside `path` and renames it to that. The name is not flushed yet.
fn write_anew<T: AsRef<[u8]>>(
    path: &Path,
    disk: &dyn Disk,
    entries: impl IntoIterator<Item = T>,
) -> Result<(File, u64), LogError> {
    let temporary = temporary_name(path);
    let mut writer = BufWriter::new(create_file(&temporary)?);
    let mut write = |bytes: &[u8]| writer.write_all(bytes).map_err(LogError::io("write", &temporary));
    write(MAGIC)?;
    let mut length = MAGIC.len() as u64;
    for entry in entries {
        let entry = entry.as_ref();
        // Under its name the file is on disk as a whole, so each entry may say so of those before it.
        write(&head(entry, checked_length(path, entry)?, length, length))?;
        write(entry)?;
        length += (HEAD_BYTES + entry.len()) as u64;
    }
    let file = writer.into_inner().map_err(|error| LogError::io("write", &temporary)(error.into_error()))?;
    disk.sync(&file).map_err(LogError::io("flush", &temporary))?;
    fs::rename(&temporary, path).map_err(LogError::io("rename", &temporary))?;
    Ok((file, length))
}

fn checked_length(path: &Path, entry: &[u8]) -> Result<u32, LogError> {
    if entry.is_empty() {
        return Err(LogError::InvalidBatch { path: path.to_owned(), reason: "an entry has no bytes" });
    }
    let bytes = entry.len() as u64;
    u32::try_from(bytes)
        .ok()
        .filter(|_| entry.len() <= MAX_ENTRY_BYTES)
        .ok_or(LogError::TooLarge { bytes, limit: MAX_ENTRY_BYTES as u64 })
}

#[cfg(test)]
mod tests;
