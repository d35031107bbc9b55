//! A group of any protocol. Consumer groups of one protocol take up the other one while nobody is in them; share
//! groups stay what they are.

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
use super::record::{encode_changes, encode_classic, encode_share};
use super::share::ShareGroup;
use super::store::failed;
use super::subscriptions::Subscriptions;

/// The protocol type of every consumer group.
const CONSUMER: &str = "consumer";
/// The protocol type of every share group.
const SHARE: &str = "share";

/// Which protocol a group's members use, or last used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Members agree on who owns what among themselves.
    Classic,
    /// The coordinator assigns (KIP-848).
    Consumer,
    /// Members share the records of a partition (KIP-932).
    Share,
}

impl Kind {
    /// Kafka's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => CONSUMER,
            Self::Share => SHARE,
        }
    }
}

impl Inner {
    /// A consumer group that is empty takes up the classic protocol. The caller holds the turn.
    pub(super) fn take_up_classic(&self, state: &mut State, group_id: &str) -> Result<(), ErrorCode> {
        let Some(group) = state.groups.get_mut(group_id) else { return Ok(()) };
        let Some(consumer) = group.consumer.as_ref().filter(|consumer| consumer.is_empty()) else {
            return Ok(());
        };
        let generation = consumer.epoch();
        let entry = encode_classic(group_id, generation).map_err(|error| failed(&error))?;
        group.ticket = Some(self.append(&[entry])?);
        group.membership.generation = generation;
        group.consumer = None;
        Ok(())
    }
}

impl Group {
    pub(super) fn kind(&self) -> Kind {
        match (&self.consumer, &self.share) {
            (_, Some(_)) => Kind::Share,
            (Some(_), None) => Kind::Consumer,
            (None, None) => Kind::Classic,
        }
    }

    /// Kafka's name of the state.
    pub(super) fn state(&self) -> &'static str {
        match (&self.consumer, &self.share) {
            (_, Some(share)) => share.state(),
            (Some(consumer), None) => consumer.state(),
            (None, None) => self.membership.state.name(),
        }
    }

    pub(super) fn protocol_type(&self) -> Option<&str> {
        match self.kind() {
            Kind::Consumer => Some(CONSUMER),
            Kind::Share => Some(SHARE),
            Kind::Classic => self.membership.protocol_type.as_deref(),
        }
    }

    /// The generation, or the epoch. One goes on from the other, so a member of long ago is never taken for one
    /// of now.
    pub(super) fn generation(&self) -> i32 {
        let epoch = self.consumer.as_ref().map(ConsumerGroup::epoch);
        epoch.or(self.share.as_ref().map(ShareGroup::epoch)).unwrap_or(self.membership.generation)
    }

    /// Whether nobody is in it.
    pub(super) fn is_empty(&self) -> bool {
        let no_consumers = self.consumer.as_ref().is_none_or(ConsumerGroup::is_empty);
        let no_sharers = self.share.as_ref().is_none_or(ShareGroup::is_empty);
        self.membership.state == GroupState::Empty && no_consumers && no_sharers
    }

    /// Whether neither a member nor one who was promised a place is left.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_empty() && self.membership.is_deserted()
    }

    /// Bytes that members take.
    pub(super) fn member_bytes(&self) -> usize {
        self.membership.bytes()
            + self.consumer.as_ref().map_or(0, ConsumerGroup::bytes)
            + self.share.as_ref().map_or(0, ShareGroup::bytes)
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
        self.check_no_share()?;
        match &self.consumer {
            Some(consumer) => consumer.check_commit(claim, commits),
            None => self.membership.check_commit(now, claim),
        }
    }

    /// A commit in a transaction. Producers know no epochs of members, so a stale one is a generation of old.
    pub(super) fn check_transactional_commit(
        &self,
        claim: Claim<'_>,
        commits: &[Commit],
    ) -> Result<(), ErrorCode> {
        self.check_no_share()?;
        match &self.consumer {
            Some(_) if claim.is_anonymous() => Ok(()),
            Some(consumer) => consumer.check_commit(claim, commits).map_err(|code| match code {
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
        self.check_no_share()?;
        match &self.consumer {
            Some(consumer) => {
                Ok(Subscriptions::Topics(consumer.subscribed().map(ToString::to_string).collect()))
            }
            None => self.membership.subscriptions(),
        }
    }

    /// Meets every deadline that has come.
    pub(super) fn expire(&mut self, now: Instant, config: &GroupsConfig) {
        self.membership.expire(now, config);
        if let Some(share) = &mut self.share {
            share.expire(now);
        }
        let Some(consumer) = &mut self.consumer else { return };
        if !consumer.is_empty() {
            consumer.expire(now);
            self.note_desertion(now);
        }
    }

    /// The entries for what changed among its members, as far as members are written down.
    pub(super) fn unwritten(&self, group_id: &str) -> serde_json::Result<Vec<Vec<u8>>> {
        if let Some(epoch) = self.share.as_ref().and_then(ShareGroup::unwritten) {
            return Ok(vec![encode_share(group_id, epoch)?]);
        }
        let changes = self.consumer.as_ref().map(ConsumerGroup::unwritten);
        encode_changes(group_id, changes.unwrap_or_default())
    }

    /// Remembers that what [`Self::unwritten`] told is in the journal.
    pub(super) fn mark_written(&mut self) {
        if let Some(share) = &mut self.share {
            share.mark_written();
        }
        if let Some(consumer) = &mut self.consumer {
            consumer.mark_written();
        }
    }

    /// A consumer group may have lost its last member.
    pub(super) fn note_desertion(&mut self, now: Instant) {
        if self.is_deserted() {
            self.membership.empty_since = now;
        }
    }
}
