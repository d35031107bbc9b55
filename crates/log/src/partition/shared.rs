//! What appends, reads and flushes of one log have in common.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use schloss_wire::records::BatchHeader;

use crate::checkpoint::Checkpoint;
use crate::files::{Survives, sync_directory};
use crate::flusher::{Flush, Turn};
use crate::progress::{Progress, Stop};
use crate::segment::Segment;
use crate::stamp::Placed;
use crate::{Disk, Durability, Flusher, LogConfig, LogError, TimestampSource};

/// The recovery point is moved when this many bytes were flushed beyond it: it bounds what has to be verified
/// after a crash.
const CHECKPOINT_INTERVAL_BYTES: u64 = 64 * 1024 * 1024;

/// What appends, reads and flushes have in common. Locks are taken in the order of the fields.
pub(crate) struct Shared {
    pub(super) directory: PathBuf,
    pub(super) config: LogConfig,
    pub(super) disk: Arc<dyn Disk>,
    turn: Turn,
    /// Serialises appends.
    pub(super) writer: Mutex<()>,
    /// Serialises flushes.
    pub(super) flushed: Mutex<Flushed>,
    pub(super) written: Mutex<Written>,
    /// In order, at least one.
    segments: RwLock<Vec<Arc<Segment>>>,
    /// Where the high watermark is.
    visible: RwLock<Checkpoint>,
    /// The high watermark.
    pub(super) progress: Arc<Progress>,
}

/// What was written, and what of it a flush has to touch.
pub(super) struct Written {
    pub(super) end: i64,
    pub(super) active: Arc<Segment>,
    /// Where `end` is in the active segment, in bytes.
    pub(super) position: u64,
    /// Segments closed since the last flush.
    rolled: Vec<Arc<Segment>>,
}

/// What is on disk.
pub(super) struct Flushed {
    end: Checkpoint,
    /// The recovery point that is stored: `end`, or an earlier place.
    noted: Checkpoint,
}

impl Shared {
    /// A log whose `segments`, the last of them `active`, are on disk.
    pub(super) fn new(
        directory: &Path,
        config: LogConfig,
        flusher: &Flusher,
        segments: Vec<Arc<Segment>>,
        active: Arc<Segment>,
    ) -> Self {
        let end = active.index(|index| index.end());
        let flushed = Checkpoint::new(&active, end.position, end.offset);
        Self {
            directory: directory.to_owned(),
            config,
            disk: Arc::clone(flusher.disk()),
            turn: Turn::default(),
            writer: Mutex::new(()),
            flushed: Mutex::new(Flushed { end: flushed, noted: flushed }),
            visible: RwLock::new(flushed),
            written: Mutex::new(Written {
                end: end.offset,
                active,
                position: end.position,
                rolled: Vec::new(),
            }),
            segments: RwLock::new(segments),
            progress: Progress::new(directory.to_owned(), end.offset),
        }
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.written.lock().end
    }

    /// Where the high watermark is.
    pub(crate) fn visible(&self) -> Checkpoint {
        *self.visible.read()
    }

