//! What appends, reads and flushes of one log have in common.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use schloss_wire::records::BatchHeader;

use crate::checkpoint::Checkpoint;
use crate::damage::Teller;
use crate::files::{Survives, sync_directory};
use crate::flusher::{Flush, Turn};
use crate::header::FIRST_POSITION;
use crate::progress::{Progress, Stop};
use crate::room::Room;
use crate::segment::{Home, Segment};
use crate::snapshot::{Snapshot, Snapshots};
use crate::stamp::Placed;
use crate::{Disk, Durability, Flusher, LogConfig, LogError, MAX_SEGMENT_BYTES, TimestampSource};

/// The recovery point is moved when this many bytes were flushed beyond it: it bounds what has to be verified
/// after a crash.
const CHECKPOINT_INTERVAL_BYTES: u64 = 64 * 1024 * 1024;

/// What appends, reads and flushes have in common. Locks are taken in the order of the fields.
pub(crate) struct Shared {
    pub(crate) home: Home,
    config: RwLock<LogConfig>,
    pub(crate) disk: Arc<dyn Disk>,
    room: Arc<Room>,
    turn: Turn,
    pub(crate) teller: Teller,
    snapshots: Option<Box<Snapshots>>,
    /// Serialises removals.
    pub(crate) removing: Mutex<()>,
    /// Serialises appends.
    pub(super) writer: Mutex<()>,
    /// Serialises flushes.
    pub(super) flushed: Mutex<Flushed>,
    pub(super) written: Mutex<Written>,
    /// In order, at least one.
    segments: RwLock<Vec<Arc<Segment>>>,
    /// Nothing before it is in the log, even if it is in a segment.
    start_offset: AtomicI64,
    /// Where the high watermark is.
    visible: RwLock<Checkpoint>,
    /// The high watermark.
    pub(crate) progress: Arc<Progress>,
}

/// What was written, and what of it a flush has to touch.
pub(super) struct Written {
    pub(super) end: i64,
    pub(super) active: Arc<Segment>,
    /// Where `end` is in the active segment, in bytes.
    pub(super) position: u64,
    /// Segments closed since the last flush.
    rolled: Vec<Arc<Segment>>,
    /// Whether a new file took the place of an empty one since then.
    renamed: bool,
}

/// What is on disk.
pub(super) struct Flushed {
    end: Checkpoint,
    /// The recovery point that is stored: `end`, or an earlier place.
    noted: Checkpoint,
    /// Counts how often what snapshots held until then became wrong.
    snapshot_age: u64,
}

impl Shared {
    /// A log whose `segments`, the last of them `active`, are on disk.
    pub(super) fn new(
        home: Home,
        config: LogConfig,
        flusher: &Flusher,
        (teller, snapshots): (Teller, Option<Box<Snapshots>>),
        (segments, active): (Vec<Arc<Segment>>, Arc<Segment>),
        start_offset: i64,
    ) -> Self {
        let end = active.end();
        let first = segments.first().map_or(0, |segment| segment.base_offset());
        let flushed = Checkpoint::new(&active, end.position, end.offset);
        Self {
            progress: Progress::new(home.directory.clone(), end.offset),
            home,
            config: RwLock::new(config),
            disk: Arc::clone(flusher.disk()),
            room: Arc::clone(flusher.room()),
            turn: Turn::default(),
            teller,
            snapshots,
            removing: Mutex::new(()),
            writer: Mutex::new(()),
            flushed: Mutex::new(Flushed { end: flushed, noted: flushed, snapshot_age: 0 }),
            start_offset: AtomicI64::new(start_offset.max(first)),
            visible: RwLock::new(flushed),
            written: Mutex::new(Written {
                end: end.offset,
                active,
                position: end.position,
                rolled: Vec::new(),
                renamed: false,
            }),
            segments: RwLock::new(segments),
        }
    }

    pub(crate) fn config(&self) -> LogConfig {
        self.config.read().clone()
    }

