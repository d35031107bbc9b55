//! SyncGroup: the leader hands in the assignment, everybody takes theirs.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::member::{Answer, Ticket, Waiter};
use super::membership::{GroupState, Membership};
use super::messages::{Sync, SyncReply, Synced};

/// KIP-559: a client that names the protocol must mean the one in force.
fn contradicts(claimed: Option<&Arc<str>>, actual: Option<&Arc<str>>) -> bool {
    matches!((claimed, actual), (Some(claimed), Some(actual)) if claimed != actual)
}

impl Membership {
    /// Answers with the assignment, or parks the member until the leader brings it.
    pub(super) fn sync(&mut self, now: Instant, sync: Sync) -> Answer<SyncReply> {
        if let Err(code) = self.check_sync(&sync) {
            return Answer::Now(Err(code));
        }
        self.unsynced.remove(&sync.member_id);
        if self.unsynced.is_empty() {
            self.sync_deadline = None;
        }
        if self.state == GroupState::CompletingRebalance && self.is_leader(&sync.member_id) {
            self.assign(now, sync.assignments);
        }
        if self.state == GroupState::Stable {
            return Answer::Now(self.assignment_of(now, &sync.member_id));
        }
        let ticket = self.next_ticket();
        let Some(member) = self.members.get_mut(&sync.member_id) else {
            return Answer::Now(Err(ErrorCode::UnknownMemberId));
        };
        if let Some(earlier) = member.syncing.take() {
            earlier.answer(Err(ErrorCode::RebalanceInProgress));
        }
        let (waiter, later) = Waiter::park(&sync.member_id, ticket);
        member.syncing = Some(waiter);
        // The wait for the leader is bounded by the sync deadline.
        member.expires = None;
        Answer::Later(later)
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ErrorCode> {
        self.validate(&sync.member_id, sync.instance_id.as_deref())?;
        if sync.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if contradicts(sync.protocol_type.as_ref(), self.protocol_type.as_ref())
            || contradicts(sync.protocol.as_ref(), self.protocol.as_ref())
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        match self.state {
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
            GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            GroupState::Empty => Err(ErrorCode::UnknownMemberId),
        }
    }

    /// Takes over the leader's assignment; who is not in it gets an empty one.
    fn assign(&mut self, now: Instant, assignments: Vec<(Arc<str>, Bytes)>) {
        let assignments: HashMap<_, _> = assignments.into_iter().collect();
        self.state = GroupState::Stable;
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.members.get_mut(&id) else { continue };
            // A copy, since what is in the request keeps the request's whole frame in memory.
            member.assignment =
                assignments.get(&id).map(|one| Bytes::copy_from_slice(one)).unwrap_or_default();
            if let Some(waiter) = member.syncing.take() {
                waiter.answer(self.assignment_of(now, &id));
            }
        }
    }

    fn assignment_of(&mut self, now: Instant, member_id: &str) -> SyncReply {
        let member = self.members.get_mut(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        member.touch(now);
        Ok(Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member.assignment.clone(),
        })
    }

    /// The asker of a parked sync is gone; from now on its session counts.
    pub(super) fn abandon_sync(&mut self, now: Instant, id: &str, ticket: Ticket) {
        let Some(member) = self.members.get_mut(id) else { return };
        if member.syncing.as_ref().is_some_and(|waiter| waiter.ticket == ticket) {
            member.syncing = None;
            member.touch(now);
        }
    }
}
