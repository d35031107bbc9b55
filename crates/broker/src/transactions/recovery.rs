//! The start: what partitions and groups hold of open transactions, against what the coordinator knows.
//!
//! A producer of the newer kind makes a partition or a group part of its transaction by writing to it. The
//! coordinator notes that in its journal at the same time, so a crash may keep one of the two only. What was
//! written is the truth: it is known to the producer, or will be sent again and recognised.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::completion::{COORDINATOR_EPOCH, Ending};
use super::coordinator::{Inner, State};
use super::transaction::{Change, NO_PRODUCER, Place, Transaction, TransactionState};
use crate::control::Marker;
use crate::producers::TransactionVersion;
use crate::reply::now_ms;

/// A transaction somewhere that no transactional id answers for: nobody can commit it.
pub(super) struct Orphan {
    producer_id: i64,
    epoch: i16,
    place: Place,
}

/// A transaction that is open somewhere.
struct Found {
    producer_id: i64,
    epoch: i16,
    place: Place,
}

impl Inner {
    /// Brings the coordinator in line with its participants.
    pub(super) fn reconcile(self: &Arc<Self>) {
        // Before the lock: partitions are always asked without it.
        let found = self.found();
        let (mut state, now_ms) = (self.state.lock(), now_ms());
        let open: Vec<_> =
            state.known.iter().map(|(id, known)| (Arc::clone(id), known.transaction.left(now_ms))).collect();
        for (id, left) in open {
            self.arm(&mut state, &id, left);
        }
        let by_producer = state.by_producer();
        for Found { producer_id, epoch, place } in found {
            let id = by_producer.get(&producer_id);
            let known = id.and_then(|id| Some((id, state.known.get(id)?)));
            let changes = known
                .and_then(|(id, known)| Some((id, known.transaction.take_over(producer_id, epoch, &place)?)));
            let Some((id, changes)) = changes else {
                warn!(
                    producer_id,
                    epoch,
                    ?place,
                    "an open transaction has no transactional id: it is aborted"
                );
                state.orphans.push(Orphan { producer_id, epoch, place });
                continue;
            };
            for change in changes {
                // On a full disk it is only remembered: the next start finds it again.
                if self.change(&mut state, id, change.clone(), now_ms).is_err()
                    && let Some(known) = state.known.get_mut(id)
                {
                    known.transaction.apply(change, now_ms);
                }
            }
        }
    }

    fn found(&self) -> Vec<Found> {
        let partitions = self.participants.partitions.open_transactions().into_iter();
        let in_partitions = partitions.map(|(topic, index, (producer_id, epoch))| Found {
            producer_id,
            epoch,
            place: Place::Partition(topic, index),
        });
        let groups = self.participants.groups.open_transactions().into_iter();
        let in_groups = groups.map(|(group, (producer_id, epoch))| Found {
            producer_id,
            epoch,
            place: Place::Group(group),
        });
        in_partitions.chain(in_groups).collect()
    }

    /// Goes on with every end that was decided, and with what nobody answers for.
    pub(super) fn resume(self: &Arc<Self>) {
        let (decided, orphans) = {
            let mut state = self.state.lock();
            let decided = state.known.iter().filter(|(_, known)| known.transaction.state.is_prepared());
            let decided: Vec<_> = decided.map(|(id, _)| Arc::clone(id)).collect();
            (decided, std::mem::take(&mut state.orphans))
        };
        if !decided.is_empty() {
            info!(transactions = decided.len(), "completing transactions whose end was decided");
        }
        for id in decided {
            let _goes_on = self.spawn_completion(&id);
        }
        if orphans.is_empty() {
            return;
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            for orphan in orphans {
                // If it fails, the next start finds it again.
                orphan.into_ending().write_markers(&inner.participants).await;
            }
        });
    }
}

impl State {
    /// Transactional ids by the producer ids under which something of theirs may be open.
    fn by_producer(&self) -> HashMap<i64, Arc<str>> {
        let mut ids = HashMap::with_capacity(self.known.len());
        for (id, known) in &self.known {
            for producer in [known.transaction.producer_id, known.transaction.next_producer_id] {
                if producer != NO_PRODUCER {
                    ids.insert(producer, Arc::clone(id));
                }
            }
        }
        ids
    }
}

impl Transaction {
    /// How much longer it may stay open: no longer than from its start on, if the clock went back since.
    pub(super) fn left(&self, now_ms: i64) -> Duration {
        let whole = i64::from(self.timeout_ms);
        let left = self.started_ms.saturating_add(whole).saturating_sub(now_ms).min(whole);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// What has to change so that it answers for a transaction that is open somewhere; nothing if that is none
    /// of this id.
    fn take_over(&self, producer_id: i64, epoch: i16, place: &Place) -> Option<Vec<Change>> {
        let join = || place.clone().into_change();
        if self.state.is_prepared() {
            if self.version == TransactionVersion::V2 && self.after_completion() == (producer_id, epoch) {
                // The producer is in its next transaction. It could not have begun that before the markers of
                // this one were all on disk.
                return Some(vec![Change::Complete, join()]);
            }
            // What took part was noted before the end was decided, so the markers go there.
            let ends =
                self.producer_id == producer_id && epoch <= self.newest_ended_epoch() && self.has(place);
            return ends.then(Vec::new);
        }
        let current = (self.producer_id, self.epoch) == (producer_id, epoch);
        let known = self.state == TransactionState::Ongoing && self.has(place);
        current.then(|| if known { Vec::new() } else { vec![join()] })
    }
}

impl Orphan {
    fn into_ending(self) -> Ending {
        let (partitions, groups) = match self.place {
            Place::Partition(topic, index) => (vec![(topic, index)], Vec::new()),
            Place::Group(group) => (Vec::new(), vec![group]),
        };
        Ending {
            marker: Marker {
                producer_id: self.producer_id,
                producer_epoch: self.epoch,
                commit: false,
                coordinator_epoch: COORDINATOR_EPOCH,
            },
            version: TransactionVersion::V1,
            newest_epoch: self.epoch,
            partitions,
            groups,
        }
    }
}
