//! Writing records.

mod batch;
mod lane;
mod partition;
mod partitioner;
mod record;
mod sender;
mod tally;

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

pub use record::{Delivered, DeliveryReport, ProducerOptions, ProducerRecord};

use crate::cluster::Cluster;
use crate::error::ClientError;
use batch::Waiter;
use sender::{Command, Sender};
use tally::Tally;

/// Records handed to the task and not yet looked at.
const MAX_QUEUED: usize = 4096;

/// Gathers records into batches per partition and writes them with `acks=all`.
///
/// The first permanent failure ends it: later records are not sent, so none overtakes a lost one. Dropping it
/// without [`Producer::close`] lets the task finish what it has, and nobody learns of failures.
pub struct Producer {
    commands: mpsc::Sender<Command>,
    buffer: Arc<Semaphore>,
    tally: Arc<Tally>,
    options: ProducerOptions,
    task: JoinHandle<()>,
}

impl Producer {
    /// Opens a producer over a cluster. Topics are looked up, and a producer id is asked for, with the first
    /// record.
    ///
    /// # Errors
    /// The options contradict each other.
    pub async fn new(cluster: Cluster, options: ProducerOptions) -> Result<Self, ClientError> {
        let buffer_bytes = options.buffer_bytes.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        if options.max_request_bytes > buffer_bytes || options.max_in_flight == 0 {
            return Err(ClientError::Usage(
                "buffer_bytes must hold max_request_bytes, and max_in_flight must be at least 1".to_owned(),
            ));
        }
        // Brokers remember the last five batches of a producer per partition (KIP-98).
        if options.idempotent && options.max_in_flight > MAX_IDEMPOTENT_IN_FLIGHT {
            return Err(ClientError::Usage(format!(
                "max_in_flight must be at most {MAX_IDEMPOTENT_IN_FLIGHT} with idempotence"
            )));
        }
        let tally = Arc::new(Tally::default());
        let (commands, receiver) = mpsc::channel(MAX_QUEUED);
        let sender = Sender::new(cluster, options.clone(), Arc::clone(&tally));
        let task = tokio::spawn(sender.run(receiver));
        Ok(Self { commands, buffer: Arc::new(Semaphore::new(buffer_bytes)), tally, options, task })
    }

    /// Takes a record; waits while the buffer is full. Returns before it is stored.
    ///
    /// # Errors
    /// The record is too large (the producer goes on), or the producer has failed.
    pub async fn send(&mut self, record: ProducerRecord) -> Result<(), ClientError> {
        self.hand_over(record, None).await
    }

    /// Writes one record and waits until it is stored.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn send_and_wait(&mut self, record: ProducerRecord) -> Result<Delivered, ClientError> {
        let (waiter, answer) = oneshot::channel();
        self.hand_over(record, Some(waiter)).await?;
        // What is open goes out at once: nothing else will come before the answer.
        let (done, _) = oneshot::channel();
        self.command(Command::Flush(done)).await?;
        answer.await.unwrap_or_else(|_| Err(self.ended()))
    }

    /// Waits until everything taken is stored or failed.
    pub async fn flush(&mut self) -> DeliveryReport {
        let (done, flushed) = oneshot::channel();
        if self.command(Command::Flush(done)).await.is_ok() {
            // The task ends only after everything is settled.
            let _settled = flushed.await;
        }
        self.report()
    }

    /// What became of the records so far; cheap, for progress.
    #[must_use]
    pub fn report(&self) -> DeliveryReport {
        self.tally.report()
    }

    /// Flushes and ends.
    pub async fn close(mut self) -> DeliveryReport {
        self.flush().await;
        drop(self.commands);
        let _ended = self.task.await;
        self.tally.report()
    }

    async fn hand_over(&mut self, record: ProducerRecord, waiter: Option<Waiter>) -> Result<(), ClientError> {
        if let Some(error) = self.tally.failure() {
            return Err(error);
        }
        let size = record.size();
        let limit = self.options.max_request_bytes;
        let permits = match u32::try_from(size) {
            Ok(permits) if size <= limit => permits,
            _ => {
                return Err(ClientError::Record(format!(
                    "a record of {size} bytes is over the limit of {limit}; raise max_request_bytes and the \
                     topic's max.message.bytes, or make it smaller"
                )));
            }
        };
        let acquired = Arc::clone(&self.buffer).acquire_many_owned(permits).await;
        let permit = acquired.map_err(|_| self.ended())?;
        self.command(Command::Send { record, permit, waiter }).await
    }

    async fn command(&self, command: Command) -> Result<(), ClientError> {
        self.commands.send(command).await.map_err(|_| self.ended())
    }

    fn ended(&self) -> ClientError {
        self.tally.failure().unwrap_or_else(|| ClientError::Usage("the producer has ended".to_owned()))
    }
}

/// Most requests under way with idempotence.
const MAX_IDEMPOTENT_IN_FLIGHT: usize = 5;