    /// The segments, in order.
    pub(crate) fn segments(&self) -> RwLockReadGuard<'_, Vec<Arc<Segment>>> {
        self.segments.read()
    }

    pub(super) fn append_time(&self, now: i64) -> Option<i64> {
        (self.config.timestamps == TimestampSource::LogAppendTime).then_some(now)
    }

    pub(super) fn place(
        &self,
        batches: &[(BatchHeader, Bytes)],
        base_offset: i64,
        now: i64,
    ) -> Result<Vec<Placed>, LogError> {
        let mut placed = Vec::with_capacity(batches.len());
        let mut next = base_offset;
        for (header, batch) in batches {
            let batch = Placed::new(header, batch, next, self.config.leader_epoch, self.append_time(now))
                .filter(|batch| batch.header.last_offset_delta >= 0)
                .ok_or_else(|| self.invalid("a batch is not what its header says"))?;
            next = next
                .checked_add(i64::from(header.last_offset_delta) + 1)
                .ok_or_else(|| self.invalid("there are no offsets left"))?;
            placed.push(batch);
        }
        Ok(placed)
    }

    /// Begins a new segment if `bytes` more do not fit into this one; returns whether it did.
    pub(super) fn make_room(&self, bytes: u64, last_offset: i64) -> Result<bool, LogError> {
        let limit = self.config.segment_bytes;
        if bytes > limit {
            return Err(LogError::TooLarge { bytes, limit });
        }
        let active = Arc::clone(&self.written.lock().active);
        if !active.is_full_for(bytes, last_offset, limit) {
            return Ok(false);
        }
        let next = Arc::new(Segment::create(&self.directory, self.end_offset())?);
        let mut written = self.written.lock();
        let closed = std::mem::replace(&mut written.active, Arc::clone(&next));
        written.rolled.push(closed);
        written.position = 0;
        self.segments.write().push(next);
        Ok(true)
    }

    /// Moves the high watermark.
    pub(super) fn publish(&self, to: Checkpoint) {
        *self.visible.write() = to;
        self.progress.advance(to.offset);
    }

    /// Flushes all that was written.
    fn flush_written(&self, flushed: &mut Flushed) -> Result<(), LogError> {
        let (active, end, rolled) = {
            let mut written = self.written.lock();
            let end = Checkpoint::new(&written.active, written.position, written.end);
            (Arc::clone(&written.active), end, std::mem::take(&mut written.rolled))
        };
        if rolled.is_empty() && end == flushed.end {
            return Ok(());
        }
        for segment in &rolled {
            segment.sync(&*self.disk)?;
        }
        active.sync(&*self.disk)?;
        if !rolled.is_empty() {
            sync_directory(&self.directory)?;
        }
        flushed.end = end;
        if self.config.durability == Durability::Fsync {
            self.publish(end);
        }
        let far = end.position.saturating_sub(flushed.noted.position) >= CHECKPOINT_INTERVAL_BYTES;
        if end.segment != flushed.noted.segment {
            self.take_note(flushed, &rolled, Survives::PowerCut);
        } else if far {
            self.take_note(flushed, &[], Survives::ProcessOnly);
        }
        Ok(())
    }

    /// Stores indexes and the recovery point. If that fails a start takes longer, and nothing is lost.
    fn take_note(&self, flushed: &mut Flushed, indexes: &[Arc<Segment>], survives: Survives) {
        let indexed = indexes.iter().try_for_each(|segment| segment.store_index(&self.directory));
        match indexed.and_then(|()| flushed.end.store(&self.directory, survives)) {
            Ok(()) => flushed.noted = flushed.end,
            Err(error) => {
                tracing::warn!(log = %self.directory.display(), %error, "recovery point not stored")
            }
        }
    }

    pub(super) fn invalid(&self, reason: &'static str) -> LogError {
        LogError::InvalidBatch { path: self.directory.clone(), reason }
    }
}

impl Flush for Shared {
    fn flush(&self) -> Result<(), LogError> {
        let mut flushed = self.flushed.lock();
        self.progress.check()?;
        self.flush_written(&mut flushed).map_err(|error| self.progress.fail(&error))
    }

    fn close(&self) -> Result<(), LogError> {
        let _writer = self.writer.lock();
        let mut flushed = self.flushed.lock();
        match self.progress.check() {
            Err(LogError::Deleted { .. } | LogError::Closed { .. }) => return Ok(()),
            other => other?,
        }
        self.flush_written(&mut flushed).map_err(|error| self.progress.fail(&error))?;
        let active = Arc::clone(&self.written.lock().active);
        self.take_note(&mut flushed, &[active], Survives::ProcessOnly);
        self.progress.stop(Stop::Closed);
        Ok(())
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }
}
