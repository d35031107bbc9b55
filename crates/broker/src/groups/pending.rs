//! Offsets that open transactions hold for one group: committed once their transaction is.
//!
//! Of two commits for a partition the later one counts. So an offset that is committed outside of a transaction
//! takes the place of those that transactions hold already, whatever becomes of them.

use std::collections::BTreeMap;

use schloss_wire::Uuid;

use super::offsets::{Commit, CommittedOffsets};

struct Pending {
    epoch: i16,
    offsets: CommittedOffsets,
}

/// All of them, by producer.
#[derive(Default)]
pub(super) struct PendingOffsets {
    producers: BTreeMap<i64, Pending>,
}

impl PendingOffsets {
    pub(super) fn set(&mut self, producer_id: i64, epoch: i16, commit: Commit) {
        let new = || Pending { epoch, offsets: CommittedOffsets::default() };
        let pending = self.producers.entry(producer_id).or_insert_with(new);
        if pending.epoch != epoch {
            *pending = new();
        }
        pending.offsets.set(commit);
    }

    /// Whether this producer holds any in this epoch.
    pub(super) fn is_open(&self, producer_id: i64, epoch: i16) -> bool {
        self.producers.get(&producer_id).is_some_and(|pending| pending.epoch == epoch)
    }

    /// Whether a producer holds any of this epoch or an older one.
    pub(super) fn ends(&self, producer_id: i64, newest_epoch: i16) -> bool {
        self.producers.get(&producer_id).is_some_and(|pending| pending.epoch <= newest_epoch)
    }

    /// Whether any transaction holds an offset of this partition.
    pub(super) fn holds(&self, topic: Uuid, partition: i32) -> bool {
        self.producers.values().any(|pending| pending.offsets.get(topic, partition).is_some())
    }

    /// Takes what a producer holds of this epoch or an older one.
    pub(super) fn take(&mut self, producer_id: i64, newest_epoch: i16) -> Option<CommittedOffsets> {
        if !self.ends(producer_id, newest_epoch) {
            return None;
        }
        self.producers.remove(&producer_id).map(|pending| pending.offsets)
    }

    /// Forgets what any transaction holds for this partition.
    pub(super) fn forget(&mut self, topic: Uuid, partition: i32) {
        for pending in self.producers.values_mut() {
            pending.offsets.remove(topic, partition);
        }
    }

    /// Forgets what belongs to topics that are not kept.
    pub(super) fn retain(&mut self, keep: &dyn Fn(Uuid) -> bool) {
        for pending in self.producers.values_mut() {
            pending.offsets.retain(keep);
        }
    }

    /// Every transaction that holds offsets or did: producer, epoch and what it holds.
    pub(super) fn open(&self) -> impl Iterator<Item = (i64, i16, &CommittedOffsets)> {
        self.producers.iter().map(|(id, pending)| (*id, pending.epoch, &pending.offsets))
    }

    /// How many offsets are held.
    pub(super) fn count(&self) -> usize {
        self.producers.values().map(|pending| pending.offsets.count()).sum()
    }

    /// Whether no transaction is open.
    pub(super) fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Bytes of memory, by estimate.
    pub(super) fn bytes(&self) -> usize {
        self.producers.values().map(|pending| pending.offsets.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::offsets::Committed;

    const TOPIC: Uuid = Uuid::from_bytes([1; 16]);

    fn commit(partition: i32, offset: i64) -> Commit {
        let committed = Committed { offset, leader_epoch: -1, metadata: "".into(), time_ms: 0 };
        Commit { topic: TOPIC, partition, committed }
    }

    #[test]
    fn the_end_of_a_transaction_leaves_the_next_one_alone() {
        let mut pending = PendingOffsets::default();
        pending.set(7, 1, commit(0, 10));
        assert!(pending.take(7, 0).is_none() && pending.is_open(7, 1));
        assert!(pending.take(8, 1).is_none(), "another producer");
        assert_eq!(pending.take(7, 1).unwrap().into_commits().collect::<Vec<_>>(), [commit(0, 10)]);
        assert!(pending.is_empty());
    }

    #[test]
    fn a_new_epoch_drops_what_an_older_one_held() {
        let mut pending = PendingOffsets::default();
        pending.set(7, 1, commit(0, 10));
        pending.set(7, 2, commit(1, 11));
        assert!(!pending.is_open(7, 1) && !pending.holds(TOPIC, 0) && pending.holds(TOPIC, 1));
        pending.forget(TOPIC, 1);
        assert!(!pending.holds(TOPIC, 1) && !pending.is_empty());
        assert_eq!((pending.count(), pending.bytes()), (0, 0));
    }
}
