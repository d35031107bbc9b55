//! Share groups among all groups of the node.

use schloss_wire::ErrorCode;

use super::beat::ShareBeat;
use super::group::ShareGroup;
use super::view::ShareDescription;
use crate::groups::admission::{Visitor, not_found};
use crate::groups::consumer::{BeatReply, Topics};
use crate::groups::coordinator::Groups;
use crate::groups::place::JOINING;
use crate::groups::refused::Refused;

impl Groups {
    /// A heartbeat, answered when it is on disk that the group exists. Only a join that succeeds makes one; a
    /// group of another kind stays what it is.
    pub(crate) async fn share_heartbeat(
        &self,
        group_id: &str,
        beat: &ShareBeat,
        topics: &(dyn Topics + Sync),
    ) -> Result<BeatReply, Refused> {
        let config = &self.inner.config;
        self.receive(&beat.visitor(group_id), |group, now| {
            let is_untouched = group.is_untouched();
            let mut fresh = None;
            let share = match &mut group.share {
                Some(share) => share,
                None if is_untouched => fresh.insert(ShareGroup::new()),
                None => return Err(not_share(group_id)),
            };
            let reply = if beat.epoch < JOINING {
                share.leave(beat)?
            } else {
                share.heartbeat(now, config, beat, topics)?
            };
            group.share = group.share.take().or(fresh);
            Ok(reply)
        })
        .await
    }

    /// A group of this kind, if it exists.
    pub(crate) fn describe_sharers(&self, group_id: &str) -> Result<ShareDescription, Refused> {
        let described = self.inner.with_group_as_is(group_id, |group, _| match &group.share {
            Some(share) => Ok(share.describe()),
            None => Err(not_share(group_id)),
        });
        described.unwrap_or_else(|| Err(not_found(group_id)))
    }

    /// Whether there is a share group of this id that nobody is in.
    ///
    /// # Errors
    /// There is none, or it has members.
    pub(crate) fn check_deserted_share(&self, group_id: &str) -> Result<(), Refused> {
        let found = self.describe_sharers(group_id)?;
        if found.members.is_empty() {
            return Ok(());
        }
        Err(Refused::new(
            ErrorCode::NonEmptyGroup,
            format_args!("share group {group_id} has members: stop its consumers first"),
        ))
    }

    /// Whether there is a share group of this id.
    pub(crate) fn is_share(&self, group_id: &str) -> bool {
        self.inner.with_group_as_is(group_id, |group, _| group.share.is_some()).unwrap_or_default()
    }
}

impl ShareBeat {
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

fn not_share(group_id: &str) -> Refused {
    Refused::new(ErrorCode::GroupIdNotFound, format_args!("group {group_id} is not a share group"))
}
