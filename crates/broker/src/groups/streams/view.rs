//! What administrators see of a Streams group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::endpoints::Endpoint;
use super::group::StreamsGroup;
use super::member::Member;
use super::task::Task;
use super::topology::Topology;
use crate::groups::newer::Newer as _;

/// A Streams group in full.
#[derive(Clone, Debug)]
pub(crate) struct StreamsDescription {
    pub(crate) state: &'static str,
    pub(crate) epoch: i32,
    pub(crate) assignment_epoch: i32,
    pub(crate) topology: Option<Topology>,
    pub(crate) members: Vec<DescribedStreamsMember>,
}

/// A member in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DescribedStreamsMember {
    pub(crate) id: Arc<str>,
    pub(crate) rack_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) process_id: Arc<str>,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) topology_epoch: i32,
    pub(crate) epoch: i32,
    /// What it may have, and what it has yet to give up.
    pub(crate) assigned: BTreeSet<Task>,
    /// What it should have.
    pub(crate) target: BTreeSet<Task>,
}

impl StreamsGroup {
    /// All of the group.
    pub(in crate::groups) fn describe(&self) -> StreamsDescription {
        StreamsDescription {
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            topology: self.topology.clone(),
            members: self.members.values().map(describe).collect(),
        }
    }
}

fn describe(member: &Member) -> DescribedStreamsMember {
    DescribedStreamsMember {
        id: Arc::clone(&member.id),
        rack_id: member.rack_id.clone(),
        client_id: Arc::clone(&member.client_id),
        client_host: Arc::clone(&member.client_host),
        process_id: Arc::clone(&member.process_id),
        endpoint: member.endpoint.clone(),
        tags: member.tags.clone(),
        topology_epoch: member.topology_epoch,
        epoch: member.place.epoch,
        assigned: member.place.held().cloned().collect(),
        target: member.place.target.clone(),
    }
}
