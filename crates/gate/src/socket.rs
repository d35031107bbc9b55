//! The TCP stream under TLS, with a look at its first bytes before TLS gets them.
//!
//! rustls asks for 4 KiB at a time. Reading more ahead was measured: what it saves in system calls it costs in
//! copies, and in memory for every connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Bytes looked at before TLS: what a plain-text client says first is shorter.
const PEEK_BYTES: usize = 1024;

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
        self.ahead.reserve(PEEK_BYTES);
        self.stream.read_buf(&mut self.ahead).await?;
        Ok(&self.ahead)
    }

    /// The port that the peer connected to.
    pub(crate) fn local_port(&self) -> io::Result<u16> {
        self.stream.local_addr().map(|address| address.port())
    }

    /// Whether the peer has closed its side; there may be bytes before that which were not read.
    pub(crate) fn is_read_closed(&self) -> bool {
        // What is known already is told at once.
        let ready = self.stream.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }

    /// What is read ahead now.
    pub(crate) fn peeked(&self) -> &[u8] {
        &self.ahead
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, into);
        }
        let count = this.ahead.len().min(into.remaining());
        into.put_slice(&this.ahead[..count]);
        this.ahead.advance(count);
        if this.ahead.is_empty() {
            this.ahead = BytesMut::new();
        }
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
