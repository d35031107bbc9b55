//! Where the state of an application can be asked for (interactive queries): which member has what.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::group::StreamsGroup;
use super::member::Member;
use super::task::{Role, Task};

/// Where a member answers queries.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Partitions of one topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TopicPartitions {
    pub(crate) topic: Arc<str>,
    pub(crate) partitions: Vec<i32>,
}

/// What is behind an endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct EndpointPartitions {
    pub(crate) endpoint: Endpoint,
    pub(crate) active: Vec<TopicPartitions>,
    pub(crate) standby: Vec<TopicPartitions>,
}

impl StreamsGroup {
    /// Every endpoint that a member has told of.
    pub(super) fn endpoints(&self) -> Vec<EndpointPartitions> {
        let of = |member: &Member| {
            Some(EndpointPartitions {
                endpoint: member.endpoint.clone()?,
                active: self.partitions(member, Role::Active),
                standby: self.partitions(member, Role::Standby),
            })
        };
        self.members.values().filter_map(of).collect()
    }

    /// What a member reads with its tasks in this role. A task reads its partition of each topic that has so
    /// many.
    fn partitions(&self, member: &Member, role: Role) -> Vec<TopicPartitions> {
        let Some(topology) = &self.topology else { return Vec::new() };
        let mut found = Vec::new();
        for (id, subtopology) in &topology.subtopologies {
            let is_here = |task: &&Task| task.role == role && *task.id.subtopology == **id;
            let numbers: Vec<i32> =
                member.place.assigned.keys().filter(is_here).map(|task| task.id.partition).collect();
            for (topic, shape) in
                subtopology.reads().filter_map(|name| self.shapes.get_key_value(name.as_str()))
            {
                let there = numbers.iter().copied().filter(|number| *number < shape.partitions);
                let partitions: Vec<i32> = there.collect();
                if !partitions.is_empty() {
                    found.push(TopicPartitions { topic: Arc::clone(topic), partitions });
                }
            }
        }
        found
    }
}
