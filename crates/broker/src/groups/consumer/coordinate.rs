//! Consumer groups among all groups of the node.

use std::sync::Arc;

use schloss_policy::Subject;
use schloss_wire::ErrorCode;

use super::beat::{Beat, BeatReply};
use super::group::ConsumerGroup;
use super::heartbeat::Resolved;
use super::topics::Topics;
use super::view::ConsumerDescription;
use crate::groups::admission::{Visitor, not_found};
use crate::groups::coordinator::{Group, Groups, MAX_INSTANCE_ID_BYTES};
use crate::groups::kind::Kind;
use crate::groups::place::JOINING;
use crate::groups::refused::Refused;

/// A regular expression, and with whose rights it has to be resolved.
pub(crate) type Unresolved = (Arc<str>, Subject);

impl Groups {
    /// The regular expressions that have to be resolved for this heartbeat, that of the member itself first.
    /// Those of other members come with it when the topics changed, so that one assignment follows and not
    /// one for each of them.
    pub(crate) fn unresolved(&self, group_id: &str, beat: &Beat, topics: &dyn Topics) -> Vec<Unresolved> {
        let own = |pattern: &Arc<str>| (Arc::clone(pattern), beat.subject.clone());
        let found = self.inner.with_group_as_is(group_id, |group, _| {
            group.consumer.as_mut().map(|consumer| consumer.unresolved(beat, topics.version()))
        });
        let new = || beat.pattern.iter().filter(|pattern| !pattern.is_empty()).map(own).collect();
        found.flatten().unwrap_or_else(new)
    }

    /// A heartbeat, answered when what it changed is on disk: nobody owns what a crash takes back. Only a
    /// join that succeeds makes a group, or makes an empty classic one a consumer group. `resolved` is what
    /// [`Self::unresolved`] asked for.
    pub(crate) async fn consumer_heartbeat(
        &self,
        group_id: &str,
        beat: &Beat,
        resolved: Resolved,
        topics: &(dyn Topics + Sync),
    ) -> Result<BeatReply, Refused> {
        if beat.instance_id.as_ref().map_or(0, |id| id.len()) > MAX_INSTANCE_ID_BYTES {
            return Err(Refused::invalid("InstanceId is too long"));
        }
        let config = &self.inner.config;
        self.receive(&beat.visitor(group_id), |group, now| {
            let kind = group.kind();
            let mut fresh = None;
            let consumer = match &mut group.consumer {
                Some(consumer) => consumer,
                None if beat.epoch != JOINING || kind != Kind::Classic => return Err(not_consumer(group_id)),
                None if group.membership.is_deserted() => {
                    fresh.insert(ConsumerGroup::new(group.membership.generation))
                }
                None => return Err(can_not_upgrade(group_id)),
            };
            let reply = if beat.epoch < JOINING {
                consumer.leave(beat)?
            } else {
                consumer.heartbeat(now, config, beat, resolved, topics)?
            };
            group.consumer = group.consumer.take().or(fresh);
            group.note_desertion(now);
            Ok(reply)
        })
        .await
    }

    /// A group of this kind, if it exists.
    pub(crate) fn describe_consumers(&self, group_id: &str) -> Result<ConsumerDescription, Refused> {
        let described =
            self.inner.with_group_as_is(group_id, |group, _| Ok(group.consumer(group_id)?.describe()));
        described.unwrap_or_else(|| Err(not_found(group_id)))
    }
}

impl ConsumerGroup {
    fn unresolved(&mut self, beat: &Beat, version: u64) -> Vec<Unresolved> {
        let member = self.members.get(&beat.member_id);
        let mut wanted = Vec::new();
        let kept = member.and_then(|member| member.pattern.as_ref());
        let pattern = beat.pattern.as_ref().or(kept).filter(|pattern| !pattern.is_empty());
        if let Some(pattern) = pattern {
            let is_resolved = member.is_some_and(|member| {
                member.pattern.as_ref() == Some(pattern)
                    && member.subject == beat.subject
                    && !member.wants_resolution(version)
            });
            if !is_resolved {
                wanted.push((Arc::clone(pattern), beat.subject.clone()));
            }
        }
        if self.resolving != Some(version) {
            let others = self.members.values().filter(|other| *other.id != *beat.member_id);
            for other in others.filter(|other| other.wants_resolution(version)) {
                self.resolving = Some(version);
                let one = other.pattern.clone().map(|pattern| (pattern, other.subject.clone()));
                wanted.extend(one.filter(|one| !wanted.contains(one)));
            }
        }
        wanted
    }
}

impl Beat {
    fn visitor<'a>(&'a self, group_id: &'a str) -> Visitor<'a> {
        Visitor {
            group_id,
            member_id: &self.member_id,
            rack_id: self.rack_id.as_deref(),
            bytes: self.bytes(),
            joins: self.epoch == JOINING,
        }
    }
}

impl Group {
    fn consumer(&mut self, group_id: &str) -> Result<&mut ConsumerGroup, Refused> {
        self.consumer.as_mut().ok_or_else(|| not_consumer(group_id))
    }
}

fn not_consumer(group_id: &str) -> Refused {
    Refused::new(ErrorCode::GroupIdNotFound, format_args!("group {group_id} is not a consumer group"))
}

/// Kafka's answer where `group.consumer.migration.policy` doesn't allow it.
fn can_not_upgrade(group_id: &str) -> Refused {
    Refused::new(
        ErrorCode::GroupIdNotFound,
        format_args!(
            "can't upgrade classic group {group_id} to a consumer group while it has members: stop its consumers \
             first"
        ),
    )
}
