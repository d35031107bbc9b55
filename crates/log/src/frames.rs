//! A walk over the frames of a segment.

use bytes::Bytes;
use schloss_wire::records::{BatchHeader, check_batch};

use crate::LogError;
use crate::frame::{PREFIX_BYTES, Prefix};
use crate::segment::Segment;
use crate::window::Window;

/// A frame, not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    /// Bytes from the front of the file.
    pub(crate) position: u64,
    pub(crate) prefix: Prefix,
    bytes: usize,
}

/// The frames of a segment from one position on.
pub(crate) struct Frames<'a> {
    segment: &'a Segment,
    next: u64,
    window: Window<'a>,
}

impl<'a> Frames<'a> {
    pub(crate) const fn new(segment: &'a Segment, start: u64, window: Window<'a>) -> Self {
        Self { segment, next: start, window }
    }

    /// The same walk from a frame's position on.
    pub(crate) fn restarted(self, position: u64) -> Self {
        Self { next: position, ..self }
    }

    /// The position of the last frame that begins at `offset` or before, or else of the first.
    pub(crate) fn locate(&mut self, offset: i64) -> Result<Option<u64>, LogError> {
        let mut found = None;
        while let Some(frame) = self.next()? {
            if found.is_some() && frame.prefix.base_offset > offset {
                break;
            }
            found = Some(frame.position);
        }
        Ok(found)
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] with the position where it is, or the system's error.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, LogError> {
        let position = self.next;
        if position >= self.window.end() {
            return Ok(None);
        }
        let left = self.window.end() - position;
        let bytes = self.window.bytes(position, PREFIX_BYTES).map_err(self.segment.cannot_read())?;
        let Some(prefix) = bytes.and_then(<[u8]>::first_chunk) else {
            return Err(self.segment.corrupt(position, format!("{left} bytes are no whole batch header")));
        };
        let prefix = Prefix::parse(prefix).map_err(|reason| self.segment.corrupt(position, reason))?;
        let bytes = self.segment.frame_bytes(prefix.batch_bytes);
        if bytes as u64 > left {
            let reason = format!("a batch of {bytes} bytes begins where {left} are left");
            return Err(self.segment.corrupt(position, reason));
        }
        self.next = position + bytes as u64;
        Ok(Some(Frame { position, prefix, bytes }))
    }

    /// Opens a frame that [`next`](Self::next) gave into `batch`, which has the batch's length.
    ///
    /// # Errors
    /// As `next`; what is in `batch` then means nothing.
    pub(crate) fn open(&mut self, frame: &Frame, batch: &mut [u8]) -> Result<BatchHeader, LogError> {
        let bytes = self.window.bytes(frame.position, frame.bytes).map_err(self.segment.cannot_read())?;
        let opened = self.segment.open_frame(frame.position, bytes.unwrap_or_default(), batch);
        opened.map_err(|error| self.segment.corrupt(frame.position, error.to_string()))?;
        BatchHeader::parse(batch).map_err(|error| self.segment.corrupt(frame.position, error.to_string()))
    }

    /// Whole batches from the first on that ends at `offset` or later, at most `max_bytes`. `None` if there is none.
    /// Empty if the first is larger than `max_bytes`, unless `at_least_one`.
    pub(crate) fn collect(
        mut self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<Bytes>, LogError> {
        let left = usize::try_from(self.window.end().saturating_sub(self.next)).unwrap_or(usize::MAX);
        // Zeroed pages come from the system as they are needed.
        let mut batches = vec![0; max_bytes.min(left)];
        let mut filled = 0;
        loop {
            let frame = match self.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                // What comes before it is good; the error is for who asks for this one.
                Err(LogError::Corrupt { .. }) if filled > 0 => break,
                Err(error) => return Err(error),
            };
            let end = filled + frame.prefix.batch_bytes;
            if end > max_bytes && !(at_least_one && filled == 0) {
                batches.truncate(filled);
                return Ok(Some(batches.into()));
            }
            if batches.len() < end {
                batches.resize(end, 0);
            }
            match self.open(&frame, &mut batches[filled..end]) {
                // It ends before what is asked for.
                Ok(header) if header.last_offset() < offset => {}
                Ok(_) => filled = end,
                Err(LogError::Corrupt { .. }) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        batches.truncate(filled);
        Ok((filled > 0).then(|| batches.into()))
    }

    /// As [`open`](Self::open), for what may never have been written as a whole: in a plain segment the batch's
    /// CRC tells.
    pub(crate) fn open_in_doubt(&mut self, frame: &Frame, batch: &mut [u8]) -> Result<BatchHeader, LogError> {
        let header = self.open(frame, batch)?;
        if !self.segment.is_sealed() {
            check_batch(batch).map_err(|error| self.segment.corrupt(frame.position, error.to_string()))?;
        }
        Ok(header)
    }
}
