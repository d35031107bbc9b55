//! The offsets that one group committed, in memory.

use std::collections::{BTreeMap, HashMap};

use schloss_wire::Uuid;

/// What an entry takes beside its metadata: key, value and their share of the maps, by estimate.
const ENTRY_BYTES: usize = 96;

/// One committed offset.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Committed {
    /// The next offset to read.
    pub(crate) offset: i64,
    /// Leader epoch of the last record read, -1 if the client does not know it.
    pub(crate) leader_epoch: i32,
    /// The client's own words.
    pub(crate) metadata: Box<str>,
    /// When it was committed, milliseconds of Unix time.
    pub(crate) time_ms: i64,
}

impl Committed {
    /// Bytes of memory, by estimate.
    pub(super) fn bytes(&self) -> usize {
        ENTRY_BYTES + self.metadata.len()
    }
}

/// A partition and the offset to commit for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Commit {
    /// Topics are told apart by id, so that what was committed for a deleted topic is never taken for its
    /// successor of the same name.
    pub(crate) topic: Uuid,
    pub(crate) partition: i32,
    pub(crate) committed: Committed,
}

/// All offsets of one group.
#[derive(Default)]
pub(super) struct CommittedOffsets {
    topics: HashMap<Uuid, BTreeMap<i32, Committed>>,
    count: usize,
    bytes: usize,
}

impl CommittedOffsets {
    /// How many partitions have an offset.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many partitions would have an offset after these commits, at most.
    pub(super) fn count_with(&self, commits: &[Commit]) -> usize {
        let new = commits.iter().filter(|one| self.get(one.topic, one.partition).is_none());
        self.count + new.count()
    }

    /// Bytes of memory, by estimate.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn set(&mut self, commit: Commit) {
        self.bytes += commit.committed.bytes();
        self.count += 1;
        let topic = self.topics.entry(commit.topic).or_default();
        if let Some(old) = topic.insert(commit.partition, commit.committed) {
            self.bytes -= old.bytes();
            self.count -= 1;
        }
    }

    pub(super) fn get(&self, topic: Uuid, partition: i32) -> Option<&Committed> {
        self.topics.get(&topic)?.get(&partition)
    }

    /// Forgets the offset of a partition; false if there was none.
    pub(super) fn remove(&mut self, topic: Uuid, partition: i32) -> bool {
        let removed = self.topics.get_mut(&topic).and_then(|partitions| partitions.remove(&partition));
        if let Some(old) = &removed {
            self.bytes -= old.bytes();
            self.count -= 1;
        }
        removed.is_some()
    }

    /// All of them, one by one.
    pub(super) fn into_commits(self) -> impl Iterator<Item = Commit> {
        self.topics.into_iter().flat_map(|(topic, partitions)| {
            partitions.into_iter().map(move |(partition, committed)| Commit { topic, partition, committed })
        })
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = (Uuid, &BTreeMap<i32, Committed>)> {
        self.topics.iter().map(|(id, partitions)| (*id, partitions))
    }

    /// Forgets what belongs to topics that are not kept.
    pub(super) fn retain(&mut self, keep: &dyn Fn(Uuid) -> bool) {
        let Self { topics, count, bytes } = self;
        topics.retain(|id, partitions| {
            let kept = keep(*id);
            if !kept {
                *count -= partitions.len();
                *bytes -= partitions.values().map(Committed::bytes).sum::<usize>();
            }
            kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(topic: u8, partition: i32, offset: i64, metadata: &str) -> Commit {
        let committed = Committed { offset, leader_epoch: -1, metadata: metadata.into(), time_ms: 0 };
        Commit { topic: Uuid::from_bytes([topic; 16]), partition, committed }
    }

    #[test]
    fn count_and_bytes_follow_what_is_stored() {
        let mut offsets = CommittedOffsets::default();
        offsets.set(commit(1, 0, 5, "first words"));
        offsets.set(commit(1, 0, 6, "x"));
        offsets.set(commit(1, 1, 7, ""));
        offsets.set(commit(2, 0, 8, "yz"));
        assert_eq!((offsets.count(), offsets.bytes()), (3, 3 * ENTRY_BYTES + 3));
        assert_eq!(offsets.get(Uuid::from_bytes([1; 16]), 0).unwrap().offset, 6);
        offsets.retain(&|topic| topic == Uuid::from_bytes([2; 16]));
        assert_eq!((offsets.count(), offsets.bytes()), (1, ENTRY_BYTES + 2));
        assert_eq!(offsets.get(Uuid::from_bytes([1; 16]), 0), None);
        assert!(!offsets.remove(Uuid::from_bytes([1; 16]), 0));
        assert!(offsets.remove(Uuid::from_bytes([2; 16]), 0));
        assert_eq!((offsets.count(), offsets.bytes()), (0, 0));
    }
}