    /// Takes over what can change while the log is open. The caller holds the writer lock.
    pub(super) fn change_config(&self, to: &LogConfig) {
        let mut config = self.config.write();
        config.segment_bytes = to.segment_bytes.min(MAX_SEGMENT_BYTES);
        config.index_interval_bytes = to.index_interval_bytes;
        config.timestamps = to.timestamps;
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.written.lock().end
    }

    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset.load(Ordering::Acquire)
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
        (self.config().timestamps == TimestampSource::LogAppendTime).then_some(now)
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
            let batch = Placed::new(header, batch, next, self.config().leader_epoch, self.append_time(now))
                .filter(|batch| batch.header.last_offset_delta >= 0)
                .ok_or_else(|| self.invalid("a batch is not what its header says"))?;
            next = next
                .checked_add(i64::from(header.last_offset_delta) + 1)
                .ok_or_else(|| self.invalid("there are no offsets left"))?;
            placed.push(batch);
        }
        Ok(placed)
    }

    /// Takes room on the disk for `bytes` of records.
    pub(crate) fn take_room(&self, bytes: u64) -> Result<(), LogError> {
        self.room.take(&*self.disk, &self.home.directory, bytes)
    }

    /// Begins a new segment if `bytes` more do not fit into this one; returns whether it did.
    pub(super) fn make_room(&self, bytes: u64, last_offset: i64) -> Result<bool, LogError> {
        let limit = self.config().segment_bytes;
        if bytes > limit {
            return Err(LogError::TooLarge { bytes, limit });
        }
        let active = Arc::clone(&self.written.lock().active);
        if !active.is_full_for(bytes, last_offset, limit) {
            return Ok(false);
        }
        self.roll()?;
        Ok(true)
    }

    /// Begins a new segment. The caller holds the writer lock.
    pub(super) fn roll(&self) -> Result<(), LogError> {
        let next = Arc::new(Segment::create(&self.home, &*self.disk, self.end_offset())?);
        let mut written = self.written.lock();
        let mut segments = self.segments.write();
        let closed = std::mem::replace(&mut written.active, Arc::clone(&next));
        written.position = FIRST_POSITION;
        if closed.base_offset() == next.base_offset() {
            // It was empty, and its file is the new one's now.
            segments.pop();
            written.renamed = true;
        } else {
            written.rolled.push(closed);
        }
        segments.push(next);
        Ok(())
    }

    /// Moves the start of the log to `offset`, which is stored if it has to be, and takes whole segments before
    /// it out of sight. Whoever reads one goes on. Returns those segments, whose files are there yet.
    pub(super) fn move_start(&self, offset: i64) -> Vec<Arc<Segment>> {
        self.start_offset.fetch_max(offset, Ordering::AcqRel);
        let mut segments = self.segments.write();
        // The last one stays: it is the one to append to.
        let starts = segments.iter().skip(1).map(|next| next.base_offset());
        let gone = starts.take_while(|next| *next <= offset).count();
        segments.drain(..gone).collect()
    }

    /// The offset before which all segments are on disk, are known to be after a crash, and take no appends.
    pub(crate) fn settled(&self) -> i64 {
        self.flushed.lock().noted.segment
    }

    /// Takes the snapshot away, and any that is being made: what it holds of batches before it is no longer so.
    pub(crate) fn drop_snapshot(&self) -> Result<(), LogError> {
        let mut flushed = self.flushed.lock();
        flushed.snapshot_age += 1;
        Snapshot::remove(&self.home)?;
        sync_directory(&self.home.directory)
    }

    /// Puts `new` in the place of `old` in the list of segments; false if one of those is not there any more.
    pub(crate) fn swap(&self, old: &[Arc<Segment>], new: Arc<Segment>) -> bool {
        let mut segments = self.segments.write();
        match place_of(&segments, old) {
            Some(place) => {
                segments.splice(place, [new]);
                true
            }
            None => false,
        }
    }

    /// Whether these segments are in the log, one after the other.
    pub(crate) fn holds(&self, some: &[Arc<Segment>]) -> bool {
        place_of(&self.segments.read(), some).is_some()
    }

    /// Moves the high watermark.
    pub(super) fn publish(&self, to: Checkpoint) {
        *self.visible.write() = to;
        self.progress.advance(to.offset);
    }

    /// Flushes all that was written.
    fn flush_written(&self, flushed: &mut Flushed) -> Result<(), LogError> {
        let (active, end, rolled, renamed) = {
            let mut written = self.written.lock();
            let end = Checkpoint::new(&written.active, written.position, written.end);
            let renamed = std::mem::take(&mut written.renamed);
            (Arc::clone(&written.active), end, std::mem::take(&mut written.rolled), renamed)
        };
        // A new name has to be on disk before anything in the file counts.
        if rolled.is_empty() && !renamed && end == flushed.end {
            return Ok(());
        }
        for segment in &rolled {
            segment.sync(&*self.disk)?;
        }
        active.sync(&*self.disk)?;
        if renamed || !rolled.is_empty() {
            sync_directory(&self.home.directory)?;
        }
        flushed.end = end;
        if self.config().durability == Durability::Fsync {
            self.publish(end);
        }
        if end.segment != flushed.noted.segment {
            self.take_note(flushed, &rolled, Survives::PowerCut);
        } else if is_far(&end, &flushed.noted) {
            self.take_note(flushed, &[active], Survives::ProcessOnly);
        }
        Ok(())
    }

    /// Stores indexes and the recovery point. If that fails a start takes longer, and nothing is lost.
    fn take_note(&self, flushed: &mut Flushed, indexes: &[Arc<Segment>], survives: Survives) {
        let indexed = indexes.iter().try_for_each(|segment| segment.store_index(&self.home));
        match indexed.and_then(|()| flushed.end.store(&self.home.directory, survives)) {
            Ok(()) => flushed.noted = flushed.end,
            Err(error) => {
                tracing::warn!(log = %self.home.directory.display(), %error, "recovery point not stored")
            }
        }
    }

    /// A snapshot of what is known of the batches, if a note of a place behind it is due. The caller holds no
    /// lock: who gives it waits for the one that appends are made under.
    fn due_snapshot(&self) -> Option<(u64, Snapshot)> {
        let (noted, age) = {
            let flushed = self.flushed.lock();
            (flushed.noted, flushed.snapshot_age)
        };
        let is_due = {
            let written = self.written.lock();
            is_far(&Checkpoint::new(&written.active, written.position, written.end), &noted)
        };
        is_due.then(|| self.snapshot()).flatten().map(|snapshot| (age, snapshot))
    }

    fn snapshot(&self) -> Option<Snapshot> {
        let (offset, content) = self.snapshots.as_ref()?(&|| self.end_offset());
        Some(Snapshot { offset, content })
    }

    /// Stores a snapshot of what is on disk by now. If that fails a start takes longer, and nothing is lost.
    fn keep(&self, snapshot: Option<Snapshot>) {
        let Some(snapshot) = snapshot else { return };
        if let Err(error) = snapshot.store(&self.home, Survives::ProcessOnly) {
            tracing::warn!(log = %self.home.directory.display(), %error, "snapshot not stored");
        }
    }

    pub(crate) fn invalid(&self, reason: &'static str) -> LogError {
        LogError::InvalidBatch { path: self.home.directory.clone(), reason }
    }
}

