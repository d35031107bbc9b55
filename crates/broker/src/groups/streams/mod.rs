//! Streams groups (KIP-1071): the members of a Streams application, among which the coordinator shares out
//! tasks.
//!
//! [`StreamsGroup`] is the protocol as a plain state machine, as `ConsumerGroup` is that of consumers.
//! Members bring the topology of their application; the coordinator finds out how many partitions its
//! internal topics need (`configure`), says which of them have yet to be created, makes tasks of it and gives
//! them to members (`assignor`), each of which is led from what it has to what it should have
//! (`groups/place`).

mod assignor;
mod beat;
mod configure;
mod coordinate;
mod endpoints;
mod group;
mod heartbeat;
mod leave;
mod member;
mod newer;
mod record;
mod status;
mod task;
#[cfg(test)]
mod tests;
mod topology;
mod view;

pub(crate) use beat::{StreamsBeat, StreamsReply, StreamsTimes};
pub(crate) use configure::NewInternalTopic;
pub(crate) use endpoints::{Endpoint, EndpointPartitions, TopicPartitions};
pub(super) use group::StreamsGroup;
pub(super) use record::StreamsChanges;
pub(crate) use status::{Status, StatusKind};
pub(crate) use task::{Role, Task, TaskId};
pub(crate) use topology::{InternalTopic, Topology};
pub(crate) use view::{DescribedStreamsMember, StreamsDescription};
