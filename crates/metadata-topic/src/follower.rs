//! The task that follows the topic.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use schloss_metadata::Record;
use tokio::time::{Instant, sleep};

use crate::absorb::Absorbed;
use crate::load::{self, Loaded};
use crate::shared::Shared;
use crate::tail::{Piece, Tail, TailError};
use crate::transactions::Refused;
use crate::upstream::Upstream;

/// How long the broker holds a fetch when there is nothing new.
const WAIT: Duration = Duration::from_millis(500);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How long another transaction may hide the end before that is reported.
const HELD_UP_PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait before the topic is read whole once more.
const RELOAD_BACKOFF: Duration = Duration::from_secs(10);

pub(crate) struct Follower {
    shared: Arc<Shared>,
    upstream: Arc<Upstream>,
    tail: Tail,
    /// When the state was the newest.
    last: SystemTime,
    /// When the end came to be hidden by a transaction.
    held_up: Option<Instant>,
}

/// Why following ends here.
enum Stop {
    /// The topic must be read whole again.
    Reload(String),
    /// The state can't go on: a newer version is needed.
    Forever(String),
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>, upstream: Arc<Upstream>, tail: Tail) -> Self {
        Self { shared, upstream, tail, last: SystemTime::now(), held_up: None }
    }

    /// Follows for ever.
    pub(crate) async fn run(mut self) {
        loop {
            match self.follow().await {
                Stop::Reload(why) => self.reload(why).await,
                Stop::Forever(why) => {
                    tracing::error!(topic = self.shared.topic, why, "the metadata is followed no further");
                    self.stop(why);
                    return;
                }
            }
        }
    }

    async fn follow(&mut self) -> Stop {
        let mut backoff = BACKOFF_MIN;
        loop {
            let change = self.shared.book.lock().change();
            match self.tail.fetch(change, WAIT).await {
                Ok(piece) => {
                    backoff = BACKOFF_MIN;
                    if let Err(stop) = self.take(piece).await {
                        return stop;
                    }
                }
                Err(error @ TailError::OutOfRange(_)) => return Stop::Reload(error.to_string()),
                Err(error) => {
                    self.shared.is_behind(self.last, error.to_string());
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    async fn take(&mut self, piece: Piece) -> Result<(), Stop> {
        let (is_last, is_held_up, position) = (piece.is_last(), piece.is_held_up(), piece.position);
        let mut absorbed = Absorbed::default();
        let (change, whole) = {
            let mut book = self.shared.book.lock();
            absorbed.add(&self.shared.codec, &mut book, piece.outcomes);
            (book.change(), book.is_whole())
        };
        if let Some((offset, detail)) = absorbed.unreadable {
            return Err(Stop::Forever(format!(
                "a gateway of a newer version wrote the record at offset {offset} ({detail}): update this one"
            )));
        }
        self.publish(absorbed.records).await?;
        self.shared.report(absorbed.refused.iter());
        if is_last && !whole {
            return Err(Stop::Reload("records are missing in the topic".to_owned()));
        }
        self.shared.progress.send_if_modified(|progress| {
            let moved = progress.position != position;
            (progress.position, progress.change) = (position, change);
            moved
        });
        if is_last {
            (self.last, self.held_up) = (SystemTime::now(), None);
            self.shared.follows();
        } else if is_held_up {
            let since = *self.held_up.get_or_insert_with(Instant::now);
            if since.elapsed() > HELD_UP_PATIENCE {
                self.shared
                    .is_behind(self.last, load::LoadError::HeldUp(self.shared.topic.clone()).to_string());
            }
        }
        Ok(())
    }

    async fn publish(&self, records: Vec<Record>) -> Result<(), Stop> {
        if records.is_empty() {
            return Ok(());
        }
        let state = Arc::clone(&self.shared.state);
        // Compiling a hundred thousand ACLs takes a while; requests go on meanwhile.
        let after = tokio::task::spawn_blocking(move || state.after(records)).await;
        match after {
            Ok(Ok(after)) => {
                self.shared.state.publish(after);
                Ok(())
            }
            Ok(Err(error)) => Err(Stop::Forever(error.to_string())),
            Err(error) => Err(Stop::Forever(error.to_string())),
        }
    }

    /// Reads the topic whole, until what it holds can be what we have and more.
    async fn reload(&mut self, mut why: String) {
        loop {
            tracing::error!(topic = self.shared.topic, why, "the metadata topic is read whole again");
            self.stop(why);
            let replaced = match load::load(&self.upstream, &self.shared.codec).await {
                Ok(loaded) => self.replace(loaded).await,
                Err(error) => Err(error.to_string()),
            };
            match replaced {
                Ok(()) => return,
                Err(reason) => why = reason,
            }
            self.stop(why.clone());
            sleep(RELOAD_BACKOFF).await;
        }
    }

    async fn replace(&mut self, loaded: Loaded) -> Result<(), String> {
        let before = self.shared.book.lock().change();
        let Loaded { tail, book, absorbed, position } = loaded;
        if book.change() < before || !book.is_whole() || absorbed.unreadable.is_some() {
            return Err(format!(
                "topic {} does not hold all changes up to number {before} any more. This gateway keeps to the \
                 state it has, and takes no changes. Restore the topic; or restart all gateways to take over \
                 what it holds now",
                self.shared.topic
            ));
        }
        let standing: Vec<Refused> = absorbed.standing(&book).cloned().collect();
        let cluster_id = self.shared.state.snapshot().cluster_id().to_string();
        let state = Arc::clone(&self.shared.state);
        let records = std::iter::once(Record::ClusterId { id: cluster_id }).chain(absorbed.records);
        let records: Vec<Record> = records.collect();
        let anew = tokio::task::spawn_blocking(move || state.anew(records)).await;
        let anew = anew.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let change = book.change();
        *self.shared.book.lock() = book;
        self.shared.state.publish(anew);
        self.tail = tail;
        self.last = SystemTime::now();
        self.shared.progress.send_modify(|progress| {
            (progress.position, progress.change, progress.stopped) = (position, change, None);
        });
        self.shared.follows();
        self.shared.report(standing.iter());
        Ok(())
    }

    /// Changes are refused before anybody is told that the state is behind.
    fn stop(&self, why: String) {
        self.shared.progress.send_modify(|progress| progress.stopped = Some(why.as_str().into()));
        self.shared.is_behind(self.last, why);
    }
}
