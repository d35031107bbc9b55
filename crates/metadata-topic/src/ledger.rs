//! The ledger: turns that are transactions.

use std::sync::Arc;
use std::time::Duration;

use schloss_client::ClientError;
use schloss_metadata::{Commit, Ledger, LedgerFuture, MetadataError, Record, Turn};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::book::Producer;
use crate::change;
use crate::health::Notice;
use crate::load::LoadError;
use crate::shared::{Progress, Shared};
use crate::writer::{WriteError, Writer, is_transient};

/// How long a change waits for those of this gateway before it.
const QUEUE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a turn may take to begin, and to be seen when it is made.
const TURN_PATIENCE: Duration = Duration::from_secs(10);
const RETRY_BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause of the first superseded attempt; it doubles up to the limit. A turn takes some 20 ms.
const SUPERSEDED_BACKOFF: Duration = Duration::from_millis(40);
const SUPERSEDED_DOUBLINGS: u32 = 4;

/// Keeps changes in the topic.
#[derive(Clone)]
pub(crate) struct TopicLedger {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Writer>>,
}

struct TopicTurn {
    shared: Arc<Shared>,
    writer: OwnedMutexGuard<Writer>,
    producer: Producer,
}

impl TopicLedger {
    pub(crate) fn new(shared: Arc<Shared>, writer: Writer) -> Self {
        Self { shared, writer: Arc::new(Mutex::new(writer)) }
    }

    async fn turn(&self, attempt: u32) -> Result<TopicTurn, MetadataError> {
        let lock = timeout(QUEUE_PATIENCE, Arc::clone(&self.writer).lock_owned()).await;
        let mut writer = lock.map_err(|_| {
            MetadataError::Unavailable("too many changes wait for their turn; try again".to_owned())
        })?;
        if attempt > 0 {
            sleep(random_pause(attempt)).await;
        }
        let producer = take_the_pen(&self.shared, &mut writer).await?;
        Ok(TopicTurn { shared: Arc::clone(&self.shared), writer, producer })
    }

    /// Says again what somebody else overwrote, if nobody has yet. A gateway that starts would refuse to.
    pub(crate) async fn heal(&self) -> Result<(), MetadataError> {
        let turn = self.turn(0).await?;
        let keys = self.shared.book.lock().disputed().len();
        if keys == 0 {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        match Box::new(turn).write(Vec::new()).await? {
            Commit::Made => {
                tracing::warn!(topic = shared.topic, keys, "what forged records stood over is said again");
                shared.notify(Notice::Healed { keys });
                Ok(())
            }
            Commit::Superseded { why } => Err(MetadataError::Unavailable(why)),
        }
    }
}

impl Ledger for TopicLedger {
    fn begin(&self, attempt: u32) -> LedgerFuture<'_, Box<dyn Turn>> {
        Box::pin(async move { Ok(Box::new(self.turn(attempt).await?) as Box<dyn Turn>) })
    }
}

impl Turn for TopicTurn {
    fn commit(self: Box<Self>, records: Vec<Record>) -> LedgerFuture<'static, Commit> {
        Box::pin(self.write(records))
    }
}

impl TopicTurn {
    async fn write(mut self: Box<Self>, records: Vec<Record>) -> Result<Commit, MetadataError> {
        let shared = Arc::clone(&self.shared);
        let prepared = tokio::task::spawn_blocking(move || {
            let snapshot = shared.state.snapshot();
            let book = shared.book.lock();
            let encoded = change::encode(&shared.codec, &book, Some(&snapshot), &records)?;
            let number = book.change() + 1;
            drop(book);
            // What can't be applied must not get into the topic: no gateway could go on after it.
            shared.state.after(records)?;
            Ok::<_, MetadataError>((encoded, number))
        });
        let (records, number) = prepared.await.map_err(|_| MetadataError::Interrupted)??;
        match self.writer.write(self.producer, records).await {
            Ok(()) => self.seen(number).await,
            Err(WriteError::Lost(why)) => Ok(Commit::Superseded { why }),
            Err(WriteError::Refused(error)) => Err(MetadataError::Unavailable(error.to_string())),
            Err(WriteError::Unknown(why)) => self.look(why).await,
        }
    }

