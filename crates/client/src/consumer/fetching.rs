//! Fetches under way: started for every leader, landed, and borne with when they fail for the moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::Consumer;
use super::fetch::{Fetch, Fetched, Landed, Wanted};
use super::record::StartAt;
use crate::cluster::RETRY_BACKOFF;
use crate::error::{ClientError, Need};

impl Consumer {
    /// Sends a fetch to every leader that has none under way.
    pub(super) fn start_fetches(&mut self) {
        let mut by_leader: BTreeMap<i32, Vec<Wanted>> = BTreeMap::new();
        for slot in &self.slots {
            let (Some(leader), Some(from)) = (slot.leader, slot.fetch_from) else { continue };
            if !self.fetching.contains(&leader) {
                let wanted = Wanted { topic: Arc::clone(&slot.topic), index: slot.index, from };
                by_leader.entry(leader).or_default().push(wanted);
            }
        }
        if self.refresh_at.is_some() {
            return;
        }
        for (node, mut wanted) in by_leader {
            // A broker lets only the first partition with data send a batch over the limits.
            self.turn = self.turn.wrapping_add(1);
            let first = self.turn % wanted.len();
            wanted.rotate_left(first);
            let Some(address) = self.cluster.address(node).map(str::to_owned) else {
                self.refresh_at = Some(Instant::now() + RETRY_BACKOFF);
                continue;
            };
            self.fetching.insert(node);
            let fetch = Fetch {
                node,
                address,
                epoch: self.epoch,
                connection: self.connections.remove(&node),
                config: self.cluster.shared_config(),
                options: self.options.clone(),
                wanted,
            };
            self.fetches.spawn(fetch.run());
        }
    }

    pub(super) fn land(&mut self, landed: Landed) -> Result<(), ClientError> {
        self.fetching.remove(&landed.node);
        if let Some(connection) = landed.connection {
            self.connections.insert(landed.node, connection);
        }
        if landed.epoch != self.epoch {
            return Ok(());
        }
        match landed.result {
            Ok(partitions) => {
                if partitions.iter().all(|fetched| fetched.outcome.is_ok()) {
                    self.failing_since = None;
                }
                partitions.into_iter().try_for_each(|fetched| self.land_partition(fetched))
            }
            Err(error) => self.bear(error),
        }
    }

    fn land_partition(&mut self, fetched: Fetched) -> Result<(), ClientError> {
        let Wanted { topic, index, from } = fetched.wanted;
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.is(&topic, index)) else { return Ok(()) };
        if slot.fetch_from != Some(from) {
            return Ok(());
        }
        let code = match fetched.outcome {
            Ok(decoded) => {
                slot.fetch_from = Some(decoded.next_offset);
                self.buffer.extend(decoded.records);
                return Ok(());
            }
            Err(code) => code,
        };
        if code == ErrorCode::OffsetOutOfRange.code() && !matches!(self.options.start, StartAt::Offset(_)) {
            tracing::warn!(%topic, partition = index, offset = from, "the offset is gone; starting over as configured");
            slot.fetch_from = None;
            return Ok(());
        }
        let doing = || format!("reading topic {topic} partition {index} from offset {from}");
        match self.cluster.check(code, None, &Need::topic("READ", &topic), doing) {
            Ok(()) => Ok(()),
            Err(error) => self.bear(error),
        }
    }

    /// Lets a passing failure pass, for the time of a request; leaders are asked for again.
    pub(super) fn bear(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !error.is_retriable() {
            return Err(error);
        }
        let now = Instant::now();
        let since = *self.failing_since.get_or_insert(now);
        if now - since > self.cluster.config().request_timeout {
            self.failing_since = None;
            return Err(error);
        }
        tracing::debug!(%error, "reading is tried again");
        self.refresh_at = Some(now + RETRY_BACKOFF);
        Ok(())
    }
}
