//! The one thread that writes.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::cloud_event::CloudEvent;
use crate::error::AuditError;
use crate::event::Event;
use crate::id::Ids;
use crate::sink::Sink;

/// How many messages are written together at most.
const BATCH_MESSAGES_MAX: usize = 1024;
/// Once so many bytes are ready to write, no more messages are added to the batch.
const BATCH_BYTES_TARGET: usize = 1024 * 1024;
/// How many bytes of lines that could not be written are kept for the next try. What is more is dropped,
/// the newest first, and counted.
const PENDING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How often writing is tried while it fails and nothing is recorded.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often the queue is looked at while writing fails; the sleep can't be on the queue then.
const FAILING_POLL_INTERVAL: Duration = Duration::from_millis(20);

type Answer = oneshot::Sender<Result<(), AuditError>>;

/// What handles send to the writer.
pub(crate) enum Message {
    /// Write this some time soon.
    Event(Box<Event>),
    /// Write these, flush, and answer.
    Durably(Vec<Event>, Answer),
    /// Something was dropped; look.
    Wake,
}

/// What the writer and the handles both see.
pub(crate) struct Shared {
    pub(crate) writable: AtomicBool,
    /// Events dropped and not yet reported.
    pub(crate) dropped: AtomicU64,
}

pub(crate) struct Writer {
    receiver: mpsc::Receiver<Message>,
    sink: Box<dyn Sink>,
    shared: Arc<Shared>,
    source: String,
    ids: Ids,
    /// Lines to write: those of this batch, after those that failed before.
    lines: Vec<u8>,
    /// When to try again, if writing fails and nothing comes.
    next_try: Instant,
}

impl Writer {
    pub(crate) fn new(
        receiver: mpsc::Receiver<Message>,
        sink: Box<dyn Sink>,
        shared: Arc<Shared>,
        source: String,
    ) -> Self {
        Self { receiver, sink, shared, source, ids: Ids::new(), lines: Vec::new(), next_try: Instant::now() }
    }

    /// Writes until every handle is gone, then flushes.
    pub(crate) fn run(mut self) {
        let mut batch = VecDeque::new();
        while self.wait(&mut batch) {
            self.write(&mut batch);
        }
        self.report_dropped();
        self.commit(true, Vec::new());
    }

    /// Fills the batch; returns false when there is nothing left and never will be.
    fn wait(&mut self, batch: &mut VecDeque<Message>) -> bool {
        if self.shared.writable.load(Ordering::SeqCst) {
            let Some(first) = self.receiver.blocking_recv() else { return false };
            batch.push_back(first);
        } else {
            loop {
                match self.receiver.try_recv() {
                    Ok(first) => {
                        batch.push_back(first);
                        break;
                    }
                    Err(TryRecvError::Disconnected) => return false,
                    Err(TryRecvError::Empty) if Instant::now() >= self.next_try => break,
                    Err(TryRecvError::Empty) => std::thread::sleep(FAILING_POLL_INTERVAL),
                }
            }
        }
        while batch.len() < BATCH_MESSAGES_MAX
            && let Ok(message) = self.receiver.try_recv()
        {
            batch.push_back(message);
        }
        true
    }

    /// Writes the batch, in pieces if it is large.
    fn write(&mut self, batch: &mut VecDeque<Message>) {
        loop {
            let mut answers = Vec::new();
            let mut durably = false;
            let start = self.lines.len();
            while self.lines.len() - start < BATCH_BYTES_TARGET
                && let Some(message) = batch.pop_front()
            {
                match message {
                    Message::Event(event) => self.line(*event),
                    Message::Durably(events, answer) => {
                        events.into_iter().for_each(|event| self.line(event));
                        answers.push(answer);
                        durably = true;
                    }
                    Message::Wake => {}
                }
            }
            self.report_dropped();
            self.commit(durably, answers);
            if batch.is_empty() {
                return;
            }
        }
    }

    /// Appends what is ready, flushes if asked, and answers.
    fn commit(&mut self, durably: bool, answers: Vec<Answer>) {
        let result = self.append_and_sync(durably);
        let failed = result.as_ref().err();
        if let Some(error) = failed {
            if self.shared.writable.swap(false, Ordering::SeqCst) {
                tracing::error!(%error, "audit records can't be written; they are kept in memory");
            }
            self.next_try = Instant::now() + RETRY_INTERVAL;
        } else if !self.shared.writable.swap(true, Ordering::SeqCst) {
            tracing::info!("audit records can be written again");
        }
        for answer in answers {
            // Whoever asked may have gone.
            let _ = answer.send(result.clone());
        }
    }

    fn append_and_sync(&mut self, durably: bool) -> Result<(), AuditError> {
        let wrap = |source: io::Error| AuditError::Write { source: Arc::new(source) };
        // After a failure success must mean more than "the page cache took it".
        let sync = durably || !self.shared.writable.load(Ordering::SeqCst);
        // The second turn writes what the sink had to report about the first; what it reports about that one
        // waits for the next commit, so that files smaller than a report can't keep us here.
        for turn in 0..2 {
            if !self.lines.is_empty() {
                self.sink.append(&self.lines).map_err(wrap)?;
            }
            if sync {
                // On failure the lines stay, and go out again with the same ids.
                self.sink.sync().map_err(wrap)?;
            }
            self.lines.clear();
            self.lines.shrink_to(BATCH_BYTES_TARGET);
            let events = if turn == 0 { self.sink.take_events() } else { Vec::new() };
            if events.is_empty() {
                break;
            }
            events.into_iter().for_each(|event| self.line(event));
        }
        Ok(())
    }

    fn report_dropped(&mut self) {
        let dropped = self.shared.dropped.swap(0, Ordering::SeqCst);
        if dropped == 0 {
            return;
        }
        let before = self.lines.len();
        self.line(
            Event::system("audit.Dropped")
                .result("DROPPED")
                .message(format!("{dropped} audit records were dropped: too many waited to be written"))
                .change(serde_json::json!({ "dropped": dropped })),
        );
        if self.lines.len() == before {
            // No room for the report: `line` has counted the report itself, so count what it stood for too.
            self.shared.dropped.fetch_add(dropped - 1, Ordering::SeqCst);
        }
    }

    fn line(&mut self, event: Event) {
        if self.lines.len() >= PENDING_BYTES_MAX {
            self.shared.dropped.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let id = self.ids.next(event.time);
        if let Err(error) = CloudEvent::new(event, id, &self.source).write_line(&mut self.lines) {
            // Only a time before year 0 or after 9999 can't be written; the clock is broken then.
            tracing::error!(%error, "an audit record can't be serialised");
            self.shared.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.writable.store(false, Ordering::SeqCst);
        }
    }
}
