//! One file of a log: the only place where batches turn into bytes on disk and back.

use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use schloss_keys::OpenError;
use schloss_wire::records::BatchHeader;

use crate::files::{Survives, create_file, open_file, read_at, remove_if_there, replace, unfinished_name};
use crate::frames::Frames;
use crate::header::{self, FIRST_POSITION, HEADER_BYTES, NewHeader, Opener, SegmentPlace, Writer};
use crate::index::{Index, Place};
use crate::scratch::with_sealing;
use crate::stamp::Placed;
use crate::window::Window;
use crate::{Disk, Identity, LogError, Sealing};

pub(crate) const LOG_EXTENSION: &str = "log";
pub(crate) const INDEX_EXTENSION: &str = "index";
/// Of a segment that is to replace others, until it does.
const REWRITTEN_EXTENSION: &str = "rewritten";
/// Digits of a segment's name, as in Kafka.
const NAME_DIGITS: usize = 20;
/// Read at once when looking for a batch between two index entries.
const SEARCH_READ_BYTES: usize = 16 * 1024;
/// Read at once when batches are opened one after the other: it stays in the processor's cache until then.
const READ_BYTES: usize = 128 * 1024;
/// So much can be read and opened in less time than it takes to hand it to another thread.
const LITTLE_BYTES: u64 = 64 * 1024;
/// What indexes are sealed for.
const INDEX_USE: &str = "segment index";

/// Where the segments of a log are, whose they are, and how they are protected.
#[derive(Clone, Debug)]
pub struct Home {
    /// A directory for this log alone.
    pub directory: PathBuf,
    /// Which partition it is.
    pub identity: Identity,
    /// How what is stored is protected.
    pub sealing: Sealing,
}

/// A file of batches and the index to it. Read by many, written by the owner of the partition's writer lock.
///
/// Only a segment that this process made takes appends: the key that seals is never read from a disk.
pub(crate) struct Segment {
    base_offset: i64,
    path: PathBuf,
    file: File,
    place: SegmentPlace,
    opener: Opener,
    /// Gone for good after a failed write: its positions may have been used.
    writer: Mutex<Option<Writer>>,
    /// Bytes that hold the header and whole frames; what a failed write left lies beyond.
    size: AtomicU64,
    index: RwLock<Index>,
}

impl Segment {
    /// Makes an empty segment, in place of an empty one that may be there. Its name is not on disk before the
    /// directory is flushed.
    pub(crate) fn create(home: &Home, disk: &dyn Disk, base_offset: i64) -> Result<Self, LogError> {
        let path = file_name(&home.directory, base_offset, LOG_EXTENSION);
        let mut segment = Self::create_at(unfinished_name(&path), home, disk, base_offset)?;
        if let Err(error) = segment.rename(path) {
            // On a full disk the remains would be in the way.
            let _ = remove_if_there(segment.path());
            return Err(error);
        }
        Ok(segment)
    }

    /// Makes an empty segment that is to replace others, in a file that the next start clears away.
    pub(crate) fn create_beside(home: &Home, disk: &dyn Disk, base_offset: i64) -> Result<Self, LogError> {
        let path = unfinished_name(&file_name(&home.directory, base_offset, REWRITTEN_EXTENSION));
        Self::create_at(path, home, disk, base_offset)
    }

    fn create_at(path: PathBuf, home: &Home, disk: &dyn Disk, base_offset: i64) -> Result<Self, LogError> {
        let header = NewHeader::new(home.identity, &home.sealing, base_offset)?;
        let file = create_file(&path)?;
        if let Err(error) = disk.write_all(&file, &mut [IoSlice::new(&header.bytes)], 0) {
            let _ = remove_if_there(&path);
            return Err(LogError::io("write", &path)(error));
        }
        Ok(Self {
            base_offset,
            path,
            file,
            place: header.place,
            opener: header.opener,
            writer: Mutex::new(Some(header.writer)),
            size: AtomicU64::new(FIRST_POSITION),
            index: RwLock::new(Index::new(base_offset, header.place.id())),
        })
    }

