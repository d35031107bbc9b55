//! Consumer groups by the new protocol (KIP-848): the coordinator assigns, members follow with heartbeats.
//!
//! [`ConsumerGroup`] is the protocol as a plain state machine, as `Membership` is the classic one: it is told
//! the time and never waits. The group has an epoch that moves with whatever changes who should own what; a
//! target assignment is made for each epoch (`assignor`); and each member is led from what it owns to what it
//! should own, in its own epoch, giving up before others take over (`reconcile`).

mod assignor;
mod beat;
mod coordinate;
mod group;
mod heartbeat;
mod leave;
mod member;
mod newer;
mod pattern;
mod range;
mod reconcile;
mod record;
#[cfg(test)]
mod tests;
mod topics;
mod uniform;
mod view;

pub(crate) use assignor::Assignor;
#[cfg(test)]
pub(super) use assignor::testing;
pub(super) use assignor::{Target, Wish, Wishes};
pub(crate) use beat::{Beat, BeatReply, LEAVING_FOR_NOW, MemberTimes};
pub(super) use group::ConsumerGroup;
pub(crate) use pattern::{Pattern, PatternError};
pub(super) use record::ConsumerChanges;
pub(crate) use topics::{Resolution, TopicPartition};
pub(super) use topics::{SeenTopics, TopicShape, Topics};
pub(crate) use view::{ConsumerDescription, DescribedConsumer};
