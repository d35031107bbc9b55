//! Offsets that are committed in transactions.

use std::sync::Arc;

use schloss_log::Ticket;
use schloss_wire::ErrorCode;

use super::coordinator::{Groups, Inner, MAX_GROUP_ID_BYTES, State};
use super::messages::Claim;
use super::offsets::Commit;
use super::record::{encode_hold, encode_settle};
use super::store::failed;

impl Groups {
    /// Holds offsets until the transaction of this producer and epoch ends; answers when that is on disk. All are
    /// held or none.
    ///
    /// `enrol` is asked before the first of a transaction are held here. The transaction doesn't end between its
    /// consent and that.
    pub(crate) async fn hold(
        &self,
        group_id: &str,
        claim: Claim<'_>,
        producer: (i64, i16),
        commits: Vec<Commit>,
        enrol: impl FnOnce() -> Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let ticket = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.start_hold(group_id, claim, producer, commits, enrol)?
        };
        self.compact_if_worthwhile();
        self.inner.durable(ticket).await
    }

    /// Commits or drops what a producer holds, in this epoch or an older one; answers when that is on disk.
    pub(crate) async fn end_transaction(
        &self,
        group_id: &str,
        producer_id: i64,
        newest_epoch: i16,
        commit: bool,
    ) -> Result<(), ErrorCode> {
        let ticket = {
            let _turn = self.inner.offsets_turn.lock().await;
            self.inner.start_settle(group_id, producer_id, newest_epoch, commit)?
        };
        self.compact_if_worthwhile();
        match ticket {
            Some(ticket) => self.inner.durable(ticket).await,
            None => Ok(()),
        }
    }

    /// Every transaction that holds offsets: group, and producer with its epoch.
    pub(crate) fn open_transactions(&self) -> Vec<(Arc<str>, (i64, i16))> {
        let state = self.inner.state.lock();
        let open = state.groups.iter().flat_map(|(id, group)| {
            group.pending.open().map(move |(producer_id, epoch, _)| (Arc::clone(id), (producer_id, epoch)))
        });
        open.collect()
    }
}

impl Inner {
    /// The caller holds the turn.
    fn start_hold(
        self: &Arc<Self>,
        group_id: &str,
        claim: Claim<'_>,
        producer: (i64, i16),
        commits: Vec<Commit>,
        enrol: impl FnOnce() -> Result<(), ErrorCode>,
    ) -> Result<Ticket, ErrorCode> {
        if group_id.len() > MAX_GROUP_ID_BYTES {
            return Err(ErrorCode::InvalidGroupId);
        }
        let is_open = |group: &super::coordinator::Group| group.pending.is_open(producer.0, producer.1);
        if !self.state.lock().groups.get(group_id).is_some_and(is_open) {
            enrol()?;
        }
        self.check_hold(group_id, claim, &commits)?;
        let entries = encode_hold(group_id, producer, &commits).map_err(|error| failed(&error))?;
        let ticket = self.append(&entries)?;
        self.state.lock().hold(group_id, producer, commits, Some(ticket));
        Ok(ticket)
    }

    fn check_hold(
        self: &Arc<Self>,
        group_id: &str,
        claim: Claim<'_>,
        commits: &[Commit],
    ) -> Result<(), ErrorCode> {
        let mut state = self.state.lock();
        if !state.groups.contains_key(group_id) {
            if claim.generation >= 0 {
                return Err(ErrorCode::IllegalGeneration);
            }
            state.insert(group_id, self.config.max_groups)?;
        }
        let added: usize = commits.iter().map(|one| one.committed.bytes()).sum();
        let fits = state.offsets_bytes + added <= self.config.max_offsets_bytes;
        let checked = self.operate(&mut state, group_id, |group, _| {
            group.check_transactional_commit(claim, commits)?;
            if fits && group.count_with(commits) <= self.config.max_offsets_per_group {
                Ok(())
            } else {
                Err(ErrorCode::InvalidCommitOffsetSize)
            }
        });
        checked.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable))
    }

    /// The caller holds the turn.
    fn start_settle(
        self: &Arc<Self>,
        group_id: &str,
        producer_id: i64,
        newest_epoch: i16,
        commit: bool,
    ) -> Result<Option<Ticket>, ErrorCode> {
        let ends = |group: &super::coordinator::Group| group.pending.ends(producer_id, newest_epoch);
        if !self.state.lock().groups.get(group_id).is_some_and(ends) {
            return Ok(None);
        }
        let entry =
            encode_settle(group_id, producer_id, newest_epoch, commit).map_err(|error| failed(&error))?;
        let ticket = self.append(&[entry])?;
        let mut state = self.state.lock();
        state.settle(group_id, producer_id, newest_epoch, commit, Some(ticket));
        // The group may have nothing left to be kept for.
        self.operate(&mut state, group_id, |_, _| ());
        Ok(Some(ticket))
    }
}

impl State {
    pub(super) fn hold(
        &mut self,
        group_id: &str,
        (producer_id, epoch): (i64, i16),
        commits: Vec<Commit>,
        ticket: Option<Ticket>,
    ) {
        self.keep(group_id, ticket, |group| {
            for commit in commits {
                group.pending.set(producer_id, epoch, commit);
            }
        });
    }

    pub(super) fn settle(
        &mut self,
        group_id: &str,
        producer_id: i64,
        newest_epoch: i16,
        commit: bool,
        ticket: Option<Ticket>,
    ) {
        self.keep(group_id, ticket, |group| {
            let held = group.pending.take(producer_id, newest_epoch);
            for one in held.into_iter().filter(|_| commit).flat_map(|held| held.into_commits()) {
                group.offsets.set(one);
            }
        });
    }
}
