//! Giving a member records of one partition.

use std::sync::Arc;

use bytes::Bytes;
use schloss_wire::ErrorCode;
use schloss_wire::records::BatchHeader;
use tokio::time::Instant;

use super::fetch::ShareFetch;
use super::partition::{Acquired, SharePartition, Taker};
use super::store::{Inner, begin};
use crate::cleaner::AbortedRecords;
use crate::groups::TopicPartition;
use crate::log_errors::code_of;
use crate::partition::Partition;
use crate::reading::{Budget, Reading};
use crate::reply::now_ms;
use crate::settings::OffsetReset;

/// Most times that a partition is read for one answer while all that is found is nothing to deliver.
const MAX_READS: usize = 32;

/// A partition that a member fetches: it, or the error that its entry gets.
pub(crate) struct Wanted {
    pub(crate) at: TopicPartition,
    pub(crate) partition: Result<Arc<Partition>, ErrorCode>,
}

/// What a member was given of a partition.
#[derive(Debug, Default)]
pub(crate) struct Acquisition {
    /// Whole batches; what is in them and was not acquired is not for the member.
    pub(crate) records: Bytes,
    pub(crate) acquired: Vec<Acquired>,
}

/// A batch and where it is in what was read.
struct Batch {
    header: BatchHeader,
    from: usize,
}

impl Inner {
    /// Whether it is worth to look at the disk: there may be records, or something else to say.
    pub(super) fn may_have(&self, fetch: &ShareFetch, wanted: &Wanted) -> bool {
        let Ok(partition) = &wanted.partition else { return true };
        let readable_to = partition.readable_to(fetch.settings.committed_only);
        let now = Instant::now();
        let may_have = |share: &mut SharePartition| {
            let next = share.next_offset(fetch.settings.max_under_way);
            share.next_deadline().is_some_and(|deadline| deadline <= now)
                || next.is_some_and(|next| next < readable_to)
        };
        self.state.lock().with(&fetch.key.0, wanted.at, may_have).unwrap_or(true)
    }

    /// Gives a member at most `most` records of a partition, or as many as its batches make of that. Blocks
    /// on the disk.
    pub(super) fn acquire(
        &self,
        fetch: &ShareFetch,
        wanted: &Wanted,
        budget: &mut Budget,
        most: i64,
    ) -> Result<Acquisition, ErrorCode> {
        let partition = wanted.partition.as_ref().map_err(|code| *code)?;
        let committed_only = fetch.settings.committed_only;
        for _ in 0..MAX_READS {
            let next = self.next_offset(fetch, wanted.at, partition)?;
            let readable = next.filter(|next| *next < partition.readable_to(committed_only));
            let Some(offset) = readable.filter(|_| most > 0 && !budget.is_spent()) else { break };
            let reading = match partition.read(offset, usize::MAX, budget, committed_only) {
                // The log lost its front meanwhile.
                Err(ErrorCode::OffsetOutOfRange) => continue,
                read => read?,
            };
            if reading.records.is_empty() {
                break;
            }
            let taken = self.take(fetch, wanted.at, offset, &reading, most);
            if !taken.acquired.is_empty() {
                budget.spend(taken.records.len());
                return Ok(taken);
            }
        }
        Ok(Acquisition::default())
    }

    /// The first offset that may be delivered now; a partition that the group has not read yet is begun.
    fn next_offset(
        &self,
        fetch: &ShareFetch,
        at: TopicPartition,
        partition: &Partition,
    ) -> Result<Option<i64>, ErrorCode> {
        let group = &fetch.key.0;
        let is_new = self.state.lock().with(group, at, |_| ()).is_none();
        if is_new {
            let start = first_offset(partition, fetch.settings.reset)?;
            let mut state = self.state.lock();
            if state.partitions >= self.config.max_partitions {
                return Err(ErrorCode::PolicyViolation);
            }
            if !state.sessions.has(&fetch.key) {
                // The group may be no more.
                return Err(ErrorCode::ShareSessionNotFound);
            }
            if state.with(group, at, |_| ()).is_none() {
                // Nobody waits for it: an acknowledgement, which does, comes later in the journal.
                let _ticket = self.append(&begin(group, at, start))?;
                state.put(group, at, SharePartition::new(start));
            }
        }
        let mut state = self.state.lock();
        let is_full = state.runs >= self.config.max_runs;
        let next = state.with(group, at, |share| {
            self.expire(group, at, share, Instant::now(), &fetch.settings);
            share.follow(partition.log.start_offset(), partition.log.end_offset());
            share.next_offset(fetch.settings.max_under_way)
        });
        Ok(next.flatten().filter(|_| !is_full))
    }

    /// Gives the member what is to be had of what was read from `offset` on.
    fn take(
        &self,
        fetch: &ShareFetch,
        at: TopicPartition,
        offset: i64,
        reading: &Reading,
        most: i64,
    ) -> Acquisition {
        let aborted = AbortedRecords::new(reading.aborted.as_deref().unwrap_or_default());
        let (group, member) = &fetch.key;
        let mut state = self.state.lock();
        if !state.sessions.has(&fetch.key) {
            // The member went away while the disk was read.
            return Acquisition::default();
        }
        let taken = state.with(group, at, |share| {
            let mut acquired: Vec<Acquired> = Vec::new();
            let (mut next, mut left, mut bytes) = (offset, most, None);
            for Batch { header, from } in batches(&reading.records) {
                if left <= 0 {
                    break;
                }
                // Compaction leaves holes between batches.
                if next < header.base_offset {
                    share.skip(next, header.base_offset - 1);
                }
                let (first, last) = (next.max(header.base_offset), header.last_offset());
                next = last + 1;
                if header.is_control() || header.record_count == 0 || aborted.contain(&header) {
                    share.skip(first, last);
                    continue;
                }
                let taker = Taker {
                    member,
                    until: Instant::now() + fetch.settings.record_lock,
                    most: if fetch.exact { left } else { i64::MAX },
                    most_under_way: fetch.settings.max_under_way,
                };
                let more = share.acquire(first, last, &taker);
                if !more.is_empty() {
                    left -= more.iter().map(|one| one.last - one.first + 1).sum::<i64>();
                    let begins = bytes.map_or(from, |(begins, _)| begins);
                    bytes = Some((begins, from + header.total_bytes));
                    acquired.extend(more);
                }
            }
            let records = bytes.map(|(from, to)| reading.records.slice(from..to));
            Acquisition { records: records.unwrap_or_default(), acquired }
        });
        taken.unwrap_or_default()
    }
}

/// The whole batches in these bytes.
fn batches(records: &Bytes) -> impl Iterator<Item = Batch> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let header = BatchHeader::parse(records.get(from..)?).ok()?;
        let batch = Batch { header, from };
        from += header.total_bytes;
        (from <= records.len()).then_some(batch)
    })
}

/// Where a group begins that has not read a partition yet. Blocks on the disk.
fn first_offset(partition: &Partition, reset: OffsetReset) -> Result<i64, ErrorCode> {
    let end = partition.log.high_watermark();
    match reset {
        OffsetReset::Earliest => Ok(partition.log.start_offset()),
        OffsetReset::Latest => Ok(end),
        OffsetReset::Ago { milliseconds } => {
            let since = now_ms().saturating_sub(milliseconds);
            let found = partition.log.offset_for_time(since).map_err(|error| code_of(&error))?;
            Ok(found.map_or(end, |(offset, _)| offset))
        }
    }
}
