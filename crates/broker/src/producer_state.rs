//! Idempotent producers of one partition: which batches they wrote last, so that a batch sent twice is
//! recognised and a gap is refused (KIP-98, KIP-360).
//!
//! The state is never written down: batch headers hold all of it, so it is rebuilt from the log.

use std::collections::{HashMap, VecDeque};

use schloss_wire::records::BatchHeader;

/// Batches remembered for each producer. A client keeps at most this many requests in flight, so anything
/// it may send again is among them.
const REMEMBERED_BATCHES: usize = 5;
/// A producer that wrote nothing for this long is forgotten first (`producer.id.expiration.ms`).
const EXPIRATION_MS: i64 = 24 * 60 * 60 * 1000;
/// Most producers remembered for one partition. A forgotten producer that comes back is accepted with any
/// sequence, as in Kafka; it only loses the recognition of duplicates.
const MAX_PRODUCERS: usize = 8_192;
/// Of a full table, the part that is forgotten at once, so that the sorting is rare.
const EVICTED_AT_ONCE: usize = MAX_PRODUCERS / 8;

/// A batch that was appended before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct AppendedBatch {
    first_sequence: i32,
    last_sequence: i32,
    /// Offset of its first record.
    pub(crate) base_offset: i64,
    /// Offset of its last record.
    pub(crate) last_offset: i64,
    /// When it was stamped, in milliseconds since the epoch: the log append time if the topic has that.
    pub(crate) max_timestamp: i64,
}

/// What to do with a batch that a producer sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SequenceCheck {
    /// It is the next one.
    Append,
    /// It is in the log already; answer as at the first time.
    Duplicate(AppendedBatch),
}

/// Why a batch of an idempotent producer is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum SequenceError {
    #[error("epoch {epoch} of producer {producer} is older than the last seen epoch {current}")]
    StaleEpoch { producer: i64, epoch: i16, current: i16 },
    #[error("producer {producer} starts its new epoch {epoch} with sequence {first}, not with 0")]
    NewEpochNotFromZero { producer: i64, epoch: i16, first: i32 },
    #[error("producer {producer} sent sequence {first}, but the last one seen is {last}")]
    OutOfOrder { producer: i64, first: i32, last: i32 },
}

struct Producer {
    epoch: i16,
    /// Never empty, oldest first.
    batches: VecDeque<AppendedBatch>,
    /// When it last wrote, by this node's clock (by the batch's own when rebuilt), in milliseconds.
    seen_ms: i64,
}

/// The producers of one partition.
#[derive(Default)]
pub(crate) struct ProducerStates {
    producers: HashMap<i64, Producer>,
}

impl ProducerStates {
    /// Decides about the batch with this header, which is not yet in the log. Batches without a producer id
    /// are always appended.
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<SequenceCheck, SequenceError> {
        if !header.is_idempotent() {
            return Ok(SequenceCheck::Append);
        }
        // As in Kafka, a producer we know nothing of may start anywhere: its state may have expired.
        let Some(known) = self.producers.get(&header.producer_id) else {
            return Ok(SequenceCheck::Append);
        };
        let (producer, epoch, first) = (header.producer_id, header.producer_epoch, header.base_sequence);
        if epoch == known.epoch {
            let range = (first, last_sequence(header));
            let duplicate =
                known.batches.iter().find(|batch| (batch.first_sequence, batch.last_sequence) == range);
            if let Some(batch) = duplicate {
                return Ok(SequenceCheck::Duplicate(*batch));
            }
        }
        if epoch < known.epoch {
            return Err(SequenceError::StaleEpoch { producer, epoch, current: known.epoch });
        }
        if epoch > known.epoch {
            return if first == 0 {
                Ok(SequenceCheck::Append)
            } else {
                Err(SequenceError::NewEpochNotFromZero { producer, epoch, first })
            };
        }
        let last = known.batches.back().map_or(-1, |batch| batch.last_sequence);
        if first == sequence_after(last) {
            Ok(SequenceCheck::Append)
        } else {
            Err(SequenceError::OutOfOrder { producer, first, last })
        }
    }

    /// Notes a batch that is in the log with this header, offset included; `now_ms` is when it came.
    pub(crate) fn appended(&mut self, header: &BatchHeader, now_ms: i64) {
        if !header.is_idempotent() || header.is_control() {
            return;
        }
        if self.producers.len() >= MAX_PRODUCERS && !self.producers.contains_key(&header.producer_id) {
            self.forget_the_oldest(now_ms);
        }
        let producer = self.producers.entry(header.producer_id).or_insert_with(|| Producer {
            epoch: header.producer_epoch,
            batches: VecDeque::with_capacity(REMEMBERED_BATCHES),
            seen_ms: now_ms,
        });
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED_BATCHES {
            producer.batches.pop_front();
        }
        producer.seen_ms = producer.seen_ms.max(now_ms);
        producer.batches.push_back(AppendedBatch {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
        });
    }

