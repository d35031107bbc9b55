//! The handle that everything else records through.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::error::AuditError;
use crate::event::Event;
use crate::files::FileSink;
use crate::sink::Sink;
use crate::writer::{Message, Shared, Writer};

/// How many events wait for the writer at most. With [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES) per text
/// that is a few megabytes in practice.
pub const QUEUE_EVENTS_MAX: usize = 8192;

/// Where and how much is kept.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The directory of the files; made with mode 0700 if it is missing.
    pub directory: PathBuf,
    /// A file that reached this many bytes is closed and a new one begun. A file is larger only by what was
    /// written together at its end.
    pub max_file_bytes: u64,
    /// How many files are kept, the current one included. When a new file is begun the oldest are deleted
    /// until so many are left, never more, and each deletion is an event. Zero keeps all.
    pub max_files: usize,
    /// What the events name as their source, such as `/schloss/<cluster id>`.
    pub source: String,
}

impl AuditConfig {
    /// The source of an installation that has not been given one.
    pub const DEFAULT_SOURCE: &'static str = "/schloss";
    /// 64 MiB, some hundred thousand events.
    pub const DEFAULT_MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
    /// With the default size at most 6.4 GB.
    pub const DEFAULT_MAX_FILES: usize = 100;

    /// The defaults, in this directory.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_file_bytes: Self::DEFAULT_MAX_FILE_BYTES,
            max_files: Self::DEFAULT_MAX_FILES,
            source: Self::DEFAULT_SOURCE.to_owned(),
        }
    }
}

/// A cheap handle; clones share one writer. When the last one is dropped, what is queued is still written
/// and flushed, and the drop waits for that.
#[derive(Clone)]
pub struct Audit {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` only while being dropped: the writer stops when the sender is gone.
    sender: Option<mpsc::Sender<Message>>,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

impl Audit {
    /// Opens the audit of a directory and starts its writer thread. A last line that a crash tore is closed,
    /// so that what comes after it can be read.
    ///
    /// # Errors
    /// The directory can't be made, or its newest file can't be opened for writing.
    pub fn open(config: AuditConfig) -> Result<Self, AuditError> {
        let sink = FileSink::open(config.directory, config.max_file_bytes, config.max_files)?;
        Self::with_sink(Box::new(sink), config.source)
    }

    /// Starts a writer that writes to `sink`. Tests use it to make writing fail.
    ///
    /// # Errors
    /// The writer thread can't be started.
    pub fn with_sink(sink: Box<dyn Sink>, source: impl Into<String>) -> Result<Self, AuditError> {
        let (sender, receiver) = mpsc::channel(QUEUE_EVENTS_MAX);
        let shared = Arc::new(Shared { writable: AtomicBool::new(true), dropped: AtomicU64::new(0) });
        let writer = Writer::new(receiver, sink, Arc::clone(&shared), source.into());
        let thread = std::thread::Builder::new()
            .name("schloss-audit".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| AuditError::Write { source: Arc::new(source) })?;
        Ok(Self { inner: Arc::new(Inner { sender: Some(sender), shared, writer: Some(thread) }) })
    }

    /// Records an event; waits only while the queue is full. It is on its way to the file when this
    /// returns, and safe from a power failure only after the next flush.
    pub async fn record(&self, event: Event) {
        if let Some(sender) = &self.inner.sender {
            // The writer outlives every handle, unless it panicked; then `is_writable` says so.
            let _ = sender.send(Message::Event(Box::new(event.bound()))).await;
        }
    }

    /// Records an event from code that can't wait. If the queue is full the event is dropped and counted,
    /// and the count becomes an event itself.
    pub fn try_record(&self, event: Event) {
        let Some(sender) = &self.inner.sender else { return };
        if sender.try_send(Message::Event(Box::new(event.bound()))).is_err() {
            self.inner.shared.dropped.fetch_add(1, Ordering::SeqCst);
            // The writer may have emptied the queue since and be asleep. If the queue is still full it is not.
            let _ = sender.try_send(Message::Wake);
        }
    }

    /// Records events and returns when they are written and flushed to disk. Callers that wait at the same
    /// time share one flush.
    ///
    /// # Errors
    /// The write or the flush failed. The events are kept, within a bound, and written once that works
    /// again: an error means that they are not known to be on disk, not that they never will be.
    pub async fn record_durably(&self, events: Vec<Event>) -> Result<(), AuditError> {
        let events = events.into_iter().map(Event::bound).collect();
        self.ask(|answer| Message::Durably(events, answer)).await
    }

    /// Whether the last write went well. False from the first write that failed until one succeeds; writing
    /// is tried again with every record and, without any, every second.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.inner.shared.writable.load(Ordering::SeqCst)
    }

    /// Returns when everything recorded before is on disk, or failed to get there.
    pub async fn flush(&self) {
        // Whoever needs to know whether it failed asks `is_writable` or records durably.
        let _ = self.ask(|answer| Message::Durably(Vec::new(), answer)).await;
    }

    async fn ask(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<(), AuditError>>) -> Message,
    ) -> Result<(), AuditError> {
        let (answer, answered) = oneshot::channel();
        let sender = self.inner.sender.as_ref().ok_or(AuditError::Stopped)?;
        sender.send(message(answer)).await.map_err(|_| AuditError::Stopped)?;
        answered.await.map_err(|_| AuditError::Stopped)?
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Audit").field("writable", &self.is_writable()).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            // A panic in the writer has been reported by the panic hook; there is nothing left to save.
            let _ = writer.join();
        }
    }
}
