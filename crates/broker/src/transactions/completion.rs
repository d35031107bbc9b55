//! The second half of every end: once it is decided for good, the markers are written where the transaction
//! took part, and then it is complete.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use schloss_log::LogError;
use schloss_wire::{ErrorCode, Uuid};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::coordinator::{Inner, Participants};
use super::transaction::{Change, TransactionState};
use crate::control::Marker;
use crate::partition::WriteError;
use crate::producers::TransactionVersion;
use crate::reply::now_ms;

/// Pauses between attempts, while a disk is full or a partition is offline.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// There is one coordinator, which never moves.
pub(super) const COORDINATOR_EPOCH: i32 = 0;

/// A decided end, and where its markers are still missing.
pub(super) struct Ending {
    pub(super) marker: Marker,
    pub(super) version: TransactionVersion,
    /// The newest epoch of offsets that it is about.
    pub(super) newest_epoch: i16,
    pub(super) partitions: Vec<(Uuid, i32)>,
    pub(super) groups: Vec<Arc<str>>,
}

impl Inner {
    /// Completes a transaction whose end is decided. It goes on whether or not somebody waits.
    pub(super) fn spawn_completion(self: &Arc<Self>, id: &Arc<str>) -> JoinHandle<()> {
        tokio::spawn(complete(Arc::downgrade(self), Arc::clone(id)))
    }

    /// The end that was decided, and what waits for the decision to be on disk.
    fn ending(&self, id: &str) -> Option<(impl Future<Output = Result<(), LogError>> + use<>, Ending)> {
        let state = self.state.lock();
        let known = state.known.get(id).filter(|known| known.transaction.state.is_prepared())?;
        let transaction = &known.transaction;
        let ending = Ending {
            marker: Marker {
                producer_id: transaction.producer_id,
                producer_epoch: transaction.epoch,
                commit: transaction.state == TransactionState::PrepareCommit,
                coordinator_epoch: COORDINATOR_EPOCH,
            },
            version: transaction.version,
            newest_epoch: transaction.newest_ended_epoch(),
            partitions: transaction.partitions.iter().copied().collect(),
            groups: transaction.groups.iter().cloned().collect(),
        };
        let decided = known.ticket.map(|ticket| self.journal.wait(ticket));
        // What was replayed at the start is on disk.
        Some((
            async move {
                match decided {
                    Some(decided) => decided.await,
                    None => Ok(()),
                }
            },
            ending,
        ))
    }

    fn finish(self: &Arc<Self>, id: &Arc<str>, ended: &Marker) -> Result<(), ErrorCode> {
        let mut state = self.state.lock();
        let (_, known) = state.get(id)?;
        let transaction = &known.transaction;
        let same = (transaction.producer_id, transaction.epoch) == (ended.producer_id, ended.producer_epoch);
        if !same || !transaction.state.is_prepared() {
            return Ok(());
        }
        // Nobody waits for it. If it is lost the markers are written again, and what the producer did since
        // then is told apart by its epoch, or waits for a later entry of this journal.
        self.change(&mut state, id, Change::Complete, now_ms()).map(|_| ())
    }
}

async fn complete(coordinator: Weak<Inner>, id: Arc<str>) {
    let Some((decided, mut ending)) = coordinator.upgrade().and_then(|inner| inner.ending(&id)) else {
        return;
    };
    // No marker before the decision is on disk: a restart could decide otherwise.
    if let Err(error) = decided.await {
        warn!(transactional_id = %id, %error, "the end of a transaction is not on disk");
        return;
    }
    let mut pause = FIRST_PAUSE;
    // Held for an attempt only: a coordinator that goes away doesn't wait for a disk that is full.
    while let Some(inner) = coordinator.upgrade() {
        ending.write_markers(&inner.participants).await;
        if ending.is_written() && inner.finish(&id, &ending.marker).is_ok() {
            let Marker { producer_id, producer_epoch, commit, .. } = ending.marker;
            debug!(transactional_id = %id, producer_id, producer_epoch, commit, "a transaction ended");
            return;
        }
        drop(inner);
        warn!(transactional_id = %id, ?pause, "a transaction can't be completed yet");
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Ending {
    fn is_written(&self) -> bool {
        self.partitions.is_empty() && self.groups.is_empty()
    }

    /// Writes the markers that are missing; what fails is still missing afterwards.
    pub(super) async fn write_markers(&mut self, participants: &Participants) {
        let begun: Vec<_> =
            self.partitions.iter().map(|place| (*place, self.mark_partition(participants, *place))).collect();
        let in_partitions = begun.into_iter().map(|(place, flush)| async move {
            match flush {
                Ok(Some(flush)) => flush.await.err().map(|error| (place, error.to_string())),
                Ok(None) => None,
                Err(reason) => Some((place, reason)),
            }
        });
        let (id, epoch, commit) = (self.marker.producer_id, self.newest_epoch, self.marker.commit);
        let in_groups = self.groups.iter().map(|group| async move {
            let ended = participants.groups.end_transaction(group, id, epoch, commit).await;
            ended.err().map(|code| (Arc::clone(group), code))
        });
        let (in_partitions, in_groups) = tokio::join!(join_all(in_partitions), join_all(in_groups));
        self.partitions = in_partitions
            .into_iter()
            .flatten()
            .map(|((topic, partition), reason)| {
                warn!(?topic, partition, reason, "a transaction's marker can't be written");
                (topic, partition)
            })
            .collect();
        self.groups = in_groups
            .into_iter()
            .flatten()
            .map(|(group, code)| {
                warn!(%group, %code, "a transaction's offsets can't be settled");
                group
            })
            .collect();
    }

    /// Appends the marker to a partition; what is returned waits for it to be on disk. There is nothing to do
    /// where the topic was deleted, or the producer is further on already.
    fn mark_partition(
        &self,
        participants: &Participants,
        (topic, index): (Uuid, i32),
    ) -> Result<Option<impl Future<Output = Result<(), LogError>> + use<>>, String> {
        let partition = match participants.partitions.get(topic, index) {
            Ok(partition) => partition,
            Err(ErrorCode::UnknownTopicOrPartition) => return Ok(None),
            Err(code) => return Err(code.to_string()),
        };
        match partition.end_transaction(&self.marker, self.version, now_ms()) {
            Ok(written) => Ok(Some(partition.log.wait_flushed(written.last_offset + 1))),
            Err(WriteError::Producer(error)) => {
                debug!(?topic, partition = index, %error, "a marker is not needed any more");
                Ok(None)
            }
            Err(WriteError::Log(LogError::Deleted { .. })) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}
