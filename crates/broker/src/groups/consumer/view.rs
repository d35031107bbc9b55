//! What administrators see of a consumer group.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::assignor::Assignor;
use super::group::ConsumerGroup;
use super::member::Member;
use super::topics::TopicPartition;
use crate::groups::newer::Newer;

/// A consumer group in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ConsumerDescription {
    pub(crate) state: &'static str,
    pub(crate) epoch: i32,
    pub(crate) assignment_epoch: i32,
    pub(crate) assignor: Assignor,
    pub(crate) members: Vec<DescribedConsumer>,
}

/// A member in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DescribedConsumer {
    pub(crate) id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) rack_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) epoch: i32,
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) pattern: Option<Arc<str>>,
    /// What it may own, and what it has yet to give up.
    pub(crate) assigned: BTreeSet<TopicPartition>,
    /// What it should own.
    pub(crate) target: BTreeSet<TopicPartition>,
}

impl ConsumerGroup {
    /// All of the group.
    pub(in crate::groups) fn describe(&self) -> ConsumerDescription {
        ConsumerDescription {
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor: self.assignor(),
            members: self.members.values().map(describe).collect(),
        }
    }
}

fn describe(member: &Member) -> DescribedConsumer {
    DescribedConsumer {
        id: Arc::clone(&member.id),
        instance_id: member.instance_id.clone(),
        rack_id: member.rack_id.clone(),
        client_id: Arc::clone(&member.client_id),
        client_host: Arc::clone(&member.client_host),
        epoch: member.place.epoch,
        names: member.names.iter().cloned().collect(),
        pattern: member.pattern.clone(),
        assigned: member.held().collect(),
        target: member.place.target.clone(),
    }
}
