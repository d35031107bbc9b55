//! Producers of one partition: which batches they wrote last, so that a batch sent twice is recognised and a
//! gap is refused (KIP-98, KIP-360), and which transactions are open.
//!
//! Batches hold all of it, so it is rebuilt from the log, or from a snapshot and what came after that.

use std::collections::{BTreeMap, HashMap, VecDeque};

use schloss_wire::records::BatchHeader;
use serde::{Deserialize, Serialize};

use super::aborted::{Aborted, AbortedTransactions};
use crate::control::Marker;

/// Batches remembered for each producer. A client keeps at most this many requests in flight, so anything
/// it may send again is among them.
pub(super) const REMEMBERED_BATCHES: usize = 5;
/// A producer that wrote nothing for this long is forgotten first (`producer.id.expiration.ms`).
pub(super) const EXPIRATION_MS: i64 = 24 * 60 * 60 * 1000;
/// Most producers remembered for one partition, those with an open transaction apart: of these there is one
/// for each transactional id at most. A forgotten producer that comes back is accepted with any sequence, as
/// in Kafka; it only loses the recognition of duplicates.
pub(super) const MAX_PRODUCERS: usize = 8_192;
/// Of a full table, the part that is forgotten at once, so that the sorting is rare.
const EVICTED_AT_ONCE: usize = MAX_PRODUCERS / 8;
/// What stands for a sequence or an epoch of a coordinator that was never seen.
const NONE: i32 = -1;
/// What stands for the time of an append where records keep their producer's.
pub(crate) const NO_TIMESTAMP: i64 = -1;

/// A batch that was appended before.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppendedBatch {
    first_sequence: i32,
    last_sequence: i32,
    /// Offset of its first record.
    pub(crate) base_offset: i64,
    /// Offset of its last record.
    pub(crate) last_offset: i64,
    /// The time given to its records in milliseconds since the epoch; -1 if they keep the producer's.
    pub(crate) log_append_time: i64,
}

/// What to do with a batch that a producer sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SequenceCheck {
    /// It is the next one.
    Append,
    /// It is in the log already; answer as at the first time.
    Duplicate(AppendedBatch),
}

/// Why a batch of an idempotent producer, or the marker of its transaction, is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ProducerError {
    #[error("epoch {epoch} of producer {producer} is older than the last seen epoch {current}")]
    StaleEpoch { producer: i64, epoch: i16, current: i16 },
    #[error("producer {producer} starts its new epoch {epoch} with sequence {first}, not with 0")]
    NewEpochNotFromZero { producer: i64, epoch: i16, first: i32 },
    #[error("producer {producer} sent sequence {first}, but the last one seen is {last}")]
    OutOfOrder { producer: i64, first: i32, last: i32 },
    #[error("producer {producer} has a transaction open here and sent a batch that is not part of it")]
    OutsideTransaction { producer: i64 },
    #[error("coordinator epoch {epoch} for producer {producer} is older than the last seen epoch {current}")]
    StaleCoordinator { producer: i64, epoch: i32, current: i32 },
}

/// Which rules a producer or coordinator follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TransactionVersion {
    /// One epoch for many transactions.
    V1,
    /// A new epoch for every transaction (KIP-890): sequences begin at 0 and markers are newer than records.
    V2,
}

pub(super) struct Producer {
    pub(super) epoch: i16,
    /// Those of this epoch, oldest first; none if the epoch began with a marker.
    pub(super) batches: VecDeque<AppendedBatch>,
    /// When it last wrote, by this node's clock (by the batch's own when rebuilt), in milliseconds.
    pub(super) seen_ms: i64,
    pub(super) coordinator_epoch: i32,
    /// Offset of the first record of the transaction that is open.
    pub(super) open_since: Option<i64>,
}

impl Producer {
    pub(super) fn new(epoch: i16) -> Self {
        let batches = VecDeque::with_capacity(REMEMBERED_BATCHES);
        Self { epoch, batches, seen_ms: i64::MIN, coordinator_epoch: NONE, open_since: None }
    }

    fn enter_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(NONE, |batch| batch.last_sequence)
    }
}

/// A producer, for administrators.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ProducerView {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    /// -1 if it wrote nothing in its epoch.
    pub(crate) last_sequence: i32,
    /// In milliseconds since the epoch.
    pub(crate) last_timestamp: i64,
    /// Of the last marker; -1 if there was none.
    pub(crate) coordinator_epoch: i32,
    /// Offset of the first record of the transaction that is open.
    pub(crate) open_since: Option<i64>,
}

/// Where a producer wrote last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LastRecord {
    /// Offset of its last record; nothing if its epoch began with a marker.
    pub(crate) offset: Option<i64>,
    pub(crate) epoch: i16,
}

