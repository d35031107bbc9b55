//! One transactional id: its producer, and the transaction that is open or was the last.
//!
//! A plain state machine. A request is decided upon without changing anything; what comes of it is a
//! [`Change`], which is written down and then applied. Nothing here looks at a clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use schloss_wire::{ErrorCode, Uuid};

use crate::producers::TransactionVersion;

/// What stands for a producer id that is not there.
pub(super) const NO_PRODUCER: i64 = -1;
/// What stands for an epoch that is not there.
pub(super) const NO_EPOCH: i16 = -1;
/// What stands for a time that is not there.
pub(super) const NO_TIME: i64 = -1;
/// The last epoch that a client gets. The one after it is left to fence that client.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// Where a transactional id stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TransactionState {
    /// The producer has begun none.
    Empty,
    /// One is open.
    Ongoing,
    /// It is to be committed; the markers are on their way.
    PrepareCommit,
    /// It is to be aborted; the markers are on their way.
    PrepareAbort,
    /// The last one was committed.
    CompleteCommit,
    /// The last one was aborted.
    CompleteAbort,
}

impl TransactionState {
    const ALL: [Self; 6] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
    ];

    /// Kafka's name of the state.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }

    /// The state of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the markers are on their way.
    pub(super) const fn is_prepared(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }

    const fn prepared(commit: bool) -> Self {
        if commit { Self::PrepareCommit } else { Self::PrepareAbort }
    }
}

/// Who says that it writes under a transactional id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimant<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// What takes part in a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Partition(Uuid, i32),
    /// A group whose offsets are committed.
    Group(Arc<str>),
}

impl Place {
    /// The change that makes it take part.
    pub(super) fn into_change(self) -> Change {
        match self {
            Self::Partition(topic, index) => {
                Change::Add { partitions: vec![(topic, index)], groups: Vec::new() }
            }
            Self::Group(group) => Change::Add { partitions: Vec::new(), groups: vec![group] },
        }
    }
}

/// A transactional id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Transaction {
    pub(super) producer_id: i64,
    /// The producer id before the last change.
    pub(super) previous_producer_id: i64,
    /// The producer id from the end of this transaction on, if it is to be another one.
    pub(super) next_producer_id: i64,
    pub(super) epoch: i16,
    /// The epoch before the last bump that the producer asked for itself.
    pub(super) last_epoch: i16,
    pub(super) timeout_ms: i32,
    pub(super) state: TransactionState,
    pub(super) partitions: BTreeSet<(Uuid, i32)>,
    pub(super) groups: BTreeSet<Arc<str>>,
    /// When the transaction began, in milliseconds since the epoch.
    pub(super) started_ms: i64,
    /// When anything was last changed, in milliseconds since the epoch.
    pub(super) updated_ms: i64,
    /// How the last transaction was ended.
    pub(super) version: TransactionVersion,
}

/// What a producer that asks for an id and epoch brings along (KIP-360).
pub(super) type Expected = Option<(i64, i16)>;

/// Something that happens to a transactional id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// A producer gets its id and epoch.
    Init { producer_id: i64, epoch: i16, last_epoch: i16, timeout_ms: i32 },
    /// Partitions and groups take part; with the first the transaction begins.
    Add { partitions: Vec<(Uuid, i32)>, groups: Vec<Arc<str>> },
    /// It is decided how the transaction ends.
    End { commit: bool, epoch: i16, last_epoch: i16, next_producer_id: i64, version: TransactionVersion },
    /// Every marker is on disk.
    Complete,
}

/// What a request for an id and epoch comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum InitDecision {
    Change(Change),
    /// The transaction that is open has to be aborted first.
    Abort(Change),
    /// Asks again with an id that was never given out.
    NeedsProducerId,
}

/// What a request to end a transaction comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum EndDecision {
    Change(Change),
    /// It ended like this before.
    Done,
    /// Asks again with an id that was never given out.
    NeedsProducerId,
}

impl Transaction {
    /// Decides about a request for an id and epoch of a transactional id that is new.
    pub(super) fn decide_first_init(timeout_ms: i32, fresh: Option<i64>) -> InitDecision {
        match fresh {
            Some(producer_id) => {
                InitDecision::Change(Change::Init { producer_id, epoch: 0, last_epoch: NO_EPOCH, timeout_ms })
            }
            None => InitDecision::NeedsProducerId,
        }
    }

