//! Consumer groups among all groups of the node.

use std::sync::Arc;

use schloss_log::Ticket;
use schloss_log::journal::MAX_ENTRY_BYTES;
use schloss_policy::Subject;
use schloss_wire::ErrorCode;

use super::beat::{Beat, BeatReply, JOINING, Refused};
use super::group::ConsumerGroup;
use super::heartbeat::Resolved;
use super::topics::Topics;
use super::view::ConsumerDescription;
use crate::groups::coordinator::{Group, Groups, Inner, MAX_GROUP_ID_BYTES, MAX_INSTANCE_ID_BYTES, State};
use crate::groups::store::failed;

/// Longest id of a member and of a rack, in bytes. Kafka has no bound of its own.
pub(crate) const MAX_MEMBER_ID_BYTES: usize = 1024;
/// Most bytes that a member may say of itself. JSON writes one byte as six at worst, and leaves room in an entry of
/// the journal for the member's partitions.
const MAX_SUBSCRIPTION_BYTES: usize = MAX_ENTRY_BYTES / 8;

/// A regular expression, and with whose rights it has to be resolved.
pub(crate) type Unresolved = (Arc<str>, Subject);

impl Groups {
    /// The regular expressions that have to be resolved for this heartbeat, that of the member itself first.
    /// Those of other members come with it when the topics changed, so that one assignment follows and not one
    /// for each of them.
    pub(crate) fn unresolved(&self, group_id: &str, beat: &Beat, topics: &dyn Topics) -> Vec<Unresolved> {
        let own = |pattern: &Arc<str>| (Arc::clone(pattern), beat.subject.clone());
        let found = self.inner.with_group_as_is(group_id, |group, _| {
            group.consumer.as_mut().map(|consumer| consumer.unresolved(beat, topics.version()))
        });
        let new = || beat.pattern.iter().filter(|pattern| !pattern.is_empty()).map(own).collect();
        found.flatten().unwrap_or_else(new)
    }

