//! Bytes from one connection, cut into frames: one buffer, with a bound in bytes and in time.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use schloss_wire::{Api, FrameError, LENGTH_PREFIX_BYTES, split_frame};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use crate::memory::{FrameMemory, FramePermit};

/// Bytes a second at which a large frame has to arrive once its `frame_timeout` is over.
pub const FRAME_BYTES_PER_SECOND_MIN: usize = 256 * 1024;
/// Room that is made for one read, in bytes: what one TLS record holds.
const READ_BYTES: usize = 16 * 1024;
/// Only records come in requests larger than this, in bytes. Everything else is decoded into structures that
/// take a multiple of the frame's bytes.
const MAX_STRUCTURED_BYTES: usize = 16 << 20;
/// Bytes of a frame that tell its API.
const API_KEY_BYTES: usize = LENGTH_PREFIX_BYTES + 2;

/// The reading half of a connection.
pub(crate) struct FrameReader {
    buffer: BytesMut,
    max_bytes: usize,
    // When the first byte of the frame at the front came, while it is not whole.
    begun: Option<Instant>,
    permit: Option<FramePermit>,
}

/// What the buffer holds.
pub(crate) enum Split {
    /// A whole frame, and the memory it holds if it is large.
    Frame(Bytes, Option<FramePermit>),
    /// Bytes are missing.
    Incomplete,
    /// Memory for a frame of so many bytes has to be waited for.
    NoMemory(usize),
}

/// A frame that is not taken.
#[derive(Debug, Error)]
pub(crate) enum BadFrame {
    #[error(transparent)]
    Length(#[from] FrameError),
    #[error(
        "a {api} request of {length} bytes is over the {MAX_STRUCTURED_BYTES} bytes of any but a Produce request"
    )]
    TooLargeForApi { api: &'static str, length: usize },
}

