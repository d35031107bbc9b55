//! Committed offsets: memory and journal as one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use schloss_log::Ticket;
use schloss_wire::{ErrorCode, Uuid};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::consumer::ConsumerGroup;
use super::coordinator::{Group, Groups, Inner, MAX_GROUP_ID_BYTES, State};
use super::messages::Claim;
use super::offsets::{Commit, Committed};
use super::record::{GroupFacts, Record, encode_all, encode_commits, encode_delete};
use super::share::ShareGroup;
use super::streams::StreamsGroup;

/// The offsets of one group that were asked for.
pub(crate) type Fetched = Vec<(Uuid, i32, Found)>;

/// What there is for a partition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    Nothing,
    Offset(Committed),
    /// A transaction that is open may commit another one.
    Unstable,
}

impl Groups {
    /// Commits offsets for a group, and answers when they are on disk. All are committed or none.
    pub(crate) async fn commit(
        &self,
        group_id: &str,
        claim: Claim<'_>,
        commits: Vec<Commit>,
    ) -> Result<(), ErrorCode> {
        let ticket = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.start_commit(group_id, claim, commits)?
        };
        self.compact_if_worthwhile();
        match ticket {
            Some(ticket) => self.inner.durable(ticket).await,
            None => Ok(()),
        }
    }

    /// The offsets of these partitions; those without one are in the answer all the same. If `stable`, an
    /// offset that an open transaction may change is not told. Waits until what it answers is on disk, so
    /// nobody goes on from an offset that a crash takes back.
    pub(crate) async fn fetch(
        &self,
        group_id: &str,
        wanted: &[(Uuid, i32)],
        stable: bool,
    ) -> Result<Fetched, ErrorCode> {
        let pick = |group: &Group| {
            let one = |&(topic, partition)| (topic, partition, group.find(topic, partition, stable));
            wanted.iter().map(one).collect()
        };
        let nothing =
            || wanted.iter().map(|&(topic, partition)| (topic, partition, Found::Nothing)).collect();
        Ok(self.inner.read(group_id, pick).await?.unwrap_or_else(nothing))
    }

    /// All offsets of a group, topics in the order of their ids. See [`fetch`](Self::fetch).
    pub(crate) async fn fetch_all(&self, group_id: &str, stable: bool) -> Result<Fetched, ErrorCode> {
        let pick = |group: &Group| {
            let rows = group.offsets.topics().flat_map(|(topic, partitions)| {
                partitions
                    .keys()
                    .map(move |partition| (topic, *partition, group.find(topic, *partition, stable)))
            });
            let mut rows: Fetched = rows.collect();
            rows.sort_by_key(|(topic, partition, _)| (*topic, *partition));
            rows
        };
        Ok(self.inner.read(group_id, pick).await?.unwrap_or_default())
    }

    /// Deletes a group and its offsets; answers when that is on disk.
    pub(crate) async fn delete(&self, group_id: &str) -> Result<(), ErrorCode> {
        let ticket = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.start_delete(group_id)?
        };
        match ticket {
            Some(ticket) => self.inner.durable(ticket).await,
            None => Ok(()),
        }
    }

    /// Forgets the offsets of topics that are not kept. They leave the journal when it is next written anew.
    pub(crate) fn retain_topics(&self, keep: impl Fn(Uuid) -> bool) {
        let mut state = self.inner.state.lock();
        let ids: Vec<_> = state.groups.keys().cloned().collect();
        for id in ids {
            let forgotten = self.inner.operate(&mut state, &id, |group, _| {
                let before = group.offsets_bytes();
                group.offsets.retain(&keep);
                group.pending.retain(&keep);
                before - group.offsets_bytes()
            });
            state.offsets_bytes -= forgotten.unwrap_or_default();
        }
    }

    /// Writes the journal anew, in the background, if it is mostly outdated.
    pub(super) fn compact_if_worthwhile(&self) {
        if self.inner.wants_compaction() && !self.inner.compacting.swap(true, Ordering::AcqRel) {
            let groups = self.clone();
            tokio::spawn(async move {
                groups.compact().await;
                groups.inner.compacting.store(false, Ordering::Release);
            });
        }
    }

    #[cfg(test)]
    pub(crate) async fn compact_for_tests(&self) {
        self.compact().await;
    }

    /// Writes the journal anew with what still counts. Commits wait meanwhile, everything else goes on.
    pub(super) async fn compact(&self) {
        let turn = Arc::clone(&self.inner.offsets_turn).lock_owned().await;
        let inner = Arc::clone(&self.inner);
        let rewritten = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inner.rewrite();
        });
        if let Err(panicked) = rewritten.await {
            error!(%panicked, "the journal of offsets was not written anew");
        }
    }
}

