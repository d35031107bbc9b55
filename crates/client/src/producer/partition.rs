//! One partition's queue: batches in order, whatever happens to them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::batch::Batch;
use crate::cluster::RETRY_BACKOFF;

/// Batches of one partition. A batch that failed for the moment goes back in front of all later ones, and
/// nothing is sent until everything under way has come back: so order holds, and with idempotence a broker
/// that has stored a batch recognises it.
pub(super) struct Partition {
    topic: Arc<str>,
    index: i32,
    pub(super) leader: Option<i32>,
    open: Option<Batch>,
    ready: VecDeque<Batch>,
    returned: Vec<Batch>,
    under_way: usize,
    resume: Option<Instant>,
    next_sequence: i32,
    next_order: u64,
}

impl Partition {
    pub(super) const fn new(topic: Arc<str>, index: i32, leader: Option<i32>) -> Self {
        Self {
            topic,
            index,
            leader,
            open: None,
            ready: VecDeque::new(),
            returned: Vec::new(),
            under_way: 0,
            resume: None,
            next_sequence: 0,
            next_order: 0,
        }
    }

    /// The batch that takes a record of this size; a full one is closed first.
    pub(super) fn open_for(&mut self, record_bytes: usize, batch_bytes: usize) -> &mut Batch {
        if self.open.as_ref().is_some_and(|open| open.bytes() + record_bytes > batch_bytes) {
            self.close_open();
        }
        self.open.get_or_insert_with(|| Batch::new(Arc::clone(&self.topic), self.index))
    }

    fn close_open(&mut self) {
        if let Some(mut batch) = self.open.take() {
            batch.sequence = self.next_sequence;
            batch.order = self.next_order;
            self.next_order += 1;
            // Sequences go round from the largest to 0 (DefaultRecordBatch.incrementSequence).
            self.next_sequence = self.next_sequence.wrapping_add(batch.count()) & i32::MAX;
            self.ready.push_back(batch);
        }
    }

    /// Closes the open batch if it has waited `linger`, or in any case.
    pub(super) fn close_if_due(&mut self, now: Instant, linger: Duration, at_once: bool) {
        if self.open.as_ref().is_some_and(|open| at_once || open.created + linger <= now) {
            self.close_open();
        }
        if self.under_way == 0 && self.resume.is_some_and(|resume| resume <= now) {
            self.resume = None;
            self.returned.sort_by_key(|batch| batch.order);
            for batch in self.returned.drain(..).rev() {
                self.ready.push_front(batch);
            }
        }
    }

    /// Whether a batch may be sent now.
    pub(super) fn may_send(&self, most_under_way: usize) -> bool {
        self.resume.is_none() && self.under_way < most_under_way && !self.ready.is_empty()
    }

    /// Bytes of the next batch.
    pub(super) fn next_bytes(&self) -> usize {
        self.ready.front().map_or(0, Batch::bytes)
    }

    pub(super) fn take_next(&mut self) -> Option<Batch> {
        let batch = self.ready.pop_front()?;
        self.under_way += 1;
        Some(batch)
    }

    /// A batch came back, stored or lost.
    pub(super) fn landed(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// A batch came back to be sent again.
    pub(super) fn returned(&mut self, batch: Batch, now: Instant) {
        self.landed();
        self.returned.push(batch);
        self.resume = Some(now + RETRY_BACKOFF);
    }

    /// Puts the next attempt off, while the leader is unknown.
    pub(super) fn put_off(&mut self, now: Instant) {
        if self.under_way == 0 {
            self.resume = Some(now + RETRY_BACKOFF);
        }
    }

    /// Whether an earlier batch is to be sent again.
    pub(super) fn is_recovering(&self) -> bool {
        !self.returned.is_empty()
    }

    /// Whether nothing is left to do.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.ready.is_empty() && self.returned.is_empty() && self.under_way == 0
    }

    /// When [`Partition::close_if_due`] has something to do next.
    pub(super) fn wake(&self, linger: Duration) -> Option<Instant> {
        let open = self.open.as_ref().map(|open| open.created + linger);
        let resume = self.resume.filter(|_| self.under_way == 0);
        [open, resume].into_iter().flatten().min()
    }

    /// The oldest batch that is not under way, if its time is over.
    pub(super) fn is_overdue(&self, now: Instant, delivery_timeout: Duration) -> bool {
        let waiting = self.returned.first().or_else(|| self.ready.front());
        waiting.is_some_and(|batch| batch.deadline(delivery_timeout) <= now)
    }

    /// Takes everything that is not under way.
    pub(super) fn drain(&mut self) -> Vec<Batch> {
        self.resume = None;
        self.returned.drain(..).chain(self.ready.drain(..)).chain(self.open.take()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::ProducerRecord;
    use super::*;
    use tokio::sync::Semaphore;

    const LINGER: Duration = Duration::from_millis(5);

    fn push(partition: &mut Partition) {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        partition.open_for(10, 1).push(ProducerRecord::new("t", "x"), 0, permit, None);
    }

    fn partition(batches: usize) -> Partition {
        let mut partition = Partition::new("t".into(), 0, Some(0));
        for _ in 0..batches {
            push(&mut partition);
        }
        partition.close_if_due(Instant::now(), LINGER, true);
        partition
    }

    #[test]
    fn returned_batches_go_first_and_in_order_once_all_are_back() {
        let mut partition = partition(4);
        let now = Instant::now();
        let (first, second) = (partition.take_next().unwrap(), partition.take_next().unwrap());
        partition.returned(second, now);
        assert!(partition.is_recovering());
        let later = now + RETRY_BACKOFF;
        partition.close_if_due(later, LINGER, true);
        assert!(!partition.may_send(5), "one is still under way");
        partition.returned(first, now);
        partition.close_if_due(later, LINGER, true);
        let order: Vec<i32> =
            std::iter::from_fn(|| partition.take_next()).map(|batch| batch.sequence).collect();
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn a_batch_is_closed_when_it_has_lingered() {
        let mut partition = Partition::new("t".into(), 0, Some(0));
        push(&mut partition);
        let now = Instant::now();
        partition.close_if_due(now, Duration::from_secs(60), false);
        assert!(!partition.may_send(5));
        assert!(partition.wake(LINGER).is_some());
        partition.close_if_due(now + LINGER, LINGER, false);
        assert!(partition.may_send(5));
    }

    #[test]
    fn sequences_go_round_to_zero() {
        let mut partition = Partition::new("t".into(), 0, Some(0));
        partition.next_sequence = i32::MAX;
        push(&mut partition);
        push(&mut partition);
        partition.close_if_due(Instant::now(), LINGER, true);
        let sequences: Vec<i32> =
            std::iter::from_fn(|| partition.take_next()).map(|batch| batch.sequence).collect();
        assert_eq!(sequences, [i32::MAX, 0]);
    }
}
