//! Share groups among all groups of the node.

use std::sync::Arc;

use schloss_log::Ticket;
use schloss_wire::ErrorCode;

use super::beat::ShareBeat;
use super::group::ShareGroup;
use super::view::ShareDescription;
use crate::groups::consumer::{
    BeatReply, JOINING, MAX_MEMBER_ID_BYTES, Refused, Topics, check_group_id, no_room, not_stored,
};
use crate::groups::coordinator::{Group, Groups, Inner, State};

impl Groups {
    /// A heartbeat, answered when it is on disk that the group exists.
    pub(crate) async fn share_heartbeat(
        &self,
        group_id: &str,
        beat: &ShareBeat,
        topics: &(dyn Topics + Sync),
    ) -> Result<BeatReply, Refused> {
        self.inner.check_share_beat(group_id, beat)?;
        let (reply, ticket) = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.share_beat(group_id, beat, topics)?
        };
        self.compact_if_worthwhile();
        if let Some(ticket) = ticket {
            self.inner.durable(ticket).await.map_err(not_stored)?;
        }
        Ok(reply)
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

impl Inner {
    fn check_share_beat(&self, group_id: &str, beat: &ShareBeat) -> Result<(), Refused> {
        let invalid = |message: &str| Err(Refused::new(ErrorCode::InvalidRequest, message));
        check_group_id(group_id)?;
        if beat.member_id.len() > MAX_MEMBER_ID_BYTES
            || beat.rack_id.as_ref().is_some_and(|id| id.len() > MAX_MEMBER_ID_BYTES)
        {
            return invalid("MemberId or RackId is too long");
        }
        if beat.bytes() > self.config.max_member_metadata_bytes {
            return invalid("the subscription is too large");
        }
        Ok(())
    }

    /// The caller holds the turn.
    fn share_beat(
        self: &Arc<Self>,
        group_id: &str,
        beat: &ShareBeat,
        topics: &dyn Topics,
    ) -> Result<(BeatReply, Option<Ticket>), Refused> {
        let mut state = self.state.lock();
        let reply = if beat.epoch < JOINING {
            let left = self.operate(&mut state, group_id, |group, _| {
                group.share.as_mut().ok_or_else(|| not_share(group_id))?.leave(beat)
            });
            left.unwrap_or_else(|| Err(not_found(group_id)))?
        } else {
            self.start_share_beat(&mut state, group_id, beat, topics)?
        };
        let ticket = self.note_members(&mut state, group_id).map_err(not_stored)?;
        Ok((reply, ticket))
    }

    /// A member joins or stays. Only a join that succeeds makes a group.
    fn start_share_beat(
        self: &Arc<Self>,
        state: &mut State,
        group_id: &str,
        beat: &ShareBeat,
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
            let share = match &mut group.share {
                Some(share) => share,
                None if is_new => group.share.insert(ShareGroup::new()),
                None => return Err(not_share(group_id)),
            };
            share.heartbeat(now, &self.config, beat, topics)
        });
        let beaten = beaten.unwrap_or_else(|| Err(not_found(group_id)));
        if is_new && beaten.is_err() {
            state.remove(group_id);
        }
        beaten
    }
}

impl Group {
    /// Offsets of a share group are no committed ones.
    pub(in crate::groups) fn check_no_share(&self) -> Result<(), ErrorCode> {
        if self.share.is_some() { Err(ErrorCode::GroupIdNotFound) } else { Ok(()) }
    }
}

fn not_found(group_id: &str) -> Refused {
    Refused::new(ErrorCode::GroupIdNotFound, format_args!("group {group_id} not found"))
}

fn not_share(group_id: &str) -> Refused {
    Refused::new(ErrorCode::GroupIdNotFound, format_args!("group {group_id} is not a share group"))
}
