//! What a group of any newer protocol is asked, whichever it is.

use std::collections::HashSet;

use schloss_wire::{ErrorCode, Uuid};
use tokio::time::Instant;

use super::config::GroupsConfig;
use super::coordinator::Group;
use super::kind::Kind;
use super::messages::Claim;
use super::offsets::Commit;

/// Entries of the journal.
pub(super) type Entries = serde_json::Result<Vec<Vec<u8>>>;

/// A group whose coordinator assigns.
pub(super) trait Newer {
    fn kind(&self) -> Kind;

    /// Kafka's name of the state that the group is in.
    fn state(&self) -> &'static str;

    /// Moves with whatever changes who should have what.
    fn epoch(&self) -> i32;

    /// Whether nobody is in the group, not even a static member that is away for now.
    fn is_empty(&self) -> bool;

    /// Bytes of memory, by estimate.
    fn bytes(&self) -> usize;

    /// The names of all topics that any member needs.
    fn subscribed(&self) -> HashSet<String>;

    /// The next time at which [`Self::expire`] has something to do.
    fn next_deadline(&self) -> Option<Instant>;

    /// Takes out the members whose time is over.
    fn expire(&mut self, now: Instant);

    /// Makes what was replayed work: members have a whole session to come back.
    fn restart(&mut self, now: Instant, config: &GroupsConfig);

    /// The entries for what is not yet in the journal of the group `id`.
    fn news(&self, id: &str) -> Entries;

    /// The entries for all of the group `id` that is written down.
    fn all(&self, id: &str) -> Entries;

    /// Remembers that what [`Self::news`] told is in the journal.
    fn mark_written(&mut self);

    /// The epoch of a member that commits offsets.
    fn member_epoch(&self, member_id: &str) -> Option<i32>;

    /// Since which epoch the member has read this partition.
    fn read_since(&self, member_id: &str, topic: Uuid, partition: i32) -> Option<i32>;

    /// Whether whoever claims to be this member may commit these offsets.
    ///
    /// A member that has not heard of its new epoch yet may commit for the partitions that it had in the
    /// epoch it comes with (KIP-1251). Others than members may while nobody is in the group.
    fn check_commit(&self, claim: Claim<'_>, commits: &[Commit]) -> Result<(), ErrorCode> {
        if claim.generation < 0 && self.is_empty() {
            return Ok(());
        }
        let epoch = self.member_epoch(claim.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        let had = |commit: &Commit| {
            let since = self.read_since(claim.member_id, commit.topic, commit.partition);
            since.is_some_and(|epoch| claim.generation >= epoch)
        };
        let may = claim.generation == epoch || claim.generation < epoch && commits.iter().all(had);
        if may { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }

    /// Whether whoever claims to be this member may fetch offsets. Administrators name no member.
    fn check_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        let own = match member_id {
            Some(member_id) => self.member_epoch(member_id).ok_or(ErrorCode::UnknownMemberId)?,
            None if epoch < 0 => return Ok(()),
            None => return Err(ErrorCode::UnknownMemberId),
        };
        if epoch == own { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }
}

impl Group {
    /// The newer protocol, if that is what the group's members use or last used.
    pub(super) fn newer(&self) -> Option<&dyn Newer> {
        let consumer = self.consumer.as_ref().map(|group| group as &dyn Newer);
        let streams = self.streams.as_ref().map(|group| group as &dyn Newer);
        consumer.or(streams).or(self.share.as_ref().map(|group| group as &dyn Newer))
    }

    pub(super) fn newer_mut(&mut self) -> Option<&mut dyn Newer> {
        let consumer = self.consumer.as_mut().map(|group| group as &mut dyn Newer);
        let streams = self.streams.as_mut().map(|group| group as &mut dyn Newer);
        consumer.or(streams).or(self.share.as_mut().map(|group| group as &mut dyn Newer))
    }
}
