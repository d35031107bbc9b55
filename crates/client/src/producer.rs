//! Writing records.

mod record;

pub use record::{Delivered, DeliveryReport, ProducerOptions, ProducerRecord};

use crate::cluster::Cluster;
use crate::error::ClientError;

/// Gathers records into batches per partition and writes them with `acks=all`.
///
/// The first permanent failure ends it: later records are not sent, so none overtakes a lost one.
pub struct Producer {
    report: DeliveryReport,
}

impl Producer {
    /// Opens a producer over a cluster.
    ///
    /// # Errors
    /// A producer id is wanted and not given.
    pub async fn new(_cluster: Cluster, _options: ProducerOptions) -> Result<Self, ClientError> {
        Ok(Self { report: DeliveryReport::default() })
    }

    /// Takes a record; waits while the buffer is full. Returns before it is stored.
    ///
    /// # Errors
    /// The record is too large, or the producer has failed.
    pub async fn send(&mut self, _record: ProducerRecord) -> Result<(), ClientError> {
        Err(ClientError::Usage("not built yet".to_owned()))
    }

    /// Writes one record and waits until it is stored.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn send_and_wait(&mut self, _record: ProducerRecord) -> Result<Delivered, ClientError> {
        Err(ClientError::Usage("not built yet".to_owned()))
    }

    /// Waits until everything taken is stored or failed.
    pub async fn flush(&mut self) -> DeliveryReport {
        self.report.clone()
    }

    /// What became of the records so far; cheap, for progress.
    #[must_use]
    pub fn report(&self) -> DeliveryReport {
        self.report.clone()
    }

    /// Flushes and ends.
    pub async fn close(mut self) -> DeliveryReport {
        self.flush().await
    }
}
