//! The group coordinator: consumer groups (Kafka's classic protocol and that of KIP-848), share groups (KIP-932) and
//! committed offsets.
//!
//! `Membership` is the classic protocol as a plain state machine, `ConsumerGroup` the new one, `CommittedOffsets`
//! what a group committed, and [`Groups`] brings them together with time, waiting and the disk: one lock held
//! for microseconds, one task for all timers, and one journal for all offsets. Members of the classic protocol are not
//! written to disk: after a restart such a group is empty, keeps its offsets and goes on counting generations, and
//! its members join again. Those of the new one are, and go on where they were.

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
mod offsets;
mod pending;
mod presence;
mod record;
mod share;
mod store;
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

pub(crate) use consumer::{
    Assignor, Beat, BeatReply, ConsumerDescription, DescribedConsumer, JOINING, LEAVING_FOR_NOW,
    MAX_MEMBER_ID_BYTES, MemberTimes, Pattern, PatternError, Refused, Resolution, TopicPartition,
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
pub(crate) use share::{DescribedSharer, ShareBeat, ShareDescription};
pub(crate) use store::{Fetched, Found};
pub(crate) use texts::{error_of, shared, shared_if_any, wire, wire_if_any};
pub(crate) use view::{DescribedMember, Description, Listing};
