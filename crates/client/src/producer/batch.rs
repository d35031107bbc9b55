//! Records of one partition on their way into one batch.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schloss_wire::StrBytes;
use schloss_wire::records::{
    Compression, Record, RecordBatch, RecordEncodeLimits, RecordHeader, TimestampType,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::record::{Delivered, ProducerRecord};
use crate::error::ClientError;

/// Whoever waits for one record.
pub(super) type Waiter = oneshot::Sender<Result<Delivered, ClientError>>;
/// Producer id and epoch.
pub(super) type ProducerId = (i64, i16);

/// A batch, from its first record to its acknowledgement.
pub(super) struct Batch {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    records: Vec<Record>,
    count: i32,
    bytes: usize,
    base_timestamp: i64,
    max_timestamp: i64,
    pub(super) created: Instant,
    waiters: Vec<(i32, Waiter)>,
    permit: Option<OwnedSemaphorePermit>,
    /// Sequence number of the first record.
    pub(super) sequence: i32,
    /// Place among the batches of the partition.
    pub(super) order: u64,
    encoded: Option<Bytes>,
}

impl Batch {
    pub(super) fn new(topic: Arc<str>, partition: i32) -> Self {
        Self {
            topic,
            partition,
            records: Vec::new(),
            count: 0,
            bytes: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            created: Instant::now(),
            waiters: Vec::new(),
            permit: None,
            sequence: 0,
            order: 0,
            encoded: None,
        }
    }

    pub(super) const fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of the records before compression, at most.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// When it has to be acknowledged.
    pub(super) fn deadline(&self, delivery_timeout: Duration) -> Instant {
        self.created + delivery_timeout
    }

    /// Adds a record; `permit` is its place in the producer's buffer and is given back with the batch.
    pub(super) fn push(
        &mut self,
        record: ProducerRecord,
        now_ms: i64,
        permit: OwnedSemaphorePermit,
        waiter: Option<Waiter>,
    ) {
        let timestamp = record.timestamp.unwrap_or(now_ms);
        if self.count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.bytes += record.size();
        if let Some(waiter) = waiter {
            self.waiters.push((self.count, waiter));
        }
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        let headers = record.headers.into_iter();
        self.records.push(Record {
            attributes: 0,
            timestamp_delta: timestamp.saturating_sub(self.base_timestamp),
            offset_delta: self.count,
            key: record.key,
            value: record.value,
            headers: headers.map(|(key, value)| RecordHeader { key: StrBytes::from(key), value }).collect(),
        });
        self.count += 1;
    }

    /// The bytes of the batch; made once, so that a retry sends the same.
    pub(super) fn encoded(
        &mut self,
        id: Option<ProducerId>,
        compression: Compression,
    ) -> Result<Bytes, ClientError> {
        if let Some(encoded) = &self.encoded {
            return Ok(encoded.clone());
        }
        let (producer_id, producer_epoch) = id.unwrap_or((-1, -1));
        let batch = RecordBatch {
            base_offset: 0,
            last_offset_delta: self.count - 1,
            partition_leader_epoch: -1,
            compression,
            timestamp_type: TimestampType::CreateTime,
            is_transactional: false,
            is_control: false,
            has_delete_horizon: false,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence: if id.is_some() { self.sequence } else { -1 },
            records: std::mem::take(&mut self.records),
        };
        let encoded = batch
            .encode_to_bytes(RecordEncodeLimits::default())
            .map_err(|error| ClientError::Record(format!("can't encode a batch: {error}")))?;
        self.encoded = Some(encoded.clone());
        Ok(encoded)
    }

    /// Tells whoever waits where their records are.
    pub(super) fn delivered(self, base_offset: i64) {
        for (delta, waiter) in self.waiters {
            let offset = if base_offset < 0 { -1 } else { base_offset + i64::from(delta) };
            let delivered = Delivered { topic: Arc::clone(&self.topic), partition: self.partition, offset };
            // Whoever waited may be gone.
            let _gone = waiter.send(Ok(delivered));
        }
    }

    /// Tells whoever waits why their records are not stored.
    pub(super) fn failed(self, error: &ClientError) {
        for (_, waiter) in self.waiters {
            let _gone = waiter.send(Err(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use schloss_wire::records::{RecordDecodeLimits, check_batch};
    use tokio::sync::Semaphore;

    use super::*;

    fn filled() -> Batch {
        let buffer = Arc::new(Semaphore::new(3));
        let permit = || Arc::clone(&buffer).try_acquire_owned().unwrap();
        let mut batch = Batch::new("orders".into(), 3);
        let mut first = ProducerRecord::new("orders", "one").with_key("k");
        first.headers = vec![("h".to_owned(), Some(Bytes::from_static(b"v"))), ("n".to_owned(), None)];
        batch.push(first, 1_000, permit(), None);
        let mut tombstone = ProducerRecord { key: Some("k".into()), ..ProducerRecord::default() };
        tombstone.timestamp = Some(900);
        batch.push(tombstone, 2_000, permit(), None);
        batch.push(ProducerRecord::new("orders", ""), 1_500, permit(), None);
        batch
    }

    #[test]
    fn what_is_batched_decodes_back_under_every_compression() {
        for compression in
            [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
        {
            let mut bytes = filled().encoded(None, compression).unwrap();
            let header = check_batch(&bytes).unwrap();
            assert_eq!((header.record_count, header.base_sequence, header.producer_id), (3, -1, -1));
            let batch = RecordBatch::decode(&mut bytes, RecordDecodeLimits::default()).unwrap();
            assert_eq!((batch.base_timestamp, batch.max_timestamp), (1_000, 1_500));
            let times: Vec<i64> =
                batch.records.iter().map(|record| batch.base_timestamp + record.timestamp_delta).collect();
            assert_eq!(times, [1_000, 900, 1_500]);
            assert_eq!(batch.records[0].value.as_deref(), Some(&b"one"[..]));
            assert_eq!(batch.records[0].headers[1].value, None);
            assert_eq!(batch.records[1].value, None, "a tombstone stays one");
            assert_eq!(batch.records[2].value.as_deref(), Some(&b""[..]), "and empty stays empty");
        }
    }

    #[test]
    fn an_idempotent_batch_carries_id_and_sequence_and_is_the_same_when_sent_again() {
        let mut batch = filled();
        batch.sequence = 41;
        let bytes = batch.encoded(Some((7, 2)), Compression::None).unwrap();
        let header = check_batch(&bytes).unwrap();
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 2, 41));
        assert_eq!(batch.encoded(Some((7, 2)), Compression::None).unwrap(), bytes);
    }

    #[test]
    fn the_size_of_a_record_is_never_estimated_too_low() {
        let mut batch = filled();
        let estimated = batch.bytes();
        let encoded = batch.encoded(None, Compression::None).unwrap();
        assert!(encoded.len() <= estimated + schloss_wire::records::BATCH_HEADER_BYTES);
    }
}
