//! One member of a Streams application: a thread of one of its processes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::beat::StreamsBeat;
use super::endpoints::Endpoint;
use super::task::Task;
use crate::groups::changes::Unwritten;
use crate::groups::place::Place;

/// What one task takes, by estimate.
const TASK_BYTES: usize = 160;

/// A member of a Streams application.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) rack_id: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) process_id: Arc<str>,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) tags: BTreeMap<String, String>,
    /// That of the topology that it came with.
    pub(super) topology_epoch: i32,
    pub(super) rebalance_timeout: Duration,
    pub(super) place: Place<Task>,
    pub(super) session_ends: Instant,
    pub(super) unwritten: Unwritten,
}

impl Member {
    /// A member that has just come; nothing that it may leave out is known yet.
    pub(super) fn new(beat: &StreamsBeat, now: Instant) -> Self {
        Self {
            id: Arc::clone(&beat.member_id),
            rack_id: None,
            client_id: Arc::clone(&beat.client_id),
            client_host: Arc::clone(&beat.client_host),
            process_id: Arc::default(),
            endpoint: None,
            tags: BTreeMap::new(),
            topology_epoch: 0,
            rebalance_timeout: Duration::ZERO,
            place: Place::default(),
            session_ends: now,
            unwritten: Unwritten::ALL,
        }
    }

    /// Takes over what it says of itself. Whether that is something else than before.
    pub(super) fn update(&mut self, beat: &StreamsBeat) -> bool {
        let mut changed = set(&mut self.client_id, Some(Arc::clone(&beat.client_id)));
        changed |= set(&mut self.client_host, Some(Arc::clone(&beat.client_host)));
        changed |= set(&mut self.rack_id, beat.rack_id.clone().map(Some));
        changed |= set(&mut self.process_id, beat.process_id.clone());
        changed |= set(&mut self.endpoint, beat.endpoint.clone().map(Some));
        changed |= set(&mut self.tags, beat.tags.clone());
        changed |= set(&mut self.topology_epoch, beat.topology.as_ref().map(|topology| topology.epoch));
        changed |= set(&mut self.rebalance_timeout, beat.rebalance_timeout);
        self.unwritten.who |= changed;
        changed
    }

    /// Bytes of memory, by estimate.
    pub(super) fn bytes(&self) -> usize {
        let tags = self.tags.iter().map(|(key, value)| key.len() + value.len());
        size_of::<Self>() + 2 * self.id.len() + tags.sum::<usize>() + self.place.count() * TASK_BYTES
    }
}

/// Whether there is a value, and it is another one than before.
fn set<T: PartialEq>(field: &mut T, value: Option<T>) -> bool {
    let Some(value) = value else { return false };
    let before = std::mem::replace(field, value);
    *field != before
}