impl Flush for Shared {
    fn flush(&self) -> Result<(), LogError> {
        // Taken before the flush, stored after it: a snapshot never knows of batches that a crash may take.
        self.progress.check()?;
        let snapshot = self.due_snapshot();
        let mut flushed = self.flushed.lock();
        self.progress.check()?;
        self.flush_written(&mut flushed).map_err(|error| self.progress.fail(&error))?;
        self.keep(snapshot.filter(|(age, _)| *age == flushed.snapshot_age).map(|(_, snapshot)| snapshot));
        Ok(())
    }

    fn close(&self) -> Result<(), LogError> {
        {
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
        }
        // Nothing is appended any more, and no lock is held that one who appends may wait for.
        self.keep(self.snapshot());
        Ok(())
    }

    fn turn(&self) -> &Turn {
        &self.turn
    }
}

/// Where `some` segments are in the list of `all`, one after the other.
fn place_of(all: &[Arc<Segment>], some: &[Arc<Segment>]) -> Option<Range<usize>> {
    let first = some.first()?;
    let start = all.iter().position(|segment| Arc::ptr_eq(segment, first))?;
    let range = start..start + some.len();
    let found = all.get(range.clone())?.iter().zip(some).all(|(one, other)| Arc::ptr_eq(one, other));
    found.then_some(range)
}

/// Whether a place is so far from the one that is noted that it is to be noted.
fn is_far(place: &Checkpoint, noted: &Checkpoint) -> bool {
    place.segment != noted.segment
        || place.position.saturating_sub(noted.position) >= CHECKPOINT_INTERVAL_BYTES
}