    /// Decides about a request for an id and epoch. `fresh` is a producer id that may be given out.
    pub(super) fn decide_init(
        &self,
        expected: Expected,
        timeout_ms: i32,
        fresh: Option<i64>,
    ) -> Result<InitDecision, ErrorCode> {
        // A producer id that was replaced since the last answer got lost.
        let replaced = |(id, epoch): (i64, i16)| id == self.previous_producer_id && epoch >= LAST_EPOCH;
        if expected.is_some_and(|one| one.0 != self.producer_id && !replaced(one)) {
            return Err(ErrorCode::ProducerFenced);
        }
        match self.state {
            state if state.is_prepared() => return Err(ErrorCode::ConcurrentTransactions),
            TransactionState::Ongoing => return Ok(InitDecision::Abort(self.fence())),
            _ => {}
        }
        let expected_epoch = expected.map(|(_, epoch)| epoch);
        let current = expected_epoch.is_none_or(|epoch| epoch == self.epoch);
        let last_epoch = if expected.is_some() { self.epoch } else { NO_EPOCH };
        let init = |producer_id, epoch, last_epoch| {
            InitDecision::Change(Change::Init { producer_id, epoch, last_epoch, timeout_ms })
        };
        if current && self.epoch >= LAST_EPOCH {
            Ok(fresh.map_or(InitDecision::NeedsProducerId, |id| init(id, 0, last_epoch)))
        } else if current {
            Ok(init(self.producer_id, self.epoch + 1, last_epoch))
        } else if expected_epoch == Some(self.last_epoch) {
            // It asks again because the answer got lost. Had another producer begun since, the last epoch
            // would be none.
            Ok(init(self.producer_id, self.epoch, self.last_epoch))
        } else {
            Err(ErrorCode::ProducerFenced)
        }
    }

    /// The abort that the coordinator itself decides on. It takes the epoch out of the producer's reach: it is
    /// fenced, and the epoch is never told to anybody.
    pub(super) const fn fence(&self) -> Change {
        let fenced = self.epoch.saturating_add(1);
        Change::End {
            commit: false,
            epoch: fenced.saturating_add(1),
            last_epoch: fenced,
            next_producer_id: NO_PRODUCER,
            version: TransactionVersion::V2,
        }
    }

    /// Decides about partitions and groups that are to take part; nothing if they do already.
    pub(super) fn decide_add(
        &self,
        producer: Claimant<'_>,
        partitions: &[(Uuid, i32)],
        groups: &[Arc<str>],
    ) -> Result<Option<Change>, ErrorCode> {
        self.check_open_to(producer)?;
        let known = self.state == TransactionState::Ongoing
            && partitions.iter().all(|one| self.partitions.contains(one))
            && groups.iter().all(|one| self.groups.contains(one));
        Ok((!known).then(|| Change::Add { partitions: partitions.to_vec(), groups: groups.to_vec() }))
    }

    /// Whether this takes part in the open transaction of this producer.
    pub(super) fn verify(&self, producer: Claimant<'_>, place: &Place) -> Result<(), ErrorCode> {
        self.check_open_to(producer)?;
        if self.has(place) { Ok(()) } else { Err(ErrorCode::TransactionAbortable) }
    }

    /// Whether this takes part.
    pub(super) fn has(&self, place: &Place) -> bool {
        match place {
            Place::Partition(topic, index) => self.partitions.contains(&(*topic, *index)),
            Place::Group(group) => self.groups.contains(group),
        }
    }

    fn check_open_to(&self, producer: Claimant<'_>) -> Result<(), ErrorCode> {
        if self.producer_id != producer.producer_id {
            Err(ErrorCode::InvalidProducerIdMapping)
        } else if self.epoch != producer.epoch {
            Err(ErrorCode::ProducerFenced)
        } else if self.state.is_prepared() {
            Err(ErrorCode::ConcurrentTransactions)
        } else {
            Ok(())
        }
    }

