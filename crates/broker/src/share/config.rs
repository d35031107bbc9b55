//! What share groups may take, with Kafka's names where Kafka has the setting.

use std::time::Duration;

/// Bounds and times of share groups.
#[derive(Clone, Debug)]
pub struct SharesConfig {
    /// How long a member may work on a record (`group.share.record.lock.duration.ms`).
    pub record_lock: Duration,
    /// How often a record is delivered at most (`group.share.delivery.count.limit`).
    pub max_deliveries: i16,
    /// Most records of one partition that are under way in one group, be it with a member or to be delivered
    /// once more (`group.share.partition.max.record.locks`).
    pub max_records_under_way: i64,
    /// Most share sessions (`group.share.max.share.sessions`).
    pub max_sessions: usize,
    /// Most partitions of all sessions together.
    pub max_session_partitions: usize,
    /// Most partitions of which a share group keeps something, counted for each group.
    pub max_partitions: usize,
    /// Most runs of records in the same state, of all groups together; each takes some 64 bytes. Beyond that
    /// nothing more is delivered until members have acknowledged.
    pub max_runs: usize,
    /// The journal is written anew when it is larger than this and mostly outdated.
    pub compact_above_bytes: u64,
}

impl Default for SharesConfig {
    fn default() -> Self {
        Self {
            record_lock: Duration::from_secs(30),
            max_deliveries: 5,
            max_records_under_way: 2_000,
            max_sessions: 2_000,
            max_session_partitions: 200_000,
            max_partitions: 100_000,
            max_runs: 1_000_000,
            compact_above_bytes: 16 * 1024 * 1024,
        }
    }
}
