//! A small log of records: the metadata and the committed offsets.

mod frame;
mod header;
mod units;

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{BufWriter, IoSlice, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use self::frame::{Frame, Frames};
use self::header::{FileId, HEADER_BYTES};
use self::units::{Reader, Writer};
use crate::files::{
    create_file, open_file, own_directory, read_at, remove_if_there, sync_parent, unfinished_name,
};
use crate::flusher::{Flush, Turn};
use crate::progress::{Progress, Stop};
use crate::{Disk, Flusher, LogError, Sealing};

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
    writer: Writer,
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
    /// it is; [`LogError::Refused`] if it was written under another `sealing`; [`LogError::Replay`] if `replay`
    /// refuses an entry.
    pub fn open<E: Display>(
        path: &Path,
        sealing: Sealing,
        flusher: Arc<Flusher>,
        mut replay: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(Self, JournalRecovery), LogError> {
        if let Some(directory) = path.parent() {
            own_directory(directory)?;
        }
        let mut recovery = JournalRecovery {
            removed_rewrite: remove_if_there(&unfinished_name(path))?,
            ..Default::default()
        };
        let exists = fs::exists(path).map_err(LogError::io("look at", path))?;
        if !exists {
            write_anew(path, &sealing, &**flusher.disk(), std::iter::empty::<&[u8]>())?;
            sync_parent(path)?;
        }
        let file = open_file(path)?;
        let id = read_header(path, &file, &sealing)?;
        let reader = Reader::new(sealing.clone(), id);
        let length = recover(path, &file, reader, &**flusher.disk(), &mut recovery, &mut replay)?;
        let writer = Writer::new(sealing, id);
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            disk: Arc::clone(flusher.disk()),
            turn: Turn::default(),
            flushing: Mutex::new(()),
            tail: Mutex::new(Tail { file: Arc::new(file), writer, length, entries: 0 }),
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
        let (start, file) = (tail.length, Arc::clone(&tail.file));
        let mut frames = Vec::new();
        let written = tail.writer.write(entries, start, Some(durable), &mut frames).and_then(|()| {
            let slices = &mut [IoSlice::new(&frames)];
            shared.disk.write_all(&file, slices, start).map_err(LogError::io("write", &shared.path))
        });
        if let Err(error) = written {
            tail.writer.forget_key();
            if let Err(stuck) = shared.disk.truncate(&file, start) {
                return Err(shared.progress.fail(&LogError::io("truncate", &shared.path)(stuck)));
            }
            return Err(error);
        }
        let length = start + frames.len() as u64;
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
        let written = write_anew(&shared.path, tail.writer.sealing(), &*shared.disk, entries);
        if written.is_err() {
            // On a full disk the remains would be in the way.
            let _ = remove_if_there(&unfinished_name(&shared.path));
        }
        let (file, writer, length) = written?;
        tail.writer = writer;
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

fn read_header(path: &Path, file: &File, sealing: &Sealing) -> Result<FileId, LogError> {
    let size = file.metadata().map_err(LogError::io("look at", path))?.len();
    let length = usize::try_from(size).map_or(HEADER_BYTES, |size| size.min(HEADER_BYTES));
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    read_at(file, 0, length, &mut bytes).map_err(LogError::io("read", path))?;
    header::parse(path, &bytes, sealing)
}

/// Replays the file, cuts off a torn end, and returns the length of what is good, all of it on disk.
fn recover<E: Display>(
    path: &Path,
    file: &File,
    mut reader: Reader,
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
    let mut frames = Frames::new(file, size);
    let mut position = HEADER_BYTES as u64;
    let torn = loop {
        match frames.at(position).map_err(LogError::io("read", path))? {
            Frame::Content { content, next } => {
                let entry = reader.open(position, content);
                if let Some(entry) = entry.map_err(|error| corrupt(position, &error.to_string()))? {
                    replay(entry).map_err(|error| LogError::Replay {
                        path: path.to_owned(),
                        position,
                        reason: error.to_string(),
                    })?;
                    recovery.entries += 1;
                }
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
    sealing: &Sealing,
    disk: &dyn Disk,
    entries: impl IntoIterator<Item = T>,
) -> Result<(File, Writer, u64), LogError> {
    let temporary = unfinished_name(path);
    let mut file = BufWriter::new(create_file(&temporary)?);
    let (header, id) = header::new(sealing)?;
    let mut writer = Writer::new(sealing.clone(), id);
    let mut frames = header.to_vec();
    let mut length = 0;
    let mut entries = entries.into_iter();
    loop {
        file.write_all(&frames).map_err(LogError::io("write", &temporary))?;
        length += frames.len() as u64;
        frames.clear();
        let Some(entry) = entries.next() else { break };
        // Under its name the file is on disk as a whole, so each entry may say so of those before it.
        writer.write([entry], length, None, &mut frames)?;
    }
    let file = file.into_inner().map_err(|error| LogError::io("write", &temporary)(error.into_error()))?;
    disk.sync(&file).map_err(LogError::io("flush", &temporary))?;
    fs::rename(&temporary, path).map_err(LogError::io("rename", &temporary))?;
    Ok((file, writer, length))
}

#[cfg(test)]
mod tests;
