//! All groups of this node, and what members ask of them.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::Mutex;
use schloss_log::{Journal, LogError, Ticket};
use schloss_wire::ErrorCode;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::info;

use super::config::GroupsConfig;
use super::consumer::ConsumerGroup;
use super::member::{Answer, Ticket as RequestTicket};
use super::membership::Membership;
use super::messages::{Claim, Join, JoinRefused, JoinReply, Leaving, Sync, SyncReply};
use super::offsets::CommittedOffsets;
use super::pending::PendingOffsets;
use super::share::ShareGroup;
use super::streams::StreamsGroup;
use super::waiting::{Phase, wait_for};
use crate::storage::Storage;

/// Longest group id in bytes. Kafka has no bound of its own; a group id is kept in memory and in each entry
/// of the journal.
pub(crate) const MAX_GROUP_ID_BYTES: usize = 1024;
/// Longest instance id in bytes (`JoinGroupRequest.validateGroupInstanceId`).
pub(super) const MAX_INSTANCE_ID_BYTES: usize = 249;

/// Why the committed offsets can't be opened.
#[derive(Debug, Error)]
pub enum GroupsError {
    /// The journal.
    #[error("can't open the committed offsets: {0}")]
    Journal(#[from] LogError),
}

/// Every group of this node and the offsets they committed. Cheap to clone; clones are the same coordinator.
#[derive(Clone)]
pub(crate) struct Groups {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) config: GroupsConfig,
    pub(super) state: Mutex<State>,
    /// Held by whoever changes offsets, so that memory and journal change in the same order, and during a
    /// rewrite. Always taken before `state`.
    pub(super) offsets_turn: Arc<tokio::sync::Mutex<()>>,
    pub(super) journal: Journal,
    /// Size of the journal, in bytes, above which it is written anew.
    pub(super) compact_above: AtomicU64,
    pub(super) compacting: AtomicBool,
    /// When offsets are looked at for those that are too old, in milliseconds since the epoch.
    pub(super) next_look_ms: Mutex<Option<i64>>,
    /// Wakes the timer task when an earlier deadline is set, or the coordinator goes away.
    pub(super) alarm: Arc<Notify>,
    pub(super) timer_started: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) groups: HashMap<Arc<str>, Group>,
    /// At most one deadline per group, never later than what it has to do next.
    pub(super) deadlines: BTreeSet<(Instant, Arc<str>)>,
    /// Bytes of all offsets, by estimate.
    pub(super) offsets_bytes: usize,
    /// Bytes of what members say about themselves and are assigned.
    pub(super) member_bytes: usize,
}

pub(super) struct Group {
    /// The classic protocol; nobody is in it while there is a group of a newer one.
    pub(super) membership: Membership,
    /// The new protocol, if that is what the group's members use or last used.
    pub(super) consumer: Option<ConsumerGroup>,
    /// That of Streams applications, if that is what the group's members use or last used.
    pub(super) streams: Option<StreamsGroup>,
    /// A share group, which it stays for good.
    pub(super) share: Option<ShareGroup>,
    pub(super) offsets: CommittedOffsets,
    /// Offsets that transactions hold.
    pub(super) pending: PendingOffsets,
    /// The last entry of the journal that changed the offsets.
    pub(super) ticket: Option<Ticket>,
    /// Since when nobody has been in it, in milliseconds since the epoch, as it was when offsets were looked
    /// at.
    pub(super) empty_since_ms: Option<i64>,
    /// Whether somebody has been in it since then.
    pub(super) was_joined: bool,
    pub(super) armed: Option<Instant>,
    /// What it takes of [`State::member_bytes`].
    pub(super) weighed: usize,
}

impl Group {
    pub(super) fn new(now: Instant, protocol_type: Option<Arc<str>>, generation: i32) -> Self {
        Self {
            membership: Membership::empty(now, protocol_type, generation),
            consumer: None,
            streams: None,
            share: None,
            offsets: CommittedOffsets::default(),
            pending: PendingOffsets::default(),
            ticket: None,
            empty_since_ms: None,
            was_joined: false,
            armed: None,
            weighed: 0,
        }
    }

