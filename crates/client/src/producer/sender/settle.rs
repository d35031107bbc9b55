//! What becomes of batches that come back: stored, sent again, or lost.

use schloss_wire::ErrorCode;
use schloss_wire::messages::ProduceResponse;
use tokio::time::Instant;

use super::super::batch::Batch;
use super::super::lane::Outcome;
use super::super::partition::Partition;
use super::Sender;
use crate::error::{ClientError, Need};

impl Sender {
    pub(super) fn settle(&mut self, outcome: Outcome) {
        if let Some(route) = self.routes.get_mut(&outcome.node) {
            route.under_way = route.under_way.saturating_sub(1);
        }
        for batch in outcome.batches {
            let answer = match &outcome.result {
                Ok(response) => self.answer(response, &batch),
                Err(error) => Err(error.clone()),
            };
            match answer {
                Ok(base_offset) => {
                    if let Some(partition) = self.partition(&batch) {
                        partition.landed();
                    }
                    self.tally.delivered(&batch);
                    batch.delivered(base_offset);
                }
                Err(error) if self.is_worth_a_retry(&error, &batch) => {
                    tracing::debug!(%error, topic = %batch.topic, partition = batch.partition, "a batch is sent again");
                    self.send_again(batch);
                }
                Err(error) => self.lose(batch, &error),
            }
        }
    }

    /// The base offset of a batch that is stored.
    fn answer(&self, response: &ProduceResponse, batch: &Batch) -> Result<i64, ClientError> {
        let found = response
            .responses
            .iter()
            .filter(|topic| topic.name.as_str() == &*batch.topic)
            .flat_map(|topic| &topic.partition_responses)
            .find(|partition| partition.index == batch.partition);
        let Some(found) = found else {
            return Err(ClientError::Protocol {
                address: "the broker".to_owned(),
                detail: format!("no answer for {} [{}]", batch.topic, batch.partition),
            });
        };
        if found.error_code == ErrorCode::DuplicateSequenceNumber.code() {
            return Ok(-1);
        }
        let message = found.error_message.as_deref();
        self.cluster.check(found.error_code, message, &Need::topic("WRITE", &batch.topic), || {
            format!("writing to topic {} partition {}", batch.topic, batch.partition)
        })?;
        Ok(found.base_offset)
    }

    fn is_worth_a_retry(&mut self, error: &ClientError, batch: &Batch) -> bool {
        if self.tally.failure().is_some() || batch.deadline(self.options.delivery_timeout) <= Instant::now() {
            return false;
        }
        // A batch behind one that failed for the moment has a gap before it, until that one is stored.
        let behind = error.code() == Some(ErrorCode::OutOfOrderSequenceNumber)
            && self.partition(batch).is_some_and(|partition| partition.is_recovering());
        error.is_retriable() || behind
    }

    pub(super) fn send_again(&mut self, batch: Batch) {
        let Some(topic) = self.topics.get_mut(&batch.topic) else { return };
        topic.stale = true;
        let index = usize::try_from(batch.partition).unwrap_or(usize::MAX);
        if let Some(partition) = topic.partitions.get_mut(index) {
            partition.returned(batch, Instant::now());
        }
    }

    /// A batch is lost for good; nothing may be written after it.
    pub(super) fn lose(&mut self, batch: Batch, error: &ClientError) {
        if let Some(partition) = self.partition(&batch) {
            partition.landed();
        }
        self.tally.failed(u64::try_from(batch.count()).unwrap_or_default(), error);
        batch.failed(error);
        self.fail(error);
    }

    /// Ends the producer: what is not under way fails with `error`.
    pub(super) fn fail(&mut self, error: &ClientError) {
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            for batch in partition.drain() {
                self.tally.failed(u64::try_from(batch.count()).unwrap_or_default(), error);
                batch.failed(error);
            }
        }
    }

    fn partition(&mut self, batch: &Batch) -> Option<&mut Partition> {
        let index = usize::try_from(batch.partition).ok()?;
        self.topics.get_mut(&batch.topic)?.partitions.get_mut(index)
    }
}
