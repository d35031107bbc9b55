//! All share partitions of this node: memory and journal as one.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use schloss_log::{Journal, LogError, Ticket};
use schloss_wire::{ErrorCode, Uuid};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::acknowledgement::{Acknowledgement, Kind};
use super::config::SharesConfig;
use super::partition::{Row, SharePartition};
use super::record::Record;
use super::session::{MemberKey, SessionLimits, SessionStep, Sessions};
use crate::groups::TopicPartition;
use crate::settings::ShareSettings;
use crate::storage::Storage;

/// Why the state of share groups can't be opened.
#[derive(Debug, Error)]
pub enum SharesError {
    /// The journal.
    #[error("can't open the state of share groups: {0}")]
    Journal(#[from] LogError),
}

/// Every share partition and every share session. Cheap to clone; clones are the same.
#[derive(Clone)]
pub(crate) struct Shares {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) config: SharesConfig,
    pub(super) state: Mutex<State>,
    journal: Journal,
    /// Size of the journal, in bytes, above which it is written anew.
    compact_above: AtomicU64,
    compacting: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) groups: HashMap<Arc<str>, Group>,
    pub(super) sessions: Sessions,
    /// Of all groups.
    pub(super) partitions: usize,
    /// Of all partitions.
    pub(super) runs: usize,
}

/// The partitions that a share group has begun to read.
#[derive(Default)]
pub(super) struct Group {
    pub(super) partitions: BTreeMap<TopicPartition, SharePartition>,
    /// Wakes those who wait for records when some may be had again.
    pub(super) changed: Arc<Notify>,
}

/// What a member says of the records of a partition, or what is wrong with it.
pub(crate) type Acknowledgements = (TopicPartition, Result<Vec<Acknowledgement>, ErrorCode>);

