//! What a coordinator knows of topics.

use std::collections::BTreeSet;
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

/// What a regular expression came to, for whom and when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Resolution {
    pub(crate) pattern: Arc<str>,
    pub(crate) subject: Subject,
    /// That of [`Topics`].
    pub(crate) version: u64,
    pub(crate) topics: Arc<BTreeSet<Arc<str>>>,
}
