//! Who may commit and fetch offsets for a group.

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::coordinator::{Group, Groups};
use super::kind::Kind;
use super::messages::Claim;
use super::offsets::Commit;

impl Groups {
    /// Whether this is a member that has an epoch, which clients before OffsetCommit 9 know nothing of.
    pub(crate) fn has_epoch(&self, group_id: &str, member_id: &str) -> bool {
        let epoch = |group: &mut Group| group.newer()?.member_epoch(member_id);
        self.inner.with_group_as_is(group_id, |group, _| epoch(group)).flatten().is_some()
    }

    /// Whether this member may fetch the group's offsets now.
    pub(crate) fn check_fetch(
        &self,
        group_id: &str,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), ErrorCode> {
        let check = |group: &mut Group| group.check_fetch(member_id, epoch);
        self.inner.with_group_as_is(group_id, |group, _| check(group)).unwrap_or(Ok(()))
    }
}

impl Group {
    /// Offsets of a share group are no committed ones.
    pub(super) fn check_commits_offsets(&self) -> Result<(), ErrorCode> {
        if self.kind() == Kind::Share { Err(ErrorCode::GroupIdNotFound) } else { Ok(()) }
    }

    pub(super) fn check_commit(
        &mut self,
        now: Instant,
        claim: Claim<'_>,
        commits: &[Commit],
    ) -> Result<(), ErrorCode> {
        self.check_commits_offsets()?;
        match self.newer() {
            Some(newer) => newer.check_commit(claim, commits),
            None => self.membership.check_commit(now, claim),
        }
    }

    /// A commit in a transaction. Producers know no epochs of members, so a stale one is a generation of old.
    pub(super) fn check_transactional_commit(
        &self,
        claim: Claim<'_>,
        commits: &[Commit],
    ) -> Result<(), ErrorCode> {
        self.check_commits_offsets()?;
        match self.newer() {
            Some(_) if claim.is_anonymous() => Ok(()),
            Some(newer) => newer.check_commit(claim, commits).map_err(|code| match code {
                ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
                code => code,
            }),
            None => self.membership.check_transactional_commit(claim),
        }
    }

    fn check_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        self.check_commits_offsets()?;
        self.newer().map_or(Ok(()), |newer| newer.check_fetch(member_id, epoch))
    }
}
