//! JoinGroup: new members, members that come back, and static members that replace themselves.

use std::sync::Arc;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::config::GroupsConfig;
use super::member::{Answer, Member, Ticket, Waiter};
use super::membership::{GroupState, Membership};
use super::messages::{Join, JoinRefused, JoinReply, Joined};

type JoinAnswer = Answer<JoinReply>;

fn refuse(code: ErrorCode, member_id: &Arc<str>) -> JoinAnswer {
    Answer::Now(Err(JoinRefused { code, member_id: Arc::clone(member_id) }))
}

impl Membership {
    /// Lets a member in, or parks it until the generation is complete.
    pub(super) fn join(&mut self, now: Instant, config: &GroupsConfig, join: &Join) -> JoinAnswer {
        if !self.has_room_for(join, config) {
            return refuse(ErrorCode::GroupMaxSizeReached, &Arc::default());
        }
        if !self.can_agree_with(join) {
            return refuse(ErrorCode::InconsistentGroupProtocol, &join.member_id);
        }
        if join.member_id.is_empty() {
            self.join_new(now, config, join)
        } else if self.pending.contains_key(&join.member_id) {
            self.join_pending(now, config, join)
        } else {
            self.rejoin(now, config, join)
        }
    }

    /// Members that are in, or that replace one that is, always fit.
    fn has_room_for(&self, join: &Join, config: &GroupsConfig) -> bool {
        let replaces = join.instance_id.as_ref().is_some_and(|instance| self.statics.contains_key(instance));
        let is_new = join.member_id.is_empty() && !replaces;
        !is_new || self.members.len() + self.pending.len() < config.max_group_size
    }

    /// One protocol must be left that everybody offers.
    fn can_agree_with(&self, join: &Join) -> bool {
        if self.state == GroupState::Empty {
            return !join.protocol_type.is_empty() && !join.protocols.is_empty();
        }
        self.protocol_type.as_ref() == Some(&join.protocol_type)
            && join.protocols.iter().any(|offered| self.all_offer(&offered.name))
    }

    fn join_new(&mut self, now: Instant, config: &GroupsConfig, join: &Join) -> JoinAnswer {
        let id = &join.fresh_id;
        if let Some(instance_id) = &join.instance_id {
            return match self.statics.get(instance_id).cloned() {
                Some(old_id) => self.replace_static(now, config, join, &old_id),
                None => self.add(now, config, join, id),
            };
        }
        if join.id_required {
            self.pending.insert(Arc::clone(id), now + join.session_timeout);
            return refuse(ErrorCode::MemberIdRequired, id);
        }
        self.add(now, config, join, id)
    }

    fn join_pending(&mut self, now: Instant, config: &GroupsConfig, join: &Join) -> JoinAnswer {
        if join.instance_id.is_some() {
            // Static members are never made to come back, so this id was given to somebody else.
            return refuse(ErrorCode::UnknownMemberId, &join.member_id);
        }
        self.pending.remove(&join.member_id);
        self.add(now, config, join, &join.member_id)
    }