impl Shares {
    /// Replays the journal in `dir`. Blocks on the disk.
    pub(crate) fn open(dir: &Path, storage: &Storage, config: SharesConfig) -> Result<Self, SharesError> {
        let mut state = State::default();
        let path = dir.join("shares.journal");
        let (journal, recovery) = {
            let sealing = storage.vault.journal("shares", &path)?;
            Journal::open(&path, sealing, Arc::clone(&storage.flusher), |entry| state.replay(entry))?
        };
        if recovery.entries > 0 || recovery.truncated_bytes > 0 {
            info!(groups = state.groups.len(), ?recovery, "replayed the state of share groups");
        }
        let compact_above = AtomicU64::new(config.compact_above_bytes);
        let state = Mutex::new(state);
        let inner = Inner { config, state, journal, compact_above, compacting: AtomicBool::new(false) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Takes the step of a request in its member's session.
    pub(crate) fn step(&self, key: &MemberKey, step: SessionStep, connection: u64) -> Result<(), ErrorCode> {
        let mut state = self.inner.state.lock();
        match step {
            SessionStep::Open => state.sessions.open(key, connection, &self.inner.limits()),
            SessionStep::Next(epoch) => state.sessions.advance(key, epoch),
            SessionStep::Close if state.sessions.has(key) => Ok(()),
            SessionStep::Close => Err(ErrorCode::ShareSessionNotFound),
        }
    }

    /// Changes what a session fetches; the answer is all that it does.
    pub(crate) fn change(
        &self,
        key: &MemberKey,
        added: &[TopicPartition],
        forgotten: &[TopicPartition],
    ) -> Result<Vec<TopicPartition>, ErrorCode> {
        self.inner.state.lock().sessions.change(key, added, forgotten, &self.inner.limits())
    }

    /// Ends a session. What its member has not acknowledged is to be had again.
    pub(crate) fn close(&self, key: &MemberKey) {
        self.inner.state.lock().close(key);
    }

    /// Ends the sessions of a connection that is gone.
    pub(crate) fn disconnected(&self, connection: u64) {
        let mut state = self.inner.state.lock();
        for key in state.sessions.of_connection(connection) {
            state.close(&key);
        }
    }

    /// Takes over what a member says of records, and answers when that is on disk: one result for each
    /// partition.
    pub(crate) async fn acknowledge(
        &self,
        key: &MemberKey,
        all: Vec<Acknowledgements>,
        settings: &ShareSettings,
    ) -> Vec<(TopicPartition, Result<(), ErrorCode>)> {
        let mut last: Option<Ticket> = None;
        let mut results = Vec::with_capacity(all.len());
        for (at, read) in all {
            let taken = read.and_then(|all| self.inner.acknowledge(key, at, &all, settings));
            last = last.max(taken.ok().flatten());
            results.push((at, taken.map(drop)));
        }
        self.compact_if_worthwhile();
        if let Some(ticket) = last
            && let Err(code) = self.durable(ticket).await
        {
            for (_, result) in results.iter_mut().filter(|(_, result)| result.is_ok()) {
                *result = Err(code);
            }
        }
        results
    }

    /// Forgets what belongs to topics that are not kept. It leaves the journal when that is next written
    /// anew.
    pub(crate) fn retain_topics(&self, keep: impl Fn(Uuid) -> bool) {
        let mut state = self.inner.state.lock();
        for group in state.groups.values_mut() {
            group.partitions.retain(|(topic, _), _| keep(*topic));
        }
        state.count();
    }

    /// Forgets groups that are not kept.
    pub(crate) fn retain_groups(&self, keep: impl Fn(&str) -> bool) {
        let mut state = self.inner.state.lock();
        let gone: Vec<_> = state.groups.keys().filter(|id| !keep(id)).cloned().collect();
        for id in gone {
            // Nobody waits for it: where it is missing, the next start comes here again.
            let _ = self.inner.append(&Record::Delete { group: Cow::Borrowed(&id) });
            state.groups.remove(&id);
        }
        state.count();
    }

    /// Follows logs that a crash took records from: those that come in their place are other ones. `ends`
    /// tells where a log begins and ends.
    pub(crate) fn follow(&self, ends: impl Fn(TopicPartition) -> Option<(i64, i64)>) {
        let mut state = self.inner.state.lock();
        for (id, group) in &mut state.groups {
            for (at, share) in &mut group.partitions {
                let Some((log_start, log_end)) = ends(*at) else { continue };
                if share.is_within(log_end) {
                    continue;
                }
                let start = share.start();
                warn!(group = %id, start, log_end, "a share group goes back to where a log ends now");
                share.follow(log_start, log_end);
                let rows = share.all_rows().collect();
                let _ = self.inner.append(&whole(id, *at, share.start(), rows));
            }
        }
        state.count();
    }

    pub(super) async fn durable(&self, ticket: Ticket) -> Result<(), ErrorCode> {
        self.inner.journal.wait(ticket).await.map_err(|error| failed(&error))
    }

    /// Writes the journal anew, in the background, if it is mostly outdated.
    pub(super) fn compact_if_worthwhile(&self) {
        let large = self.inner.journal.size_bytes() > self.inner.compact_above.load(Ordering::Relaxed);
        let Ok(runtime) = Handle::try_current() else { return };
        if large && !self.inner.compacting.swap(true, Ordering::AcqRel) {
            let inner = Arc::clone(&self.inner);
            runtime.spawn_blocking(move || {
                inner.rewrite();
                inner.compacting.store(false, Ordering::Release);
            });
        }
    }

    #[cfg(test)]
    pub(crate) fn compact_for_tests(&self) {
        self.inner.rewrite();
    }
}

impl Inner {
    pub(super) fn limits(&self) -> SessionLimits {
        SessionLimits { sessions: self.config.max_sessions, partitions: self.config.max_session_partitions }
    }

    /// Appends an entry; the caller has the lock, so that memory and journal change in the same order.
    pub(super) fn append(&self, record: &Record<'_>) -> Result<Ticket, ErrorCode> {
        let entry = serde_json::to_vec(record).map_err(|error| failed(&error))?;
        self.journal.append(&entry).map_err(|error| failed(&error))
    }

    fn acknowledge(
        &self,
        key: &MemberKey,
        at: TopicPartition,
        all: &[Acknowledgement],
        settings: &ShareSettings,
    ) -> Result<Option<Ticket>, ErrorCode> {
        let (group, member) = key;
        let now = Instant::now();
        let mut state = self.state.lock();
        let taken = state.with(group, at, |share| {
            self.expire(group, at, share, now, settings);
            let mut next = share.clone();
            next.acknowledge(member, all, now + settings.record_lock, settings.max_deliveries)?;
            let is_kept = all.iter().any(|one| one.kind != Kind::Renew);
            let rows = || all.iter().flat_map(|one| next.rows(one.first, one.last)).collect();
            let ticket =
                if is_kept { Some(self.append(&change(group, at, next.start(), rows()))?) } else { None };
            *share = next;
            Ok(ticket)
        });
        state.wake(group);
        taken.unwrap_or(Err(ErrorCode::InvalidRecordState))
    }

    /// Takes back what members have had for too long. That a record was delivered is written down for it not
    /// to be delivered for ever; if it can't be, a restart delivers it once more often.
    pub(super) fn expire(
        &self,
        group: &str,
        at: TopicPartition,
        share: &mut SharePartition,
        now: Instant,
        settings: &ShareSettings,
    ) {
        let expired = share.expire(now, settings.max_deliveries);
        if !expired.is_empty() {
            let rows = expired.iter().flat_map(|(first, last)| share.rows(*first, *last)).collect();
            let _ = self.append(&change(group, at, share.start(), rows));
        }
    }

    /// Writes the journal anew with what still counts. Everything else waits meanwhile: there is one entry
    /// for each partition of a group, so it does not take long.
    fn rewrite(&self) {
        let state = self.state.lock();
        let before = self.journal.size_bytes();
        let all =
            state.groups.iter().flat_map(|(id, group)| group.partitions.iter().map(move |one| (id, one)));
        let encode = |(id, (at, share)): (&Arc<str>, (&TopicPartition, &SharePartition))| {
            let rows = share.all_rows().collect();
            serde_json::to_vec(&whole(id, *at, share.start(), rows))
        };
        let entries: Result<Vec<_>, _> = all.map(encode).collect();
        let written = match entries {
            Ok(entries) => self.journal.rewrite(entries).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        drop(state);
        let after = self.journal.size_bytes();
        // A failed attempt is not repeated with every change.
        let above = self.config.compact_above_bytes.max(after.saturating_mul(2));
        self.compact_above.store(above, Ordering::Relaxed);
        match written {
            Ok(()) => info!(before, after, "wrote the journal of share groups anew"),
            Err(error) => warn!(error, "can't write the journal of share groups anew, it keeps growing"),
        }
    }
}

impl State {
    /// Works on a group's state of a partition, if there is one.
    pub(super) fn with<R>(
        &mut self,
        group: &str,
        at: TopicPartition,
        work: impl FnOnce(&mut SharePartition) -> R,
    ) -> Option<R> {
        let share = self.groups.get_mut(group)?.partitions.get_mut(&at)?;
        let before = share.runs();
        let result = work(share);
        self.runs = self.runs + share.runs() - before;
        Some(result)
    }

    /// Puts a state in the place of the one there is, if any.
    pub(super) fn put(&mut self, group: &str, at: TopicPartition, share: SharePartition) {
        self.runs += share.runs();
        self.partitions += 1;
        let group = self.groups.entry(group.into()).or_default();
        if let Some(before) = group.partitions.insert(at, share) {
            self.runs -= before.runs();
            self.partitions -= 1;
        }
    }

    /// Wakes those who wait for records of a group.
    pub(super) fn wake(&self, group: &str) {
        if let Some(group) = self.groups.get(group) {
            group.changed.notify_waiters();
        }
    }

    fn close(&mut self, key: &MemberKey) {
        let (id, member) = key;
        if !self.sessions.close(key) {
            return;
        }
        let Some(group) = self.groups.get_mut(id) else { return };
        for share in group.partitions.values_mut() {
            let before = share.runs();
            share.release(member);
            self.runs = self.runs + share.runs() - before;
        }
        group.changed.notify_waiters();
    }

    /// Counts again what there is.
    pub(super) fn count(&mut self) {
        let all = || self.groups.values().flat_map(|group| group.partitions.values());
        self.partitions = all().count();
        self.runs = all().map(SharePartition::runs).sum();
    }

    /// Takes over one entry of the journal.
    fn replay(&mut self, entry: &[u8]) -> serde_json::Result<()> {
        match serde_json::from_slice(entry)? {
            Record::Change { group, topic, partition, afresh, start, rows } => {
                let at = (topic, partition);
                if afresh || self.with(&group, at, |_| ()).is_none() {
                    self.put(&group, at, SharePartition::new(start));
                }
                self.with(&group, at, |share| share.replay(start, &rows));
            }
            Record::Forget { group, topic } => {
                if let Some(group) = self.groups.get_mut(&*group) {
                    group.partitions.retain(|(of, _), _| *of != topic);
                }
                self.count();
            }
            Record::Delete { group } => {
                self.groups.remove(&*group);
                self.count();
            }
        }
        Ok(())
    }
}

/// The entry for a group that begins a partition, or begins it anew.
pub(super) fn begin(group: &str, at: TopicPartition, start: i64) -> Record<'_> {
    whole(group, at, start, Vec::new())
}

/// The entry for all of a partition.
fn whole(group: &str, (topic, partition): TopicPartition, start: i64, rows: Vec<Row>) -> Record<'_> {
    Record::Change { group: Cow::Borrowed(group), topic, partition, afresh: true, start, rows }
}

/// The entry for something that changed.
pub(super) fn change(
    group: &str,
    (topic, partition): TopicPartition,
    start: i64,
    rows: Vec<Row>,
) -> Record<'_> {
    Record::Change { group: Cow::Borrowed(group), topic, partition, afresh: false, start, rows }
}

/// Clients try again, which is right for a disk that may recover.
fn failed(error: &dyn std::fmt::Display) -> ErrorCode {
    error!(%error, "can't store the state of a share group");
    ErrorCode::CoordinatorNotAvailable
}
