//! Settings of a partition's log.

/// Largest size a segment may have, in bytes, as in Kafka: positions in the index are 32 bits wide.
pub const MAX_SEGMENT_BYTES: u64 = i32::MAX as u64;

const DEFAULT_SEGMENT_BYTES: u64 = 1 << 30;
/// Four times Kafka's: an entry costs 16 bytes of memory, a miss costs reading this much too much.
const DEFAULT_INDEX_INTERVAL_BYTES: u32 = 16 * 1024;

/// When a record counts as safe.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// When it is on the disk. The high watermark is what was flushed.
    #[default]
    Fsync,
    /// When the operating system has it: it survives a crash of the process, not of the machine.
    Os,
}

/// Where the timestamp of a stored batch comes from (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TimestampSource {
    /// From the producer.
    #[default]
    CreateTime,
    /// The time of the append: the batch is stamped and its CRC made anew.
    LogAppendTime,
}

/// Settings of a partition's log. `..LogConfig::default()` fills in what is not named.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Size at which a segment is closed and the next one begun, in bytes, at most [`MAX_SEGMENT_BYTES`].
    /// No append may be larger.
    pub segment_bytes: u64,
    /// Bytes of log between two index entries.
    pub index_interval_bytes: u32,
    /// When a record counts as safe.
    pub durability: Durability,
    /// Whose timestamp counts.
    pub timestamps: TimestampSource,
    /// Leader epoch written into the batches, at least 0. One node never elects: it stays what it was.
    pub leader_epoch: i32,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: DEFAULT_SEGMENT_BYTES,
            index_interval_bytes: DEFAULT_INDEX_INTERVAL_BYTES,
            durability: Durability::default(),
            timestamps: TimestampSource::default(),
            leader_epoch: 0,
        }
    }
}