/// The producers of one partition.
#[derive(Default)]
pub(crate) struct ProducerStates {
    pub(super) producers: HashMap<i64, Producer>,
    /// Open transactions: offset of the first record to producer.
    pub(super) open: BTreeMap<i64, i64>,
    /// Transactions whose end may not be on disk yet: offset of the first record to that of the marker.
    pub(super) ending: BTreeMap<i64, i64>,
    pub(super) aborted: AbortedTransactions,
}

impl ProducerStates {
    /// Decides about the batch with this header, which is not yet in the log. Batches without a producer id
    /// are always appended.
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        version: TransactionVersion,
    ) -> Result<SequenceCheck, ProducerError> {
        if !header.is_idempotent() {
            return Ok(SequenceCheck::Append);
        }
        let (producer, epoch, first) = (header.producer_id, header.producer_epoch, header.base_sequence);
        let Some(known) = self.producers.get(&header.producer_id) else {
            // As in Kafka, a producer we know nothing of may start anywhere: its state may have expired. Not
            // so one that begins every transaction with an epoch of its own.
            let anywhere = !header.is_transactional() || version == TransactionVersion::V1 || first == 0;
            let refused = ProducerError::OutOfOrder { producer, first, last: NONE };
            return if anywhere { Ok(SequenceCheck::Append) } else { Err(refused) };
        };
        if epoch == known.epoch {
            let range = (first, last_sequence(header));
            let duplicate =
                known.batches.iter().find(|batch| (batch.first_sequence, batch.last_sequence) == range);
            if let Some(batch) = duplicate {
                return Ok(SequenceCheck::Duplicate(*batch));
            }
        }
        if epoch < known.epoch {
            return Err(ProducerError::StaleEpoch { producer, epoch, current: known.epoch });
        }
        if known.open_since.is_some() && !header.is_transactional() {
            return Err(ProducerError::OutsideTransaction { producer });
        }
        if epoch > known.epoch {
            return if first == 0 {
                Ok(SequenceCheck::Append)
            } else {
                Err(ProducerError::NewEpochNotFromZero { producer, epoch, first })
            };
        }
        let last = known.last_sequence();
        if first == sequence_after(last) {
            Ok(SequenceCheck::Append)
        } else {
            Err(ProducerError::OutOfOrder { producer, first, last })
        }
    }

    /// Whether this producer has a transaction open in this epoch.
    pub(crate) fn is_in_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        let known = self.producers.get(&producer_id);
        known.is_some_and(|producer| producer.epoch == epoch && producer.open_since.is_some())
    }

    /// Notes a batch of records that is in the log with this header, offset included; `now_ms` is when it
    /// came.
    pub(crate) fn appended(&mut self, header: &BatchHeader, now_ms: i64) {
        if !header.is_idempotent() || header.is_control() {
            return;
        }
        let producer = self.producer(header, now_ms);
        if producer.batches.len() == REMEMBERED_BATCHES {
            producer.batches.pop_front();
        }
        producer.batches.push_back(AppendedBatch {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time: if header.is_log_append_time() { header.max_timestamp } else { NO_TIMESTAMP },
        });
        if header.is_transactional() && producer.open_since.is_none() {
            producer.open_since = Some(header.base_offset);
            self.open.insert(header.base_offset, header.producer_id);
        }
    }

    /// Decides about a marker that is not yet in the log.
    ///
    /// Of a coordinator that gives every transaction an epoch of its own, a marker is newer than all records
    /// of the transaction; one that is as new as the producer is accepted if it was written before.
    pub(crate) fn check_marker(
        &self,
        marker: &Marker,
        version: TransactionVersion,
    ) -> Result<(), ProducerError> {
        let Some(known) = self.producers.get(&marker.producer_id) else { return Ok(()) };
        let (producer, epoch) = (marker.producer_id, marker.producer_epoch);
        let too_old = match version {
            TransactionVersion::V1 => epoch < known.epoch,
            TransactionVersion::V2 => {
                epoch < known.epoch || epoch == known.epoch && known.open_since.is_some()
            }
        };
        if too_old {
            return Err(ProducerError::StaleEpoch { producer, epoch, current: known.epoch });
        }
        if marker.coordinator_epoch < known.coordinator_epoch {
            let (epoch, current) = (marker.coordinator_epoch, known.coordinator_epoch);
            return Err(ProducerError::StaleCoordinator { producer, epoch, current });
        }
        Ok(())
    }

    /// Notes a marker that is in the log with this header, offset included. If it ended a transaction, that
    /// is returned: it belongs to [`aborted`](Self::aborted) if the marker says so.
    pub(crate) fn ended(&mut self, header: &BatchHeader, now_ms: i64) -> Option<Aborted> {
        let first_offset = self.producer(header, now_ms).open_since.take()?;
        self.open.remove(&first_offset);
        self.ending.insert(first_offset, header.base_offset);
        let stable = self.open.first_key_value().map_or(header.base_offset + 1, |(first, _)| *first);
        Some(Aborted {
            producer_id: header.producer_id,
            first_offset,
            last_offset: header.base_offset,
            stable,
        })
    }

    /// Notes what a marker says beside what its header does.
    pub(crate) fn coordinated(&mut self, marker: &Marker) {
        if let Some(producer) = self.producers.get_mut(&marker.producer_id) {
            producer.coordinator_epoch = marker.coordinator_epoch;
        }
    }

    /// Notes a transaction that was aborted.
    pub(crate) fn aborted(&mut self, transaction: Aborted) {
        self.aborted.push(transaction);
    }

    /// The aborted transactions with records from offset `from` up to before `to`.
    pub(crate) fn aborted_within(&mut self, log_start: i64, from: i64, to: i64) -> Vec<Aborted> {
        self.aborted.forget_before(log_start);
        self.aborted.overlapping(from, to)
    }

    /// The offset before which every transaction has ended, as far as records are on disk.
    pub(crate) fn last_stable_offset(&mut self, high_watermark: i64) -> i64 {
        self.ending.retain(|_, marker| *marker >= high_watermark);
        let firsts = [self.open.first_key_value(), self.ending.first_key_value()];
        firsts.into_iter().flatten().map(|(first, _)| *first).fold(high_watermark, i64::min)
    }

    /// Every open transaction: producer and epoch.
    pub(crate) fn open_transactions(&self) -> Vec<(i64, i16)> {
        let epoch = |id: &i64| self.producers.get(id).map(|producer| (*id, producer.epoch));
        self.open.values().filter_map(epoch).collect()
    }

    /// Where each producer wrote last.
    pub(crate) fn last_records(&self) -> HashMap<i64, LastRecord> {
        let last = |producer: &Producer| LastRecord {
            offset: producer.batches.back().map(|batch| batch.last_offset),
            epoch: producer.epoch,
        };
        self.producers.iter().map(|(id, producer)| (*id, last(producer))).collect()
    }

    /// Aborted transactions that began before offset `end`.
    pub(crate) fn aborted_before(&self, end: i64) -> Vec<Aborted> {
        self.aborted.before(end)
    }

    /// Forgets the aborted transactions whose markers are at these offsets. Consumers must not be told of a
    /// transaction without a marker: they would take what its producer wrote later for aborted.
    pub(crate) fn forget_aborted(&mut self, markers: &[i64]) {
        self.aborted.forget(markers);
    }

    /// Every producer, in the order of their ids.
    pub(crate) fn view(&self) -> Vec<ProducerView> {
        let one = |(id, producer): (&i64, &Producer)| ProducerView {
            id: *id,
            epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp: producer.seen_ms,
            coordinator_epoch: producer.coordinator_epoch,
            open_since: producer.open_since,
        };
        let mut views: Vec<_> = self.producers.iter().map(one).collect();
        views.sort_unstable_by_key(|view| view.id);
        views
    }

    /// The producer of a batch that is in the log, in the epoch of that batch.
    fn producer(&mut self, header: &BatchHeader, now_ms: i64) -> &mut Producer {
        let (id, epoch) = (header.producer_id, header.producer_epoch);
        let idle = self.producers.len().saturating_sub(self.open.len());
        if idle >= MAX_PRODUCERS && !self.producers.contains_key(&id) {
            self.forget_the_oldest(now_ms);
        }
        let producer = self.producers.entry(id).or_insert_with(|| Producer::new(epoch));
        producer.enter_epoch(epoch);
        producer.seen_ms = producer.seen_ms.max(now_ms);
        producer
    }

    fn forget_the_oldest(&mut self, now_ms: i64) {
        self.producers.retain(|_, producer| {
            producer.open_since.is_some() || now_ms.saturating_sub(producer.seen_ms) < EXPIRATION_MS
        });
        let idle = self.producers.iter().filter(|(_, producer)| producer.open_since.is_none());
        let mut by_age: Vec<(i64, i64)> = idle.map(|(id, producer)| (producer.seen_ms, *id)).collect();
        if by_age.len() < MAX_PRODUCERS {
            return;
        }
        by_age.sort_unstable();
        for (_, id) in by_age.into_iter().take(EVICTED_AT_ONCE) {
            self.producers.remove(&id);
        }
    }
}

/// Sequences run from 0 to `i32::MAX` and then begin again at 0.
fn advance(sequence: i32, by: i32) -> i32 {
    let wrapped = (i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1);
    i32::try_from(wrapped).unwrap_or(0)
}

fn sequence_after(sequence: i32) -> i32 {
    advance(sequence, 1)
}

fn last_sequence(header: &BatchHeader) -> i32 {
    advance(header.base_sequence, header.last_offset_delta)
}
