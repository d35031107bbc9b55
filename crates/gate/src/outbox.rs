//! Answers on their way out: written together, flushed once.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// Bytes of answers at which a connection takes no further request before the peer has read some.
const FULL_BYTES: usize = 256 * 1024;
/// Answers that go into one write.
const SLICES: usize = 32;

/// The writing half of a connection: frames in order, many in one write.
#[derive(Default)]
pub struct Outbox {
    frames: VecDeque<Bytes>,
    bytes: usize,
    flush_due: bool,
    // When the peer last took something, while something is due.
    stalled_since: Option<Instant>,
}

impl Outbox {
    /// Puts bytes behind those before.
    pub fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// Whether everything is with the peer's kernel or on its way there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && !self.flush_due
    }

    /// Whether so much is due that the peer has to read first.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= FULL_BYTES
    }

    /// Whether the peer has taken nothing for too long.
    pub(crate) fn is_stalled(&self, now: Instant, write_timeout: Duration) -> bool {
        self.stalled_since.is_some_and(|since| now.saturating_duration_since(since) > write_timeout)
    }

    /// Writes and flushes as much as the peer takes; ready when nothing is due any more.
    ///
    /// # Errors
    /// The stream can't be written to any more.
    pub fn poll_drain(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let drained = self.poll_write_all(stream, cx);
        match &drained {
            Poll::Pending if self.stalled_since.is_none() => self.stalled_since = Some(Instant::now()),
            Poll::Pending => {}
            Poll::Ready(_) => self.stalled_since = None,
        }
        drained
    }

    fn poll_write_all(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let written = ready!(self.poll_write_some(stream, cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
            self.flush_due = true;
            self.stalled_since = None;
        }
        ready!(Pin::new(stream).poll_flush(cx))?;
        self.flush_due = false;
        Poll::Ready(Ok(()))
    }

    fn poll_write_some(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(stream);
        match self.frames.front() {
            Some(only) if self.frames.len() == 1 => stream.poll_write(cx, only),
            _ => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let mut count = 0;
                for (slice, frame) in slices.iter_mut().zip(&self.frames) {
                    *slice = IoSlice::new(frame);
                    count += 1;
                }
                stream.poll_write_vectored(cx, &slices[..count])
            }
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        while let Some(front) = self.frames.front_mut() {
            if front.len() > written {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.frames.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn drain(outbox: &mut Outbox, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        std::future::poll_fn(|cx| outbox.poll_drain(stream, cx)).await
    }

    #[tokio::test]
    async fn frames_leave_in_order_through_a_narrow_stream() {
        let (mut near, mut far) = tokio::io::duplex(3);
        let mut outbox = Outbox::default();
        for part in ["one", "two ", "three"] {
            outbox.push(Bytes::from_static(part.as_bytes()));
        }
        let reading = async {
            let mut all = String::new();
            far.read_to_string(&mut all).await.unwrap();
            all
        };
        let writing = async {
            drain(&mut outbox, &mut near).await.unwrap();
            assert!(outbox.is_empty() && outbox.bytes == 0);
            drop(near);
        };
        let ((), all) = tokio::join!(writing, reading);
        assert_eq!(all, "onetwo three");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_stalls_the_outbox() {
        let (mut near, _far) = tokio::io::duplex(2);
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"more than two"));
        let pending = futures_util::poll!(std::pin::pin!(drain(&mut outbox, &mut near)));
        assert!(pending.is_pending());
        let now = Instant::now();
        assert!(!outbox.is_stalled(now, Duration::from_secs(1)));
        assert!(outbox.is_stalled(now + Duration::from_secs(2), Duration::from_secs(1)));
    }
}
