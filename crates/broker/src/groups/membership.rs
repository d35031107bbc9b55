//! The members of one group and the generations they go through: Kafka's classic protocol.
//!
//! A plain state machine. It is told the time, never waits and never looks at a clock; what takes time is a
//! deadline that `deadlines` names and meets. The requests that move it are in `join`, `sync` and `presence`;
//! this file holds the state and the turn from one generation to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::config::GroupsConfig;
use super::member::{Member, Ticket};
use super::messages::{Joined, JoinedMember};

/// Shortest time for a rebalance, whatever members ask for: with none at all nobody could ever come back in
/// time, and a group of absent static members would be looked at again without pause.
const MIN_REBALANCE_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a group stands between two generations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum GroupState {
    /// No members; there may be offsets.
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// The leader is asked for the assignment.
    CompletingRebalance,
    /// Everybody has an assignment.
    Stable,
}

impl GroupState {
    /// What Kafka reports for a group that does not exist.
    pub(crate) const DEAD: &'static str = "Dead";

    /// Kafka's name of the state.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// The wait of an empty group's first rebalance for more members.
#[derive(Clone, Copy, Debug)]
pub(super) struct InitialDelay {
    pub(super) remaining: Duration,
    pub(super) member_added: bool,
}

/// Members, generation and state of one group.
pub(super) struct Membership {
    pub(super) state: GroupState,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<Arc<str>>,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) leader: Option<Arc<str>>,
    /// Ordered, so that the same history always elects the same leader.
    pub(super) members: BTreeMap<Arc<str>, Member>,
    /// Instance id to member id.
    pub(super) statics: BTreeMap<Arc<str>, Arc<str>>,
    /// Members that were told their id and have yet to use it, and until when they may.
    pub(super) pending: BTreeMap<Arc<str>, Instant>,
    /// Members of this generation that have not asked for their assignment.
    pub(super) unsynced: BTreeSet<Arc<str>>,
    pub(super) initial: Option<InitialDelay>,
    pub(super) join_deadline: Option<Instant>,
    pub(super) sync_deadline: Option<Instant>,
    pub(super) empty_since: Instant,
    tickets: u64,
}

impl Membership {
    /// A group without members, which once had this protocol type and generation.
    pub(super) fn empty(now: Instant, protocol_type: Option<Arc<str>>, generation: i32) -> Self {
        Self {
            state: GroupState::Empty,
            generation,
            protocol_type,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            initial: None,
            join_deadline: None,
            sync_deadline: None,
            empty_since: now,
            tickets: 0,
        }
    }

    /// Whether neither a member nor one who was promised a place is left.
    pub(super) fn is_deserted(&self) -> bool {
        self.state == GroupState::Empty && self.pending.is_empty()
    }

    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// The member exists, and if it names an instance id, the instance is this member and no later one.
    pub(super) fn validate(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.statics.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if &**current != member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// The slowest member sets how long a rebalance may take.
    fn rebalance_timeout(&self) -> Duration {
        let slowest = self.members.values().map(|member| member.rebalance_timeout).max();
        slowest.unwrap_or_default().max(MIN_REBALANCE_TIMEOUT)
    }

    /// Those who were promised a place are waited for, but not by a group that nobody is in.
    fn everybody_joined(&self) -> bool {
        let all_here = self.members.values().all(|member| member.joining.is_some());
        self.members.is_empty() || self.pending.is_empty() && all_here
    }

    /// Something changed that needs a new generation: begins one, or ends the join phase if it was the last
    /// thing that phase waited for.
    pub(super) fn rebalance(&mut self, now: Instant, config: &GroupsConfig) {
        if self.state == GroupState::PreparingRebalance {
            self.finish_joining_if_complete(now);
        } else {
            self.prepare(now, config);
        }
    }

    /// Somebody left or failed.
    pub(super) fn after_departure(&mut self, now: Instant, config: &GroupsConfig) {
        if self.state != GroupState::Empty {
            self.rebalance(now, config);
        }
    }

    pub(super) fn finish_joining_if_complete(&mut self, now: Instant) {
        let still_gathering = self.initial.is_some() && !self.members.is_empty();
        if !still_gathering && self.everybody_joined() {
            self.finish_joining(now);
        }
    }

    /// Asks everybody to join again.
    fn prepare(&mut self, now: Instant, config: &GroupsConfig) {
        if self.state == GroupState::CompletingRebalance {
            self.cancel_syncs(now);
        }
        self.unsynced.clear();
        self.sync_deadline = None;
        let from_empty = self.state == GroupState::Empty;
        self.state = GroupState::PreparingRebalance;
        let delay = config.initial_rebalance_delay;
        if from_empty && !delay.is_zero() {
            let remaining = self.rebalance_timeout().saturating_sub(delay);
            self.initial = Some(InitialDelay { remaining, member_added: false });
            self.join_deadline = Some(now + delay);
        } else if from_empty || self.everybody_joined() {
            self.finish_joining(now);
        } else {
            self.join_deadline = Some(now + self.rebalance_timeout());
        }
    }

    /// Those who wait for an assignment of the generation that ends are sent back to join.
    fn cancel_syncs(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(waiter) = member.syncing.take() {
                waiter.answer(Err(ErrorCode::RebalanceInProgress));
                member.touch(now);
            }
        }
    }

