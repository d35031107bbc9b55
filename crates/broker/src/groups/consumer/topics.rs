//! What a coordinator knows of topics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schloss_metadata::Snapshot;
use schloss_policy::Subject;
use schloss_wire::Uuid;

/// A partition: the id of its topic and its number.
pub(crate) type TopicPartition = (Uuid, i32);

/// As much of a topic as an assignment needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TopicShape {
    pub(crate) id: Uuid,
    pub(crate) partitions: i32,
}

/// The topics there are at one moment.
pub(crate) trait Topics {
    /// Moves whenever anything may be different.
    fn version(&self) -> u64;

    /// The topic of this name.
    fn find(&self, name: &str) -> Option<TopicShape>;
}

impl Topics for Snapshot {
    fn version(&self) -> u64 {
        Self::version(self)
    }

    fn find(&self, name: &str) -> Option<TopicShape> {
        self.topic(name).map(|topic| TopicShape { id: topic.id, partitions: topic.partitions })
    }
}

/// The topics that a group's members are subscribed to, as they were when they were last looked at.
#[derive(Debug, Default)]
pub(in crate::groups) struct SeenTopics {
    /// That of [`Topics`].
    version: Option<u64>,
    by_name: BTreeMap<Arc<str>, TopicShape>,
}

impl SeenTopics {
    /// Whether there is nothing new to see.
    pub(in crate::groups) fn are_of(&self, version: u64) -> bool {
        self.version == Some(version)
    }

    /// Looks at the topics of these names. Whether there is something new about them.
    pub(in crate::groups) fn look(&mut self, topics: &dyn Topics, names: &BTreeSet<Arc<str>>) -> bool {
        self.version = Some(topics.version());
        let found = names.iter().filter_map(|name| topics.find(name).map(|shape| (Arc::clone(name), shape)));
        let before = std::mem::replace(&mut self.by_name, found.collect());
        before != self.by_name
    }

    /// Forgets all but those of these names.
    pub(in crate::groups) fn keep_only(&mut self, names: &BTreeSet<Arc<str>>) {
        self.by_name.retain(|name, _| names.contains(name));
    }

    /// The topics of these names that exist.
    pub(in crate::groups) fn ids<'a>(&self, names: impl Iterator<Item = &'a Arc<str>>) -> BTreeSet<Uuid> {
        names.filter_map(|name| self.by_name.get(name)).map(|found| found.id).collect()
    }

    /// How many partitions each has.
    pub(in crate::groups) fn partitions(&self) -> BTreeMap<Uuid, i32> {
        self.by_name.values().map(|found| (found.id, found.partitions)).collect()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

/// What a regular expression came to, for whom and when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Resolution {
    pub(crate) pattern: Arc<str>,
    pub(crate) subject: Subject,
    /// That of [`Topics`].
    pub(crate) version: u64,
    pub(crate) topics: Arc<BTreeSet<Arc<str>>>,
}
