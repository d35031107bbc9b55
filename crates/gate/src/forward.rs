//! Answers that another server made, passed on as the bytes they came in.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use schloss_wire::{Api, DecodeBudget, LENGTH_PREFIX_BYTES, Response};

/// Where the bytes of an answer come from.
pub trait AnswerBytes: Send {
    /// The next bytes; `None` when the answer is whole. Nothing is taken from the other server before it is
    /// asked for here, so a peer that does not read holds up no more than one piece.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>>;
}

/// An answer of `bytes` in all: one frame from its length prefix on, with the correlation id of the request.
pub struct Forward {
    bytes: usize,
    source: Box<dyn AnswerBytes>,
}

impl Forward {
    /// The answer that `source` gives in pieces, `bytes` long with its length prefix.
    #[must_use]
    pub fn new(bytes: usize, source: Box<dyn AnswerBytes>) -> Self {
        Self { bytes, source }
    }

    /// Reads the answer as a whole.
    ///
    /// # Errors
    /// It has more than `max_bytes`, breaks off, or is none of this API and version.
    pub async fn into_response(self, api: Api, version: i16, max_bytes: usize) -> io::Result<Response> {
        let mut collected = Collected::begin(self, max_bytes)?;
        poll_fn(|cx| collected.poll(cx, api, version, max_bytes)).await
    }

    /// The next bytes; `None` when the answer is whole.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.source.poll_bytes(cx)
    }
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Forward").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Collects an answer that has to be read before it may go out.
pub(crate) struct Collected {
    forward: Forward,
    frame: BytesMut,
}

impl Collected {
    /// # Errors
    /// An answer of more than `max_bytes`.
    pub(crate) fn begin(forward: Forward, max_bytes: usize) -> io::Result<Self> {
        if forward.bytes > max_bytes {
            let words = format!("an answer of {} bytes is over the limit of {max_bytes}", forward.bytes);
            return Err(io::Error::other(words));
        }
        Ok(Self { frame: BytesMut::with_capacity(forward.bytes), forward })
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        api: Api,
        version: i16,
        max_request_bytes: usize,
    ) -> Poll<io::Result<Response>> {
        while let Some(bytes) = ready!(self.forward.poll_bytes(cx)).transpose()? {
            self.frame.extend_from_slice(&bytes);
        }
        let header = LENGTH_PREFIX_BYTES + api.response_header_bytes(version);
        let frame = std::mem::take(&mut self.frame).freeze();
        let body = frame.len().checked_sub(header).map(|_| frame.slice(header..)).unwrap_or_default();
        let limits = DecodeBudget::Authenticated { max_request_bytes }.limits();
        let decoded = Response::decode(api, version, body, limits);
        Poll::Ready(decoded.map_err(|error| io::Error::other(format!("{}: {error}", api.name()))))
    }
}
