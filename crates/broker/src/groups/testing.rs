//! What tests of groups share.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_wire::Uuid;

use super::consumer::{TopicShape, Topics};

/// A small generator (xorshift64*), so that a failure names its seed and can be run again.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Rolls the highest number always.
    pub(crate) fn deaf_to_chance() -> Self {
        Self(0)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        if self.0 == 0 {
            return sides - 1;
        }
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let roll = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(roll).unwrap() % sides
    }
}

/// Topics as a test says, the number of each being its id.
#[derive(Default)]
pub(super) struct Known {
    pub(super) version: u64,
    pub(super) topics: BTreeMap<Arc<str>, TopicShape>,
}

impl Known {
    pub(super) fn new(topics: &[(&str, i32)]) -> Self {
        let mut known = Self::default();
        for (name, partitions) in topics {
            known.set(name, *partitions);
        }
        known
    }

    /// Makes the topic or gives it more partitions.
    pub(super) fn set(&mut self, name: &str, partitions: i32) {
        self.version += 1;
        let fresh = TopicShape { id: id_of(self.version), partitions };
        self.topics.entry(name.into()).or_insert(fresh).partitions = partitions;
    }

    pub(super) fn delete(&mut self, name: &str) {
        self.version += 1;
        self.topics.remove(name);
    }
}

impl Topics for Known {
    fn version(&self) -> u64 {
        self.version
    }

    fn find(&self, name: &str) -> Option<TopicShape> {
        self.topics.get(name).copied()
    }
}

pub(super) fn id_of(number: u64) -> Uuid {
    Uuid::from_bytes(u128::from(number).to_be_bytes())
}
