//! The connection of one client to one broker: requests in order, answers in the same.
//!
//! It has no task of its own. Whoever waits for the oldest answer moves everything, on the thread that serves the
//! client; nothing is read from the broker that the client's side has no room for.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use schloss_gate::{AnswerBytes, Forward, Outbox};
use schloss_wire::LENGTH_PREFIX_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::Instant;

/// Bytes of an answer's length and correlation id.
const HEAD_BYTES: usize = LENGTH_PREFIX_BYTES + 4;
/// Room made for one read, in bytes: little until it is known that more will come. No more of an answer than the
/// larger of the two waits in memory for its client.
const READ_BYTES_MIN: usize = 4 * 1024;
const READ_BYTES_MAX: usize = 64 * 1024;
/// After so long without a request it is looked whether the broker has closed the connection meanwhile.
const DOUBTFUL_AFTER: Duration = Duration::from_secs(1);

/// What a connection to a broker reads and writes.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that is authenticated.
pub(crate) struct Opened {
    pub(crate) stream: Box<dyn Stream>,
    /// What was read past the last answer.
    pub(crate) unread: BytesMut,
    /// When the broker will not serve it any more.
    pub(crate) expires: Option<Instant>,
}

/// Makes connections to the broker.
pub(crate) type Connect = Box<dyn FnMut() -> BoxFuture<'static, io::Result<Opened>> + Send>;

/// A client's connection to its broker. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Link(Arc<Mutex<State>>);

struct State {
    connect: Connect,
    phase: Phase,
    outbox: Outbox,
    incoming: BytesMut,
    /// The correlation ids of the answers that are due.
    due: VecDeque<i32>,
    /// How many requests there were before the first of those.
    answered: u64,
    /// Bytes of the answer at the front that have not been passed on.
    left: usize,
    max_answer_bytes: usize,
    used: Instant,
}

enum Phase {
    Closed,
    Connecting(BoxFuture<'static, io::Result<Opened>>),
    Open { stream: Box<dyn Stream>, expires: Option<Instant> },
}

/// The answer to one request, on its way. Dropping it before it is whole closes the link.
pub(crate) struct Answer {
    link: Link,
    turn: u64,
    is_whole: bool,
}

impl Link {
    pub(crate) fn new(connect: Connect, max_answer_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            connect,
            phase: Phase::Closed,
            outbox: Outbox::default(),
            incoming: BytesMut::new(),
            due: VecDeque::new(),
            answered: 0,
            left: 0,
            max_answer_bytes,
            used: Instant::now(),
        })))
    }

    /// Puts a request, from its header on, behind those before it.
    ///
    /// # Errors
    /// The link broke while answers are due: a request must not overtake them on a new connection.
    pub(crate) fn send(&self, request: Bytes, correlation_id: i32) -> io::Result<Answer> {
        let mut state = self.0.lock();
        state.queue(request)?;
        state.due.push_back(correlation_id);
        Ok(Answer { link: self.clone(), turn: state.answered + state.due.len() as u64, is_whole: false })
    }

    /// Puts a request that has no answer behind those before it. It is on its way when the future ends.
    ///
    /// # Errors
    /// As [`Link::send`].
    pub(crate) fn send_unanswered(
        &self,
        request: Bytes,
    ) -> io::Result<impl Future<Output = io::Result<()>> + Send + use<>> {
        let link = self.clone();
        self.0.lock().queue(request)?;
        Ok(std::future::poll_fn(move |cx| {
            let mut state = link.0.lock();
            let drained = state.poll_write(cx);
            state.closing_on_error(drained)
        }))
    }
}

