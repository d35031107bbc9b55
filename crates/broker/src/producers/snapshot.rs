//! The producers of a partition as bytes, so that a start need not read every batch.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::aborted::Aborted;
use super::states::{AppendedBatch, Producer, ProducerStates, REMEMBERED_BATCHES};

/// Raised when the fields change: a snapshot of another version is not used, and the log is read instead.
const VERSION: u32 = 2;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    version: u32,
    producers: Vec<SavedProducer>,
    /// Transactions whose end may not be on disk yet, by the offsets of first record and marker.
    ending: Vec<(i64, i64)>,
    aborted: Vec<Aborted>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SavedProducer {
    id: i64,
    epoch: i16,
    seen_ms: i64,
    coordinator_epoch: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_since: Option<i64>,
    batches: Vec<AppendedBatch>,
}

impl ProducerStates {
    /// All there is to know, for [`decode`](Self::decode).
    pub(crate) fn encode(&self) -> Vec<u8> {
        let saved = |(id, producer): (&i64, &Producer)| SavedProducer {
            id: *id,
            epoch: producer.epoch,
            seen_ms: producer.seen_ms,
            coordinator_epoch: producer.coordinator_epoch,
            open_since: producer.open_since,
            batches: producer.batches.iter().copied().collect(),
        };
        let snapshot = Snapshot {
            version: VERSION,
            producers: self.producers.iter().map(saved).collect(),
            ending: self.ending.iter().map(|(first, marker)| (*first, *marker)).collect(),
            aborted: self.aborted.all().to_vec(),
        };
        // Numbers and lists can always be written.
        serde_json::to_vec(&snapshot).unwrap_or_default()
    }

    /// What [`encode`](Self::encode) was asked for; none if the bytes are of another version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let snapshot: Snapshot = serde_json::from_slice(bytes).ok()?;
        if snapshot.version != VERSION {
            return None;
        }
        let mut states = Self {
            producers: HashMap::with_capacity(snapshot.producers.len()),
            ending: snapshot.ending.into_iter().collect(),
            ..Self::default()
        };
        for saved in snapshot.producers {
            if saved.batches.len() > REMEMBERED_BATCHES {
                return None;
            }
            let mut producer = Producer::new(saved.epoch);
            producer.batches.extend(saved.batches);
            producer.seen_ms = saved.seen_ms;
            producer.coordinator_epoch = saved.coordinator_epoch;
            producer.open_since = saved.open_since;
            if let Some(first_offset) = saved.open_since {
                states.open.insert(first_offset, saved.id);
            }
            states.producers.insert(saved.id, producer);
        }
        for aborted in snapshot.aborted {
            states.aborted(aborted);
        }
        Some(states)
    }
}
