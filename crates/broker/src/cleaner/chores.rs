//! One turn: every log is looked at, old segments go, and what is dirty is compacted, the dirtiest log first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use schloss_log::LogError;
use schloss_metadata::Metadata;
use schloss_wire::Uuid;
use schloss_wire::records::BatchHeader;

use super::control::{Control, Pace};
use super::log::CleanableLog;
use super::offset_map::OffsetMap;
use super::policy::{Dirty, Policy};
use super::round::{CleanError, Cleaned, Stopped, Surroundings, compact};
use crate::broker::BrokerConfig;
use crate::partition::Partition;
use crate::partitions::Partitions;
use crate::settings::TopicSettings;

/// How long a log that can't be compacted is left alone, in milliseconds: it has to be read as a whole to find
/// that out.
const REST_AFTER_FAILURE_MS: i64 = 60 * 60 * 1000;

/// What is remembered from turn to turn.
#[derive(Default)]
pub(super) struct Chores {
    /// Logs that are left alone until then.
    resting: HashMap<(Uuid, i32), i64>,
}

/// What a turn works on.
pub(super) struct Estate<'a> {
    pub(super) node: &'a BrokerConfig,
    pub(super) metadata: &'a Metadata,
    pub(super) partitions: &'a Partitions,
    pub(super) control: &'a Control,
    /// In milliseconds since the epoch.
    pub(super) now_ms: i64,
}

/// One partition of a topic.
struct Place<'a> {
    topic: &'a str,
    id: (Uuid, i32),
    partition: Arc<Partition>,
    policy: Policy,
}

impl Chores {
    /// Does what is due.
    pub(super) fn turn(&mut self, estate: &Estate<'_>) -> Result<(), Stopped> {
        self.resting.retain(|_, until| *until > estate.now_ms);
        let snapshot = estate.metadata.snapshot();
        let mut dirty = Vec::new();
        for topic in snapshot.topics() {
            let policy = TopicSettings::new(&topic.configs, estate.node).cleanup();
            for (index, partition) in estate.partitions.of(topic.id) {
                estate.control.check()?;
                let id = (topic.id, index);
                let place = Place { topic: &topic.name, id, partition, policy: policy.clone() };
                // One that failed or was deleted is told of elsewhere.
                if place.partition.log.check().is_err() || self.resting.contains_key(&id) {
                    continue;
                }
                match place.tend(estate.now_ms) {
                    Ok(Some(found)) => dirty.push((found.ratio, place)),
                    Ok(None) => {}
                    Err(error) => self.failed(&place, &error.into(), estate.now_ms),
                }
            }
        }
        dirty.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        for (_, place) in dirty {
            match place.compact(estate) {
                Ok(()) | Err(CleanError::Changed) => {}
                Err(CleanError::Stopped(stopped)) => return Err(stopped),
                Err(error) => self.failed(&place, &error, estate.now_ms),
            }
        }
        Ok(())
    }

    fn failed(&mut self, place: &Place<'_>, error: &CleanError, now_ms: i64) {
        let (topic, partition) = (place.topic, place.id.1);
        match error {
            // A deleted topic needs no keeping, and a disk may have room again soon.
            CleanError::Log(LogError::Deleted { .. } | LogError::Closed { .. }) => {}
            CleanError::Log(full) if full.is_disk_full() => {
                tracing::warn!(%error, topic, partition, "no room to compact a log; tried again soon");
            }
            _ => {
                tracing::error!(%error, topic, partition, "a log can't be kept small; tried again in an hour");
                self.resting.insert(place.id, now_ms.saturating_add(REST_AFTER_FAILURE_MS));
            }
        }
    }
}

impl Place<'_> {
    /// Closes and removes segments that are due, and tells what is to be compacted.
    fn tend(&self, now_ms: i64) -> Result<Option<Dirty>, LogError> {
        let log = &self.partition.log;
        if log.active_since_ms().is_some_and(|since| self.policy.is_roll_due(&log.segments(), since, now_ms))
        {
            log.roll()?;
        }
        let removed = log.retain(&self.policy.retention, now_ms)?;
        if removed > 0 {
            tracing::info!(
                topic = self.topic,
                partition = self.id.1,
                segments = removed,
                log_start_offset = log.start_offset(),
                "removed segments by retention"
            );
        }
        self.due(now_ms)
    }

    /// What is to be compacted, if it is time to.
    fn due(&self, now_ms: i64) -> Result<Option<Dirty>, LogError> {
        let (log, policy) = (&self.partition.log, &self.policy);
        if !policy.compact {
            return Ok(None);
        }
        let stable = self.partition.last_stable_offset();
        let Some(dirty) = policy.dirty(&log.segments(), log.cleaned_to(), stable, now_ms) else {
            return Ok(None);
        };
        let oldest_ms = match policy.max_compaction_lag_ms {
            i64::MAX => None,
            _ => {
                let first = CleanableLog::read(log, dirty.start, 0)?;
                BatchHeader::parse(&first).ok().map(|header| header.base_timestamp)
            }
        };
        Ok(policy.is_compaction_due(&dirty, oldest_ms, now_ms).then_some(dirty))
    }

    /// Compacts the log in as many rounds as it takes.
    fn compact(&self, estate: &Estate<'_>) -> Result<(), CleanError> {
        let pace = Pace::new(estate.control);
        while let Some(dirty) = self.due(estate.now_ms)? {
            let begun = Instant::now();
            let known = self.partition.known_of_producers(dirty.end);
            let around = Surroundings {
                policy: &self.policy,
                aborted: known.aborted,
                producers: known.last_records,
                max_keys: OffsetMap::DEFAULT_MAX_KEYS,
                now_ms: estate.now_ms,
                pace: &|bytes| pace.spend(bytes),
                forget_markers: &|markers| self.partition.forget_aborted(markers),
            };
            let start = self.partition.log.start_offset();
            let cleaned = compact(&self.partition.log, &dirty, &around).map_err(|error| {
                // Somebody deleted records meanwhile, and what was to be read was gone.
                if self.partition.log.start_offset() == start { error } else { CleanError::Changed }
            })?;
            self.report(&cleaned, begun);
            if self.partition.log.cleaned_to() != cleaned.to {
                tracing::warn!(topic = self.topic, partition = self.id.1, "what is compacted can't be noted");
                break;
            }
        }
        Ok(())
    }

    fn report(&self, cleaned: &Cleaned, begun: Instant) {
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            topic = self.topic,
            partition = self.id.1,
            to_offset = cleaned.to,
            bytes_before = cleaned.bytes_before,
            bytes_after = cleaned.bytes_after,
            segments_before = cleaned.segments_before,
            segments_after = cleaned.segments_after,
            milliseconds,
            "compacted a log"
        );
        if cleaned.unreadable > 0 {
            tracing::warn!(
                topic = self.topic,
                partition = self.id.1,
                batches = cleaned.unreadable,
                "batches that can't be decoded stay as they are"
            );
        }
    }
}
