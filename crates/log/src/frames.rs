//! A walk over the frames of a segment.

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
