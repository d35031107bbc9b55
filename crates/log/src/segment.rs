//! One file of a log: the only place where batches turn into bytes on disk and back.

use std::fs::{self, File};
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;
use schloss_wire::records::{BATCH_HEADER_BYTES, BatchHeader};

use crate::batches::{Batches, Check};
use crate::files::{Survives, create_file, open_file, read_at, replace};
use crate::index::{Index, Place};
use crate::stamp::Placed;
use crate::{Disk, LogError};

pub(crate) const LOG_EXTENSION: &str = "log";
pub(crate) const INDEX_EXTENSION: &str = "index";
/// Digits of a segment's name, as in Kafka.
const NAME_DIGITS: usize = 20;
/// Read at once when looking for a batch between two index entries.
const SEARCH_READ_BYTES: usize = 16 * 1024;

/// A file of batches and the index to it. Read by many, written by the owner of the partition's writer lock.
pub(crate) struct Segment {
    base_offset: i64,
    path: PathBuf,
    file: File,
    /// Bytes that hold whole batches; what a failed write left lies beyond.
    size: AtomicU64,
    index: RwLock<Index>,
}

impl Segment {
    /// Makes an empty segment. Its name is not on disk before the directory is flushed.
    pub(crate) fn create(directory: &Path, base_offset: i64) -> Result<Self, LogError> {
        let path = file_name(directory, base_offset, LOG_EXTENSION);
        let file = create_file(&path)?;
        let index = RwLock::new(Index::new(base_offset));
        Ok(Self { base_offset, path, file, size: AtomicU64::new(0), index })
    }

