//! A group of any protocol. Groups of consumers and of Streams applications take up the classic protocol
//! while nobody is in them; share groups stay what they are.

use std::sync::Arc;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::config::GroupsConfig;
use super::coordinator::{Group, Inner, State};
use super::member::Answer;
use super::membership::GroupState;
use super::messages::{Join, JoinRefused, JoinReply, Leaving};
use super::newer::Newer;
use super::record::encode_classic;
use super::store::failed;
use super::subscriptions::Subscriptions;

/// Which protocol a group's members use, or last used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Members agree on who owns what among themselves.
    Classic,
    /// The coordinator assigns (KIP-848).
    Consumer,
    /// The coordinator shares out the tasks of an application (KIP-1071).
    Streams,
    /// Members share the records of a partition (KIP-932).
    Share,
}

impl Kind {
    /// Kafka's name, which is the protocol type of all groups of a newer kind as well.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
            Self::Streams => "streams",
            Self::Share => "share",
        }
    }
}

impl Inner {
    /// A group of a newer protocol that is empty takes up the classic one. The caller holds the turn.
    pub(super) fn take_up_classic(&self, state: &mut State, group_id: &str) -> Result<(), ErrorCode> {
        let Some(group) = state.groups.get_mut(group_id) else { return Ok(()) };
        if matches!(group.kind(), Kind::Classic | Kind::Share) || !group.is_empty() {
            return Ok(());
        }
        let generation = group.generation();
        let entry = encode_classic(group_id, generation).map_err(|error| failed(&error))?;
        group.ticket = Some(self.append(&[entry])?);
        group.membership.generation = generation;
        (group.consumer, group.streams) = (None, None);
        Ok(())
    }
}

impl Group {
    pub(super) fn kind(&self) -> Kind {
        self.newer().map_or(Kind::Classic, Newer::kind)
    }

    /// Kafka's name of the state.
    pub(super) fn state(&self) -> &'static str {
        self.newer().map_or_else(|| self.membership.state.name(), Newer::state)
    }

    pub(super) fn protocol_type(&self) -> Option<&str> {
        match self.kind() {
            Kind::Classic => self.membership.protocol_type.as_deref(),
            newer => Some(newer.name()),
        }
    }

    /// The generation, or the epoch. One goes on from the other, so a member of long ago is never taken for
    /// one of now.
    pub(super) fn generation(&self) -> i32 {
        self.newer().map_or(self.membership.generation, Newer::epoch)
    }

    /// Whether nobody is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.membership.state == GroupState::Empty && self.newer().is_none_or(Newer::is_empty)
    }

    /// Whether neither a member nor one who was promised a place is left.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_empty() && self.membership.is_deserted()
    }

    /// Whether nothing of the group needs keeping. A share group is kept until an administrator deletes it:
    /// there is more to it than this coordinator knows.
    pub(super) fn is_void(&self) -> bool {
        self.is_deserted() && !self.has_offsets() && self.kind() != Kind::Share
    }

    /// Whether it is as good as one that was made just now.
    pub(super) fn is_untouched(&self) -> bool {
        self.is_void() && self.generation() == 0
    }

    /// Bytes that members take.
    pub(super) fn member_bytes(&self) -> usize {
        self.membership.bytes() + self.newer().map_or(0, Newer::bytes)
    }

    /// JoinGroup.
    pub(super) fn join(&mut self, now: Instant, config: &GroupsConfig, join: &Join) -> Answer<JoinReply> {
        if self.kind() != Kind::Classic {
            let code = ErrorCode::InconsistentGroupProtocol;
            return Answer::Now(Err(JoinRefused { code, member_id: Arc::clone(&join.member_id) }));
        }
        self.membership.join(now, config, join)
    }

    /// LeaveGroup. Of a consumer group, administrators take out static members by their instance ids; members
    /// of the newer protocols leave by a heartbeat.
    pub(super) fn leave(
        &mut self,
        now: Instant,
        config: &GroupsConfig,
        leaving: &[Leaving],
    ) -> Vec<Result<(), ErrorCode>> {
        let Some(consumer) = &mut self.consumer else {
            return self.membership.leave(now, config, leaving);
        };
        let remove = |one: &Leaving| match &one.instance_id {
            Some(instance_id) if one.member_id.is_empty() => consumer.remove_static(instance_id),
            _ => Err(ErrorCode::UnknownMemberId),
        };
        let results = leaving.iter().map(remove).collect();
        self.note_desertion(now);
        results
    }

    /// What members are subscribed to.
    ///
    /// # Errors
    /// They commit no offsets.
    pub(super) fn subscriptions(&self) -> Result<Subscriptions, ErrorCode> {
        self.check_commits_offsets()?;
        match self.newer() {
            Some(newer) => Ok(Subscriptions::Topics(newer.subscribed())),
            None => self.membership.subscriptions(),
        }
    }

    /// Meets every deadline that has come.
    pub(super) fn expire(&mut self, now: Instant, config: &GroupsConfig) {
        self.membership.expire(now, config);
        if let Some(newer) = self.newer_mut().filter(|newer| !newer.is_empty()) {
            newer.expire(now);
            self.note_desertion(now);
        }
    }

    /// A group may have lost its last member.
    pub(super) fn note_desertion(&mut self, now: Instant) {
        if self.is_deserted() {
            self.membership.empty_since = now;
        }
    }
}