    /// The join phase ends: who did not come is out, the others are the next generation.
    pub(super) fn finish_joining(&mut self, now: Instant) {
        self.join_deadline = None;
        self.initial = None;
        let absent: Vec<_> = self
            .members
            .values()
            .filter(|member| member.joining.is_none() && member.instance_id.is_none())
            .map(|member| Arc::clone(&member.id))
            .collect();
        for id in absent {
            self.remove(&id);
        }
        if self.members.is_empty() {
            return self.become_empty(now);
        }
        if !self.elect_leader() {
            // Only static members are left and none has come back: their sessions decide.
            self.join_deadline = Some(now + self.rebalance_timeout());
            return;
        }
        self.start_generation(now);
    }

    fn become_empty(&mut self, now: Instant) {
        self.advance_generation();
        self.state = GroupState::Empty;
        self.protocol = None;
        self.leader = None;
        self.empty_since = now;
    }

    fn start_generation(&mut self, now: Instant) {
        self.advance_generation();
        self.protocol = self.select_protocol();
        self.state = GroupState::CompletingRebalance;
        self.unsynced = self.members.keys().cloned().collect();
        self.sync_deadline = Some(now + self.rebalance_timeout());
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.touch(now);
            member.knows_its_id = true;
            if let Some(waiter) = member.joining.take() {
                waiter.answer(Ok(joined));
            }
        }
    }

    fn advance_generation(&mut self) {
        // After 2^31 rebalances the count starts again rather than turning negative, which means "no member".
        self.generation = self.generation.checked_add(1).unwrap_or(1);
    }

    /// What a member hears about the current generation.
    pub(super) fn joined(&self, member_id: &Arc<str>) -> Joined {
        let leads = self.is_leader(member_id);
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: Arc::clone(member_id),
            members: if leads { self.roster() } else { Vec::new() },
            skip_assignment: false,
        }
    }

    fn roster(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let row = |member: &Member| JoinedMember {
            id: Arc::clone(&member.id),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        };
        self.members.values().map(row).collect()
    }

    /// Keeps the leader if it came back, takes another one if not; false if nobody came.
    fn elect_leader(&mut self) -> bool {
        let has_joined = |id: &Arc<str>| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let successor = self.members.keys().find(|id| has_joined(id)).cloned();
        let found = successor.is_some();
        self.leader = successor.or(self.leader.take());
        found
    }

    /// Each member votes for the first of its protocols that everybody offers; the most votes win.
    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            let vote = member.protocols.iter().find(|offered| self.all_offer(&offered.name));
            if let Some(protocol) = vote {
                *votes.entry(&protocol.name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| Arc::clone(name))
    }

    pub(super) fn all_offer(&self, protocol: &str) -> bool {
        self.members.values().all(|member| member.offers(protocol))
    }

    /// Takes a member out and answers what it waits for, so that a client that still lives joins anew.
    pub(super) fn remove(&mut self, member_id: &str) -> bool {
        let was_pending = self.pending.remove(member_id).is_some();
        self.unsynced.remove(member_id);
        let Some(mut member) = self.members.remove(member_id) else { return was_pending };
        if let Some(instance_id) = &member.instance_id {
            self.statics.remove(instance_id);
        }
        member.fail_waiters(ErrorCode::UnknownMemberId);
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        true
    }
}