    /// Opens a segment with nothing known about its bytes: the index is empty.
    pub(crate) fn open(directory: &Path, base_offset: i64) -> Result<Self, LogError> {
        let path = file_name(directory, base_offset, LOG_EXTENSION);
        let file = open_file(&path)?;
        let size = file.metadata().map_err(LogError::io("look at", &path))?.len();
        let index = RwLock::new(Index::new(base_offset));
        Ok(Self { base_offset, path, file, size: AtomicU64::new(size), index })
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

    /// Whether `bytes` more, up to `last_offset`, belong into the next segment.
    pub(crate) fn is_full_for(&self, bytes: u64, last_offset: i64, segment_bytes: u64) -> bool {
        let size = self.size();
        let spans_too_much = u32::try_from(last_offset - self.base_offset).is_err();
        size > 0 && (size + bytes > segment_bytes || spans_too_much)
    }

    /// Writes `batches` behind what is there, in one system call if it can be.
    ///
    /// # Errors
    /// The segment is as before, but for bytes beyond its size: [`take_back`](Self::take_back) removes them.
    pub(crate) fn append(
        &self,
        disk: &dyn Disk,
        batches: &[Placed],
        index_interval: u32,
    ) -> Result<(), LogError> {
        let mut slices: Vec<IoSlice<'_>> =
            batches.iter().flat_map(|batch| [IoSlice::new(&batch.head), IoSlice::new(&batch.rest)]).collect();
        disk.write_all(&self.file, &mut slices, self.size()).map_err(LogError::io("write", &self.path))?;
        let mut index = self.index.write();
        for batch in batches {
            index.add(&batch.header, index_interval);
        }
        self.size.store(index.end().position, Ordering::Release);
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

    /// Whole batches from the one that holds `offset` on, before position `limit`, which is the boundary of
    /// one. Empty if the first is larger than `max_bytes`, unless `at_least_one`.
    pub(crate) fn read(
        &self,
        offset: i64,
        limit: u64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Bytes, LogError> {
        let start = self.index.read().before_offset(offset);
        let Some((from, first)) = self.find(start, limit, offset, |header| header.last_offset() >= offset)?
        else {
            return Ok(Bytes::new());
        };
        if first.total_bytes > max_bytes && !at_least_one {
            return Ok(Bytes::new());
        }
        let room = first.total_bytes.max(max_bytes);
        let left = usize::try_from(limit - from).unwrap_or(usize::MAX);
        let mut buffer = Vec::new();
        self.read_into(from, room.min(left), &mut buffer)?;
        if room < left {
            buffer.truncate(self.whole_batches(from, &buffer, &first)?);
        }
        Ok(buffer.into())
    }

    /// How many bytes of `buffer`, read at `from`, are whole batches.
    fn whole_batches(&self, from: u64, buffer: &[u8], first: &BatchHeader) -> Result<usize, LogError> {
        let known = self.index.read().before_position(from + buffer.len() as u64).position;
        // The index spares the walk over all but the last few.
        let mut end = usize::try_from(known.saturating_sub(from)).unwrap_or(0).max(first.total_bytes);
        loop {
            let Some(header) = buffer.get(end..).and_then(<[u8]>::first_chunk::<BATCH_HEADER_BYTES>) else {
                return Ok(end);
            };
            let header = BatchHeader::parse(header)
                .map_err(|error| self.corrupt(from + end as u64, error.to_string()))?;
            match end.checked_add(header.total_bytes) {
                Some(next) if next <= buffer.len() => end = next,
                _ => return Ok(end),
            }
        }
    }

    /// The first batch with a timestamp of `timestamp` (milliseconds) or later before position `limit`.
    pub(crate) fn first_at_time(
        &self,
        timestamp: i64,
        limit: u64,
    ) -> Result<Option<(BatchHeader, Bytes)>, LogError> {
        let start = {
            let index = self.index.read();
            if index.newest().is_none_or(|(newest, _)| newest < timestamp) {
                return Ok(None);
            }
            index.before_time(timestamp)
        };
        let found = self.find(start, limit, i64::MAX, |header| header.max_timestamp >= timestamp)?;
        found.map(|(position, header)| self.whole(position, header)).transpose()
    }

    /// Largest timestamp in milliseconds.
    pub(crate) fn newest_timestamp(&self) -> Option<i64> {
        self.index.read().newest().map(|(timestamp, _)| timestamp)
    }

    fn whole(&self, position: u64, header: BatchHeader) -> Result<(BatchHeader, Bytes), LogError> {
        let mut buffer = Vec::new();
        self.read_into(position, header.total_bytes, &mut buffer)?;
        Ok((header, buffer.into()))
    }

    /// The first batch from `start` on that `wanted` takes. `likely` is the offset it may begin with.
    fn find(
        &self,
        start: Place,
        limit: u64,
        likely: i64,
        wanted: impl Fn(&BatchHeader) -> bool,
    ) -> Result<Option<(u64, BatchHeader)>, LogError> {
        let read_ahead = if start.offset == likely { 0 } else { SEARCH_READ_BYTES };
        let mut batches = self.batches(start, limit, Check::Header, read_ahead);
        while let Some((position, header)) = batches.next()? {
            if wanted(&header) {
                return Ok(Some((position, header)));
            }
        }
        Ok(None)
    }

    /// A walk over the batches from `start` to position `end`.
    pub(crate) const fn batches(
        &self,
        start: Place,
        end: u64,
        check: Check,
        read_ahead: usize,
    ) -> Batches<'_> {
        Batches::new(self, start, end, check, read_ahead)
    }

    /// Appends the `length` bytes at `position` to `buffer`.
    pub(crate) fn read_into(
        &self,
        position: u64,
        length: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), LogError> {
        read_at(&self.file, position, length, buffer).map_err(LogError::io("read", &self.path))
    }

    /// Runs `with` on the index.
    pub(crate) fn index<T>(&self, with: impl FnOnce(&mut Index) -> T) -> T {
        with(&mut self.index.write())
    }

    /// Takes the index from its file. `Ok(false)` if that is damaged or another segment's, `None` if missing.
    pub(crate) fn load_index(&self, directory: &Path) -> Option<bool> {
        let path = file_name(directory, self.base_offset, INDEX_EXTENSION);
        let size = self.size();
        let facts = fs::metadata(&path).ok()?;
        if facts.len() > Index::max_file_bytes(size) {
            return Some(false);
        }
        let loaded = Index::decode(&fs::read(&path).ok()?, self.base_offset, size);
        Some(loaded.map(|index| *self.index.write() = index).is_some())
    }

    /// Writes the index to its file; it can be made anew, so it need not survive a power cut.
    pub(crate) fn store_index(&self, directory: &Path) -> Result<(), LogError> {
        let content = self.index.read().encode();
        replace(&file_name(directory, self.base_offset, INDEX_EXTENSION), &content, Survives::ProcessOnly)
    }

    pub(crate) fn corrupt(&self, position: u64, reason: String) -> LogError {
        LogError::Corrupt { path: self.path.clone(), position, reason }
    }
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