    /// Bytes that its offsets take, by estimate.
    pub(super) fn offsets_bytes(&self) -> usize {
        self.offsets.bytes() + self.pending.bytes()
    }

    /// Whether the journal knows of it.
    pub(super) fn is_in_journal(&self) -> bool {
        self.has_offsets() || self.newer().is_some()
    }

    /// Whether it has any offsets, those that transactions hold included.
    pub(super) fn has_offsets(&self) -> bool {
        self.offsets.count() > 0 || !self.pending.is_empty()
    }
}

impl Groups {
    /// Replays the committed offsets in `dir`. Blocks on the disk.
    pub(crate) fn open_with(
        dir: &Path,
        storage: &Storage,
        config: GroupsConfig,
    ) -> Result<Self, GroupsError> {
        let mut state = State::default();
        let path = dir.join("offsets.journal");
        let (journal, recovery) = {
            let sealing = storage.vault.journal("groups", &path)?;
            Journal::open(&path, sealing, Arc::clone(&storage.flusher), |entry| state.replay(entry))?
        };
        if recovery.entries > 0 || recovery.truncated_bytes > 0 {
            let groups = state.groups.len();
            info!(groups, ?recovery, "replayed committed offsets");
        }
        let inner = Inner {
            compact_above: AtomicU64::new(config.compact_above_bytes),
            config,
            state: Mutex::new(state),
            offsets_turn: Arc::default(),
            journal,
            compacting: AtomicBool::new(false),
            next_look_ms: Mutex::default(),
            alarm: Arc::default(),
            timer_started: AtomicBool::new(false),
        };
        let inner = Arc::new(inner);
        inner.resume();
        Ok(Self { inner })
    }

    /// The bounds in force.
    pub(crate) fn config(&self) -> &GroupsConfig {
        &self.inner.config
    }

    /// Lets a member in, and waits until its generation is complete.
    pub(crate) async fn join(&self, group_id: &str, join: Join) -> JoinReply {
        let refused = |code| Err(JoinRefused { code, member_id: Arc::clone(&join.member_id) });
        if let Err(code) = self.inner.check_join(group_id, &join) {
            return refused(code);
        }
        let started = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.start_join(group_id, &join)
        };
        let answer = match started {
            Ok(answer) => answer,
            Err(code) => return refused(code),
        };
        match answer {
            Answer::Now(reply) => reply,
            Answer::Later(later) => wait_for(&self.inner, group_id, Phase::Join, later)
                .await
                .unwrap_or_else(|| refused(ErrorCode::CoordinatorNotAvailable)),
        }
    }

    /// Hands in or waits for the assignment.
    pub(crate) async fn sync(&self, group_id: &str, sync: Sync) -> SyncReply {
        let bytes: usize = sync.assignments.iter().map(|(id, assignment)| id.len() + assignment.len()).sum();
        if bytes > self.inner.config.max_assignment_bytes {
            return Err(ErrorCode::InvalidRequest);
        }
        if bytes > 0 && self.inner.state.lock().member_bytes + bytes > self.inner.config.max_member_bytes {
            return Err(ErrorCode::PolicyViolation);
        }
        let answer = self
            .inner
            .with_group(group_id, |group, now| group.membership.sync(now, sync))
            .ok_or(ErrorCode::UnknownMemberId)?;
        match answer {
            Answer::Now(reply) => reply,
            Answer::Later(later) => wait_for(&self.inner, group_id, Phase::Sync, later)
                .await
                .unwrap_or(Err(ErrorCode::CoordinatorNotAvailable)),
        }
    }

    /// Keeps a session.
    pub(crate) fn heartbeat(&self, group_id: &str, claim: Claim<'_>) -> Result<(), ErrorCode> {
        self.inner
            .with_group_as_is(group_id, |group, now| group.membership.heartbeat(now, claim))
            .unwrap_or(Err(ErrorCode::UnknownMemberId))
    }

    /// Takes members out, one result each.
    pub(crate) fn leave(&self, group_id: &str, leaving: &[Leaving]) -> Vec<Result<(), ErrorCode>> {
        let config = &self.inner.config;
        self.inner
            .with_group(group_id, |group, now| group.leave(now, config, leaving))
            .unwrap_or_else(|| vec![Err(ErrorCode::UnknownMemberId); leaving.len()])
    }
}

