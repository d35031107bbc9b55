//! Streams groups among all groups of the node.

use std::sync::Arc;

use schloss_log::Ticket;
use schloss_wire::ErrorCode;

use super::beat::{StreamsBeat, StreamsReply};
use super::group::StreamsGroup;
use super::view::StreamsDescription;
use crate::groups::admission::{Visitor, not_found};
use crate::groups::consumer::Topics;
use crate::groups::coordinator::{Group, Groups, Inner};
use crate::groups::kind::Kind;
use crate::groups::place::JOINING;
use crate::groups::refused::{Refused, not_stored};

impl Groups {
    /// A heartbeat, answered when what it changed is on disk: nobody has a task that a crash takes back.
    pub(crate) async fn streams_heartbeat(
        &self,
        group_id: &str,
        beat: &StreamsBeat,
        topics: &(dyn Topics + Sync),
    ) -> Result<StreamsReply, Refused> {
        self.inner.check_visitor(&beat.visitor(group_id))?;
        let (reply, ticket) = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.streams_beat(group_id, beat, topics)?
        };
        self.compact_if_worthwhile();
        if let Some(ticket) = ticket {
            self.inner.durable(ticket).await.map_err(not_stored)?;
        }
        Ok(reply)
    }

    /// A group of this kind, if it exists.
    pub(crate) fn describe_streams(&self, group_id: &str) -> Result<StreamsDescription, Refused> {
        let described = self.inner.with_group_as_is(group_id, |group, _| match &group.streams {
            Some(streams) => Ok(streams.describe()),
            None => Err(not_streams(group_id)),
        });
        described.unwrap_or_else(|| Err(not_found(group_id)))
    }
}

impl StreamsBeat {
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

impl Inner {
    /// The caller holds the turn. Only a join that succeeds makes a group, or makes an empty classic one a Streams
    /// group.
    fn streams_beat(
        self: &Arc<Self>,
        group_id: &str,
        beat: &StreamsBeat,
        topics: &dyn Topics,
    ) -> Result<(StreamsReply, Option<Ticket>), Refused> {
        let mut state = self.state.lock();
        let work = |group: &mut Group, now| {
            let mut fresh = None;
            let may_begin = beat.epoch == JOINING && group.kind() == Kind::Classic && group.is_deserted();
            let streams = match &mut group.streams {
                Some(streams) => streams,
                None if may_begin => fresh.insert(StreamsGroup::new(group.membership.generation)),
                None => return Err(not_streams(group_id)),
            };
            let reply = if beat.epoch < JOINING {
                streams.leave(beat)?
            } else {
                streams.heartbeat(now, &self.config, beat, topics)?
            };
            group.streams = group.streams.take().or(fresh);
            group.note_desertion(now);
            Ok(reply)
        };
        let reply = self.admit(&mut state, &beat.visitor(group_id), work)?;
        let ticket = self.note_members(&mut state, group_id).map_err(not_stored)?;
        Ok((reply, ticket))
    }
}

fn not_streams(group_id: &str) -> Refused {
    Refused::new(ErrorCode::GroupIdNotFound, format_args!("group {group_id} is not a streams group"))
}