impl State {
    fn queue(&mut self, request: Bytes) -> io::Result<()> {
        let is_idle = self.due.is_empty() && self.outbox.is_empty();
        if is_idle && !self.is_usable() {
            self.incoming.clear();
            self.phase = Phase::Connecting((self.connect)());
        } else if matches!(self.phase, Phase::Closed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.used = Instant::now();
        let length = i32::try_from(request.len()).map_err(io::Error::other)?;
        let mut prefix = BytesMut::with_capacity(LENGTH_PREFIX_BYTES);
        prefix.put_i32(length);
        self.outbox.push(prefix.freeze());
        self.outbox.push(request);
        Ok(())
    }

    /// Whether the next request can go where the last one went, while nothing is due.
    fn is_usable(&mut self) -> bool {
        match &self.phase {
            Phase::Closed => false,
            Phase::Connecting(_) => true,
            Phase::Open { expires: Some(expires), .. } if *expires <= Instant::now() => false,
            // Brokers close what is idle for long. Nobody has looked since the last answer.
            Phase::Open { .. } if self.used.elapsed() > DOUBTFUL_AFTER => {
                let mut nobody = Context::from_waker(Waker::noop());
                self.poll_fill(&mut nobody).is_pending()
            }
            Phase::Open { .. } => true,
        }
    }

    fn close(&mut self) {
        self.phase = Phase::Closed;
        self.outbox = Outbox::default();
        self.incoming.clear();
        self.left = 0;
    }

    /// Nothing of a connection is of use after an error on it.
    fn closing_on_error<T>(&mut self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(result, Poll::Ready(Err(_))) {
            self.close();
        }
        result
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Phase::Connecting(connecting) = &mut self.phase {
            let opened = ready!(connecting.as_mut().poll(cx))?;
            self.incoming = opened.unread;
            self.phase = Phase::Open { stream: opened.stream, expires: opened.expires };
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?;
        match &mut self.phase {
            Phase::Open { stream, .. } => self.outbox.poll_drain(stream, cx),
            _ => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Reads what has come, as far as there is room; at least one byte when it is ready.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Phase::Open { stream, .. } = &mut self.phase else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let before = self.incoming.len();
        let room = self.left.saturating_sub(before).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        self.incoming.reserve(room);
        // TLS gives a record at a time; a piece is to hold several.
        while self.incoming.len() < before + room {
            // The future holds no progress of its own, so a new one for each poll loses nothing.
            match pin!(stream.read_buf(&mut self.incoming)).poll(cx) {
                Poll::Ready(Ok(1..)) => {}
                _ if self.incoming.len() > before => break,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The length of the answer that `turn` waits for, with its prefix, once its head is there.
    fn poll_head(&mut self, turn: u64, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Requests leave while answers are waited for.
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Poll::Ready(Err(error));
        }
        if turn != self.answered + 1 || !matches!(self.phase, Phase::Open { .. }) {
            return Poll::Pending;
        }
        loop {
            if let Some(head) = self.incoming.first_chunk::<HEAD_BYTES>() {
                return Poll::Ready(self.check_head(*head));
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    fn check_head(&mut self, head: [u8; HEAD_BYTES]) -> io::Result<usize> {
        let mut head = &head[..];
        let (length, correlation_id) = (head.get_i32(), head.get_i32());
        let wanted = self.due.front().copied();
        if wanted != Some(correlation_id) {
            let words = format!("the broker answered request {correlation_id}, not {wanted:?}");
            return Err(io::Error::other(words));
        }
        match usize::try_from(length) {
            Ok(length) if (4..=self.max_answer_bytes).contains(&length) => {
                self.left = LENGTH_PREFIX_BYTES + length;
                Ok(self.left)
            }
            _ => Err(io::Error::other(format!(
                "the broker's answer of {length} bytes is not within 4 and {}",
                self.max_answer_bytes
            ))),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(Ok(None));
        }
        if self.incoming.is_empty() {
            ready!(self.poll_fill(cx))?;
        }
        let piece = self.incoming.split_to(self.incoming.len().min(self.left)).freeze();
        self.left -= piece.len();
        if self.left == 0 {
            self.due.pop_front();
            self.answered += 1;
            if self.incoming.is_empty() {
                // An idle connection holds no buffer.
                self.incoming = BytesMut::new();
            }
        }
        Poll::Ready(Ok(Some(piece)))
    }
}

impl Answer {
    /// The answer from its length prefix on, as soon as its head is there.
    ///
    /// # Errors
    /// The connection can't be made or broke, or what came is not the answer.
    pub(crate) async fn begin(mut self) -> io::Result<Forward> {
        let bytes = std::future::poll_fn(|cx| {
            let mut state = self.link.0.lock();
            let head = state.poll_head(self.turn, cx);
            state.closing_on_error(head)
        })
        .await;
        match bytes {
            Ok(bytes) => Ok(Forward::new(bytes, Box::new(self))),
            Err(error) => {
                self.is_whole = true;
                Err(error)
            }
        }
    }
}

impl AnswerBytes for Answer {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.is_whole {
            return Poll::Ready(None);
        }
        let mut state = self.link.0.lock();
        let piece = state.poll_piece(cx);
        let piece = ready!(state.closing_on_error(piece));
        self.is_whole = piece.is_err() || state.left == 0;
        Poll::Ready(piece.transpose())
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.is_whole {
            // The rest of it would be taken for the next answer.
            self.link.0.lock().close();
        }
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
