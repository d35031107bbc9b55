//! What a producer takes and what it says about it.

use bytes::Bytes;
use schloss_wire::records::Compression;
use std::sync::Arc;
use std::time::Duration;

use crate::error::ClientError;

/// A record to be written.
#[derive(Clone, Debug, Default)]
pub struct ProducerRecord {
    /// The topic.
    pub topic: String,
    /// The partition; `None` chooses by the key, or by filling one partition after another without a key.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since the epoch; `None` is now.
    pub timestamp: Option<i64>,
}

impl ProducerRecord {
    /// A record with a value alone.
    #[must_use]
    pub fn new(topic: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self { topic: topic.into(), value: Some(value.into()), ..Self::default() }
    }

    /// The same with a key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Bytes that it takes at most in a batch.
    pub(crate) fn size(&self) -> usize {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len) + 2 * MAX_VARINT_BYTES);
        RECORD_OVERHEAD
            + self.key.as_ref().map_or(0, Bytes::len)
            + self.value.as_ref().map_or(0, Bytes::len)
            + headers.sum::<usize>()
    }
}

const MAX_VARINT_BYTES: usize = 5;
/// Length, attributes, timestamp delta, offset delta, two lengths and the header count at their longest.
const RECORD_OVERHEAD: usize = 5 * MAX_VARINT_BYTES + 1 + 10;

/// How a producer works. The defaults are those of Kafka's, with `acks=all` always.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// Ask for a producer id, so that a retried batch is stored once. `WRITE` on any topic is enough for that
    /// since Kafka 2.8, before it `IDEMPOTENT_WRITE` on the cluster is needed; a denial fails the first record.
    pub idempotent: bool,
    /// Compression of whole batches.
    pub compression: Compression,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// A batch is sent when its records reach this many bytes before compression.
    pub batch_bytes: usize,
    /// Largest request, and so largest record, in bytes before compression.
    pub max_request_bytes: usize,
    /// Bytes of records that wait or are under way; [`crate::Producer::send`] waits above it.
    pub buffer_bytes: usize,
    /// Most requests under way to one broker. Without idempotence a partition has one at a time, to keep order.
    pub max_in_flight: usize,
    /// How long a record may take, retries included.
    pub delivery_timeout: Duration,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            idempotent: true,
            compression: Compression::None,
            linger: Duration::from_millis(5),
            batch_bytes: 256 * 1024,
            max_request_bytes: 1024 * 1024,
            buffer_bytes: 32 * 1024 * 1024,
            max_in_flight: 5,
            delivery_timeout: Duration::from_secs(120),
        }
    }
}

/// Where a record was stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delivered {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset; -1 if the broker recognised a retried batch and no longer knows it.
    pub offset: i64,
}

/// What became of the records so far.
#[derive(Clone, Debug, Default)]
pub struct DeliveryReport {
    /// Records that are stored on every in-sync replica.
    pub delivered: u64,
    /// Records that are not.
    pub failed: u64,
    /// Bytes of keys, values and headers delivered, framing included.
    pub delivered_bytes: u64,
    /// The first failure; no record is sent after it.
    pub error: Option<ClientError>,
}