    fn add(&mut self, now: Instant, config: &GroupsConfig, join: &Join, id: &Arc<str>) -> JoinAnswer {
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::clone(&join.protocol_type));
        }
        if let Some(delay) = &mut self.initial {
            delay.member_added = true;
        }
        let ticket = self.next_ticket();
        let (waiter, later) = Waiter::park(id, ticket);
        let mut member = Member::new(Arc::clone(id), join);
        member.joining = Some(waiter);
        // It can't send heartbeats before it has an answer, and a client that gave up may leave one defunct
        // member for every retry, so even a parked newcomer ends some day.
        member.expires = Some(now + config.new_member_join_timeout);
        if let Some(instance_id) = &member.instance_id {
            self.statics.insert(Arc::clone(instance_id), Arc::clone(id));
        }
        self.members.insert(Arc::clone(id), member);
        self.leader.get_or_insert_with(|| Arc::clone(id));
        self.rebalance(now, config);
        Answer::Later(later)
    }

    fn rejoin(&mut self, now: Instant, config: &GroupsConfig, join: &Join) -> JoinAnswer {
        let id = &join.member_id;
        if let Err(code) = self.validate(id, join.instance_id.as_deref()) {
            return refuse(code, id);
        }
        let unchanged = self.members.get(id).is_some_and(|member| member.protocols == join.protocols);
        let answer_as_is = match self.state {
            // It may have missed the answer to its first join.
            GroupState::CompletingRebalance => unchanged,
            // A leader that joins again asks for a rebalance, say because the topics changed.
            GroupState::Stable => unchanged && !self.is_leader(id),
            GroupState::PreparingRebalance | GroupState::Empty => false,
        };
        if answer_as_is {
            if let Some(member) = self.members.get_mut(id) {
                member.touch(now);
            }
            return Answer::Now(Ok(self.joined(id)));
        }
        self.park_and_rebalance(now, config, join, id)
    }

    fn park(&mut self, join: &Join, id: &Arc<str>) -> Option<super::member::Later<JoinReply>> {
        let ticket = self.next_ticket();
        let member = self.members.get_mut(id)?;
        member.update(join);
        // The client asked again, so whoever waited for the earlier request is gone or should ask again.
        member.fail_waiters(ErrorCode::RebalanceInProgress);
        let (waiter, later) = Waiter::park(id, ticket);
        member.joining = Some(waiter);
        member.expires = None;
        Some(later)
    }

    fn park_and_rebalance(
        &mut self,
        now: Instant,
        config: &GroupsConfig,
        join: &Join,
        id: &Arc<str>,
    ) -> JoinAnswer {
        let Some(later) = self.park(join, id) else { return refuse(ErrorCode::UnknownMemberId, id) };
        self.rebalance(now, config);
        Answer::Later(later)
    }

    /// KIP-345: an instance that starts again takes over the member it was, assignment included.
    fn replace_static(
        &mut self,
        now: Instant,
        config: &GroupsConfig,
        join: &Join,
        old_id: &Arc<str>,
    ) -> JoinAnswer {
        let id = &join.fresh_id;
        let old_leader = self.leader.clone();
        self.rename(old_id, join);
        if self.state == GroupState::Stable {
            if let Some(member) = self.members.get_mut(id) {
                member.update(join);
                member.touch(now);
            }
            if self.select_protocol() == self.protocol {
                return Answer::Now(Ok(self.resumed(join, old_leader)));
            }
        }
        // The old id may already be with the leader as one to assign to, so a rebalance under way starts again.
        self.park_and_rebalance(now, config, join, id)
    }

    /// Gives a static member the fresh id; requests of the old one are fenced.
    fn rename(&mut self, old_id: &Arc<str>, join: &Join) {
        let id = &join.fresh_id;
        let Some(mut member) = self.members.remove(old_id) else { return };
        member.fail_waiters(ErrorCode::FencedInstanceId);
        member.id = Arc::clone(id);
        member.client_id = Arc::clone(&join.client_id);
        member.client_host = Arc::clone(&join.client_host);
        if let Some(instance_id) = &member.instance_id {
            self.statics.insert(Arc::clone(instance_id), Arc::clone(id));
        }
        self.members.insert(Arc::clone(id), member);
        if self.unsynced.remove(old_id) {
            self.unsynced.insert(Arc::clone(id));
        }
        if self.is_leader(old_id) {
            self.leader = Some(Arc::clone(id));
        }
    }

    /// The answer to a static member that goes on where it was, without a rebalance.
    fn resumed(&self, join: &Join, old_leader: Option<Arc<str>>) -> Joined {
        let mut joined = self.joined(&join.fresh_id);
        if join.can_skip_assignment {
            joined.skip_assignment = self.is_leader(&join.fresh_id);
        } else {
            // A client before KIP-814 that saw itself lead would assign again; the old id keeps it a follower.
            joined.leader = old_leader.unwrap_or_default();
            joined.members = Vec::new();
        }
        joined
    }

    /// The asker of a parked join is gone. Nothing waits for it any longer than its session; one that was
    /// never told its id can't come back at all.
    pub(super) fn abandon_join(&mut self, now: Instant, config: &GroupsConfig, id: &str, ticket: Ticket) {
        let Some(member) = self.members.get_mut(id) else { return };
        if member.joining.as_ref().is_none_or(|waiter| waiter.ticket != ticket) {
            return;
        }
        member.joining = None;
        member.touch(now);
        if !member.knows_its_id && member.instance_id.is_none() {
            self.remove(id);
            self.after_departure(now, config);
        }
    }
}
