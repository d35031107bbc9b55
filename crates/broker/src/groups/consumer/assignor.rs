//! The assignors that the coordinator has: who should own which partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schloss_wire::Uuid;
use serde::{Deserialize, Serialize};

use super::topics::TopicPartition;
use super::{range, uniform};

/// A way to share partitions out (`group.consumer.assignors`).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Assignor {
    /// The same number of partitions for everybody, and few that move.
    #[default]
    Uniform,
    /// Of each topic a range for everybody, the same numbers of topics that are partitioned alike.
    Range,
}

impl Assignor {
    /// All of them, the default first.
    pub(crate) const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// Kafka's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// The assignor of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    pub(super) fn assign(self, wishes: &Wishes) -> Target {
        match self {
            Self::Uniform => uniform::assign(wishes),
            Self::Range => range::assign(wishes),
        }
    }
}

/// What each member should own.
pub(in crate::groups) type Target = BTreeMap<Arc<str>, BTreeSet<TopicPartition>>;

/// What an assignor goes by.
#[derive(Debug, Default)]
pub(in crate::groups) struct Wishes {
    /// The number of partitions of each topic that somebody is subscribed to.
    pub(in crate::groups) topics: BTreeMap<Uuid, i32>,
    pub(in crate::groups) members: BTreeMap<Arc<str>, Wish>,
}

/// One member, as an assignor sees it.
#[derive(Debug, Default)]
pub(in crate::groups) struct Wish {
    pub(in crate::groups) instance_id: Option<Arc<str>>,
    /// Each is in [`Wishes::topics`].
    pub(in crate::groups) topics: BTreeSet<Uuid>,
    /// What it should have owned until now.
    pub(in crate::groups) before: BTreeSet<TopicPartition>,
}

impl Wishes {
    /// Every partition of every topic.
    pub(in crate::groups) fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        self.topics.iter().flat_map(|(id, count)| (0..*count).map(move |partition| (*id, partition)))
    }

    /// Whether this member still wants this partition, and it exists.
    pub(in crate::groups) fn wants(&self, wish: &Wish, (topic, partition): TopicPartition) -> bool {
        wish.topics.contains(&topic) && self.topics.get(&topic).is_some_and(|count| partition < *count)
    }
}

#[cfg(test)]
pub(in crate::groups) mod testing {
    use super::*;

    pub(crate) fn topic(number: u8) -> Uuid {
        Uuid::from_bytes([number; 16])
    }

    /// Members by name, each with the numbers of its topics, of which each has so many partitions.
    pub(crate) fn wishes(topics: &[(u8, i32)], members: &[(&str, &[u8])]) -> Wishes {
        let wish = |(name, topics): &(&str, &[u8])| {
            let topics = topics.iter().map(|number| topic(*number)).collect();
            (Arc::from(*name), Wish { topics, ..Wish::default() })
        };
        Wishes {
            topics: topics.iter().map(|(number, count)| (topic(*number), *count)).collect(),
            members: members.iter().map(wish).collect(),
        }
    }

    /// Makes an assignment the one before.
    pub(crate) fn settle(wishes: &mut Wishes, target: &Target) {
        for (id, wish) in &mut wishes.members {
            wish.before = target.get(id).cloned().unwrap_or_default();
        }
    }

    /// Each partition that anybody wants is with exactly one who wants it.
    pub(crate) fn check(wishes: &Wishes, target: &Target) {
        let mut seen = BTreeSet::new();
        for (id, owned) in target {
            for one in owned {
                assert!(wishes.wants(&wishes.members[id], *one), "{id} got {one:?}");
                assert!(seen.insert(*one), "{one:?} is with two");
            }
        }
        let wanted = |one: &TopicPartition| wishes.members.values().any(|wish| wishes.wants(wish, *one));
        let all: BTreeSet<_> = wishes.partitions().filter(wanted).collect();
        assert_eq!(seen, all);
    }

    pub(crate) fn sizes(target: &Target) -> Vec<usize> {
        target.values().map(BTreeSet::len).collect()
    }

    /// How many partitions are with another member than before.
    pub(crate) fn moved(wishes: &Wishes, target: &Target) -> usize {
        let lost = |(id, wish): (&Arc<str>, &Wish)| wish.before.difference(&target[id]).count();
        wishes.members.iter().map(lost).sum()
    }
}
