//! Heartbeats: joining, staying, and asking for another subscription.

use std::sync::Arc;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::beat::{Beat, BeatReply, LEAVING_FOR_NOW};
use super::group::ConsumerGroup;
use super::member::Member;
use super::pattern::PatternError;
use super::topics::{Resolution, TopicPartition, Topics};
use crate::groups::changes::Unwritten;
use crate::groups::config::GroupsConfig;
use crate::groups::place::{Held, JOINING};
use crate::groups::refused::{Refused, full};

/// What the regular expressions came to that had to be resolved for a heartbeat: that of the member itself
/// among them, or what is wrong with it.
pub(super) type Resolved = Result<Vec<Resolution>, PatternError>;

/// How a member stands to the group that it sends a heartbeat to.
enum Standing {
    Member(Arc<str>),
    New,
    /// A static member comes back; this was its id.
    Replaces(Arc<str>),
}

impl ConsumerGroup {
    /// A heartbeat of a member that joins or stays. A refusal leaves the group as it was.
    pub(in crate::groups) fn heartbeat(
        &mut self,
        now: Instant,
        config: &GroupsConfig,
        beat: &Beat,
        resolved: Resolved,
        topics: &dyn Topics,
    ) -> Result<BeatReply, Refused> {
        let standing = self.standing(beat, config)?;
        let resolved = resolved.map_err(|error| {
            Refused::new(ErrorCode::InvalidRegularExpression, format_args!("SubscribedTopicRegex: {error}"))
        })?;
        let id = self.enter(standing, beat, now);
        let before = self.members.get(&id).map(|member| member.place.assigned.clone()).unwrap_or_default();
        self.follow(&id, beat, &resolved, topics);
        self.reconcile(now, &id, beat.owned.as_ref());
        self.answer(now, beat, &id, &before)
    }

    /// Who this is, if it may come in.
    fn standing(&self, beat: &Beat, config: &GroupsConfig) -> Result<Standing, Refused> {
        let joins = beat.epoch == JOINING;
        let known = self.members.contains_key(&beat.member_id);
        if joins && !known && self.members.len() >= config.max_group_size {
            return Err(full(self.members.len()));
        }
        if let Some(instance_id) = &beat.instance_id {
            return self.static_standing(beat, instance_id);
        }
        match self.member(&beat.member_id) {
            Ok(member) => member
                .place
                .check_epoch(beat.epoch, beat.owned.as_ref())
                .map(|()| Standing::Member(Arc::clone(&member.id))),
            Err(_) if joins => Ok(Standing::New),
            Err(unknown) => Err(unknown),
        }
    }

    /// KIP-345: an instance is one member at a time, and comes back as the member that it was.
    fn static_standing(&self, beat: &Beat, instance_id: &str) -> Result<Standing, Refused> {
        if beat.epoch != JOINING {
            let member = self.static_member(instance_id, &beat.member_id)?;
            return member
                .place
                .check_epoch(beat.epoch, beat.owned.as_ref())
                .map(|()| Standing::Member(Arc::clone(&member.id)));
        }
        match self.statics.get(instance_id).and_then(|id| self.members.get(id)) {
            None if self.members.contains_key(&beat.member_id) => {
                Ok(Standing::Member(Arc::clone(&beat.member_id)))
            }
            None => Ok(Standing::New),
            Some(member) if member.place.epoch == LEAVING_FOR_NOW => {
                if member.id != beat.member_id && self.members.contains_key(&beat.member_id) {
                    return Err(Refused::new(
                        ErrorCode::InvalidRequest,
                        format_args!("member {} is another member of the group", beat.member_id),
                    ));
                }
                Ok(Standing::Replaces(Arc::clone(&member.id)))
            }
            Some(member) => Err(Refused::new(
                ErrorCode::UnreleasedInstanceId,
                format_args!(
                    "static member {} with instance id {instance_id} can't join: the instance id is owned by \
                     member {}",
                    beat.member_id, member.id
                ),
            )),
        }
    }

    /// The member that is this instance, which must have this id.
    pub(super) fn static_member(&self, instance_id: &str, member_id: &str) -> Result<&Member, Refused> {
        let member = self.statics.get(instance_id).and_then(|id| self.members.get(id)).ok_or_else(|| {
            Refused::new(ErrorCode::UnknownMemberId, format_args!("instance id {instance_id} is unknown"))
        })?;
        if &*member.id == member_id {
            return Ok(member);
        }
        Err(Refused::new(
            ErrorCode::FencedInstanceId,
            format_args!(
                "static member {member_id} with instance id {instance_id} was fenced by member {}",
                member.id
            ),
        ))
    }

    /// Makes the member, or gives a static one its new id and all that the old one had.
    fn enter(&mut self, standing: Standing, beat: &Beat, now: Instant) -> Arc<str> {
        let id = match standing {
            Standing::Member(id) => id,
            Standing::New => {
                self.members.insert(Arc::clone(&beat.member_id), Member::new(beat, now));
                Arc::clone(&beat.member_id)
            }
            Standing::Replaces(old) => {
                if let Some(mut member) = self.members.remove(&old) {
                    member.id = Arc::clone(&beat.member_id);
                    member.place.epoch = JOINING;
                    member.place.previous_epoch = JOINING;
                    member.unwritten = Unwritten::ALL;
                    self.gone.insert(old);
                    for one in member.held() {
                        self.owners.insert(one, Arc::clone(&member.id));
                    }
                    self.members.insert(Arc::clone(&member.id), member);
                }
                Arc::clone(&beat.member_id)
            }
        };
        if let Some(instance_id) = &beat.instance_id {
            let before = self.members.get(&id).and_then(|member| member.instance_id.clone());
            if let Some(before) = before {
                self.statics.remove(&before);
            }
            self.statics.insert(Arc::clone(instance_id), Arc::clone(&id));
        }
        id
    }

    /// Takes over what the member says, and makes a new assignment if that or the topics ask for one.
    fn follow(&mut self, id: &str, beat: &Beat, resolved: &[Resolution], topics: &dyn Topics) {
        let mut changed = self.members.get_mut(id).is_some_and(|member| member.update(beat));
        for found in resolved {
            for member in self.members.values_mut() {
                changed |= member.take_resolution(found);
            }
        }
        if !resolved.is_empty() {
            self.resolving = None;
        }
        changed |= self.look_at_topics(topics, changed);
        if changed {
            self.bump();
        }
        if self.epoch > self.assignment_epoch {
            self.assign();
        }
    }

    fn answer(
        &mut self,
        now: Instant,
        beat: &Beat,
        id: &str,
        before: &Held<TopicPartition>,
    ) -> Result<BeatReply, Refused> {
        let Some(member) = self.members.get_mut(id) else {
            return Err(Refused::new(ErrorCode::UnknownServerError, "the member was lost"));
        };
        member.session_ends = now + beat.times.session_timeout;
        let tell = beat.epoch == JOINING || beat.is_full() || *before != member.place.assigned;
        Ok(BeatReply {
            member_id: Arc::clone(&member.id),
            epoch: member.place.epoch,
            interval: beat.times.heartbeat_interval,
            assignment: tell.then(|| member.place.assigned.keys().copied().collect()),
        })
    }
}