impl FrameReader {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), max_bytes, begun: None, permit: None }
    }

    /// Sets the largest frame taken from now on, in bytes.
    pub(crate) fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }

    /// Takes the frame at the front.
    ///
    /// # Errors
    /// A length that its sender may not send now; the connection can't be read further.
    pub(crate) fn split(&mut self, memory: &FrameMemory) -> Result<Split, BadFrame> {
        if let Some(frame) = split_frame(&mut self.buffer, self.max_bytes)? {
            self.begun = None;
            return Ok(Split::Frame(frame, self.permit.take()));
        }
        if self.buffer.is_empty() {
            return Ok(Split::Incomplete);
        }
        if self.begun.is_none() {
            self.begun = Some(Instant::now());
        }
        let Some(prefix) = self.buffer.first_chunk::<LENGTH_PREFIX_BYTES>() else {
            return Ok(Split::Incomplete);
        };
        let length = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(0);
        self.check_api(length)?;
        if self.permit.is_none() && !memory.is_free(length) {
            self.permit = memory.try_take(length);
            if self.permit.is_none() {
                return Ok(Split::NoMemory(length));
            }
        }
        if self.buffer.len() >= READ_BYTES / 2 {
            // The memory is granted and the peer has begun to fill it: no growing in steps, which would copy.
            self.buffer.reserve(LENGTH_PREFIX_BYTES + length - self.buffer.len());
        }
        Ok(Split::Incomplete)
    }

    /// Hands in the memory that [`Split::NoMemory`] asked for. The time for the frame begins anew.
    pub(crate) fn grant(&mut self, permit: Option<FramePermit>) {
        self.permit = permit;
        self.begun = Some(Instant::now());
    }

    /// The frame at the front has its whole time again, after a pause in which nothing was read.
    pub(crate) fn restart_clock(&mut self) {
        if self.begun.is_some() {
            self.begun = Some(Instant::now());
        }
    }

    /// Reads once into the buffer; 0 is the end of the stream.
    pub(crate) fn poll_fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(READ_BYTES);
        }
        // The future holds no progress of its own, so a new one for each poll loses nothing.
        pin!(stream.read_buf(&mut self.buffer)).poll(cx)
    }

    /// Whether the frame at the front takes longer than it may.
    pub(crate) fn is_overdue(&self, now: Instant, frame_timeout: Duration) -> bool {
        self.begun.is_some_and(|begun| {
            let earned = Duration::from_secs((self.buffer.len() / FRAME_BYTES_PER_SECOND_MIN) as u64);
            now.saturating_duration_since(begun) > frame_timeout + earned
        })
    }

    /// Whether a frame has begun and is not whole.
    pub(crate) fn is_in_a_frame(&self) -> bool {
        self.begun.is_some()
    }

    /// Gives the memory of an idle connection back.
    pub(crate) fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    fn check_api(&self, length: usize) -> Result<(), BadFrame> {
        if length <= MAX_STRUCTURED_BYTES {
            return Ok(());
        }
        let Some(start) = self.buffer.first_chunk::<API_KEY_BYTES>() else { return Ok(()) };
        let key = i16::from_be_bytes([start[4], start[5]]);
        match Api::from_key(key) {
            Some(Api::Produce) => Ok(()),
            api => Err(BadFrame::TooLargeForApi { api: api.map_or("unknown", Api::name), length }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> FrameMemory {
        FrameMemory::new(1 << 20, 64 * 1024)
    }

    fn reader(bytes: &[u8]) -> FrameReader {
        let mut reader = FrameReader::new(100 << 20);
        reader.buffer.extend_from_slice(bytes);
        reader
    }

    #[test]
    fn a_large_frame_that_is_no_produce_is_refused_from_its_first_bytes() {
        let metadata = [0x05, 0, 0, 0, 0, 3];
        assert!(matches!(reader(&metadata).split(&memory()), Err(BadFrame::TooLargeForApi { .. })));
        let produce = [0x05, 0, 0, 0, 0, 0];
        assert!(reader(&produce).split(&memory()).is_ok());
    }

    #[test]
    fn a_large_frame_waits_for_memory_and_gives_it_back_with_its_request() {
        let memory = memory();
        let length = 200 * 1024;
        let mut first = reader(&[0, 3, 0x20, 0, 0, 0]);
        assert!(matches!(first.split(&memory), Ok(Split::Incomplete)));
        let all = memory.try_take(824 * 1024).unwrap();
        let mut second = reader(&[0, 3, 0x20, 0, 0, 0]);
        assert!(matches!(second.split(&memory), Ok(Split::NoMemory(n)) if n == length));
        drop(all);
        assert!(matches!(second.split(&memory), Ok(Split::Incomplete)));
        second.buffer.resize(4 + length, 0);
        assert!(matches!(second.split(&memory), Ok(Split::Frame(frame, Some(_))) if frame.len() == length));
    }

    #[test]
    fn an_announced_length_reserves_nothing_before_bytes_come() {
        let mut reader = reader(&[0, 0x0f, 0, 0, 0, 0]);
        assert!(matches!(reader.split(&memory()), Ok(Split::Incomplete)));
        assert!(reader.buffer.capacity() <= 64 * 1024, "{}", reader.buffer.capacity());
    }

    #[test]
    fn a_partial_frame_is_overdue_after_its_time_and_bytes_earn_more() {
        let timeout = Duration::from_secs(5);
        let mut slow = reader(&[0, 0]);
        assert!(matches!(slow.split(&memory()), Ok(Split::Incomplete)));
        let now = Instant::now();
        assert!(!slow.is_overdue(now, timeout));
        assert!(slow.is_overdue(now + Duration::from_secs(6), timeout));
        slow.buffer.resize(2 * FRAME_BYTES_PER_SECOND_MIN, 0);
        assert!(!slow.is_overdue(now + Duration::from_secs(6), timeout));
        assert!(slow.is_overdue(now + Duration::from_secs(8), timeout));
    }
}
