//! How a member of a group by a newer protocol comes to its group: what it may say at all, and the group that
//! is made for it.

use std::sync::Arc;

use schloss_log::Ticket;
use schloss_log::journal::MAX_ENTRY_BYTES;
use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::coordinator::{Group, Groups, Inner, MAX_GROUP_ID_BYTES, State};
use super::refused::{Refused, not_stored};
use super::store::failed;

/// Longest id of a member and of a rack, in bytes. Kafka has no bound of its own.
pub(crate) const MAX_MEMBER_ID_BYTES: usize = 1024;
/// Most bytes that a member may say of itself. JSON writes one byte as six at worst, and leaves room in an
/// entry of the journal for what the member holds.
const MAX_SUBSCRIPTION_BYTES: usize = MAX_ENTRY_BYTES / 8;

/// A member at the door.
pub(super) struct Visitor<'a> {
    pub(super) group_id: &'a str,
    pub(super) member_id: &'a str,
    pub(super) rack_id: Option<&'a str>,
    /// Bytes of what it says of itself and is kept.
    pub(super) bytes: usize,
    /// Whether it joins, and its group may be made for it.
    pub(super) joins: bool,
}

impl Groups {
    /// A heartbeat: works on the group of a member that joins, stays or leaves, and answers when what that
    /// changed is on disk. A group that was made for one that is refused goes again.
    pub(super) async fn receive<R>(
        &self,
        visitor: &Visitor<'_>,
        work: impl FnOnce(&mut Group, Instant) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        self.inner.check_visitor(visitor)?;
        let (reply, ticket) = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.admit(visitor, work)?
        };
        self.compact_if_worthwhile();
        if let Some(ticket) = ticket {
            self.inner.durable(ticket).await.map_err(not_stored)?;
        }
        Ok(reply)
    }
}

impl Inner {
    /// Whether what it says fits.
    fn check_visitor(&self, visitor: &Visitor<'_>) -> Result<(), Refused> {
        if visitor.group_id.len() > MAX_GROUP_ID_BYTES {
            return Err(Refused::new(
                ErrorCode::InvalidGroupId,
                format_args!("GroupId is longer than {MAX_GROUP_ID_BYTES} bytes"),
            ));
        }
        let rack = visitor.rack_id.map_or(0, str::len);
        if visitor.member_id.len() > MAX_MEMBER_ID_BYTES || rack > MAX_MEMBER_ID_BYTES {
            return Err(Refused::invalid("MemberId or RackId is too long"));
        }
        if visitor.bytes > self.config.max_member_metadata_bytes.min(MAX_SUBSCRIPTION_BYTES) {
            return Err(Refused::invalid("the subscription is too large"));
        }
        Ok(())
    }

    /// The caller holds the turn.
    fn admit<R>(
        self: &Arc<Self>,
        visitor: &Visitor<'_>,
        work: impl FnOnce(&mut Group, Instant) -> Result<R, Refused>,
    ) -> Result<(R, Option<Ticket>), Refused> {
        let mut state = self.state.lock();
        let refused = |code| Refused::new(code, "this node keeps as many groups and members as it may");
        let group_id = visitor.group_id;
        if visitor.joins && state.member_bytes + visitor.bytes > self.config.max_member_bytes {
            return Err(refused(ErrorCode::PolicyViolation));
        }
        let is_new = !state.groups.contains_key(group_id);
        if is_new {
            if !visitor.joins {
                return Err(not_found(group_id));
            }
            state.insert(group_id, self.config.max_groups).map_err(refused)?;
        }
        let worked = self.operate(&mut state, group_id, work).unwrap_or_else(|| Err(not_found(group_id)));
        if is_new && worked.is_err() {
            state.remove(group_id);
        }
        let reply = worked?;
        let ticket = self.note_members(&mut state, group_id).map_err(not_stored)?;
        Ok((reply, ticket))
    }

    /// Writes what changed among a group's members to the journal. The ticket is that of the last entry of
    /// the group. The caller holds the turn.
    pub(super) fn note_members(
        &self,
        state: &mut State,
        group_id: &str,
    ) -> Result<Option<Ticket>, ErrorCode> {
        let Some(group) = state.groups.get_mut(group_id) else { return Ok(None) };
        let Some(newer) = group.newer_mut() else { return Ok(group.ticket) };
        let entries = newer.news(group_id).map_err(|error| failed(&error))?;
        if !entries.is_empty() {
            let ticket = self.append(&entries)?;
            newer.mark_written();
            group.ticket = Some(ticket);
        }
        Ok(group.ticket)
    }
}

/// There is no such group.
pub(super) fn not_found(group_id: &str) -> Refused {
    Refused::new(ErrorCode::GroupIdNotFound, format_args!("group {group_id} not found"))
}
