//! Streams groups among all groups of the node.

use schloss_wire::ErrorCode;

use super::beat::{StreamsBeat, StreamsReply};
use super::group::StreamsGroup;
use super::view::StreamsDescription;
use crate::groups::admission::{Visitor, not_found};
use crate::groups::consumer::Topics;
use crate::groups::coordinator::Groups;
use crate::groups::kind::Kind;
use crate::groups::place::JOINING;
use crate::groups::refused::Refused;

impl Groups {
    /// A heartbeat, answered when what it changed is on disk: nobody has a task that a crash takes back. Only
    /// a join that succeeds makes a group, or makes an empty classic one a Streams group.
    pub(crate) async fn streams_heartbeat(
        &self,
        group_id: &str,
        beat: &StreamsBeat,
        topics: &(dyn Topics + Sync),
    ) -> Result<StreamsReply, Refused> {
        let config = &self.inner.config;
        self.receive(&beat.visitor(group_id), |group, now| {
            let may_begin = beat.epoch == JOINING && group.kind() == Kind::Classic && group.is_deserted();
            let mut fresh = None;
            let streams = match &mut group.streams {
                Some(streams) => streams,
                None if may_begin => fresh.insert(StreamsGroup::new(group.membership.generation)),
                None => return Err(not_streams(group_id)),
            };
            let reply = if beat.epoch < JOINING {
                streams.leave(beat)?
            } else {
                streams.heartbeat(now, config, beat, topics)?
            };
            group.streams = group.streams.take().or(fresh);
            group.note_desertion(now);
            Ok(reply)
        })
        .await
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

fn not_streams(group_id: &str) -> Refused {
    Refused::new(ErrorCode::GroupIdNotFound, format_args!("group {group_id} is not a streams group"))
}
