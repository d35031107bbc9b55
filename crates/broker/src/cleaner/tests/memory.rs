//! A log in memory.

use std::ops::Range;

use bytes::Bytes;
use parking_lot::Mutex;
use schloss_log::{LogError, SegmentView};
use schloss_wire::records::BatchHeader;

use crate::cleaner::log::{CleanableLog, Rewrite};

pub(super) type Batch = (BatchHeader, Bytes);

struct Segment {
    base_offset: i64,
    batches: Vec<Batch>,
}

struct State {
    segments: Vec<Segment>,
    cleaned_to: i64,
}

pub(super) struct MemoryLog(Mutex<State>);

impl MemoryLog {
    pub(super) fn new() -> Self {
        let first = Segment { base_offset: 0, batches: Vec::new() };
        let state = State { segments: vec![first], cleaned_to: 0 };
        Self(Mutex::new(state))
    }

    /// Adds a batch that has its offset.
    pub(super) fn push(&self, batch: Bytes) {
        let header = BatchHeader::parse(&batch).unwrap();
        assert_eq!(header.base_offset, self.end());
        self.0.lock().segments.last_mut().unwrap().batches.push((header, batch));
    }

    pub(super) fn roll(&self) {
        let base_offset = self.end();
        let mut state = self.0.lock();
        if state.segments.last().unwrap().base_offset < base_offset {
            state.segments.push(Segment { base_offset, batches: Vec::new() });
        }
    }

    pub(super) fn cleaned_to(&self) -> i64 {
        self.0.lock().cleaned_to
    }

    pub(super) fn end(&self) -> i64 {
        self.segments().last().unwrap().end_offset
    }

    pub(super) fn batches(&self) -> Vec<Batch> {
        self.0.lock().segments.iter().flat_map(|segment| segment.batches.clone()).collect()
    }
}

impl CleanableLog for MemoryLog {
    fn segments(&self) -> Vec<SegmentView> {
        let state = self.0.lock();
        let active = state.segments.last().unwrap().base_offset;
        let view = |segment: &Segment| SegmentView {
            base_offset: segment.base_offset,
            end_offset: segment
                .batches
                .last()
                .map_or(segment.base_offset, |(last, _)| last.last_offset() + 1),
            bytes: segment.batches.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
            newest_ms: segment.batches.iter().map(|(header, _)| header.max_timestamp).max(),
            is_settled: segment.base_offset < active,
        };
        state.segments.iter().map(view).collect()
    }

    fn read(&self, from: i64, max_bytes: usize) -> Result<Bytes, LogError> {
        let state = self.0.lock();
        let mut read = Vec::new();
        for (header, bytes) in state.segments.iter().flat_map(|segment| &segment.batches) {
            if header.last_offset() < from {
                continue;
            }
            if !read.is_empty() && read.len() + bytes.len() > max_bytes {
                break;
            }
            read.extend_from_slice(bytes);
        }
        Ok(read.into())
    }

    fn rewrite(&self, range: Range<i64>) -> Result<Box<dyn Rewrite + '_>, LogError> {
        Ok(Box::new(New { log: self, range, batches: Vec::new() }))
    }

    fn set_cleaned_to(&self, offset: i64) -> Result<(), LogError> {
        self.0.lock().cleaned_to = offset;
        Ok(())
    }
}

struct New<'a> {
    log: &'a MemoryLog,
    range: Range<i64>,
    batches: Vec<Batch>,
}

impl Rewrite for New<'_> {
    fn append(&mut self, header: &BatchHeader, batch: &Bytes) -> Result<(), LogError> {
        let next = self.batches.last().map_or(self.range.start, |(last, _)| last.last_offset() + 1);
        assert!(header.base_offset >= next && header.last_offset() < self.range.end, "{header:?}");
        assert_eq!(header.total_bytes, batch.len());
        self.batches.push((*header, batch.clone()));
        Ok(())
    }

    fn commit(self: Box<Self>, _: bool) -> Result<bool, LogError> {
        assert_eq!(self.batches.last().unwrap().0.last_offset() + 1, self.range.end, "the end stays taken");
        let mut state = self.log.0.lock();
        let bases: Vec<i64> = state.segments.iter().map(|segment| segment.base_offset).collect();
        let first = bases.binary_search(&self.range.start).unwrap();
        let end = bases.binary_search(&self.range.end).unwrap();
        let new = Segment { base_offset: self.range.start, batches: self.batches };
        state.segments.splice(first..end, [new]);
        Ok(true)
    }
}
