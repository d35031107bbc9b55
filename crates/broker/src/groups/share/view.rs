//! What administrators see of a share group.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::group::{Member, ShareGroup};
use super::simple;
use crate::groups::consumer::TopicPartition;
use crate::groups::newer::Newer as _;

/// A share group in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ShareDescription {
    pub(crate) state: &'static str,
    pub(crate) epoch: i32,
    pub(crate) assignment_epoch: i32,
    pub(crate) assignor: &'static str,
    pub(crate) members: Vec<DescribedSharer>,
}

/// A member in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DescribedSharer {
    pub(crate) id: Arc<str>,
    pub(crate) rack_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) epoch: i32,
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) assigned: BTreeSet<TopicPartition>,
}

impl ShareGroup {
    /// All of the group.
    pub(super) fn describe(&self) -> ShareDescription {
        ShareDescription {
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor: simple::NAME,
            members: self.members.values().map(describe).collect(),
        }
    }
}

fn describe(member: &Member) -> DescribedSharer {
    DescribedSharer {
        id: Arc::clone(&member.id),
        rack_id: member.rack_id.clone(),
        client_id: Arc::clone(&member.client_id),
        client_host: Arc::clone(&member.client_host),
        epoch: member.epoch,
        names: member.names.iter().cloned().collect(),
        assigned: member.assigned.clone(),
    }
}
