//! Who may commit and fetch offsets for a Streams group.

use schloss_wire::{ErrorCode, Uuid};

use super::group::StreamsGroup;
use super::member::Member;
use super::task::{Role, Task, TaskId};
use crate::groups::messages::Claim;
use crate::groups::offsets::Commit;

impl StreamsGroup {
    /// Whether whoever claims to be this member may commit these offsets.
    ///
    /// A member that has not heard of its new epoch yet may commit for the tasks that it had in the epoch it comes
    /// with (KIP-1251). Others may while nobody is in the group.
    pub(in crate::groups) fn check_commit(
        &self,
        claim: Claim<'_>,
        commits: &[Commit],
    ) -> Result<(), ErrorCode> {
        if claim.generation < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.members.get(claim.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if claim.generation == member.place.epoch {
            return Ok(());
        }
        if claim.generation > member.place.epoch {
            return Err(ErrorCode::StaleMemberEpoch);
        }
        let had = |commit: &Commit| {
            let since = self.read_since(member, commit.topic, commit.partition);
            since.is_some_and(|epoch| claim.generation >= epoch)
        };
        if commits.iter().all(had) { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }

    /// Since which epoch the member has had the task that reads this partition.
    fn read_since(&self, member: &Member, topic: Uuid, partition: i32) -> Option<i32> {
        let reads = |name: &String| self.shapes.get(name.as_str()).is_some_and(|shape| shape.id == topic);
        let subtopologies = self.topology.iter().flat_map(|topology| &topology.subtopologies);
        let mut reading = subtopologies.filter(|(_, subtopology)| subtopology.reads().any(reads));
        reading.find_map(|(id, _)| {
            let id = TaskId { subtopology: id.as_str().into(), partition };
            member.place.held_since(&Task { role: Role::Active, id })
        })
    }

    /// Whether whoever claims to be this member may fetch offsets. Administrators name no member.
    pub(in crate::groups) fn check_fetch(
        &self,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), ErrorCode> {
        let Some(member_id) = member_id else {
            return if epoch < 0 { Ok(()) } else { Err(ErrorCode::UnknownMemberId) };
        };
        let member = self.members.get(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if epoch == member.place.epoch { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }

    /// Whether this is a member.
    pub(in crate::groups) fn has(&self, member_id: &str) -> bool {
        self.members.contains_key(member_id)
    }
}
