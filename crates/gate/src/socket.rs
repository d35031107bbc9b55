//! The TCP stream under TLS, with bytes read ahead.
//!
//! rustls asks for 4 KiB at a time; a TLS record is up to 16 KiB. Reading ahead saves most of the system
//! calls, and it lets the gate look at the first bytes before TLS does.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes read ahead: two full TLS records.
const READ_AHEAD_BYTES: usize = 33 * 1024;

pub(crate) struct Socket {
    stream: TcpStream,
    ahead: BytesMut,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: BytesMut::new() }
    }

    /// Waits for more bytes than are read ahead now; returns what is there, which is no more than before at
    /// the end of the stream.
    pub(crate) async fn peek_more(&mut self) -> io::Result<&[u8]> {
        self.ahead.reserve(READ_AHEAD_BYTES.saturating_sub(self.ahead.len()));
        self.stream.read_buf(&mut self.ahead).await?;
        Ok(&self.ahead)
    }

    /// What is read ahead now.
    pub(crate) fn peeked(&self) -> &[u8] {
        &self.ahead
    }

    /// Gives the memory of an idle connection back.
    pub(crate) fn release(&mut self) {
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            if into.remaining() >= READ_AHEAD_BYTES {
                return Pin::new(&mut this.stream).poll_read(cx, into);
            }
            this.ahead.reserve(READ_AHEAD_BYTES);
            // The future holds no progress of its own, so a new one for each poll loses nothing.
            ready!(pin!(this.stream.read_buf(&mut this.ahead)).poll(cx))?;
        }
        let count = this.ahead.len().min(into.remaining());
        into.put_slice(&this.ahead[..count]);
        this.ahead.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