impl Inner {
    fn check_join(&self, group_id: &str, join: &Join) -> Result<(), ErrorCode> {
        let config = &self.config;
        if group_id.is_empty() || group_id.len() > MAX_GROUP_ID_BYTES {
            return Err(ErrorCode::InvalidGroupId);
        }
        let timeouts = config.min_session_timeout..=config.max_session_timeout;
        if !timeouts.contains(&join.session_timeout) {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        let instance_fits = |id: &Arc<str>| (1..=MAX_INSTANCE_ID_BYTES).contains(&id.len());
        let fits = join.instance_id.as_ref().is_none_or(instance_fits)
            && join.protocols.len() <= config.max_protocols
            && join.metadata_bytes() <= config.max_member_metadata_bytes;
        if fits { Ok(()) } else { Err(ErrorCode::InvalidRequest) }
    }

    /// The caller holds the turn.
    fn start_join(self: &Arc<Self>, group_id: &str, join: &Join) -> Result<Answer<JoinReply>, ErrorCode> {
        let mut state = self.state.lock();
        if state.member_bytes + join.metadata_bytes() > self.config.max_member_bytes {
            return Err(ErrorCode::PolicyViolation);
        }
        if !state.groups.contains_key(group_id) {
            // An id that a member brings was given in a group that is no more.
            if !join.member_id.is_empty() {
                return Err(ErrorCode::UnknownMemberId);
            }
            state.insert(group_id, self.config.max_groups)?;
        }
        self.take_up_classic(&mut state, group_id)?;
        let started = self.operate(&mut state, group_id, |group, now| group.join(now, &self.config, join));
        started.ok_or(ErrorCode::CoordinatorNotAvailable)
    }

    /// Works on a group, if it exists, and sees to its next deadline.
    pub(super) fn with_group<R>(
        self: &Arc<Self>,
        group_id: &str,
        work: impl FnOnce(&mut Group, Instant) -> R,
    ) -> Option<R> {
        self.operate(&mut self.state.lock(), group_id, work)
    }

    /// As [`Self::with_group`], for work that sets no deadline earlier than there are and changes no member.
    pub(super) fn with_group_as_is<R>(
        &self,
        group_id: &str,
        work: impl FnOnce(&mut Group, Instant) -> R,
    ) -> Option<R> {
        let mut state = self.state.lock();
        state.groups.get_mut(group_id).map(|group| work(group, Instant::now()))
    }

    /// The asker of a parked request went away.
    pub(super) fn abandon(self: &Arc<Self>, group_id: &str, phase: Phase, id: &str, ticket: RequestTicket) {
        self.with_group(group_id, |group, now| match phase {
            Phase::Join => group.membership.abandon_join(now, &self.config, id, ticket),
            Phase::Sync => group.membership.abandon_sync(now, id, ticket),
        });
    }
}

impl State {
    /// A new group without members.
    pub(super) fn insert(&mut self, group_id: &str, max_groups: usize) -> Result<(), ErrorCode> {
        if self.groups.len() >= max_groups {
            return Err(ErrorCode::PolicyViolation);
        }
        self.groups.insert(group_id.into(), Group::new(Instant::now(), None, 0));
        Ok(())
    }

    /// Counts again what the members of a group take.
    pub(super) fn weigh(&mut self, group_id: &str) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        let bytes = group.member_bytes();
        self.member_bytes = self.member_bytes - group.weighed + bytes;
        group.weighed = bytes;
    }
}