    /// Decides about the end that a producer of the older kind asks for: the epoch stays.
    pub(super) fn decide_end_v1(
        &self,
        producer: Claimant<'_>,
        commit: bool,
    ) -> Result<EndDecision, ErrorCode> {
        if self.producer_id != producer.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if self.epoch != producer.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        match self.state {
            TransactionState::Ongoing => Ok(EndDecision::Change(Change::End {
                commit,
                epoch: self.epoch,
                last_epoch: self.last_epoch,
                next_producer_id: NO_PRODUCER,
                version: TransactionVersion::V1,
            })),
            TransactionState::CompleteCommit if commit => Ok(EndDecision::Done),
            TransactionState::CompleteAbort if !commit => Ok(EndDecision::Done),
            state if state == TransactionState::prepared(commit) => Err(ErrorCode::ConcurrentTransactions),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// Decides about the end that a producer of the newer kind asks for: the epoch goes up (KIP-890). `fresh` is
    /// a producer id that may be given out.
    pub(super) fn decide_end_v2(
        &self,
        producer: Claimant<'_>,
        commit: bool,
        fresh: Option<i64>,
    ) -> Result<EndDecision, ErrorCode> {
        // The answer got lost: the epoch, or even the producer id, is the next one by now.
        let after_bump =
            self.producer_id == producer.producer_id && producer.epoch.checked_add(1) == Some(self.epoch);
        let after_new_id = self.previous_producer_id == producer.producer_id
            && producer.epoch == LAST_EPOCH
            && self.epoch == 0;
        let current = self.producer_id == producer.producer_id && self.epoch == producer.epoch;
        if self.producer_id != producer.producer_id && !after_new_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let complete = |of_commit: bool| match (current, commit) {
            // It is the next transaction that is meant, one without anything in it.
            (true, false) => self.bump(false, fresh),
            (true, true) => Err(ErrorCode::InvalidTxnState),
            (false, _) if commit == of_commit => Ok(EndDecision::Done),
            (false, _) => Err(ErrorCode::InvalidTxnState),
        };
        match self.state {
            TransactionState::Ongoing | TransactionState::Empty if !current => Err(ErrorCode::ProducerFenced),
            TransactionState::Ongoing => self.bump(commit, fresh),
            TransactionState::Empty if commit => Err(ErrorCode::InvalidTxnState),
            TransactionState::Empty => self.bump(false, fresh),
            TransactionState::PrepareCommit | TransactionState::PrepareAbort if !after_bump => {
                Err(ErrorCode::ProducerFenced)
            }
            state if state == TransactionState::prepared(commit) => Err(ErrorCode::ConcurrentTransactions),
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Err(ErrorCode::InvalidTxnState)
            }
            TransactionState::CompleteCommit | TransactionState::CompleteAbort
                if !(current || after_bump || after_new_id) =>
            {
                Err(ErrorCode::ProducerFenced)
            }
            TransactionState::CompleteCommit => complete(true),
            TransactionState::CompleteAbort => complete(false),
        }
    }

    fn bump(&self, commit: bool, fresh: Option<i64>) -> Result<EndDecision, ErrorCode> {
        let next_producer_id = match (self.epoch >= LAST_EPOCH, fresh) {
            (false, _) => NO_PRODUCER,
            (true, Some(id)) => id,
            (true, None) => return Ok(EndDecision::NeedsProducerId),
        };
        let (last_epoch, epoch) = match self.epoch.checked_add(1) {
            Some(next) => (self.epoch, next),
            // Only a coordinator can have fenced like this. An abort gets out of it.
            None if commit => return Err(ErrorCode::ProducerFenced),
            None => (self.epoch, self.epoch),
        };
        Ok(EndDecision::Change(Change::End {
            commit,
            epoch,
            last_epoch,
            next_producer_id,
            version: TransactionVersion::V2,
        }))
    }

    /// The newest epoch of records and offsets that the decided end is about.
    pub(super) const fn newest_ended_epoch(&self) -> i16 {
        match self.version {
            TransactionVersion::V1 => self.epoch,
            TransactionVersion::V2 => self.epoch.saturating_sub(1),
        }
    }

    /// Id and epoch that the producer has once the decided end is complete.
    pub(super) const fn after_completion(&self) -> (i64, i16) {
        match self.next_producer_id {
            NO_PRODUCER => (self.producer_id, self.epoch),
            next => (next, 0),
        }
    }

    /// A transactional id that is new.
    pub(super) fn first(now_ms: i64) -> Self {
        Self {
            producer_id: NO_PRODUCER,
            previous_producer_id: NO_PRODUCER,
            next_producer_id: NO_PRODUCER,
            epoch: NO_EPOCH,
            last_epoch: NO_EPOCH,
            timeout_ms: 0,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            started_ms: NO_TIME,
            updated_ms: now_ms,
            version: TransactionVersion::V1,
        }
    }

    /// Makes the change at this time.
    pub(super) fn apply(&mut self, change: Change, now_ms: i64) {
        self.previous_producer_id = self.producer_id;
        self.updated_ms = now_ms;
        match change {
            Change::Init { producer_id, epoch, last_epoch, timeout_ms } => {
                self.producer_id = producer_id;
                self.epoch = epoch;
                self.last_epoch = last_epoch;
                self.timeout_ms = timeout_ms;
                self.started_ms = NO_TIME;
                self.state = TransactionState::Empty;
            }
            Change::Add { partitions, groups } => {
                if self.state != TransactionState::Ongoing {
                    self.started_ms = now_ms;
                }
                self.state = TransactionState::Ongoing;
                self.partitions.extend(partitions);
                self.groups.extend(groups);
            }
            Change::End { commit, epoch, last_epoch, next_producer_id, version } => {
                if self.state != TransactionState::Ongoing {
                    self.started_ms = now_ms;
                }
                self.state = TransactionState::prepared(commit);
                self.epoch = epoch;
                self.last_epoch = last_epoch;
                self.next_producer_id = next_producer_id;
                self.version = version;
            }
            Change::Complete => {
                let commit = self.state == TransactionState::PrepareCommit;
                self.state =
                    if commit { TransactionState::CompleteCommit } else { TransactionState::CompleteAbort };
                (self.producer_id, self.epoch) = self.after_completion();
                self.next_producer_id = NO_PRODUCER;
                self.partitions.clear();
                self.groups.clear();
            }
        }
    }
}
