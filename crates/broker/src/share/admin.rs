//! What administrators see and change of share partitions.

use std::borrow::Cow;

use schloss_log::Ticket;
use schloss_wire::{ErrorCode, Uuid};

use super::partition::SharePartition;
use super::record::Record;
use super::store::{Shares, begin};
use crate::groups::TopicPartition;

/// How far a share group has come in a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Progress {
    /// The offset before which all is done with.
    pub(crate) start: i64,
    /// How many records from there on are done with all the same.
    pub(crate) settled: i64,
}

impl Shares {
    /// How far a group has come in each partition that it has begun to read.
    pub(crate) fn progress(&self, group: &str) -> Vec<(TopicPartition, Progress)> {
        let state = self.inner.state.lock();
        let partitions = state.groups.get(group).into_iter().flat_map(|group| &group.partitions);
        let one = |share: &SharePartition| Progress { start: share.start(), settled: share.settled() };
        partitions.map(|(at, share)| (*at, one(share))).collect()
    }

    /// Has a group begin anew at these offsets; answers when that is on disk.
    pub(crate) async fn reset(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<(), ErrorCode> {
        let mut last = None;
        {
            let mut state = self.inner.state.lock();
            if state.partitions + offsets.len() > self.inner.config.max_partitions {
                return Err(ErrorCode::PolicyViolation);
            }
            for (at, start) in offsets {
                last = Some(self.inner.append(&begin(group, *at, *start))?);
                state.put(group, *at, SharePartition::new(*start));
            }
            state.wake(group);
        }
        self.flushed(last).await
    }

    /// Forgets what a group keeps of these topics; answers when that is on disk.
    pub(crate) async fn forget(&self, group: &str, topics: &[Uuid]) -> Result<(), ErrorCode> {
        let mut last = None;
        {
            let mut state = self.inner.state.lock();
            for topic in topics {
                last =
                    Some(self.inner.append(&Record::Forget { group: Cow::Borrowed(group), topic: *topic })?);
                if let Some(group) = state.groups.get_mut(group) {
                    group.partitions.retain(|(of, _), _| of != topic);
                }
            }
            state.count();
        }
        self.flushed(last).await
    }

    /// Forgets a group; answers when that is on disk.
    pub(crate) async fn delete_group(&self, group: &str) -> Result<(), ErrorCode> {
        let last = {
            let mut state = self.inner.state.lock();
            let last = self.inner.append(&Record::Delete { group: Cow::Borrowed(group) })?;
            state.sessions.close_group(group);
            state.groups.remove(group);
            state.count();
            Some(last)
        };
        self.flushed(last).await
    }

    async fn flushed(&self, last: Option<Ticket>) -> Result<(), ErrorCode> {
        self.compact_if_worthwhile();
        match last {
            Some(ticket) => self.durable(ticket).await,
            None => Ok(()),
        }
    }
}
