//! The group coordinator: consumer groups (Kafka's classic protocol and that of KIP-848), share groups
//! (KIP-932), Streams groups (KIP-1071) and committed offsets.
//!
//! `Membership` is the classic protocol as a plain state machine; `ConsumerGroup`, `StreamsGroup` and
//! `ShareGroup` are the newer ones, which are asked alike (`Newer`). `CommittedOffsets` is what a group
//! committed. [`Groups`] brings them together with time, waiting and the disk: one lock held for
//! microseconds, one task for all timers, and one journal for all offsets. Members of the classic protocol
//! and of share groups are not written to disk: after a restart such a group is empty, keeps its offsets and
//! goes on counting generations or epochs, and its members join again. Those of consumer and Streams groups
//! are, and go on where they were.

mod admission;
mod changes;
mod commit;
mod config;
mod consumer;
mod coordinator;
mod deadlines;
mod deletion;
mod expiry;
mod join;
mod kind;
mod member;
mod member_id;
mod membership;
mod messages;
mod newer;
mod offsets;
mod pending;
mod place;
mod presence;
mod record;
mod refused;
mod retention;
mod share;
mod store;
mod streams;
mod subscriptions;
mod sync;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod texts;
mod transactional;
mod view;
mod waiting;

pub use config::GroupsConfig;
pub use coordinator::GroupsError;

pub(crate) use admission::MAX_MEMBER_ID_BYTES;
pub(crate) use consumer::{
    Assignor, Beat, BeatReply, ConsumerDescription, DescribedConsumer, LEAVING_FOR_NOW, MemberTimes, Pattern,
    PatternError, Resolution, TopicPartition,
};
pub(crate) use coordinator::{Groups, MAX_GROUP_ID_BYTES};
pub(crate) use deletion::ForgottenTopic;
pub(crate) use member_id::fresh_member_id;
pub(crate) use membership::GroupState;
#[cfg(test)]
pub(crate) use messages::Synced;
pub(crate) use messages::{
    Claim, Join, JoinRefused, JoinReply, Joined, JoinedMember, Leaving, Protocol, Sync, SyncReply,
};
pub(crate) use offsets::{Commit, Committed};
pub(crate) use place::JOINING;
pub(crate) use refused::Refused;
pub(crate) use share::{DescribedSharer, ShareBeat, ShareDescription};
pub(crate) use store::{Fetched, Found};
pub(crate) use streams::{
    DescribedStreamsMember, Endpoint, EndpointPartitions, InternalTopic, NewInternalTopic, Role, Status,
    StatusKind, StreamsBeat, StreamsDescription, StreamsReply, StreamsTimes, Task, TaskId, TopicPartitions,
    Topology,
};
pub(crate) use texts::{error_of, shared, shared_if_any, wire, wire_if_any};
pub(crate) use view::{DescribedMember, Description, Listing};
