//! One partition: its log, and the producers that write to it.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use schloss_log::{Flusher, LogConfig, LogError, PartitionLog, Recovery, TimestampSource};
use schloss_wire::records::BatchHeader;

use crate::producer_state::{ProducerStates, SequenceCheck, SequenceError};

/// The leader epoch of every partition: one node leads from the first day and never elects.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// A partition that is open.
pub(crate) struct Partition {
    pub(crate) log: PartitionLog,
    timestamps: TimestampSource,
    /// Held over check and append, so that two batches of one producer are never judged by the same state.
    producers: Mutex<ProducerStates>,
}

/// Where a batch is in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Written {
    /// Offset of its first record.
    pub(crate) base_offset: i64,
    /// Offset of its last record.
    pub(crate) last_offset: i64,
    /// The time given to its records in milliseconds since the epoch; -1 if they keep the producer's.
    pub(crate) log_append_time: i64,
}

/// Why a batch isn't in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Partition {
    /// Opens the log in `directory`, and rebuilds the producers' state from it.
    pub(crate) fn open(
        directory: &Path,
        config: LogConfig,
        flusher: Arc<Flusher>,
    ) -> Result<(Self, Recovery), LogError> {
        let timestamps = config.timestamps;
        let mut producers = ProducerStates::default();
        let (log, recovery) = PartitionLog::open_replaying(directory, config, flusher, 0, &mut |header| {
            producers.appended(header, header.max_timestamp);
        })?;
        Ok((Self { log, timestamps, producers: Mutex::new(producers) }, recovery))
    }

    /// Appends a checked batch, unless its producer sent it before: then the answer is that of the first
    /// time. `now_ms` is in milliseconds since the epoch.
    pub(crate) fn append(
        &self,
        header: BatchHeader,
        batch: Bytes,
        now_ms: i64,
    ) -> Result<Written, WriteError> {
        if !header.is_idempotent() {
            return Ok(written(&self.log.append(&[(header, batch)], now_ms)?));
        }
        let mut producers = self.producers.lock();
        if let SequenceCheck::Duplicate(first_time) = producers.check(&header)? {
            let log_append_time = match self.timestamps {
                TimestampSource::CreateTime => -1,
                TimestampSource::LogAppendTime => first_time.max_timestamp,
            };
            return Ok(Written {
                base_offset: first_time.base_offset,
                last_offset: first_time.last_offset,
                log_append_time,
            });
        }
        let written = written(&self.log.append(&[(header, batch)], now_ms)?);
        let max_timestamp = match self.timestamps {
            TimestampSource::CreateTime => header.max_timestamp,
            TimestampSource::LogAppendTime => written.log_append_time,
        };
        let stored = BatchHeader { base_offset: written.base_offset, max_timestamp, ..header };
        producers.appended(&stored, now_ms);
        Ok(written)
    }
}

fn written(appended: &schloss_log::Appended) -> Written {
    Written {
        base_offset: appended.base_offset,
        last_offset: appended.last_offset,
        log_append_time: appended.log_append_time,
    }
}