    /// A heartbeat, answered when what it changed is on disk: nobody owns what a crash takes back. `resolved` is
    /// what [`Self::unresolved`] asked for.
    pub(crate) async fn consumer_heartbeat(
        &self,
        group_id: &str,
        beat: &Beat,
        resolved: Resolved,
        topics: &(dyn Topics + Sync),
    ) -> Result<BeatReply, Refused> {
        self.inner.check_beat(group_id, beat)?;
        let (reply, ticket) = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.beat(group_id, beat, resolved, topics)?
        };
        self.compact_if_worthwhile();
        if let Some(ticket) = ticket {
            self.inner.durable(ticket).await.map_err(not_stored)?;
        }
        Ok(reply)
    }

    /// A group of this kind, if it exists.
    pub(crate) fn describe_consumers(&self, group_id: &str) -> Result<ConsumerDescription, Refused> {
        let described =
            self.inner.with_group_as_is(group_id, |group, _| Ok(group.consumer(group_id)?.describe()));
        described.unwrap_or_else(|| Err(not_found(group_id)))
    }

    /// Whether this is a member that has an epoch, which clients before OffsetCommit 9 know nothing of.
    pub(crate) fn has_epoch(&self, group_id: &str, member_id: &str) -> bool {
        let has = |group: &mut Group| group.consumer.as_ref().is_some_and(|consumer| consumer.has(member_id));
        self.inner.with_group_as_is(group_id, |group, _| has(group)).unwrap_or_default()
    }

    /// Whether this member may fetch the group's offsets now.
    pub(crate) fn check_fetch(
        &self,
        group_id: &str,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), ErrorCode> {
        let check = |group: &mut Group| match &group.consumer {
            Some(consumer) => consumer.check_fetch(member_id, epoch),
            None => group.check_no_share(),
        };
        self.inner.with_group_as_is(group_id, |group, _| check(group)).unwrap_or(Ok(()))
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

impl Inner {
    fn check_beat(&self, group_id: &str, beat: &Beat) -> Result<(), Refused> {
        let invalid = |message: &str| Err(Refused::new(ErrorCode::InvalidRequest, message));
        let instance = beat.instance_id.as_ref().map_or(0, |id| id.len());
        check_group_id(group_id)?;
        if instance > MAX_INSTANCE_ID_BYTES {
            return invalid("InstanceId is too long");
        }
        if beat.member_id.len() > MAX_MEMBER_ID_BYTES
            || beat.rack_id.as_ref().is_some_and(|id| id.len() > MAX_MEMBER_ID_BYTES)
        {
            return invalid("MemberId or RackId is too long");
        }
        if beat.bytes() > self.config.max_member_metadata_bytes.min(MAX_SUBSCRIPTION_BYTES) {
            return invalid("the subscription is too large");
        }
        Ok(())
    }

    /// The caller holds the turn.
    fn beat(
        self: &Arc<Self>,
        group_id: &str,
        beat: &Beat,
        resolved: Resolved,
        topics: &dyn Topics,
    ) -> Result<(BeatReply, Option<Ticket>), Refused> {
        let mut state = self.state.lock();
        let reply = if beat.epoch < JOINING {
            let left = self.operate(&mut state, group_id, |group, now| {
                let left = group.consumer(group_id)?.leave(beat)?;
                group.note_desertion(now);
                Ok(left)
            });
            left.unwrap_or_else(|| Err(not_found(group_id)))?
        } else {
            self.start_beat(&mut state, group_id, beat, resolved, topics)?
        };
        let ticket = self.note_members(&mut state, group_id).map_err(not_stored)?;
        Ok((reply, ticket))
    }

    /// Writes what changed among the members of a group to the journal, as far as they are written down. The ticket
    /// is that of the last entry of the group. The caller holds the turn.
    pub(in crate::groups) fn note_members(
        &self,
        state: &mut State,
        group_id: &str,
    ) -> Result<Option<Ticket>, ErrorCode> {
        let Some(group) = state.groups.get_mut(group_id) else { return Ok(None) };
        let entries = group.unwritten(group_id).map_err(|error| failed(&error))?;
        if !entries.is_empty() {
            group.ticket = Some(self.append(&entries)?);
            group.mark_written();
        }
        Ok(group.ticket)
    }

    /// A member joins or stays. Only a join that succeeds makes a group, or makes an empty one a consumer group.
    fn start_beat(
        self: &Arc<Self>,
        state: &mut State,
        group_id: &str,
        beat: &Beat,
        resolved: Resolved,
        topics: &dyn Topics,
    ) -> Result<BeatReply, Refused> {
        let joins = beat.epoch == JOINING;
        if joins && state.member_bytes + beat.bytes() > self.config.max_member_bytes {
            return Err(no_room(ErrorCode::PolicyViolation));
        }
        let is_new = !state.groups.contains_key(group_id);
        if is_new {
            if !joins {
                return Err(not_found(group_id));
            }
            state.insert(group_id, self.config.max_groups).map_err(no_room)?;
        }
        let beaten = self.operate(state, group_id, |group, now| {
            let mut fresh = None;
            let consumer = match &mut group.consumer {
                Some(consumer) => consumer,
                None if group.share.is_some() => return Err(not_consumer(group_id)),
                None if joins && group.membership.is_deserted() => {
                    fresh.insert(ConsumerGroup::new(group.membership.generation))
                }
                None if joins => return Err(can_not_upgrade(group_id)),
                None => return Err(not_consumer(group_id)),
            };
            let reply = consumer.heartbeat(now, &self.config, beat, resolved, topics)?;
            group.consumer = group.consumer.take().or(fresh);
            Ok(reply)
        });
        let beaten = beaten.unwrap_or_else(|| Err(not_found(group_id)));
        if is_new && beaten.is_err() {
            state.remove(group_id);
        }
        beaten
    }
}

impl Group {
    fn consumer(&mut self, group_id: &str) -> Result<&mut ConsumerGroup, Refused> {
        self.consumer.as_mut().ok_or_else(|| not_consumer(group_id))
    }
}

/// Whether a group may have this id.
pub(in crate::groups) fn check_group_id(group_id: &str) -> Result<(), Refused> {
    if group_id.len() <= MAX_GROUP_ID_BYTES {
        return Ok(());
    }
    let message = format_args!("GroupId is longer than {MAX_GROUP_ID_BYTES} bytes");
    Err(Refused::new(ErrorCode::InvalidGroupId, message))
}

pub(in crate::groups) fn no_room(code: ErrorCode) -> Refused {
    Refused::new(code, "this node keeps as many groups and members as it may")
}

pub(in crate::groups) fn not_stored(code: ErrorCode) -> Refused {
    Refused::new(code, "the group can't be stored now: try again")
}

fn not_found(group_id: &str) -> Refused {
    Refused::new(ErrorCode::GroupIdNotFound, format_args!("consumer group {group_id} not found"))
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
