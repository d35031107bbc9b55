//! What a consumer gives and how it begins.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// A record that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConsumedRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch, -1 for none.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Where reading begins when no committed offset says so.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StartAt {
    /// The first record that is still there.
    Beginning,
    /// What comes from now on.
    #[default]
    End,
    /// This offset in every partition; past the ends it is an error.
    Offset(i64),
}

/// How a consumer works.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// Where to begin without a committed offset, and when that offset is gone.
    pub start: StartAt,
    /// How long the broker may hold a fetch that finds nothing.
    pub fetch_wait: Duration,
    /// Largest fetch response, in bytes.
    pub fetch_max_bytes: i32,
    /// Largest part of one partition in it, in bytes.
    pub partition_max_bytes: i32,
    /// Most bytes that one batch may have after decompression.
    pub max_decompressed_bytes: usize,
    /// Group mode: the broker takes a silent member for dead after this.
    pub session_timeout: Duration,
    /// Group mode: time for all members to come to a rebalance.
    pub rebalance_timeout: Duration,
    /// Group mode: time between heartbeats.
    pub heartbeat_interval: Duration,
    /// Group mode: commit in [`crate::Consumer::poll`] what earlier polls returned, at most this often; `None`
    /// leaves it to [`crate::Consumer::commit`].
    pub auto_commit: Option<Duration>,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            start: StartAt::End,
            fetch_wait: Duration::from_millis(500),
            fetch_max_bytes: 50 * 1024 * 1024,
            partition_max_bytes: 1024 * 1024,
            max_decompressed_bytes: 64 * 1024 * 1024,
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(60),
            heartbeat_interval: Duration::from_secs(3),
            auto_commit: Some(Duration::from_secs(5)),
        }
    }
}