    /// Waits until the change is in force here.
    async fn seen(&self, number: u64) -> Result<Commit, MetadataError> {
        let deadline = Instant::now() + TURN_PATIENCE;
        let undecided = |why: String| MetadataError::Undecided(why);
        await_progress(&self.shared, deadline, |progress| progress.change >= number)
            .await
            .map_err(|why| undecided(format!("it was written, but can't be read back: {why}")))?;
        if self.shared.book.lock().has_committed(self.producer) {
            return Ok(Commit::Made);
        }
        Err(undecided(format!("somebody else wrote into topic {} at the same time", self.shared.topic)))
    }

    /// Finds out what became of a transaction whose end was not confirmed: with the pen in hand nothing of it
    /// can happen any more.
    async fn look(&mut self, why: String) -> Result<Commit, MetadataError> {
        take_the_pen(&self.shared, &mut self.writer)
            .await
            .map_err(|error| MetadataError::Undecided(format!("{why}; then: {error}")))?;
        if self.shared.book.lock().has_committed(self.producer) {
            return Ok(Commit::Made);
        }
        Ok(Commit::Superseded { why })
    }
}

/// Fences all other writers, and waits until the state shows all that they have done.
async fn take_the_pen(shared: &Shared, writer: &mut Writer) -> Result<Producer, MetadataError> {
    if let Some(why) = &shared.progress.borrow().stopped {
        return Err(MetadataError::Unavailable(why.to_string()));
    }
    let deadline = Instant::now() + TURN_PATIENCE;
    let mut hindrance = "the cluster does not answer".to_owned();
    let attempts = async {
        loop {
            match fence_and_find_end(writer, &mut hindrance).await {
                Ok((producer, end)) => {
                    return await_progress(shared, deadline, |progress| progress.position >= end)
                        .await
                        .map(|()| producer);
                }
                Err(error) if is_transient(&error) => hindrance = error.to_string(),
                Err(error) => return Err(error.to_string()),
            }
            sleep(RETRY_BACKOFF).await;
        }
    };
    match timeout_at(deadline, attempts).await {
        Ok(turn) => turn.map_err(MetadataError::Unavailable),
        Err(_) => Err(MetadataError::Unavailable(hindrance)),
    }
}

async fn fence_and_find_end(
    writer: &mut Writer,
    hindrance: &mut String,
) -> Result<(Producer, i64), ClientError> {
    let producer = writer.fence().await?;
    loop {
        let end = writer.end().await?;
        // Our own transactions are ended by now. One of somebody else would hide what comes after it.
        if end.stable >= end.end {
            return Ok((producer, end.end));
        }
        *hindrance = LoadError::HeldUp(writer.topic().to_owned()).to_string();
        sleep(RETRY_BACKOFF).await;
    }
}

/// Waits for the follower; the error says why it does not get there.
async fn await_progress(
    shared: &Shared,
    deadline: Instant,
    there: impl Fn(&Progress) -> bool,
) -> Result<(), String> {
    let mut progress = shared.progress.subscribe();
    let wait = progress.wait_for(|progress| there(progress) || progress.stopped.is_some());
    let reached = match timeout_at(deadline, wait).await {
        Ok(Ok(progress)) => progress.clone(),
        Ok(Err(_)) => return Err("the gateway is being stopped".to_owned()),
        Err(_) => return Err(format!("topic {} can't be followed at the moment; try again", shared.topic)),
    };
    match reached.stopped {
        Some(why) => Err(why.to_string()),
        None => Ok(()),
    }
}

/// A random pause, longer the more often a change was superseded.
fn random_pause(attempt: u32) -> Duration {
    let mut random = [0; 4];
    // Without randomness all wait equally long, which is worse but not wrong.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let most = SUPERSEDED_BACKOFF * (1 << attempt.min(SUPERSEDED_DOUBLINGS));
    most.mul_f64(f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX))
}