impl Inner {
    /// The caller holds the turn: between check and entry nobody else changes offsets.
    fn start_commit(
        self: &Arc<Self>,
        group_id: &str,
        claim: Claim<'_>,
        commits: Vec<Commit>,
    ) -> Result<Option<Ticket>, ErrorCode> {
        if group_id.len() > MAX_GROUP_ID_BYTES {
            return Err(ErrorCode::InvalidGroupId);
        }
        let (protocol_type, generation) = self.check_commit(group_id, claim, &commits)?;
        if commits.is_empty() {
            return Ok(None);
        }
        let facts = GroupFacts { id: group_id, protocol_type: protocol_type.as_deref(), generation };
        let entries = encode_commits(facts, &commits).map_err(|error| failed(&error))?;
        let ticket = self.append(&entries)?;
        self.state.lock().apply(group_id, commits, Some(ticket));
        Ok(Some(ticket))
    }

    /// Whether this claim may commit this much, and what is written of the group with it. A consumer that is
    /// no member makes the group by its first commit.
    fn check_commit(
        self: &Arc<Self>,
        group_id: &str,
        claim: Claim<'_>,
        commits: &[Commit],
    ) -> Result<(Option<Arc<str>>, i32), ErrorCode> {
        let mut state = self.state.lock();
        if !state.groups.contains_key(group_id) {
            if claim.generation >= 0 {
                return Err(ErrorCode::GroupIdNotFound);
            }
            state.insert(group_id, self.config.max_groups)?;
        }
        let added: usize = commits.iter().map(|one| one.committed.bytes()).sum();
        let fits = state.offsets_bytes + added <= self.config.max_offsets_bytes;
        let checked = self.operate(&mut state, group_id, |group, now| {
            group.check_commit(now, claim, commits)?;
            if !fits || group.count_with(commits) > self.config.max_offsets_per_group {
                return Err(ErrorCode::InvalidCommitOffsetSize);
            }
            Ok((group.protocol_type().map(Arc::from), group.generation()))
        });
        checked.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable))
    }

    fn start_delete(&self, group_id: &str) -> Result<Option<Ticket>, ErrorCode> {
        let mut state = self.state.lock();
        let group = state.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        if !group.is_empty() {
            return Err(ErrorCode::NonEmptyGroup);
        }
        let ticket = if group.is_in_journal() {
            let entry = encode_delete(group_id).map_err(|error| failed(&error))?;
            Some(self.append(&[entry])?)
        } else {
            None
        };
        state.remove(group_id);
        Ok(ticket)
    }

    pub(super) fn append(&self, entries: &[Vec<u8>]) -> Result<Ticket, ErrorCode> {
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        self.journal.append_all(&entries).map_err(|error| failed(&error))
    }

    pub(super) async fn durable(&self, ticket: Ticket) -> Result<(), ErrorCode> {
        self.journal.wait(ticket).await.map_err(|error| failed(&error))
    }

    async fn read<R>(&self, group_id: &str, pick: impl FnOnce(&Group) -> R) -> Result<Option<R>, ErrorCode> {
        let found = self.with_group_as_is(group_id, |group, _| (group.ticket, pick(group)));
        match found {
            Some((Some(ticket), picked)) => self.durable(ticket).await.map(|()| Some(picked)),
            Some((None, picked)) => Ok(Some(picked)),
            None => Ok(None),
        }
    }

    fn wants_compaction(&self) -> bool {
        self.journal.size_bytes() > self.compact_above.load(Ordering::Relaxed)
    }

    /// The caller holds the turn, so what is encoded below can't change meanwhile.
    fn rewrite(&self) {
        let before = self.journal.size_bytes();
        let ids: Vec<_> = self.state.lock().groups.keys().cloned().collect();
        let encode = |id: Arc<str>| {
            let state = self.state.lock();
            let group = state.groups.get(&id)?;
            Some(encode_all(group.facts(&id), group))
        };
        let encoded: Result<Vec<_>, _> = ids.into_iter().filter_map(encode).collect();
        let written = match encoded {
            Ok(entries) => {
                self.journal.rewrite(entries.into_iter().flatten()).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        let after = self.journal.size_bytes();
        // A failed attempt is not repeated with every commit.
        self.compact_above
            .store(self.config.compact_above_bytes.max(after.saturating_mul(2)), Ordering::Relaxed);
        match written {
            Ok(()) => info!(before, after, "wrote the journal of offsets anew"),
            Err(error) => warn!(error, "can't write the journal of offsets anew, it keeps growing"),
        }
    }
}

/// Clients look for the coordinator again and retry, which is right for a disk that may recover.
pub(super) fn failed(error: &dyn std::fmt::Display) -> ErrorCode {
    error!(%error, "can't store committed offsets");
    ErrorCode::CoordinatorNotAvailable
}

impl Group {
    fn facts<'a>(&'a self, id: &'a str) -> GroupFacts<'a> {
        GroupFacts { id, protocol_type: self.protocol_type(), generation: self.generation() }
    }

    /// How many offsets there would be after these commits, at most.
    pub(super) fn count_with(&self, commits: &[Commit]) -> usize {
        self.offsets.count_with(commits) + self.pending.count()
    }

    fn find(&self, topic: Uuid, partition: i32, stable: bool) -> Found {
        if stable && self.pending.holds(topic, partition) {
            return Found::Unstable;
        }
        self.offsets.get(topic, partition).cloned().map_or(Found::Nothing, Found::Offset)
    }
}

impl State {
    fn apply(&mut self, group_id: &str, commits: Vec<Commit>, ticket: Option<Ticket>) {
        self.keep(group_id, ticket, |group| {
            for commit in commits {
                group.pending.forget(commit.topic, commit.partition);
                group.offsets.set(commit);
            }
        });
    }

    /// Changes the offsets of a group, which is made if it is not there.
    pub(super) fn keep(&mut self, group_id: &str, ticket: Option<Ticket>, change: impl FnOnce(&mut Group)) {
        // An empty group may have come to its end since a commit was checked.
        let group = self.entry(group_id);
        let before = group.offsets_bytes();
        change(group);
        group.ticket = ticket;
        let after = group.offsets_bytes();
        self.offsets_bytes = self.offsets_bytes + after - before;
    }

    /// The group of this id, which is made if it is not there.
    fn entry(&mut self, group_id: &str) -> &mut Group {
        self.groups.entry(group_id.into()).or_insert_with(|| Group::new(Instant::now(), None, 0))
    }

    pub(super) fn remove(&mut self, group_id: &str) {
        let Some((id, group)) = self.groups.remove_entry(group_id) else { return };
        self.offsets_bytes -= group.offsets_bytes();
        self.member_bytes -= group.weighed;
        if let Some(armed) = group.armed {
            self.deadlines.remove(&(armed, id));
        }
    }

    /// Takes over one entry of the journal.
    pub(super) fn replay(&mut self, entry: &[u8]) -> serde_json::Result<()> {
        match serde_json::from_slice(entry)? {
            Record::Delete { group } => self.remove(&group),
            Record::Commit { group: id, protocol_type, generation, offsets } => {
                let group = self.entry(&id);
                group.membership.generation = generation;
                if let Some(protocol_type) = protocol_type {
                    group.membership.protocol_type = Some(Arc::from(&*protocol_type));
                }
                self.apply(&id, offsets.into_iter().map(Commit::from).collect(), None);
            }
            Record::Consumers { group: id, changes } => {
                let consumer = self.entry(&id).consumer.get_or_insert_with(|| ConsumerGroup::new(0));
                consumer.replay(Instant::now(), changes);
            }
            Record::Deserted { group: id, since_ms } => self.entry(&id).empty_since_ms = since_ms,
            Record::Topology { group: id, topology } => {
                let streams = self.entry(&id).streams.get_or_insert_with(|| StreamsGroup::new(0));
                streams.replay_topology(topology.into_owned());
            }
            Record::Streams { group: id, changes } => {
                let streams = self.entry(&id).streams.get_or_insert_with(|| StreamsGroup::new(0));
                streams.replay(Instant::now(), changes);
            }
            Record::Share { group: id, epoch } => {
                self.entry(&id).share = Some(ShareGroup::replayed(epoch));
            }
            Record::Classic { group: id, generation } => {
                let group = self.entry(&id);
                (group.consumer, group.streams) = (None, None);
                group.membership.generation = generation;
            }
            Record::Hold { group, producer_id, epoch, offsets } => {
                let commits = offsets.into_iter().map(Commit::from).collect();
                self.hold(&group, (producer_id, epoch), commits, None);
            }
            Record::Settle { group, producer_id, newest_epoch, commit } => {
                self.settle(&group, producer_id, newest_epoch, commit, None);
            }
            Record::Forget { group, partitions } => {
                let partitions: Vec<_> = partitions.into_iter().map(|one| (one.0, one.1)).collect();
                self.forget(&group, &partitions, None);
            }
        }
        Ok(())
    }
}
