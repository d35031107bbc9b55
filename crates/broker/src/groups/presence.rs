//! Heartbeats, commits and farewells: how members say that they are there, and that they go.

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::config::GroupsConfig;
use super::membership::{GroupState, Membership};
use super::messages::{Claim, Leaving};

impl Membership {
    /// Heartbeat: keeps the session, and tells a member that it must join again.
    pub(super) fn heartbeat(&mut self, now: Instant, claim: Claim<'_>) -> Result<(), ErrorCode> {
        self.validate(claim.member_id, claim.instance_id)?;
        if claim.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        self.keep_session(now, claim.member_id);
        match self.state {
            GroupState::Empty => Err(ErrorCode::UnknownMemberId),
            GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// While a member is owed an answer, its session is not counted.
    fn keep_session(&mut self, now: Instant, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id)
            && member.joining.is_none()
            && member.syncing.is_none()
        {
            member.touch(now);
        }
    }

    /// Whether whoever claims to be this member may commit offsets now.
    ///
    /// Consumers that are no members (an administrator, or one that assigns partitions itself) may while nobody
    /// is in the group.
    pub(super) fn check_commit(&mut self, now: Instant, claim: Claim<'_>) -> Result<(), ErrorCode> {
        if claim.generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        if claim.is_anonymous() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate(claim.member_id, claim.instance_id)?;
        if claim.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.state == GroupState::CompletingRebalance {
            // It knows the new generation but not its assignment, so what it commits may be another's by now.
            return Err(ErrorCode::RebalanceInProgress);
        }
        self.keep_session(now, claim.member_id);
        Ok(())
    }

    /// Whether whoever claims to be this member may commit offsets in a transaction now. Older producers don't
    /// say who they are; the transaction is what fences them.
    pub(super) fn check_transactional_commit(&self, claim: Claim<'_>) -> Result<(), ErrorCode> {
        if claim.is_anonymous() || claim.generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        self.validate(claim.member_id, claim.instance_id)?;
        if claim.generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// LeaveGroup: one result for each that leaves, in order.
    pub(super) fn leave(
        &mut self,
        now: Instant,
        config: &GroupsConfig,
        leaving: &[Leaving],
    ) -> Vec<Result<(), ErrorCode>> {
        let results: Vec<_> = leaving.iter().map(|one| self.leave_one(one)).collect();
        if results.iter().any(Result::is_ok) {
            self.after_departure(now, config);
            if self.is_deserted() {
                self.empty_since = now;
            }
        }
        results
    }

    fn leave_one(&mut self, leaving: &Leaving) -> Result<(), ErrorCode> {
        let instance_id = leaving.instance_id.as_deref();
        let id = if leaving.member_id.is_empty() {
            let instance_id = instance_id.ok_or(ErrorCode::UnknownMemberId)?;
            self.statics.get(instance_id).ok_or(ErrorCode::UnknownMemberId)?.clone()
        } else {
            if !self.pending.contains_key(&leaving.member_id) {
                self.validate(&leaving.member_id, instance_id)?;
            }
            leaving.member_id.clone()
        };
        self.remove(&id);
        Ok(())
    }
}