    fn forget_the_oldest(&mut self, now_ms: i64) {
        self.producers.retain(|_, producer| now_ms.saturating_sub(producer.seen_ms) < EXPIRATION_MS);
        if self.producers.len() < MAX_PRODUCERS {
            return;
        }
        let mut by_age: Vec<(i64, i64)> =
            self.producers.iter().map(|(id, producer)| (producer.seen_ms, *id)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn header(producer_id: i64, epoch: i16, base_sequence: i32, count: i32, base_offset: i64) -> BatchHeader {
        BatchHeader {
            base_offset,
            total_bytes: 100,
            partition_leader_epoch: 0,
            crc: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: 1,
            max_timestamp: 1,
            producer_id,
            producer_epoch: epoch,
            base_sequence,
            record_count: count,
        }
    }

    fn states(headers: &[BatchHeader]) -> ProducerStates {
        let mut states = ProducerStates::default();
        for header in headers {
            states.appended(header, 1);
        }
        states
    }

    #[test]
    fn the_next_sequence_is_appended_and_a_gap_is_refused() {
        let states = states(&[header(7, 0, 0, 10, 100)]);
        assert_eq!(states.check(&header(7, 0, 10, 1, -1)), Ok(SequenceCheck::Append));
        assert_eq!(
            states.check(&header(7, 0, 11, 1, -1)),
            Err(SequenceError::OutOfOrder { producer: 7, first: 11, last: 9 })
        );
    }

    #[test]
    fn each_of_the_last_five_batches_is_recognised_and_no_older_one() {
        let headers: Vec<_> = (0..6).map(|n| header(7, 0, n * 2, 2, i64::from(n) * 2)).collect();
        let states = states(&headers);
        assert!(matches!(states.check(&headers[0]), Err(SequenceError::OutOfOrder { .. })));
        for sent_again in &headers[1..] {
            let check = states.check(sent_again);
            let Ok(SequenceCheck::Duplicate(batch)) = check else { panic!("{check:?}") };
            assert_eq!(
                (batch.base_offset, batch.last_offset),
                (sent_again.base_offset, sent_again.base_offset + 1)
            );
        }
    }

    #[test]
    fn a_batch_that_only_overlaps_is_no_duplicate() {
        let states = states(&[header(7, 0, 0, 4, 0)]);
        assert!(matches!(states.check(&header(7, 0, 0, 3, -1)), Err(SequenceError::OutOfOrder { .. })));
        assert!(matches!(states.check(&header(7, 0, 2, 4, -1)), Err(SequenceError::OutOfOrder { .. })));
    }

    #[test]
    fn an_unknown_producer_may_start_anywhere() {
        let states = ProducerStates::default();
        assert_eq!(states.check(&header(7, 3, 1_000, 1, -1)), Ok(SequenceCheck::Append));
    }

    #[test]
    fn an_older_epoch_is_fenced_and_a_newer_one_starts_from_zero() {
        let mut states = states(&[header(7, 3, 0, 5, 0)]);
        assert!(matches!(states.check(&header(7, 2, 5, 1, -1)), Err(SequenceError::StaleEpoch { .. })));
        // A duplicate by number, yet of an epoch that is over.
        assert!(matches!(states.check(&header(7, 2, 0, 5, -1)), Err(SequenceError::StaleEpoch { .. })));
        assert!(matches!(
            states.check(&header(7, 4, 5, 1, -1)),
            Err(SequenceError::NewEpochNotFromZero { .. })
        ));
        assert_eq!(states.check(&header(7, 4, 0, 5, -1)), Ok(SequenceCheck::Append));
        states.appended(&header(7, 4, 0, 5, 5), 1);
        assert_eq!(states.check(&header(7, 4, 5, 1, -1)), Ok(SequenceCheck::Append));
    }

    #[test]
    fn sequences_wrap_around_after_the_largest() {
        let states = states(&[header(7, 0, i32::MAX - 1, 4, 0)]);
        // MAX-1, MAX, 0, 1
        assert_eq!(states.check(&header(7, 0, 2, 1, -1)), Ok(SequenceCheck::Append));
        assert!(matches!(states.check(&header(7, 0, i32::MAX - 1, 4, -1)), Ok(SequenceCheck::Duplicate(_))));
        let full = self::states(&[header(7, 0, i32::MAX, 1, 0)]);
        assert_eq!(full.check(&header(7, 0, 0, 1, -1)), Ok(SequenceCheck::Append));
    }

    #[test]
    fn memory_is_bounded_and_the_newest_producers_are_kept() {
        let mut states = ProducerStates::default();
        let many = i64::try_from(MAX_PRODUCERS).unwrap() + 10;
        for id in 0..many {
            states.appended(&header(id, 0, 0, 1, id), id);
        }
        assert!(states.producers.len() <= MAX_PRODUCERS);
        assert!(states.producers.contains_key(&(many - 1)) && !states.producers.contains_key(&0));
    }

    #[test]
    fn producers_silent_for_a_day_go_first() {
        let mut states = ProducerStates::default();
        for id in 0..i64::try_from(MAX_PRODUCERS).unwrap() {
            states.appended(&header(id, 0, 0, 1, id), 0);
        }
        states.appended(&header(-1, 0, 0, 1, 0), EXPIRATION_MS);
        states.appended(&header(1_000_000, 0, 0, 1, 0), EXPIRATION_MS);
        assert_eq!(states.producers.len(), 1);
    }
}
