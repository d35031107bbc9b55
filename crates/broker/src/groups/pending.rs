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
