//! One partition: its log, the producers that write to it, and their transactions.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use schloss_log::{Home, LogConfig, LogError, PartitionLog, Recovery, Replay, Watch};
use schloss_wire::ErrorCode;
use schloss_wire::records::BatchHeader;

use crate::cleaner::AbortedRecords;
use crate::control::Marker;
use crate::producers::{
    Aborted, LastRecord, NO_TIMESTAMP, ProducerError, ProducerStates, ProducerView, SequenceCheck,
    TransactionVersion,
};
use crate::storage::Storage;

/// The leader epoch of every partition: one node leads from the first day and never elects.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// The bit of a batch's attributes that says so if its records have the time of their append (Kafka protocol,
/// "Record Batch").
const LOG_APPEND_TIME_BIT: i16 = 0x08;

/// A partition that is open.
pub(crate) struct Partition {
    pub(crate) log: PartitionLog,
    /// Held over check and append, so that two batches of one producer are never judged by the same state,
    /// and nobody sees a high watermark that is ahead of the open transactions.
    producers: Arc<Mutex<ProducerStates>>,
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
    Producer(#[from] ProducerError),
    /// The coordinator knows of no such transaction.
    #[error("the transaction's coordinator answers {0}")]
    Transaction(ErrorCode),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Partition {
    /// Opens the log in `home`, and rebuilds the producers' state from it.
    pub(crate) fn open(
        home: Home,
        config: LogConfig,
        storage: &Storage,
    ) -> Result<(Self, Recovery), LogError> {
        let producers = Arc::new(Mutex::new(ProducerStates::default()));
        let snapshots = Arc::clone(&producers);
        let watch = Watch {
            replay: Some(&mut Rebuild(&producers)),
            snapshots: Some(Box::new(move |end| {
                let producers = snapshots.lock();
                (end(), producers.encode())
            })),
            on_damage: storage.on_damage.clone(),
        };
        let (log, recovery) = PartitionLog::open(home, config, Arc::clone(&storage.flusher), watch)?;
        Ok((Self { log, producers }, recovery))
    }

    /// Appends a checked batch, unless its producer sent it before: then the answer is that of the first
    /// time. `now_ms` is in milliseconds since the epoch.
    ///
    /// `enrol` is asked before a batch begins a transaction here. No marker comes between its consent and the
    /// batch.
    pub(crate) fn append(
        &self,
        header: BatchHeader,
        batch: Bytes,
        now_ms: i64,
        version: TransactionVersion,
        enrol: impl FnOnce() -> Result<(), ErrorCode>,
    ) -> Result<Written, WriteError> {
        if !header.is_idempotent() {
            return Ok(written(&self.log.append(&[(header, batch)], now_ms)?));
        }
        let mut producers = self.producers.lock();
        if let SequenceCheck::Duplicate(first_time) = producers.check(&header, version)? {
            return Ok(Written {
                base_offset: first_time.base_offset,
                last_offset: first_time.last_offset,
                log_append_time: first_time.log_append_time,
            });
        }
        if header.is_transactional()
            && !producers.is_in_transaction(header.producer_id, header.producer_epoch)
        {
            enrol().map_err(WriteError::Transaction)?;
        }
        let written = written(&self.log.append(&[(header, batch)], now_ms)?);
        let mut stored = BatchHeader { base_offset: written.base_offset, ..header };
        if written.log_append_time != NO_TIMESTAMP {
            stored.attributes |= LOG_APPEND_TIME_BIT;
            stored.max_timestamp = written.log_append_time;
        }
        producers.appended(&stored, now_ms);
        Ok(written)
    }

    /// Appends the marker that ends a producer's transaction here, if it has one. To wait for the marker to
    /// be on disk: its `last_offset + 1`.
    pub(crate) fn end_transaction(
        &self,
        marker: &Marker,
        version: TransactionVersion,
        now_ms: i64,
    ) -> Result<Written, WriteError> {
        let mut producers = self.producers.lock();
        producers.check_marker(marker, version)?;
        let (header, batch) =
            marker.encode(now_ms).ok_or(WriteError::Transaction(ErrorCode::UnknownServerError))?;
        let written = written(&self.log.append(&[(header, batch)], now_ms)?);
        let stored = BatchHeader { base_offset: written.base_offset, ..header };
        let ended = producers.ended(&stored, now_ms);
        producers.coordinated(marker);
        if let Some(aborted) = ended.filter(|_| !marker.commit) {
            producers.aborted(aborted);
        }
        Ok(written)
    }

    /// The offset before which every transaction has ended, as far as records may be read.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.producers.lock().last_stable_offset(self.log.high_watermark())
    }

    /// The offset before which a consumer may read: of committed records only, or of all.
    pub(crate) fn readable_to(&self, committed_only: bool) -> i64 {
        if committed_only { self.last_stable_offset() } else { self.log.high_watermark() }
    }

    /// The aborted transactions with records from offset `from` up to before `to`.
    pub(crate) fn aborted_within(&self, from: i64, to: i64) -> Vec<Aborted> {
        self.producers.lock().aborted_within(self.log.start_offset(), from, to)
    }

    /// What compaction has to know of producers, once all transactions that began before `end` have ended.
    pub(crate) fn known_of_producers(&self, end: i64) -> KnownOfProducers {
        let producers = self.producers.lock();
        KnownOfProducers {
            aborted: AbortedRecords::new(&producers.aborted_before(end)),
            last_records: producers.last_records(),
        }
    }

    /// Forgets the aborted transactions whose markers, at these offsets, are about to go.
    pub(crate) fn forget_aborted(&self, markers: &[i64]) {
        self.producers.lock().forget_aborted(markers);
    }

    /// Every transaction that is open here: producer and epoch.
    pub(crate) fn open_transactions(&self) -> Vec<(i64, i16)> {
        self.producers.lock().open_transactions()
    }

    /// Every producer, for administrators.
    pub(crate) fn producers(&self) -> Vec<ProducerView> {
        self.producers.lock().view()
    }
}

/// What compaction has to know of producers.
pub(crate) struct KnownOfProducers {
    pub(crate) aborted: AbortedRecords,
    /// By producer id.
    pub(crate) last_records: HashMap<i64, LastRecord>,
}

/// Rebuilds the producers' state from what is in the log.
struct Rebuild<'a>(&'a Mutex<ProducerStates>);

impl Replay for Rebuild<'_> {
    fn restore(&mut self, snapshot: &[u8]) -> bool {
        let restored = ProducerStates::decode(snapshot);
        restored.map(|states| *self.0.lock() = states).is_some()
    }

    fn batch(&mut self, header: &BatchHeader, batch: &[u8]) {
        let mut producers = self.0.lock();
        if !header.is_control() {
            producers.appended(header, header.max_timestamp);
            return;
        }
        let ended = producers.ended(header, header.max_timestamp);
        let marker = Marker::decode(Bytes::copy_from_slice(batch));
        if let Some(marker) = &marker {
            producers.coordinated(marker);
        }
        // Of two ways to be wrong about a marker that can't be read, hiding records is the one that can be
        // mended.
        if let Some(transaction) = ended.filter(|_| marker.is_none_or(|marker| !marker.commit)) {
            producers.aborted(transaction);
        }
    }
}

fn written(appended: &schloss_log::Appended) -> Written {
    Written {
        base_offset: appended.base_offset,
        last_offset: appended.last_offset,
        log_append_time: appended.log_append_time,
    }
}
