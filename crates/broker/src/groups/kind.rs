//! A group of either protocol. It takes up the other one while nobody is in it.

use std::sync::Arc;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::config::GroupsConfig;
use super::consumer::ConsumerGroup;
use super::coordinator::{Group, Inner, State};
use super::member::Answer;
use super::membership::GroupState;
use super::messages::{Claim, Join, JoinRefused, JoinReply, Leaving};
use super::offsets::Commit;
use super::record::{encode_changes, encode_classic, encode_streams};
use super::store::failed;
use super::streams::StreamsGroup;
use super::subscriptions::Subscriptions;

/// The protocol type of every consumer group.
const CONSUMER: &str = "consumer";
/// The protocol type of every Streams group.
const STREAMS: &str = "streams";

/// Which protocol a group's members use, or last used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Members agree on who owns what among themselves.
    Classic,
    /// The coordinator assigns (KIP-848).
    Consumer,
    /// The coordinator shares out the tasks of an application (KIP-1071).
    Streams,
}

impl Kind {
    /// Kafka's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => CONSUMER,
            Self::Streams => STREAMS,
        }
    }
}

impl Inner {
    /// A group of a newer protocol that is empty takes up the classic one. The caller holds the turn.
    pub(super) fn take_up_classic(&self, state: &mut State, group_id: &str) -> Result<(), ErrorCode> {
        let Some(group) = state.groups.get_mut(group_id) else { return Ok(()) };
        if group.kind() == Kind::Classic || !group.is_empty() {
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
        match (&self.consumer, &self.streams) {
            (Some(_), _) => Kind::Consumer,
            (None, Some(_)) => Kind::Streams,
            (None, None) => Kind::Classic,
        }
    }

    /// Kafka's name of the state.
    pub(super) fn state(&self) -> &'static str {
        match (&self.consumer, &self.streams) {
            (Some(consumer), _) => consumer.state(),
            (None, Some(streams)) => streams.state(),
            (None, None) => self.membership.state.name(),
        }
    }

    pub(super) fn protocol_type(&self) -> Option<&str> {
        match self.kind() {
            Kind::Consumer => Some(CONSUMER),
            Kind::Streams => Some(STREAMS),
            Kind::Classic => self.membership.protocol_type.as_deref(),
        }
    }

    /// The generation, or the epoch. One goes on from the other, so a member of long ago is never taken for one
    /// of now.
    pub(super) fn generation(&self) -> i32 {
        let streams = self.streams.as_ref().map(StreamsGroup::epoch);
        self.consumer.as_ref().map(ConsumerGroup::epoch).or(streams).unwrap_or(self.membership.generation)
    }

    /// Whether nobody is in it.
    pub(super) fn is_empty(&self) -> bool {
        let no_consumers = self.consumer.as_ref().is_none_or(ConsumerGroup::is_empty);
        let no_streams = self.streams.as_ref().is_none_or(StreamsGroup::is_empty);
        self.membership.state == GroupState::Empty && no_consumers && no_streams
    }

    /// Whether neither a member nor one who was promised a place is left.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_empty() && self.membership.is_deserted()
    }

    /// Bytes that members take.
    pub(super) fn member_bytes(&self) -> usize {
        let newer = self.consumer.as_ref().map_or(0, ConsumerGroup::bytes)
            + self.streams.as_ref().map_or(0, StreamsGroup::bytes);
        self.membership.bytes() + newer
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
    /// themselves leave by a heartbeat.
    pub(super) fn leave(
        &mut self,
        now: Instant,
        config: &GroupsConfig,
        leaving: &[Leaving],
    ) -> Vec<Result<(), ErrorCode>> {
        if self.streams.is_some() {
            return vec![Err(ErrorCode::UnknownMemberId); leaving.len()];
        }
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

    pub(super) fn check_commit(
        &mut self,
        now: Instant,
        claim: Claim<'_>,
        commits: &[Commit],
    ) -> Result<(), ErrorCode> {
        self.check_newer_commit(claim, commits).unwrap_or_else(|| self.membership.check_commit(now, claim))
    }

    /// None for a group of the classic protocol.
    fn check_newer_commit(&self, claim: Claim<'_>, commits: &[Commit]) -> Option<Result<(), ErrorCode>> {
        let consumer = self.consumer.as_ref().map(|consumer| consumer.check_commit(claim, commits));
        consumer.or_else(|| Some(self.streams.as_ref()?.check_commit(claim, commits)))
    }

    /// Whether this member may fetch offsets now.
    pub(super) fn check_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        match (&self.consumer, &self.streams) {
            (Some(consumer), _) => consumer.check_fetch(member_id, epoch),
            (None, Some(streams)) => streams.check_fetch(member_id, epoch),
            (None, None) => Ok(()),
        }
    }

    /// Whether this is a member that has an epoch.
    pub(super) fn has_epoch(&self, member_id: &str) -> bool {
        self.consumer.as_ref().is_some_and(|consumer| consumer.has(member_id))
            || self.streams.as_ref().is_some_and(|streams| streams.has(member_id))
    }

    /// The entries for what changed among members and is not yet in the journal.
    pub(super) fn unwritten(&self, id: &str) -> Result<Vec<Vec<u8>>, ErrorCode> {
        let consumer = self.consumer.as_ref().map(|consumer| encode_changes(id, consumer.unwritten()));
        let streams = self
            .streams
            .as_ref()
            .map(|streams| encode_streams(id, streams.unwritten_topology(), streams.unwritten()));
        consumer.or(streams).unwrap_or(Ok(Vec::new())).map_err(|error| failed(&error))
    }

    /// Remembers that what [`Self::unwritten`] told is in the journal.
    pub(super) fn mark_written(&mut self) {
        self.consumer.iter_mut().for_each(ConsumerGroup::mark_written);
        self.streams.iter_mut().for_each(StreamsGroup::mark_written);
    }

    /// A commit in a transaction. Producers know no epochs of members, so a stale one is a generation of old.
    pub(super) fn check_transactional_commit(
        &self,
        claim: Claim<'_>,
        commits: &[Commit],
    ) -> Result<(), ErrorCode> {
        if self.kind() != Kind::Classic && claim.is_anonymous() {
            return Ok(());
        }
        match self.check_newer_commit(claim, commits) {
            Some(checked) => checked.map_err(|code| match code {
                ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
                code => code,
            }),
            None => self.membership.check_transactional_commit(claim),
        }
    }

    /// What members are subscribed to.
    ///
    /// # Errors
    /// They are no consumers.
    pub(super) fn subscriptions(&self) -> Result<Subscriptions, ErrorCode> {
        match (&self.consumer, &self.streams) {
            (Some(consumer), _) => {
                Ok(Subscriptions::Topics(consumer.subscribed().map(ToString::to_string).collect()))
            }
            (None, Some(streams)) => Ok(Subscriptions::Topics(streams.subscribed().cloned().collect())),
            (None, None) => self.membership.subscriptions(),
        }
    }

    /// Meets every deadline that has come.
    pub(super) fn expire(&mut self, now: Instant, config: &GroupsConfig) {
        self.membership.expire(now, config);
        if self.kind() != Kind::Classic && !self.is_empty() {
            self.consumer.iter_mut().for_each(|consumer| consumer.expire(now));
            self.streams.iter_mut().for_each(|streams| streams.expire(now));
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