    /// Gives the file another name, in place of one that may be there.
    pub(crate) fn rename(&mut self, path: PathBuf) -> Result<(), LogError> {
        fs::rename(&self.path, &path).map_err(LogError::io("rename", &self.path))?;
        self.path = path;
        Ok(())
    }

    /// When the file was made, in milliseconds since the epoch, as far as the file system knows.
    pub(crate) fn made_ms(&self) -> Option<i64> {
        let facts = self.file.metadata().ok()?;
        let made = facts.created().or_else(|_| facts.modified()).ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(made.as_millis()).ok()
    }

    /// Opens a segment for reading, with nothing known about its batches: the index is empty.
    pub(crate) fn open(home: &Home, base_offset: i64) -> Result<Self, LogError> {
        let path = file_name(&home.directory, base_offset, LOG_EXTENSION);
        let file = open_file(&path)?;
        let size = file.metadata().map_err(LogError::io("look at", &path))?.len();
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        let length = usize::try_from(size).map_or(HEADER_BYTES, |size| size.min(HEADER_BYTES));
        read_at(&file, 0, length, &mut bytes).map_err(LogError::io("read", &path))?;
        let (place, opener) = header::parse(&path, &bytes, home.identity, &home.sealing, base_offset)?;
        Ok(Self {
            base_offset,
            path,
            file,
            place,
            opener,
            writer: Mutex::new(None),
            size: AtomicU64::new(size),
            index: RwLock::new(Index::new(base_offset, place.id())),
        })
    }

