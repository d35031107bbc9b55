//! A partition that is read, and how far.

use std::sync::Arc;

/// One partition of the assignment.
pub(super) struct Slot {
    pub(super) topic: Arc<str>,
    pub(super) index: i32,
    pub(super) leader: Option<i32>,
    /// Where to fetch next; `None` until an offset is looked up.
    pub(super) fetch_from: Option<i64>,
    /// The offset after the last record that a poll returned: what a commit stores.
    pub(super) position: Option<i64>,
    /// What is committed as far as we know.
    pub(super) committed: Option<i64>,
}

impl Slot {
    pub(super) const fn new(topic: Arc<str>, index: i32, leader: Option<i32>) -> Self {
        Self { topic, index, leader, fetch_from: None, position: None, committed: None }
    }

    /// Goes to an offset.
    pub(super) const fn seek(&mut self, offset: i64) {
        self.fetch_from = Some(offset);
        self.position = Some(offset);
    }

    /// The offset to commit, if it moved since the last commit.
    pub(super) fn uncommitted(&self) -> Option<i64> {
        self.position.filter(|position| self.committed != Some(*position))
    }

    pub(super) fn is(&self, topic: &str, index: i32) -> bool {
        self.index == index && &*self.topic == topic
    }
}