    pub(crate) const fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) const fn is_sealed(&self) -> bool {
        matches!(self.opener, Opener::Sealed(_))
    }

    /// Whether it holds no batch.
    pub(crate) fn is_empty(&self) -> bool {
        self.size() <= FIRST_POSITION
    }

    /// Bytes of the frame of a batch.
    pub(crate) const fn frame_bytes(&self, batch_bytes: usize) -> usize {
        batch_bytes + self.opener.tag_bytes()
    }

    /// Whether `bytes` more, up to `last_offset`, belong into the next segment, or nothing can be added at all.
    pub(crate) fn is_full_for(&self, bytes: u64, last_offset: i64, segment_bytes: u64) -> bool {
        if self.writer.lock().is_none() {
            return true;
        }
        let spans_too_much = u32::try_from(last_offset - self.base_offset).is_err();
        !self.is_empty() && (self.size() + bytes > segment_bytes || spans_too_much)
    }

    /// Writes `batches` behind what is there, in one system call if it can be.
    ///
    /// # Errors
    /// The segment is as before, but for bytes beyond its size, which [`take_back`](Self::take_back) removes, and
    /// takes no appends any more.
    pub(crate) fn append(
        &self,
        disk: &dyn Disk,
        batches: &[Placed],
        index_interval: u32,
    ) -> Result<(), LogError> {
        let mut kept = self.writer.lock();
        // It comes back only if all went well.
        let Some(mut writer) = kept.take() else {
            return Err(LogError::Closed { path: self.path.clone() });
        };
        let start = self.size();
        match writer {
            Writer::Plain => {
                let slices = batches.iter().flat_map(|batch| [&batch.prefix[..], &batch.body]);
                let mut slices: Vec<IoSlice<'_>> = slices.map(IoSlice::new).collect();
                disk.write_all(&self.file, &mut slices, start)
            }
            Writer::Sealed(_) => {
                let bytes = batches.iter().map(|batch| self.frame_bytes(batch.bytes())).sum();
                with_sealing(bytes, |frames| {
                    self.seal(&mut writer, batches, start, frames)?;
                    disk.write_all(&self.file, &mut [IoSlice::new(frames)], start)
                })
            }
        }
        .map_err(LogError::io("write", &self.path))?;
        *kept = Some(writer);
        let mut index = self.index.write();
        for batch in batches {
            index.add(&batch.header, self.frame_bytes(batch.bytes()) as u64, index_interval);
        }
        self.size.store(index.end().position, Ordering::Release);
        Ok(())
    }

    fn seal(
        &self,
        writer: &mut Writer,
        batches: &[Placed],
        start: u64,
        mut frames: &mut [u8],
    ) -> io::Result<()> {
        let mut position = start;
        for batch in batches {
            let bytes = self.frame_bytes(batch.bytes());
            let frame = frames.split_off_mut(..bytes).unwrap_or_default();
            writer
                .seal(&self.place, position, &batch.prefix, &batch.body, frame)
                .map_err(io::Error::other)?;
            position += bytes as u64;
        }
        Ok(())
    }

    /// Cuts off what lies beyond the size.
    pub(crate) fn take_back(&self, disk: &dyn Disk) -> Result<(), LogError> {
        disk.truncate(&self.file, self.size()).map_err(LogError::io("truncate", &self.path))
    }

    /// Cuts the segment to what its index holds, for good.
    pub(crate) fn cut_to_index(&self, disk: &dyn Disk) -> Result<(), LogError> {
        self.size.store(self.index.read().end().position, Ordering::Release);
        self.take_back(disk)
    }

    /// Brings the bytes to disk.
    pub(crate) fn sync(&self, disk: &dyn Disk) -> Result<(), LogError> {
        disk.sync(&self.file).map_err(LogError::io("flush", &self.path))
    }

    /// Whole batches from the first that ends at `offset` or later on, before position `limit`, which is the
    /// boundary of a frame. `None` if there is none. Empty if the first is larger than `max_bytes`, unless
    /// `at_least_one`.
    pub(crate) fn read(
        &self,
        offset: i64,
        limit: u64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<Bytes>, LogError> {
        let Some(start) = self.locate(offset, limit)? else { return Ok(None) };
        let left = usize::try_from(limit - start).unwrap_or(usize::MAX);
        self.frames(start, limit, READ_BYTES.min(left)).collect(offset, max_bytes, at_least_one)
    }

    /// As [`read`](Self::read), if what there is to read is little and needs no disk; else the outer `None`.
    pub(crate) fn read_without_waiting(
        &self,
        offset: i64,
        limit: u64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<Option<Bytes>>, LogError> {
        let start = self.index.read().before_offset(offset).position;
        if limit.saturating_sub(start) > LITTLE_BYTES {
            return Ok(None);
        }
        let Some(window) = Window::in_memory(&self.file, start, limit) else { return Ok(None) };
        let mut frames = Frames::new(self, start, window);
        let Some(start) = frames.locate(offset)? else { return Ok(Some(None)) };
        frames.restarted(start).collect(offset, max_bytes, at_least_one).map(Some)
    }

    /// The position of the last frame before `limit` that begins at `offset` or before, or else of the first.
    fn locate(&self, offset: i64, limit: u64) -> Result<Option<u64>, LogError> {
        let start = self.index.read().before_offset(offset);
        if start.offset == offset && start.position < limit {
            return Ok(Some(start.position));
        }
        self.frames(start.position, limit, SEARCH_READ_BYTES).locate(offset)
    }

    /// What `found` makes of the first batch that has a timestamp of `timestamp` (milliseconds) or later, lies
    /// before position `limit`, and is one that `found` makes something of.
    pub(crate) fn first_at_time<T>(
        &self,
        timestamp: i64,
        limit: u64,
        mut found: impl FnMut(&BatchHeader, Bytes) -> Option<T>,
    ) -> Result<Option<T>, LogError> {
        let start = {
            let index = self.index.read();
            if index.newest().is_none_or(|newest| newest < timestamp) {
                return Ok(None);
            }
            index.before_time(timestamp)
        };
        let mut frames = self.frames(start.position, limit, SEARCH_READ_BYTES);
        while let Some(frame) = frames.next()? {
            let mut batch = vec![0; frame.prefix.batch_bytes];
            let header = frames.open(&frame, &mut batch)?;
            if header.max_timestamp >= timestamp
                && let Some(found) = found(&header, batch.into())
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The frames from position `start` to position `end`.
    fn frames(&self, start: u64, end: u64, read_ahead: usize) -> Frames<'_> {
        Frames::new(self, start, Window::new(&self.file, end, read_ahead))
    }

    /// The frames from position `start` to the end, for one who opens them all.
    pub(crate) fn frames_from(&self, start: u64) -> Frames<'_> {
        self.frames(start, self.size(), READ_BYTES)
    }

    pub(crate) fn open_frame(&self, position: u64, frame: &[u8], batch: &mut [u8]) -> Result<(), OpenError> {
        self.opener.open(&self.place, position, frame, batch)
    }

    /// Runs `with` on the index.
    pub(crate) fn index<T>(&self, with: impl FnOnce(&mut Index) -> T) -> T {
        with(&mut self.index.write())
    }

    /// Takes the index from its file. `Some(false)` if that is damaged or another segment's, `None` if missing.
    pub(crate) fn load_index(&self, home: &Home) -> Option<bool> {
        let path = file_name(&home.directory, self.base_offset, INDEX_EXTENSION);
        let size = self.size();
        let facts = fs::metadata(&path).ok()?;
        if facts.len() > Index::max_file_bytes(size) {
            return Some(false);
        }
        let stored = fs::read(&path).ok()?;
        let content = home.sealing.reveal(INDEX_USE, self.place.bytes(), stored).ok();
        let loaded =
            content.and_then(|content| Index::decode(&content, self.base_offset, self.place.id(), size));
        Some(loaded.map(|index| *self.index.write() = index).is_some())
    }

    /// Writes the index to its file; it can be made anew, so it need not survive a power cut.
    pub(crate) fn store_index(&self, home: &Home) -> Result<(), LogError> {
        let content = self.index.read().encode();
        let content = home.sealing.protect(INDEX_USE, self.place.bytes(), content)?;
        let path = file_name(&home.directory, self.base_offset, INDEX_EXTENSION);
        replace(&path, &content, Survives::ProcessOnly)
    }

    /// Removes the files of the segment. Who reads it goes on.
    pub(crate) fn remove(&self, home: &Home) -> Result<(), LogError> {
        remove_files(&home.directory, self.base_offset)
    }

    pub(crate) fn corrupt(&self, position: u64, reason: String) -> LogError {
        LogError::Corrupt { path: self.path.clone(), position, reason }
    }

    /// For `map_err`.
    pub(crate) fn cannot_read(&self) -> impl FnOnce(io::Error) -> LogError {
        LogError::io("read", &self.path)
    }

    /// Largest timestamp, in milliseconds.
    pub(crate) fn newest_timestamp(&self) -> Option<i64> {
        self.index.read().newest()
    }

    /// From when on the segment ages, in milliseconds since the epoch: its newest record's time, or that of the
    /// last write if no record has one.
    pub(crate) fn age_timestamp(&self) -> Option<i64> {
        self.newest_timestamp().filter(|newest| *newest >= 0).or_else(|| {
            let since = self.file.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since.as_millis()).ok()
        })
    }

    /// What follows the last batch.
    pub(crate) fn end(&self) -> Place {
        self.index.read().end()
    }
}

/// Removes the files of the segment with this base offset, if they are there.
pub(crate) fn remove_files(directory: &Path, base_offset: i64) -> Result<(), LogError> {
    remove_if_there(&file_name(directory, base_offset, INDEX_EXTENSION))?;
    remove_if_there(&file_name(directory, base_offset, LOG_EXTENSION))?;
    Ok(())
}

/// The name of a segment's file in `directory`.
pub(crate) fn file_name(directory: &Path, base_offset: i64, extension: &str) -> PathBuf {
    directory.join(format!("{base_offset:0NAME_DIGITS$}.{extension}"))
}

/// The base offset in the name of a segment's log.
pub(crate) fn base_offset_of(path: &Path) -> Option<i64> {
    let stem = path.file_stem()?.to_str()?;
    let is_log = path.extension()? == LOG_EXTENSION;
    let digits = stem.len() == NAME_DIGITS && stem.bytes().all(|byte| byte.is_ascii_digit());
    (is_log && digits).then(|| stem.parse().ok()).flatten()
}
